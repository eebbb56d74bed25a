"""Models that a test needs: where one cannot be had on this machine, the test is skipped."""

import pytest

from symmv_builder.backends import ModelHome, identify
from symmv_builder.errors import StopRun


def need_model(slot: str, name: str) -> None:
    """Skip the test, with the reason, where a model's weights or packages are not to be had."""
    try:
        identify(slot, name, ModelHome())
    except StopRun as error:
        pytest.skip(str(error))
