"""What the tests share: where the development samples lie, if they are here at all."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real samples beside the checkout; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SYMMV_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"the development samples are not at {folder} (set SYMMV_SHARED)")
    return folder
