"""A release by schedule: the next version where something changed, and none where nothing did."""

from pathlib import Path

import pytest
import toy_build

from flows import release as releasing

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
    versions = []
    for more in ("", "", "keep me too"):
        if more:
            (media / "more.mp4").write_text(more)
        versions.append(releasing.release("toy", root=str(root))["version"])  # type: ignore[index]
    assert versions == ["1.0.0", None, "1.0.1"]
    assert (root / "releases" / "toy" / "1.0.1" / "SHA256SUMS").is_file()


def test_nothing_is_released_that_is_not_built(tmp_path: Path) -> None:
    models = {"clip": "untrained"}
    state = releasing.release("muvisync", root=str(tmp_path), models=models, return_state=True)
    assert (state.name, state.is_failed()) == ("Stopped", True)
    assert "no entries" in str(state.message)
