"""The folder of a model of `transformers`: by a path, or from the hub; code in it is never run.

A file `UNTRAINED` in the folder says that its weights are random: so does then every result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    check_sha256,
    hash_files,
    in_short,
    lacking,
    package_version,
)
from symmv_builder.backends.hub import how_to_get, snapshot
from symmv_builder.backends.slots import Prepare
from symmv_builder.errors import WrongWeights

UNTRAINED = "UNTRAINED"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
DESCRIPTIONS = ("config.json", "preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class Published:
    """A model as it is published: its name here, and repository and revision on the hub."""

    name: str
    repository: str
    revision: str = "main"
    # What is fetched besides, such as a tokenizer's files.
    more: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        return "SYMMV_MODEL_" + self.name.upper().replace("-", "_")

    @property
    def how(self) -> str:
        return how_to_get(self.repository, self.files, self.variable, revision=self.revision)

    @property
    def files(self) -> list[str]:
        """Give the names that are fetched: of the two forms of weights, the repository has one."""
        return [*DESCRIPTIONS, *WEIGHTS, *self.more]

    def find(self, home: ModelHome) -> tuple[Path, Path]:
        """Find folder and file of weights; `StopRun` where they are not complete, or other ones."""
        package_version("transformers")
        if self.name in home.paths:
            folder = Path(home.paths[self.name]).expanduser()
        else:
            folder = snapshot(self.name, self.repository, self.revision, self.files, self.how)
        weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
        missing = [name for name in DESCRIPTIONS if not (folder / name).is_file()]
        if weights is None or missing:
            lacks = missing or [" or ".join(WEIGHTS)]
            raise lacking(self.name, folder, lacks, self.how)
        check_sha256(self.name, weights, home.paths.get(f"{self.name}.sha256", ""))
        return folder, weights

    def identify(self, home: ModelHome) -> ModelIdentity:
        folder, weights = self.find(home)
        sha256 = hash_files([weights, *(folder / name for name in DESCRIPTIONS)])
        version = f"transformers {package_version('transformers')}"
        trained = not (folder / UNTRAINED).exists()
        return ModelIdentity(self.name, version, sha256, trained=trained)

    def about(self, title: str, licence: str) -> About:
        """Say what the model is, under which licence, and where its weights come from."""
        how = f"{self.variable}=FOLDER, or the model hub ({self.repository})"
        return About(f"{title} {self.repository} (transformers)", licence, how, fetched=True)

    def load(self, kind: Any, home: ModelHome, **settings: Any) -> Any:
        """Load a model of the class `kind` on its device; `StopRun` where the folder holds another.

        `settings` go to ``from_pretrained``.
        """
        from transformers import logging

        # A worker's bars would be drawn across the build's own display.
        logging.disable_progress_bar()
        folder, weights = self.find(home)
        try:
            model, report = kind.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=weights.suffix == ".safetensors",
                weights_only=True,
                output_loading_info=True,
                **settings,
            )
        # Each format has errors of its own, pickle's among them, and all mean the same here.
        except Exception as error:
            problem = f"{self.name} does not load from {folder}: {in_short(error)}"
            raise WrongWeights(self.name, problem) from error
        # Only training has a use for it.
        missing = [name for name in report["missing_keys"] if "masked_spec_embed" not in name]
        if missing:
            problem = f"{weights} lacks {len(missing)} tensors of {self.name}"
            raise WrongWeights(self.name, problem)
        return model.to(home.device).eval()

    def extractor(self, kind: Any, home: ModelHome, rate_hz: int) -> Any:
        """Load the model's own preparation of samples; `StopRun` where it is for another rate."""
        folder, _ = self.find(home)
        try:
            extractor = kind.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            problem = f"{self.name} does not load from {folder}: {in_short(error)}"
            raise WrongWeights(self.name, problem) from error
        if extractor.sampling_rate != rate_hz:
            problem = f"{folder} is for sound at {extractor.sampling_rate} Hz, not at {rate_hz}"
            raise WrongWeights(self.name, problem)
        return extractor

    def require(self, folder: Path, actual: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
        """Raise `StopRun` where the configuration in a folder is not that of the model."""
        odd = [
            f"{k} is {actual.get(k)} and not {v}" for k, v in expected.items() if actual.get(k) != v
        ]
        if odd:
            raise WrongWeights(self.name, f"{folder} is not {self.name}: {', '.join(odd)}")

    def require_fields(self, folder: Path, config: Any, expected: Mapping[str, Any]) -> None:
        """Check as `require` does, the fields of a configuration as `transformers` reads it."""
        self.require(folder, {name: getattr(config, name) for name in expected}, expected)


def prepare_by(processor: Any) -> Prepare:
    """Make the first half of a model of pictures out of a processor of `transformers`."""

    def prepare(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        prepared = processor(
            images=list(pictures), return_tensors="np", input_data_format="channels_last"
        )
        return np.ascontiguousarray(prepared["pixel_values"], dtype=np.float32)

    return prepare
