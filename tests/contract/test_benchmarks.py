"""Benchmarks run by hand and months apart: what they name of the package has to be there."""

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

PACKAGE = "symmv_builder"


def find_module(root: Path, name: str) -> Path | None:
    """The file of a module of the package, `None` where there is none."""
    place = root / name.replace(".", "/")
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)


@lru_cache
def bound_in(file: Path) -> set[str]:
    """Every name that a module gives itself, wherever in it; its own `__getattr__` too."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    return names


def has(root: Path, module: str, name: str) -> bool:
    """Whether a module of the package, or the package, has something of a name."""
    file = find_module(root, module)
    if file is None:
        return False
    return find_module(root, f"{module}.{name}") is not None or bool(
        {name, "__getattr__"} & bound_in(file)
    )


def missing(root: Path, program: Path) -> Iterator[str]:
    """What a program imports of the package, or asks of a module of it, and is not there."""
    tree = ast.parse(program.read_text("utf-8"))
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE)):
            continue
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            if not has(root, str(node.module), alias.name):
                yield full
            elif find_module(root, full):
                modules[alias.asname or alias.name] = full
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            continue
        module = modules.get(node.value.id)
        if module and not has(root, module, node.attr):
            yield f"{module}.{node.attr}"


def test_benchmarks_name_nothing_that_is_gone(root: Path) -> None:
    programs = sorted((root / "benchmarks").glob("*.py"))
    assert programs
    absent = {program.name: set(missing(root, program)) for program in programs}
    assert {name: names for name, names in absent.items() if names} == {}


def test_a_name_that_is_gone_is_noticed(root: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from symmv_builder.datasets import pieces, piece_files\n"
        "from symmv_builder.records import Notes, Noises\n"
        "piece_files.sound_of, piece_files.sound_off\n"
    )
    assert list(missing(root, program)) == [
        "symmv_builder.datasets.pieces",
        "symmv_builder.records.Noises",
        "symmv_builder.datasets.piece_files.sound_off",
    ]
