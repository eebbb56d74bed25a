"""Files to a data set repository of the model hub: one commit, compared, then tagged.

The tag comes last: a version that has its tag is there whole. What was uploaded before a failure
stays with the hub, so the same call goes on where it stopped. The token is huggingface_hub's own
business (``HF_TOKEN``, ``hf auth login``) and is neither read nor printed here.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from symmv_builder.errors import ServiceRefused, WrongSetting
from symmv_builder.garbage import uncollected
from symmv_builder.packages import required

_REPOSITORY = re.compile(r"hf://(?:datasets/)?([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})/?")
# Files that the hub puts into a repository by itself.
_OF_THE_HUB = frozenset({".gitattributes"})
_AGAIN = "run the command again: what is uploaded stays there"
_PROBLEMS = {
    400: "it does not accept the request",
    401: "it does not know the token; run `hf auth login`, or set HF_TOKEN to one that can write",
    403: "the token may not write there; take one with the right to write, or another OWNER/NAME",
    404: "there is no such repository, or the token may not see it",
    409: f"somebody else is changing the repository; {_AGAIN}",
    413: "a file is larger than it takes; build with smaller `shard_bytes`",
    429: f"it is asked too often; wait some minutes, then {_AGAIN}",
}


def repository_of(address: str) -> str:
    """Read ``OWNER/NAME`` out of ``hf://OWNER/NAME``; `StopRun` for another form."""
    match = _REPOSITORY.fullmatch(address)
    if not match:
        raise WrongSetting("address", address, "it should look like hf://OWNER/NAME")
    return match[1]


def push(
    repository: str,
    files: Mapping[str, Path],
    version: str,
    *,
    public: bool = False,
    withdrawn: Collection[str] = (),
    tell: Callable[[str], object] = lambda _: None,
) -> bool:
    """Make the repository hold exactly these files, under a tag; False if it did already.

    A repository that is not there is made, private unless `public`. Tags of `withdrawn` versions
    and the history before this commit are removed. `StopRun` where the hub refuses, cannot be
    reached, or has other files under the tag already.
    """
    hub = _hub()
    api = hub.HfApi(library_name="symmv-builder")
    hub.utils.disable_progress_bars()
    where: dict[str, Any] = {"repo_id": repository, "repo_type": "dataset"}
    hashes = {name: _hashes(path) for name, path in files.items()}
    with _hub_errors(hub, repository):
        api.create_repo(**where, private=not public, exist_ok=True)
        if api.repo_info(**where).private == public:
            actual = "private" if public else "public"
            tell(f"hf://{repository} is {actual} already and stays so")
        tags = {ref.name for ref in api.list_repo_refs(**where).tags}
        old = sorted(tags & set(withdrawn))
        if version in tags:
            if differing := _differing(hub, api, where, version, hashes):
                cause = (
                    f"it has other files under {version} ({differing[0]}); push into another "
                    "repository, or release under the next version"
                )
                raise ServiceRefused(f"hf://{repository}", cause)
            if not old:
                return False
        _commit(hub, api, where, files, version)
        if old:
            for tag in old:
                api.delete_tag(**where, tag=tag)
                tell(f"removed {tag} from hf://{repository}")
            # What was withdrawn must not be found in the history either.
            api.super_squash_history(**where, branch="main", commit_message=version)
        if differing := _differing(hub, api, where, "main", hashes):
            cause = f"it holds {differing[0]} otherwise than here; {_AGAIN}"
            raise ServiceRefused(f"hf://{repository}", cause)
        api.create_tag(**where, tag=version, revision="main", exist_ok=True)
    return True


def _commit(
    hub: Any, api: Any, where: Mapping[str, Any], files: Mapping[str, Path], version: str
) -> None:
    paths = {item.path for item in _tree(hub, api, where, "main")}
    surplus = paths - set(files) - _OF_THE_HUB
    operations = [
        *(hub.CommitOperationDelete(path_in_repo=name) for name in sorted(surplus)),
        *(
            hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path))
            for name, path in files.items()
        ),
    ]
    api.create_commit(**where, operations=operations, commit_message=f"Release {version}")


def _tree(hub: Any, api: Any, where: Mapping[str, Any], revision: str) -> list[Any]:
    items = api.list_repo_tree(**where, recursive=True, revision=revision)
    return [item for item in items if isinstance(item, hub.hf_api.RepoFile)]


def _differing(
    hub: Any,
    api: Any,
    where: Mapping[str, Any],
    revision: str,
    expected: Mapping[str, tuple[str, str]],
) -> list[str]:
    """Name files that a revision lacks, holds with other bytes, or should not hold."""
    present = {item.path: item for item in _tree(hub, api, where, revision)}
    strangers = sorted(set(present) - set(expected) - _OF_THE_HUB)
    for name, (sha256, blob) in expected.items():
        item = present.get(name)
        # A large file is known by its sha256, a small one by git's own hash.
        is_same = item and (item.lfs.sha256 == sha256 if item.lfs else item.blob_id == blob)
        if not is_same:
            strangers.append(name)
    return strangers


def _hashes(path: Path) -> tuple[str, str]:
    """Compute sha256 of a file, and the hash that git has for it."""
    sha256 = hashlib.sha256()
    blob = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(2**20):
            sha256.update(piece)
            blob.update(piece)
    return sha256.hexdigest(), blob.hexdigest()


def _hub() -> Any:
    with required("hub"), uncollected():
        import huggingface_hub
        import huggingface_hub.errors
        import huggingface_hub.hf_api
        import huggingface_hub.utils
    return huggingface_hub


@contextmanager
def _hub_errors(hub: Any, repository: str) -> Iterator[None]:
    """Raise `StopRun` in one line for whatever the hub answers; its own texts are left out."""
    where = f"cannot push to hf://{repository}"
    errors = hub.errors
    try:
        yield
    except errors.HfHubHTTPError as error:
        code = getattr(error.response, "status_code", 0)
        cause = _PROBLEMS.get(code) or f"it has trouble; {_AGAIN}"
        raise ServiceRefused(where, f"the hub answered {code}: {cause}") from None
    except errors.OfflineModeIsEnabled:
        raise ServiceRefused(where, "HF_HUB_OFFLINE is set") from None
    except errors.LocalTokenNotFoundError:
        raise ServiceRefused(where, _PROBLEMS[401].partition("; ")[2]) from None
    except ValueError as error:
        # The hub's own check of the card, or of a file that was uploaded.
        cause = str(error).partition("\n")[0]
        raise ServiceRefused(where, f"the hub refuses it: {cause}; {_AGAIN}") from None
    except (errors.HTTPError, OSError, RuntimeError) as error:
        kind = type(error).__name__
        raise ServiceRefused(where, f"the hub cannot be reached ({kind}); {_AGAIN}") from None
