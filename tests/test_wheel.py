"""A wheel brings all that the commands and flows need, and works away from the checkout."""

import email
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from installation import extras
from tests.environments import base as requirements
from tests.environments import extra, install, make_environment, run
from tests.media import Pictures, Samples, noise, steady, tone, write_media

ROOT = Path(__file__).resolve().parents[1]
OURS = shutil.ignore_patterns(
    ".git", ".venv", "*.egg-info", "__pycache__", ".*_cache", "build", "dist", "data",
    "demo-output", "site", ".hypothesis",
)  # fmt: skip


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, for a build leaves files beside what it builds."""
    return shutil.copytree(ROOT, tmp_path_factory.mktemp("source") / "checkout", ignore=OURS)


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    how = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--wheel-dir", "dist"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", *how, "."]
    subprocess.run(pip, cwd=checkout, check=True)
    [made] = (checkout / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel and what it requires, and nothing else."""
    python = make_environment(tmp_path_factory.mktemp("base") / "env", requirements())
    install(python, wheel)
    return python


@pytest.fixture(scope="module")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel and all that the extras require."""
    python = make_environment(tmp_path_factory.mktemp("full") / "env")
    install(python, wheel)
    return python


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    for number in range(2):
        pictures = Pictures([noise(10 * number + at) for at in range(50)], steady(50))
        sound = Samples(tone(2.0), codec="aac")
        write_media(tmp_path / "clips" / f"clip{number}.mp4", pictures, sound)
    (tmp_path / "small.toml").write_text(extras.RECIPE)
    return tmp_path


def test_everything_lies_below_one_package(names: set[str]) -> None:
    folders = {name.partition("/")[0] for name in names}
    assert folders == {"symmv_builder", *(f for f in folders if f.endswith(".dist-info"))}
    assert len(folders) == 2
    assert not [name for name in names if "test" in name.split("/")]


def test_every_file_of_the_packages_is_in_the_wheel(checkout: Path, names: set[str]) -> None:
    for folder, package in (
        ("symmv_builder", "symmv_builder"),
        ("flows", "symmv_builder/flows"),
        ("schemas", "symmv_builder/schemas"),
    ):
        files = [path for path in (checkout / folder).rglob("*") if path.is_file()]
        assert files
        inside = {f"{package}/{path.relative_to(checkout / folder).as_posix()}" for path in files}
        assert inside - names == set()


def test_published_schemas_are_the_same_bytes(wheel: Path) -> None:
    files = list((ROOT / "schemas").rglob("*.json"))
    for path in files:
        name = f"symmv_builder/schemas/{path.relative_to(ROOT / 'schemas').as_posix()}"
        assert zipfile.ZipFile(wheel).read(name) == path.read_bytes()
    assert len(files) >= 4


def test_the_metadata_are_valid_and_their_links_lead_somewhere(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [place] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    data = archive.read(place)
    metadata = Metadata.from_email(data, validate=True)
    assert {"Homepage", "Source", "Documentation", "Changelog"} <= set(metadata.project_urls or {})
    assert metadata.license_files == ["LICENSE"]
    assert "Author" in email.message_from_bytes(data)
    for minor in (11, 12, 13):
        assert f"Programming Language :: Python :: 3.{minor}" in (metadata.classifiers or [])
    text = metadata.description or ""
    targets = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    assert targets
    assert [link for link in targets if not re.match(r"https?:|mailto:|#", link)] == []


def test_a_picture_of_the_readme_leads_to_its_bytes_and_a_page_to_itself() -> None:
    same = "[b](https://example.org/c.png) [d](#e) [f](mailto:g@example.org)"
    text = '[a](docs/a.md#b) ![p](./docs/p.png) [![s](x.svg)](LICENSE) <img src="y.webp"> '
    # In a process of its own: setuptools refuses to come after a distutils that is there already.
    code = (
        "import json, runpy, sys, setuptools; setuptools.setup = lambda **settings: None;"
        "made = runpy.run_path('setup.py'); texts = map(made['absolute'], sys.argv[1:]);"
        "print(json.dumps([made['REPOSITORY'], *texts]))"
    )
    command = [sys.executable, "-c", code, text, same]
    where, turned, kept = json.loads(subprocess.check_output(command, cwd=ROOT))
    assert turned == (
        f"[a]({where}/blob/main/docs/a.md#b) ![p]({where}/raw/main/docs/p.png) "
        f"[![s]({where}/raw/main/x.svg)]({where}/blob/main/LICENSE) "
        f'<img src="{where}/raw/main/y.webp"> '
    )
    assert kept == same


def test_every_extra_has_commands_that_try_it(wheel: Path) -> None:
    found = extras.extras_of(wheel)
    assert set(found) == (set(extras.COMMANDS) - {extras.BASE}) | set(extras.ALIASES)
    assert set(extras.ALIASES.values()) <= set(extras.COMMANDS)
    assert "torch>=2.6" in found["models"]
    for name, has_torch in {"models": True, "all": True, "gpu": True, "s3": False}.items():
        assert extras.asks_for_torch(wheel, name) == has_torch
    assert not extras.asks_for_torch(wheel, extras.BASE)


def test_the_source_distribution_is_the_repository(checkout: Path) -> None:
    files = {
        path.relative_to(checkout).as_posix()
        for path in checkout.rglob("*")
        if path.is_file() and path.relative_to(checkout).parts[0] not in ("build", "dist")
        and ".egg-info" not in path.as_posix()
    }  # fmt: skip
    code = "from setuptools import build_meta; build_meta.build_sdist('dist')"
    subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True, capture_output=True)
    [archive] = (checkout / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    assert files - inside == set()


@pytest.mark.slow
def test_the_base_answers_without_any_extra(base: Path, tmp_path: Path) -> None:
    ask = run(base, "-c", "import importlib.util as u; print(u.find_spec('torch'))", cwd=tmp_path)
    assert ask.strip() == "None"
    assert "[steps.notes]" in run(base, "recipe", "symmv", cwd=tmp_path)
    columns = json.loads(run(base, "schema", "symmv", cwd=tmp_path))["columns"]
    assert len(columns) > 20
    run(base, "schema", "symmv", "--out", "out", cwd=tmp_path)
    for path in (ROOT / "schemas").glob("v*/*.json"):
        made = tmp_path / "out" / path.relative_to(ROOT / "schemas")
        assert made.read_bytes() == path.read_bytes()
    assert "--sources" in run(base, "crawl", "--help", cwd=tmp_path)
    sources = run(
        base,
        "-c",
        "from symmv_builder.crawl import sources as s; "
        "print(len(s.read_sources(s.default_sources('symmv'))))",
        cwd=tmp_path,
    )
    assert int(sources) > 9


def test_the_base_builds_what_needs_no_model(base: Path, clips: Path) -> None:
    run(base, "build", "small.toml", "--from", "clips", "--workers", "1", cwd=clips)
    assert "2 made" in run(base, "status", "small", cwd=clips)


def test_what_the_base_lacks_is_one_line(base: Path, clips: Path) -> None:
    said = run(base, "build", "muvisync", "--from", "clips", cwd=clips, code=2)
    assert len(said.strip().splitlines()) == 1
    assert "pip install" in said
    said = run(base, "doctor", cwd=clips, code=1)
    assert re.search(r"torch +broken", said)
    assert "Traceback" not in said


def test_a_configuration_is_shown_without_the_packages_that_train(base: Path, clips: Path) -> None:
    said = run(base, "train", "amt", "--data", "x", "--out", "y", "--show", cwd=clips)
    assert "heads = 8" in said


@pytest.mark.slow
def test_what_a_hint_says_to_install_is_enough(base: Path, wheel: Path, clips: Path) -> None:
    """The same call works where the extras that were named are installed, too: no second hint."""
    module = "symmv_builder.flows.build"
    call = ("-m", module, "small.toml", "--from", "clips", "--runner", "local")
    said = run(base, *call, cwd=clips, code=2)
    hint = re.search(r"is not installed; run: pip install 'symmv-builder\[([\w,-]+)\]'\n$", said)
    assert hint, said
    extras = hint[1].split(",")
    assert extras == ["flows", "models"]
    needed = [line for name in extras for line in extra(name)]
    python = make_environment(clips / "env", [*requirements(), *needed])
    install(python, wheel)
    run(python, *call, cwd=clips)


@pytest.mark.slow
def test_flows_run_under_the_packages_name(full: Path, clips: Path) -> None:
    module = "symmv_builder.flows.build"
    assert f"usage: python -m {module} " in run(full, "-m", module, "--help", cwd=clips)
    run(full, "-m", module, "small.toml", "--from", "clips", "--runner", "local", cwd=clips)
    assert "2 made" in run(full, "status", "small", cwd=clips)


@pytest.mark.slow
def test_deployments_are_served_from_the_wheel(full: Path, clips: Path) -> None:
    printed = run(full, "-m", "symmv_builder.flows.serve", "--print", cwd=clips)
    assert printed == (ROOT / "flows" / "prefect.yaml").read_text()
    (clips / "prefect.yaml").write_text(printed)
    code = (
        "from pathlib import Path; from symmv_builder.flows import serve; import sys; "
        "made = serve.read_deployments(Path('prefect.yaml')); "
        "print(len(made), 'flows' in sys.modules, made[0].entrypoint)"
    )
    said = run(full, "-c", code, cwd=clips).splitlines()[-1]
    count = printed.count("entrypoint:")
    assert said == f"{count} False symmv_builder.flows.crawl.crawl"
