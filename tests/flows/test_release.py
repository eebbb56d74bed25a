"""A release by schedule: the next version where something changed, and none where nothing did."""

from pathlib import Path
from typing import Any

import pytest
import toy_build

from flows import release as releasing
from symmv_builder import datasets

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_a_dataset_is_released_when_it_has_changed_and_only_then(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The toy's build stands for the flow's own, which other tests are about."""
    root = tmp_path / "root"
    root.mkdir()

    def build(dataset: str, **_: object) -> None:
        toy_build.run(str(root), media, ledger_url=f"sqlite:///{root}/ledger.sqlite", workers=0)

    monkeypatch.setattr(releasing, "build", build)
    monkeypatch.setattr(datasets, "recipe", lambda _: toy_build.RECIPE)
    versions = []
    for more in ("", "", "keep me too"):
        if more:
            (media / "more.mp4").write_text(more)
        versions.append(releasing.release("toy", root=str(root))["version"])  # type: ignore[index]
    assert versions == ["1.0.0", None, "1.0.1"]
    assert (root / "releases" / "toy" / "1.0.1" / "SHA256SUMS").is_file()
    (media / "late.mp4").write_text("keep me as well")
    again = releasing.release("toy", version="1.0.0", root=str(root), return_state=True)
    assert "is released already" in str(again.message)
    copies = tmp_path / "copies"
    same = releasing.release(
        "toy", version="1.0.0", root=str(root), to=[str(copies)], return_state=True
    )
    assert same.message == "toy is as it was released: 1.0.0"
    assert (copies / "toy" / "1.0.0" / "SHA256SUMS").is_file(), "a version that stands is copied"
    before = len(list((root / "toy" / "sidecars").iterdir()))
    assert before == len({path.stem for path in media.iterdir()}) - 1, "it was built first"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dataset": "muvisync", "models": {"clip": "untrained"}}, "is not trained"),
        ({"dataset": "muvisnyc"}, "no dataset is called"),
        ({"dataset": "toy", "version": "1.0"}, "1.0"),
    ],
)
def test_what_cannot_be_released_is_said_before_the_build(
    given: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(dataset: str, **_: object) -> None:
        raise AssertionError(f"{dataset} was built first")

    monkeypatch.setattr(releasing, "build", build)
    if given["dataset"] == "toy":
        monkeypatch.setattr(datasets, "recipe", lambda _: toy_build.RECIPE)
    state = releasing.release(root=str(tmp_path), return_state=True, **given)
    assert (state.name, state.is_failed()) == ("Stopped", True)
    assert said in str(state.message)
