"""The tree as these tests see it: files that belong to the repository, parsed once."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What .gitignore leaves out; walked past because the tests also run where there is no git.
OUTSIDE = {"build", "data", "demo-output", "dist", "site", "__pycache__"}


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in OUTSIDE
            and not name.endswith(".egg-info")
            and (name == ".ci" or not name.startswith("."))
        )
        # In a worktree of git `.git` is a file, which says where on this machine the others are.
        yield from (Path(parent) / name for name in sorted(names) if name != ".git")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def repository_files() -> list[Path]:
    """Every file of the checkout that is ours."""
    return list(_files(ROOT))


@pytest.fixture(scope="session")
def package_trees() -> dict[str, ast.Module]:
    """Syntax tree of every module of the package, by its path in the checkout."""
    paths = [path for path in _files(ROOT / "symmv_builder") if path.suffix == ".py"]
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_bytes()) for path in paths}
