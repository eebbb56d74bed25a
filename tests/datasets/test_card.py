"""What describes a release: the tools that it is written for read it, and licences are named."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from symmv_builder.datasets.card import FACTS, texts
from symmv_builder.datasets.card.about import check_about, read_about
from symmv_builder.datasets.card.escape import markdown, yaml_lines, yaml_text
from symmv_builder.datasets.card.facts import terms_of
from symmv_builder.datasets.card.licences import choose, is_commercial
from symmv_builder.datasets.card.readme import readme
from symmv_builder.datasets.release import release
from symmv_builder.datasets.takedown import take_down
from symmv_builder.datasets.verify import CheckCounts, verify
from symmv_builder.errors import StopRun
from symmv_builder.storage.receipts import read_receipt, write_receipt
from symmv_builder.storage.store import Store
from tests.datasets import released

HOSTILE = 'a: "b" | <script>x</script>\n# c ``` --- ${d} \x85\u2028 *e* [f](g) \U0001f3b5 \\'
ABOUT = {
    "title": HOSTILE,
    "description": HOSTILE,
    "authors": [HOSTILE, "B. Person"],
    "contact": "music@example.org",
    "homepage": "https://example.org/covers",
    "date": "2026-12-01",
    "citation": "```\n@misc{x}",
    "licence": "cc-by-nc-sa-4.0",
    "recordings": "CC BY 4.0",
}


def folder_of(store: Store, dataset: str, version: str = "1.0.0") -> Path:
    return Path(store.root.path(f"releases/{dataset}/{version}"))


@pytest.fixture(scope="module", params=["muvisync", "symmv"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release, described by texts that mean something in every format."""
    store = released.made(
        tmp_path_factory.mktemp("made"), request.param, rejections={"silent": 2, "crashed": 1}
    )
    release(store, request.param, "1.0.0", about=check_about(ABOUT, "here"))
    return folder_of(store, request.param)


def test_what_people_corrected_is_said(tmp_path: Path) -> None:
    store = released.made(tmp_path, "muvisync")
    receipt = read_receipt(store.root, "muvisync") or {}
    corrections = {"beats": 2, "chords": 1, "entry": 3}
    write_receipt(store.root, "muvisync", {**receipt, "corrections": corrections})
    release(store, "muvisync", "1.0.0")
    text = (folder_of(store, "muvisync") / "README.md").read_text()
    assert "Of 3 entries people kept a part." in text
    assert "Corrected by people:" in text
    assert re.search(r"\| beats \| 2 \|", text)


def front_matter(folder: Path) -> dict[str, Any]:
    _, front, _ = (folder / "README.md").read_text().split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(front)
    return found


LOAD = """
import json, sys
from datasets import load_dataset
rows = load_dataset(sys.argv[1])
streamed = load_dataset(sys.argv[1], streaming=True)
info = rows["train"].info
answer = {
    "splits": {name: len(split) for name, split in rows.items()},
    "streamed": {name: [row["entry_id"] for row in split] for name, split in streamed.items()},
    "ids": {name: split["entry_id"][:] for name, split in rows.items()},
    "license": info.license, "description": info.description,
    "features": info.features.arrow_schema.names,
}
with open(sys.argv[2], "w") as file:
    json.dump(answer, file)
"""


def test_datasets_loads_it_without_a_word(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is not installed")
    environment = {
        **os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", LOAD, str(folder), str(tmp_path / "answer")],
        env=environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "site-packages" not in line]
    assert (done.returncode, done.stdout, [line for line in ours if line[:2] != "  "]) == (
        0,
        "",
        [],
    )
    answer = json.loads((tmp_path / "answer").read_text())
    receipt = json.loads((folder / "receipt.json").read_text())
    assert answer["splits"] == receipt["splits"]
    assert answer["streamed"] == answer["ids"]
    assert answer["features"] == receipt["columns"]
    assert answer["license"] == "cc-by-nc-sa-4.0"
    assert answer["description"].startswith('a: "b" | <script>')


def test_the_features_of_the_card_are_those_of_the_files(folder: Path) -> None:
    features = pytest.importorskip("datasets", reason="datasets is not installed").Features
    import pyarrow.parquet

    path = next((folder / "shards").iterdir())
    wanted = features.from_arrow_schema(pyarrow.parquet.read_schema(path))._to_yaml_list()
    assert front_matter(folder)["dataset_info"]["features"] == wanted


def test_the_front_matter_says_what_is_there(folder: Path) -> None:
    front = front_matter(folder)
    receipt = json.loads((folder / "receipt.json").read_text())
    info = front["dataset_info"]
    assert {s["name"]: s["num_examples"] for s in info["splits"]} == receipt["splits"]
    files = {path.name: path for path in (folder / "shards").iterdir()}
    assert info["download_size"] == sum(path.stat().st_size for path in files.values())
    patterns = {f["split"]: f["path"] for f in front["configs"][0]["data_files"]}
    for split, pattern in patterns.items():
        assert sorted(folder.glob(pattern)) == [
            path for name, path in files.items() if name.startswith(f"{split}-")
        ]
    assert front["pretty_name"] == check_about(ABOUT, "here")["title"]
    assert front["size_categories"] == ["n<1K"]


def test_the_hub_has_nothing_against_the_card(folder: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    card = hub.DatasetCard.load(folder / "README.md")
    assert card.data.license == "cc-by-nc-sa-4.0"
    assert card.data.configs[0]["config_name"] == "default"


def test_texts_of_others_change_no_markdown(folder: Path) -> None:
    for name in ("README.md", "DATASHEET.md", "LICENSE.md"):
        text = (folder / name).read_text()
        body = text.split("---\n", 2)[2] if name == "README.md" else text
        assert "<script>" not in body
        assert "[f](g)" not in body
        bars = [re.sub(r"\\.", "", line).count("|") for line in body.splitlines()]
        rows = [line.startswith("|") for line in body.splitlines()]
        for above, below, is_row, was_row in zip(bars, bars[1:], rows[1:], rows, strict=False):
            assert not (is_row and was_row) or above == below


def test_croissant_is_valid_and_loads_the_rows(folder: Path) -> None:
    croissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    import pyarrow.dataset

    dataset = croissant.Dataset(folder / "croissant.json")
    assert list(dataset.metadata.issues.errors) == []
    assert list(dataset.metadata.issues.warnings) == []
    table = pyarrow.dataset.dataset(folder / "shards").to_table()
    known = {row["entry_id"]: row for row in table.to_pylist()}
    found = {}
    for split in ("train", "validation", "test"):
        for record in dataset.records(split):
            row = {name.partition("/")[2]: value for name, value in record.items()}
            found[row["entry_id"].decode()] = row
    assert set(found) == set(known)
    for entry_id, row in found.items():
        assert set(row) == set(known[entry_id])
        assert [float(t) for t in row["notes_starts_s"]] == known[entry_id]["notes_starts_s"]
        assert [len(v) for v in row["semantic"]] == [len(v) for v in known[entry_id]["semantic"]]


def test_croissant_names_every_shard_with_its_sha256(folder: Path) -> None:
    table = json.loads((folder / "croissant.json").read_text())
    files = [each for each in table["distribution"] if each["@type"] == "cr:FileObject"]
    assert {each["contentUrl"] for each in files} == {
        f"shards/{path.name}" for path in (folder / "shards").iterdir()
    }
    for each in files:
        data = (folder / each["contentUrl"]).read_bytes()
        assert each["sha256"] == hashlib.sha256(data).hexdigest()
    fields = [field["name"] for field in table["recordSet"][0]["field"]]
    assert fields == json.loads((folder / "receipt.json").read_text())["columns"]


def test_the_sums_cover_every_file(folder: Path) -> None:
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    listed = {line.split("  ", 1)[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert listed == there - {"SHA256SUMS"}


def test_the_code_in_the_card_loads_the_rows(folder: Path) -> None:
    """Every block of Python, run with FOLDER as this folder."""
    body = (folder / "README.md").read_text()
    blocks = [part.split("```", 1)[0] for part in body.split("```python\n")[1:]]
    assert len(blocks) == 6
    # The other two are run by tests of their own.
    here = [code for code in blocks if "mlcroissant" not in code and "load_dataset" not in code]
    assert len(here) == 4
    for code in here:
        pytest.importorskip(code.split()[1].partition(".")[0])
        values: dict[str, Any] = {"FOLDER": str(folder)}
        exec(code, values)  # noqa: S102
        made = next(values[name] for name in ("table", "frame", "rows") if name in values)
        assert len(made) in (4, released.COUNT)


def test_the_same_release_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        store = released.made(tmp_path / name)
        release(store, "muvisync", "1.0.0", about=check_about(ABOUT, "here"))
        base = folder_of(store, "muvisync")
        found.append({p.relative_to(base): p.read_bytes() for p in base.rglob("*.*")})
    assert found[0] == found[1]
    assert len(found[0]) > 5


def test_counts_rejections_and_makers_stand_in_the_card(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    for line in ("| silent | 2 |", "| crashed | 1 |", "| train | 4 |"):
        assert line in text
    assert "music@example.org" in text
    if folder.parent.name == "symmv":
        [beats] = [line for line in text.splitlines() if line.startswith("| beats\\_times\\_s ")]
        assert "beats=madmom" in beats
        assert "CC BY-NC-SA 4.0" in beats
        # Key and chords are found on the beats; motion is not.
        [chords] = [line for line in text.splitlines() if line.startswith("| chords\\_labels ")]
        assert "beats=madmom" in chords
        assert "symbolic\\_chords=templates" in chords
        [motion] = [line for line in text.splitlines() if line.startswith("| motion ")]
        assert "madmom" not in motion


def test_what_is_not_for_commerce_is_told_before_anything_is_written(tmp_path: Path) -> None:
    store = released.made(tmp_path, "symmv")
    told: list[str] = []

    def tell(text: str) -> None:
        assert store.root.folders("releases/symmv") == []
        told.append(text)

    release(store, "symmv", "1.0.0", tell=tell)
    [said] = [line for line in told if line.startswith("not free for commercial use")]
    assert "beats_times_s" in said
    assert "beats=madmom" in said
    assert told[-1].startswith("licence of the release: other")


def test_a_release_for_commerce_names_columns_models_and_what_to_use_instead(
    tmp_path: Path,
) -> None:
    store = released.made(tmp_path, "symmv")
    with pytest.raises(StopRun) as caught:
        release(store, "symmv", "1.0.0", commercial=True)
    for part in ("beats_times_s", "beats=madmom", "CC BY-NC-SA", "`model` beats=beat_this"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert store.root.folders("releases/symmv") == []
    (tmp_path / "free").mkdir()
    free = [m for m in released.SYMMV if m["slot"] != "beats"]
    other = released.made(
        tmp_path / "free", "symmv", models=[*free, released.model("beats", "beat_this")]
    )
    about = check_about({"recordings": "CC BY 4.0"}, "here")
    receipt = release(other, "symmv", "1.0.0", commercial=True, about=about)
    assert receipt[FACTS]["made_by"]["beats_times_s"]
    assert front_matter(folder_of(other, "symmv"))["license"] == "cc-by-4.0"


def test_recordings_that_are_not_for_commerce_make_the_release_so(tmp_path: Path) -> None:
    store = released.made(tmp_path)
    about = check_about({"recordings": "CC BY-NC 4.0"}, "here")
    with pytest.raises(StopRun, match=r"published under CC BY-NC 4\.0"):
        release(store, "muvisync", "1.0.0", commercial=True, about=about)
    release(store, "muvisync", "1.0.0", about=about)
    assert front_matter(folder_of(store, "muvisync"))["license"] == "cc-by-nc-4.0"


def test_a_stated_licence_that_a_model_forbids_is_refused(tmp_path: Path) -> None:
    store = released.made(tmp_path, "symmv")
    with pytest.raises(
        StopRun, match=r"cc-by-4\.0 allows what .*beats=madmom.* does not"
    ) as caught:
        release(store, "symmv", "1.0.0", about={"licence": "cc-by-4.0"})
    assert "`model` beats=beat_this" in str(caught.value)
    assert store.root.folders("releases/symmv") == []


def test_what_was_said_of_the_last_release_holds_for_the_next(tmp_path: Path) -> None:
    store = released.made(tmp_path)
    release(store, "muvisync", "1.0.0", about={"title": "Covers", "contact": "me"})
    release(store, "muvisync", "1.1.0")
    assert front_matter(folder_of(store, "muvisync", "1.1.0"))["pretty_name"] == "Covers"
    take_down(store, "muvisync", f"yt-{released.source(2).video_id}", "asked")
    front = front_matter(folder_of(store, "muvisync", "1.1.1"))
    assert front["pretty_name"] == "Covers"
    splits = {each["name"]: each["num_examples"] for each in front["dataset_info"]["splits"]}
    assert splits == {"train": 3, "validation": 1, "test": 1}


@pytest.mark.parametrize("name", ["README.md", "DATASHEET.md", "LICENSE.md", "croissant.json"])
@pytest.mark.parametrize("gone", [False, True])
def test_a_damaged_description_is_found(tmp_path: Path, name: str, gone: bool) -> None:
    store = released.made(tmp_path)
    release(store, "muvisync", "1.0.0")
    path = folder_of(store, "muvisync") / name
    if gone:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"muvisync", b"muvisynk", 1))
    found = verify(store, "muvisync", CheckCounts(), release="1.0.0")
    assert [problem.path for problem in found] == [f"releases/muvisync/1.0.0/{name}"]


def test_a_release_of_an_earlier_version_of_the_program_is_sound(tmp_path: Path) -> None:
    store = released.made(tmp_path)
    release(store, "muvisync", "1.0.0")
    folder = folder_of(store, "muvisync")
    receipt = json.loads((folder / "receipt.json").read_text())
    del receipt[FACTS]
    old = texts(receipt)
    assert list(old) == ["SHA256SUMS", "README.md", "receipt.json"]
    for path in folder.glob("*.*"):
        path.unlink()
    for name, data in old.items():
        (folder / name).write_bytes(data)
    store.manifests.write("releases/muvisync-1.0.0.json", old["receipt.json"])
    assert list(verify(store, "muvisync", CheckCounts(), release="1.0.0")) == []


@pytest.mark.parametrize(
    ("terms", "licence"),
    [
        (["MIT", "BSD-3-Clause"], "bsd-3-clause"),
        (["MIT", "Apache-2.0"], "apache-2.0"),
        (["CC0"], "cc0-1.0"),
        (["MIT", "code Apache-2.0; weights CC BY 4.0"], "cc-by-4.0"),
        (["MIT", "CC BY-SA 4.0"], "cc-by-sa-4.0"),
        (["CC BY 4.0", "code BSD; models CC BY-NC-SA 4.0: not for commercial use"],
         "cc-by-nc-sa-4.0"),
        (["cc-by-nc-4.0", "MIT"], "cc-by-nc-4.0"),
        (["CC BY-NC 4.0", "CC BY-SA 4.0"], "other"),
        (["CC BY-ND 4.0"], "other"),
        (["MIT", "a service; its terms apply"], "other"),
        (["MIT", ""], "other"),
        (["MIT", "free to use in Submittal"], "other"),
    ],
)  # fmt: skip
def test_the_licence_is_the_strictest_of_what_is_in_it(terms: list[str], licence: str) -> None:
    assert choose(named(terms)).licence == licence


def named(terms: list[str]) -> dict[str, str]:
    """Licences by what they are of, as `facts.terms_of` gives them."""
    return {f"part{number}": licence for number, licence in enumerate(terms)}


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (["MIT", ""], "The terms of part1 are not known."),
        (["CC BY-ND 4.0"], "The terms of part0 do not allow what is derived from it."),
        (["CC BY-NC 4.0", "CC BY-NC 4.0"], "The terms of part0 and part1 allow no commercial use."),
        (
            ["CC BY-NC 4.0", "CC BY-SA 4.0"],
            "The terms of part1 and of part0 cannot be met at once.",
        ),
        (["CC BY-SA 4.0"], "The terms of part0 ask that it is shared alike."),
        (["MIT", "CC BY 4.0"], "The terms of part1 ask for credit."),
    ],
)
def test_the_reason_names_what_the_terms_are_of(terms: list[str], reason: str) -> None:
    assert choose(named(terms)).reason == reason


def test_the_source_is_named_as_what_it_is() -> None:
    facts: dict[str, Any] = {"made_by": {}, "models": {}, "about": {}, "published": None}
    assert terms_of(facts) == {"the recordings": ""}
    assert terms_of({**facts, "published": "cc-by-4.0"}) == {"what was imported": "cc-by-4.0"}


@pytest.mark.parametrize(
    ("terms", "stated", "allowed"),
    [
        (["CC BY-NC-SA 4.0"], "cc-by-nc-sa-4.0", True),
        (["CC BY-NC-SA 4.0"], "cc-by-nc-4.0", False),
        (["CC BY-NC 4.0"], "cc-by-4.0", False),
        (["CC BY-NC 4.0"], "other", True),
        (["MIT", ""], "cc-by-4.0", True),
        (["CC BY-ND 4.0"], "cc-by-4.0", False),
    ],
)
def test_a_stated_licence_is_no_milder(terms: list[str], stated: str, allowed: bool) -> None:
    if allowed:
        assert choose(named(terms), stated).licence == stated
    else:
        with pytest.raises(ValueError, match="allows what part0 in it does not"):
            choose(named(terms), stated)


def test_unknown_terms_are_not_commercial() -> None:
    assert is_commercial("MIT")
    assert not is_commercial("")
    assert not is_commercial("a service; its terms apply")


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "1.0", "~", "null", "- a", "a: b", "#c", "'", '"', "\\", HOSTILE, "\ud83c".encode(
        "utf-16", "surrogatepass").decode("utf-16", "replace"), "\u202e", "", " a ", "\t"],
)  # fmt: skip
def test_any_text_comes_back_out_of_yaml(text: str) -> None:
    assert yaml.safe_load("\n".join(yaml_lines({"a": text, "b": [text, {"c": text}]}))) == {
        "a": text,
        "b": [text, {"c": text}],
    }
    assert "\n" not in yaml_text(text)


def test_markdown_of_others_is_one_line_without_marks() -> None:
    assert "\n" not in markdown(HOSTILE)
    assert markdown("a|b") == "a\\|b"
    assert markdown("<b>") == "\\<b\\>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("titel = 'x'", "titel: no such key"),
        ("title = 1", "title: this is a text"),
        ("authors = 'me'", "authors: this is a list"),
        ("licence = 'mine'", "'mine' is none of"),
        ("homepage = 'javascript:alert(1)'", "homepage"),
        ("date = '1.12.2026'", "date: write it as"),
        ("title = ", "is not TOML"),
        ("title = '\xff'", "is not TOML in UTF-8"),
    ],
)
def test_a_mistake_in_about_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "about.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(StopRun, match=said) as caught:
        read_about(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(StopRun, match="cannot read"):
        read_about(tmp_path / "none.toml")


def test_a_data_set_of_no_rows_can_be_described(tmp_path: Path) -> None:
    store = released.made(tmp_path)
    release(store, "muvisync", "1.0.0")
    receipt = json.loads((folder_of(store, "muvisync") / "receipt.json").read_text())
    empty = {**receipt, "shards": [], "entries": 0, "splits": {"train": 0}, "models": []}
    assert set(texts(empty)) >= {"README.md", "croissant.json"}
    assert "configs" not in readme(empty).split("---\n")[1]
