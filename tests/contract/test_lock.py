"""The lock is what `make lock` wrote out of pyproject.toml, and an installation of it is whole."""

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from installation import lock, uv

MARKERS = {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux"}


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def pins(root: Path) -> dict[str, dict[str, str]]:
    """The version of every package, by layer."""
    by_name = {}
    for path in (root / "requirements").glob("*.txt"):
        lines = lock.blocks(path.read_text()).values()
        by_name[path.stem] = {
            pin.name: str(pin.specifier).removeprefix("==")
            for pin in (Requirement(line.split(" \\")[0].strip()) for line in lines)
        }
    return by_name


def test_the_lock_is_up_to_date(project: dict[str, Any]) -> None:
    assert lock.faults(project) == []


def test_a_changed_requirement_is_seen(project: dict[str, Any]) -> None:
    changed = copy.deepcopy(project)
    changed["project"]["dependencies"].append("six")
    assert "requirements/run.txt" in lock.faults(changed)
    changed = copy.deepcopy(project)
    changed["project"]["optional-dependencies"]["mine"] = ["six"]
    assert "requirements/run.txt" in lock.faults(changed)


def test_a_changed_pin_is_seen(
    project: dict[str, Any], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (root / "requirements").glob("*.txt"):
        (tmp_path / "requirements").mkdir(exist_ok=True)
        (tmp_path / "requirements" / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    monkeypatch.setattr(lock, "FOLDER", tmp_path / "requirements")
    assert lock.faults(project) == []
    run = tmp_path / "requirements" / "run.txt"
    run.write_text(re.sub(r"^rich==\S+", "rich==1.0", run.read_text(), flags=re.MULTILINE))
    assert lock.faults(project) == ["requirements/run.txt"]
    (tmp_path / "requirements" / "flows.txt").unlink()
    assert lock.faults(project) == ["requirements/run.txt", "requirements/flows.txt"]


def test_every_requirement_is_met_by_a_pin_of_its_layer(
    project: dict[str, Any], pins: dict[str, dict[str, str]]
) -> None:
    extras = project["project"]["optional-dependencies"]
    for layer, names in lock.layers_of(project).items():
        there = pins["torch"] | pins["run"] | pins[layer]
        if layer == "dev":
            there |= pins["flows"] | pins["train"]
        base = project["project"]["dependencies"] if layer == "run" else []
        for line in [*base, *(line for name in names for line in extras[name])]:
            requirement = Requirement(line)
            if requirement.name == "symmv-builder" or (
                requirement.marker and not requirement.marker.evaluate(MARKERS)
            ):
                continue
            name = re.sub(r"[-_.]+", "-", requirement.name).lower()
            assert requirement.specifier.contains(there[name], prereleases=True), (layer, line)


def test_every_extra_is_in_a_layer(project: dict[str, Any]) -> None:
    layered = {extra for extras in lock.layers_of(project).values() for extra in extras}
    assert set(project["project"]["optional-dependencies"]) - layered <= set(lock.TOGETHER)


def test_a_layer_lacks_what_it_is_installed_beside(pins: dict[str, dict[str, str]]) -> None:
    for name in ("flows", "train", "dev", "torch", "uv"):
        assert not set(pins[name]) & set(pins["run"])
    assert not set(pins["dev"]) & {*pins["flows"], *pins["train"]}
    for name in set(pins["flows"]) & set(pins["train"]):
        assert pins["flows"][name] == pins["train"][name]


def test_every_pin_but_torch_has_a_hash_and_nothing_names_an_index(root: Path) -> None:
    for path in (root / "requirements").glob("*.txt"):
        text = path.read_text()
        assert not re.search(r"https?:|file:|^-", text, re.MULTILINE)
        for name, block in lock.blocks(text).items():
            assert re.match(r"[\w.-]+==\S+", block), block
            assert ("--hash=sha256:" in block) == (name != "torch")


def test_nothing_that_torch_brings_for_cuda_is_pinned(pins: dict[str, dict[str, str]]) -> None:
    names = {name for layer in pins.values() for name in layer}
    assert [n for n in names if re.match(r"nvidia|cuda|triton|torchaudio|torchvision", n)] == []
    assert set(pins["torch"]) == {"torch"}


def test_uv_is_told_of_the_indexes_of_pip() -> None:
    listing = """
global.index-url='https://one.example/index'
global.extra-index-url='https://two.example/a\\nhttps://two.example/b'
install.index-url='https://three.example/index'
global.no-color='true'
:env:.cert='/certificates'
:env:.default-timeout='60'
"""
    environment = uv.environment(uv.pip_options(listing), {"SSL_CERT_FILE": "/mine"})
    assert environment == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://three.example/index",
        "UV_INDEX": "https://two.example/a https://two.example/b",
        "SSL_CERT_FILE": "/mine",
        "UV_HTTP_TIMEOUT": "60",
    }
