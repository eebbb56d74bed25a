"""A dataset with its recordings, out of the store: sound, video or frames, and every column.

A sample is a row with excerpts of its recordings: the whole of them, or the row's clip. Samples lie
in shards whose size is bounded, split by split, in the form that a loader of others reads
(`formats`). Where a shard ends is decided by the samples themselves, as in the store
(`storage.shards.ends_shard`): so an export that was interrupted goes on at its first missing shard,
and one of a dataset that has changed makes the one or two shards around each change.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from symmv_builder.datasets.media_export.cutting import Cutters, Excerpts
from symmv_builder.datasets.media_export.estimate import Estimate, estimate
from symmv_builder.datasets.media_export.formats import Layout
from symmv_builder.datasets.media_export.media import Media
from symmv_builder.datasets.media_export.plan import ExportPlan, Planned, make_plan
from symmv_builder.datasets.media_export.samples import Sample
from symmv_builder.datasets.media_export.target import Part, Target, locked
from symmv_builder.errors import NoRows
from symmv_builder.packages import is_installed, not_installed
from symmv_builder.pipeline.events import Event
from symmv_builder.storage.assets import hash_file
from symmv_builder.storage.outputs import replacing_file
from symmv_builder.storage.root import Root, disk_errors
from symmv_builder.storage.shards import (
    Shard,
    covers,
    digest_of,
    ends_shard,
    uncovered,
)

__all__ = ["Estimate", "Media", "MediaSummary", "estimate_media", "export_media"]

Tell = Callable[[Event], None]
_NOTE_EVERY = 100


@dataclass(frozen=True, slots=True)
class MediaSummary:
    """What an export came to: its samples by split, shards that were made and that stood.

    `copied` is how many videos were cut or copied without being encoded again, of the `made`
    samples. `left_out` is why rows have no sample, by key.
    """

    dataset: str
    folder: Path
    samples: Mapping[str, int]
    shards_made: int
    shards_kept: int
    made: int
    copied: int
    size_bytes: int
    left_out: Mapping[str, str] = field(default_factory=dict)


def estimate_media(
    root: Root,
    manifests: Root,
    dataset: str,
    folder: Path,
    media: Media,
    *,
    sounds: Mapping[str, str] | None = None,
    workers: int = 1,
    tell: Tell,
) -> Estimate:
    """How much an export into `folder` would write; nothing is written there. Errors as below."""
    target = _target(folder, dataset, media)
    told = _counting(tell, dataset, "rows read")
    with _telling_of_leftovers(target):
        plan = make_plan(root, manifests, dataset, media, sounds=sounds, tell=told)
    _check_usable(plan)
    return estimate(_missing(plan, target), media, root.url, folder, workers=workers)


def export_media(
    root: Root,
    manifests: Root,
    dataset: str,
    folder: Path,
    media: Media,
    *,
    sounds: Mapping[str, str] | None = None,
    workers: int,
    patience_s: float,
    tell: Tell,
) -> MediaSummary:
    """Write a dataset with its recordings into `folder`, which is empty or of this export.

    `sounds` are the keys of the result `media.sound_of`, by entry.
    `StopRun` where nothing is built, columns or packages are absent, `folder` holds something
    else, the disk has not the space, or no row can be used. A row whose recordings are gone or
    cannot be decoded is left out, with the reason.
    """
    target = _target(folder, dataset, media)
    told = _counting(tell, dataset, "rows read")
    with _telling_of_leftovers(target):
        plan = make_plan(root, manifests, dataset, media, sounds=sounds, tell=told)
    _check_usable(plan)
    if missing := _missing(plan, target):
        expected = estimate(missing, media, root.url, folder, workers=workers)
        tell(Event("note", "", detail=f"{dataset}: {expected}"))
        expected.check(folder)
    # Nothing is written before all of this is known.
    with locked(folder):
        target = _target(folder, dataset, media)
        target.begin()
        return _Export(plan, target, root.url, workers, patience_s, tell).run()


@contextmanager
def _telling_of_leftovers(target: Target) -> Iterator[None]:
    """Say of a dataset without rows that the folder still holds those which it had."""
    try:
        yield
    except NoRows as error:
        if not target.receipt:
            raise
        problem = f"{error}; delete {target.path}, which still holds those of an earlier export"
        raise replace(error, problem=problem) from error


def _target(folder: Path, dataset: str, media: Media) -> Target:
    """The folder, once it is known that nothing is missing to fill it."""
    target = Target(folder, dataset, media)
    target.format.check()
    if media.has_frames and not is_installed("PIL"):
        raise not_installed("PIL", "media")
    return target


def _check_usable(plan: ExportPlan) -> None:
    if all(sample.problem for sample in plan.all()):
        why = next((sample.problem for sample in plan.all()), "every entry was taken down")
        raise NoRows(plan.dataset, "all", f"nothing of {plan.dataset} can be exported: {why}")


def _missing(plan: ExportPlan, target: Target) -> list[Planned]:
    """The samples that are in no shard that can stay."""
    standing = [part.shard for part in target.parts.values()]
    missing = []
    for samples in plan.samples.values():
        keys = {each.entry_id for each in uncovered([s.outline for s in samples], standing)}
        missing += [sample for sample in samples if sample.key in keys]
    return missing


class _Export:
    """One run of an export, once everything is known that it depends on."""

    def __init__(
        self,
        plan: ExportPlan,
        target: Target,
        root_url: str,
        workers: int,
        patience_s: float,
        tell: Tell,
    ) -> None:
        media = plan.media
        self._plan, self._target = plan, target
        held = {"music": media.has_sound, "video": media.has_video, "frames": media.has_frames}
        # A column that is called as what is cut from the recordings makes way for it.
        self._renamed = {n: f"row_{n}" for n in plan.schema.names if held.get(n)}
        fields = [each.with_name(self._renamed.get(each.name, each.name)) for each in plan.schema]
        schema = pa.schema(fields, metadata=plan.schema.metadata)
        self._layout = Layout(plan.dataset, schema, *held.values())
        self._cutters = Cutters(
            root_url, media, target.work, workers=workers, patience_s=patience_s
        )
        self._say = _counting(tell, plan.dataset, "samples made")
        self._made = self._copied = self._new = self._kept = 0

    def run(self) -> MediaSummary:
        plan, parts = self._plan, []
        with self._cutters:
            for split, samples in plan.samples.items():
                parts += list(self._parts_of(split, samples))
        facts = {
            "options": plan.media.as_plain(),
            "columns": self._layout.described(),
        }
        if not any(part.samples for part in parts):
            why = next((w for part in parts for w in part.left_out.values()), "")
            self._target.place(parts, self._layout, facts)
            raise NoRows(plan.dataset, "all", f"nothing of {plan.dataset} can be exported: {why}")
        self._target.place(parts, self._layout, facts)
        counts = dict.fromkeys(plan.samples, 0)
        for part in parts:
            counts[part.shard.split] += part.samples
        return MediaSummary(
            plan.dataset,
            self._target.path,
            counts,
            self._new,
            self._kept,
            self._made,
            self._copied,
            sum(part.shard.size_bytes for part in parts),
            {key: why for part in parts for key, why in part.left_out.items()},
        )

    def _parts_of(self, split: str, samples: Sequence[Planned]) -> Iterator[Part]:
        """The shards of a split in their order; those that can stay are not made again."""
        outlines = [sample.outline for sample in samples]
        parts = {part.shard.first: part for part in self._target.parts.values()}
        at = 0
        while at < len(samples):
            part = parts.get(samples[at].key)
            if part is not None and covers(part.shard, outlines, at):
                self._kept += 1
            else:
                part = self._make(split, samples, at)
                self._new += 1
            yield part
            at += part.shard.rows

    def _make(self, split: str, samples: Sequence[Planned], at: int) -> Part:
        """Write the shard that begins with a sample."""
        cut = _Cut(self, samples, at)
        folder, suffix = self._target.made, self._target.format.SUFFIX
        facts: dict[str, Any] = {}
        size, sha256 = 0, ""
        waiting = cut.samples()
        first = next(waiting, None)
        file = folder / f"{split}-next{suffix}"
        if first is not None:
            with disk_errors(folder), replacing_file(file) as temporary:
                facts = self._target.format.write(temporary, self._layout, chain([first], waiting))
            size, sha256 = file.stat().st_size, hash_file(file)
        part = samples[at : at + cut.rows]
        state = digest_of([sample.outline for sample in part])
        shard = Shard(
            f"{split}-next",
            cut.rows,
            size,
            sha256,
            part[0].key,
            part[-1].key,
            state,
            not cut.is_by_rule,
        )
        if first is not None:
            with disk_errors(folder):
                file.replace(self._target.made_file(split, state))
        return self._target.keep(Part(shard, cut.made, cut.left_out, facts))

    def sample_of(self, samples: Sequence[Planned], at: int) -> tuple[Sample, Excerpts] | str:
        """A sample with its files, or why there is none."""
        planned = samples[at]
        excerpts = self._cutters.of(samples, at)
        if isinstance(excerpts, str):
            return excerpts
        stored = self._plan.rows[planned.split].row(planned.number)
        row = {self._renamed.get(name, name): value for name, value in stored.items()}
        row |= planned.excerpt()
        files = (excerpts.music, excerpts.video, excerpts.frames)
        return Sample(planned.key, row, *files), excerpts

    def written(self, planned: Planned, excerpts: Excerpts) -> None:
        """Free the files of a sample that is in its shard, and count it."""
        self._cutters.done_with(planned, excerpts)
        self._made += 1
        self._copied += excerpts.is_copy
        self._say(self._made)


class _Cut:
    """Takes the samples of one shard: `rows` of the plan, of which `made` have a sample."""

    def __init__(self, export: _Export, samples: Sequence[Planned], at: int) -> None:
        self._export, self._samples, self._at = export, samples, at
        self._target_bytes = export._plan.media.shard_bytes
        self.rows = self.made = 0
        self.left_out: dict[str, str] = {}
        self.is_by_rule = False

    def samples(self) -> Iterator[Sample]:
        total = 0
        while self._at + self.rows < len(self._samples) and not self.is_by_rule:
            place = self._at + self.rows
            planned = self._samples[place]
            sample = self._export.sample_of(self._samples, place)
            self.rows += 1
            size = planned.column_bytes
            if isinstance(sample, str):
                self.left_out[planned.key] = sample
            else:
                size += sum(path.stat().st_size for _, path in sample[0].files())
            total += size
            self.is_by_rule = ends_shard(planned.key, size, total, self._target_bytes)
            if not isinstance(sample, str):
                self.made += 1
                yield sample[0]
                self._export.written(planned, sample[1])


def _counting(tell: Tell, dataset: str, what: str) -> Callable[[int], object]:
    def count(number: int) -> None:
        if number % _NOTE_EVERY == 0:
            tell(Event("note", "", detail=f"{dataset}: {number} {what}"))

    return count
