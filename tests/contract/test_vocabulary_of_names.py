"""A name says what is inside; these say nothing."""

import ast
from pathlib import Path

MEANINGLESS = {
    "base", "common", "core", "handler", "helper", "helpers", "lib", "manager", "misc",
    "shared", "stuff", "tools", "util", "utils",
}  # fmt: skip


def test_no_module_has_a_name_that_says_nothing(root: Path, repository_files: list[Path]) -> None:
    faults = [
        path.relative_to(root).as_posix()
        for path in repository_files
        if path.suffix == ".py"
        and MEANINGLESS & {part.removesuffix(".py") for part in path.relative_to(root).parts}
    ]
    assert faults == []


def test_no_class_is_a_manager_or_a_handler(package_trees: dict[str, ast.Module]) -> None:
    faults = [
        f"{path}: {node.name}"
        for path, tree in package_trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and node.name.endswith(("Manager", "Handler", "Helper", "Utils", "Base"))
    ]
    assert faults == []


def test_every_module_of_the_package_says_what_and_why(
    package_trees: dict[str, ast.Module],
) -> None:
    assert [path for path, tree in package_trees.items() if not ast.get_docstring(tree)] == []


def test_test_names_are_sentences(root: Path, repository_files: list[Path]) -> None:
    short = [
        f"{path.relative_to(root)}: {node.name}"
        for path in repository_files
        if path.name.startswith("test_") and path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and node.name.count("_") < 3
    ]
    assert short == []
