"""Files of a model out of the model hub's cache, else from the hub."""

import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from symmv_builder.backends import is_offline, may_fetch
from symmv_builder.errors import MissingWeights

LOG = logging.getLogger(__name__)


def how_to_get(
    repository: str, files: Sequence[str], variable: str, *, revision: str = "main"
) -> str:
    """Say how a machine without network gets the `files` (patterns) that `snapshot` takes.

    A repository holds the same weights in other forms, too: without patterns `hf download` would
    get them all.
    """
    chosen = [] if revision == "main" else ["--revision", revision]
    for pattern in files:
        chosen += ["--include", pattern]
    command = shlex.join(["hf", "download", repository, *chosen, "--local-dir", "FOLDER"])
    return f"Run `{command}` where there is network and set {variable}=FOLDER"


def snapshot(
    name: str,
    repository: str,
    revision: str,
    files: Sequence[str],
    how: str,
    *,
    probe: str = "config.json",
) -> Path:
    """Give the folder of a revision's `files` (patterns), downloaded where missing.

    `StopRun` that says `how` to get them where they cannot be had.

    `probe` is a file of the repository, by which it is asked whether the hub can be reached.

    What is in the cache is taken without asking the network.
    """
    import huggingface_hub as hub
    from huggingface_hub import errors

    arguments: dict[str, Any] = {
        "repo_id": repository,
        "revision": revision,
        "allow_patterns": list(files),
    }
    try:
        return Path(hub.snapshot_download(**arguments, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        offline = hub.constants.HF_HUB_OFFLINE or is_offline()
        if offline or not may_fetch():
            cause = f"{'HF_HUB_OFFLINE is set and ' * offline}they are not in the hub's cache"
            problem = f"{name} has no weights: {cause}"
            raise MissingWeights(name, problem, how, can_be_fetched=not offline) from None
    LOG.info("getting the weights of %s from the model hub, out of %s", name, repository)
    try:
        # The download repeats itself for half a minute where there is no network.
        config = hub.hf_hub_url(repository, probe, revision=revision)
        hub.get_hf_file_metadata(config, timeout=10)
        return Path(hub.snapshot_download(**arguments))
    except (errors.HTTPError, OSError, RuntimeError) as error:  # type: ignore[attr-defined]
        cause = f"the model hub cannot be reached ({type(error).__name__})"
        raise MissingWeights(name, f"{name} has no weights: {cause}", how) from error
