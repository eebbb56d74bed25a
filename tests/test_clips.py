"""Cutting and taking between: compared with the same said by hand, in plain numpy."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmv_builder.between import between, can_cut, cut_records
from symmv_builder.clips import (
    Bars,
    Clip,
    ClockMap,
    Lengths,
    Shots,
    Windows,
    clip_id,
    cut_entry,
    entry_of,
    is_clip_id,
    parse_address,
)
from symmv_builder.midi_file import MidiFile
from symmv_builder.records import (
    RECORD_TYPES,
    Alignment,
    Asset,
    AudioCodes,
    Beats,
    Chords,
    FeatureTrack,
    GridNotes,
    Key,
    KeySpans,
    Loudness,
    MediaKind,
    Notes,
    Parts,
    Pictures,
    Scenes,
    Screened,
    SongInfo,
    SoundShares,
    TagTrack,
    VisualBeats,
)
from symmv_builder.timeline import Clock

# A clip whose music is that of three seconds later, a little faster.
CLIP = Clip(10.0, 20.0, 13.0, 25.5, first_frame=250, steps_before=16)


def scenes_at(*starts: float, end: float, rate_hz: float = 25.0) -> Scenes:
    return Scenes(starts, [*starts[1:], end], np.round(np.array(starts) * rate_hz))  # type: ignore[arg-type]


def spans_of(cut: Windows | Shots | Bars, lengths: Lengths) -> list[tuple[float, float]]:
    return [(clip.start_s, clip.end_s) for clip in cut_entry(cut, lengths)]


@pytest.mark.parametrize(
    ("cut", "seconds", "spans"),
    [
        (Windows(10, 10, 10), 30.0, [(0, 10), (10, 20), (20, 30)]),
        (Windows(10, 10, 10), 29.9, [(0, 10), (10, 20)]),
        (Windows(10, 10, 4), 25.0, [(0, 10), (10, 20), (20, 25)]),
        (Windows(10, 10, 6), 25.0, [(0, 10), (10, 20)]),
        (Windows(10, 5, 5), 20.0, [(0, 10), (5, 15), (10, 20)]),
        (Windows(10, 5, 5), 21.0, [(0, 10), (5, 15), (10, 20), (15, 21)]),
        (Windows(4, 10, 4), 25.0, [(0, 4), (10, 14), (20, 24)]),
        (Windows(10, 10, 10), 9.0, []),
        (Windows(10, 10, 2), 9.0, [(0, 9)]),
        (Windows(10, 10, 1), 0.0, []),
        # A container rounds: a hundred microseconds are no length.
        (Windows(10, 10, 10), 19.99995, [(0, 10), (10, 20)]),
    ],
)
def test_windows_begin_every_hop_and_only_the_last_may_be_short(
    cut: Windows, seconds: float, spans: list[tuple[float, float]]
) -> None:
    assert spans_of(cut, Lengths(seconds, ClockMap())) == spans


def test_windows_of_a_third_of_a_second_do_not_drift() -> None:
    clips = spans_of(Windows(1 / 3, 1 / 3, 1 / 3), Lengths(1000.0, ClockMap()))
    assert len(clips) == 3000
    assert clips[2999][0] == pytest.approx(2999 / 3, abs=1e-9)


def test_clips_of_shots_end_at_every_cut_and_at_their_greatest_length() -> None:
    scenes = scenes_at(0.0, 3.0, 17.0, 18.0, end=40.0)
    cut = Shots(least_s=2.0, greatest_s=6.0)
    assert spans_of(cut, Lengths(40.0, ClockMap(), scenes)) == [
        *[(0.0, 3.0), (3.0, 9.0), (9.0, 15.0), (15.0, 17.0)],
        *[(18.0, 24.0), (24.0, 30.0), (30.0, 36.0), (36.0, 40.0)],
    ]


def test_a_film_of_no_scene_is_one_shot() -> None:
    nothing = np.zeros(0)
    lengths = Lengths(13.0, ClockMap(), Scenes(nothing, nothing, nothing))  # type: ignore[arg-type]
    assert spans_of(Shots(2.0, 6.0), lengths) == [(0.0, 6.0), (6.0, 12.0)]


def test_bars_are_whole_and_stand_on_the_videos_clock() -> None:
    times = np.arange(0.0, 20.0, 0.5)
    beats = Beats(times, (np.arange(40) - 1) % 4 + 1)
    clocks = ClockMap(Alignment(np.array([0.0, 20.0]), np.array([5.0, 45.0]), 0.9))
    clips = list(cut_entry(Bars(2, 2), Lengths(60.0, clocks, beats=beats)))
    assert [(c.music_start_s, c.music_end_s) for c in clips] == [
        (0.5 + 4 * number, 4.5 + 4 * number) for number in range(4)
    ]
    assert [c.start_s for c in clips] == [5.0 + 2 * c.music_start_s for c in clips]
    # What is left of the music are bars without an end.
    assert clips[-1].music_end_s == 16.5
    assert [c.steps_before for c in clips] == [0, 32, 64, 96]


def test_bars_behind_the_end_of_the_video_are_none() -> None:
    beats = Beats(np.arange(0.0, 20.0, 0.5), np.arange(40) % 4 + 1)
    clips = list(cut_entry(Bars(1, 1), Lengths(7.0, ClockMap(), beats=beats)))
    assert [c.end_s for c in clips] == [2.0, 4.0, 6.0]


def test_what_a_cut_looks_at_has_to_be_there() -> None:
    with pytest.raises(ValueError, match="by beats"):
        list(cut_entry(Bars(1, 1), Lengths(7.0, ClockMap())))
    with pytest.raises(ValueError, match="by scenes"):
        list(cut_entry(Shots(1, 2), Lengths(7.0, ClockMap())))


def test_the_map_of_clocks_ends_a_second_behind_the_alignment() -> None:
    clocks = ClockMap(Alignment(np.array([2.0, 12.0]), np.array([10.0, 30.0]), 0.9))
    assert clocks.to_music(20.0) == 7.0
    assert clocks.to_video(7.0) == 20.0
    assert (clocks.to_music(9.5), clocks.to_music(31.0)) == (1.5, 13.0)
    assert clocks.to_music(7.0) == 0.0
    assert clocks.covers(9.0, 31.0)
    assert not clocks.covers(8.9, 20.0)
    assert not clocks.covers(20.0, 31.1)
    assert not ClockMap(Alignment(np.zeros(0), np.zeros(0), 0.0)).covers(0.0, 1.0)


def test_notes_belong_to_the_clip_in_which_they_begin() -> None:
    starts = np.array([12.9, 13.0, 14.0, 25.0, 25.5])
    notes = Notes(
        *(starts, starts + 2.0, np.arange(60, 65), np.full(5, 64)),
        pedal_starts_s=np.array([0.0, 12.0, 20.0, 26.0]),
        pedal_ends_s=np.array([1.0, 14.0, 30.0, 27.0]),
    )
    cut = between(notes, CLIP)
    assert cut.starts_s.tolist() == [0.0, 1.0, 12.0]
    assert cut.ends_s.tolist() == [2.0, 3.0, 12.5]
    assert cut.pitches.tolist() == [61, 62, 63]
    assert (cut.pedal_starts_s.tolist(), cut.pedal_ends_s.tolist()) == ([0.0, 7.0], [1.0, 12.5])


def test_steps_of_the_grid_count_from_the_clips_first_downbeat() -> None:
    starts = np.array([12.0, 13.0, 14.0])
    fields = (starts, starts + 1, np.arange(3) + 60, np.full(3, 64), [14, 16, 18], [2, 2, 2])
    assert between(GridNotes(*fields), CLIP).onset_steps.tolist() == [0, 2]  # type: ignore[arg-type]
    parts = between(Parts(*fields, is_melody=[True, False, True]), CLIP)  # type: ignore[arg-type]
    assert (parts.onset_steps.tolist(), parts.is_melody.tolist()) == ([0, 2], [False, True])


def test_spans_are_cut_at_both_ends_of_the_clip() -> None:
    edges = np.array([0.0, 13.0, 20.0, 25.5, 30.0])
    chords = between(Chords(edges[:-1], edges[1:], ("C", "G", "A:min", "F")), CLIP)
    assert chords.labels == ("G", "A:min")
    assert (chords.starts_s.tolist(), chords.ends_s.tolist()) == ([0.0, 7.0], [7.0, 12.5])
    keys = between(KeySpans(edges[:1], edges[-1:], ("C",), ("major",)), CLIP)
    assert (keys.starts_s.tolist(), keys.ends_s.tolist()) == ([0.0], [12.5])


def test_shots_count_frames_from_the_clips_first() -> None:
    scenes = between(scenes_at(0.0, 8.0, 12.0, 20.0, end=30.0), CLIP)
    assert (scenes.starts_s.tolist(), scenes.ends_s.tolist()) == ([0.0, 2.0], [2.0, 10.0])
    assert scenes.start_frames.tolist() == [0, 50]


def test_beats_keep_their_place_in_the_bar() -> None:
    beats = between(Beats(np.arange(0.0, 30.0), np.arange(30) % 4 + 1), CLIP)
    assert beats.times_s.tolist() == list(range(13))
    assert beats.positions.tolist()[:4] == [2, 3, 4, 1]


def test_an_alignment_gets_a_point_at_each_end() -> None:
    whole = Alignment(np.arange(0.0, 40.0) * 1.25 + 0.5, np.arange(0.0, 40.0), 0.8, 2)
    clip = ClockMap(whole).clip(10.25, 12.0)
    cut = between(whole, clip)
    assert cut.video_s.tolist() == pytest.approx([0.0, 0.75, 1.75])
    assert cut.music_s.tolist() == pytest.approx([0.0, 0.75 * 1.25, 1.75 * 1.25])
    assert (cut.confidence, cut.shift_semitones) == (0.8, 2)


def test_a_recording_is_as_long_as_the_clip_on_its_own_clock() -> None:
    asset = Asset("0" * 64, MediaKind.VIDEO, 1, "toy", 24.0)
    cut = cut_records({"video_asset": asset, "music_asset": asset}, CLIP)
    assert cut["video_asset"].duration_s == 10.0
    # The music ends before the clip does.
    assert cut["music_asset"].duration_s == 11.0


def test_what_sound_and_pictures_are_like_is_that_of_the_stretch() -> None:
    seconds = np.arange(40, dtype=np.float32)
    tags = TagTrack(("piano", "voice"), 1.0, np.stack([seconds, -seconds], axis=1))
    assert between(tags, CLIP).values[:, 0].tolist() == list(range(13, 26))
    share = seconds / np.float32(80)
    shares = between(SoundShares(2 * share, share, 0 * share), CLIP)
    assert shares.vocals.tolist() == pytest.approx([second / 80 for second in range(13, 26)])
    loudness = between(Loudness(-14.0, -seconds), CLIP)
    assert loudness.short_term_lufs.tolist() == [-second for second in range(13, 26)]
    assert loudness.integrated_lufs == -14.0
    codes = AudioCodes(np.arange(2000, dtype=np.int16)[:, None], rate_hz=32000, hop=640, window=500)
    assert between(codes, CLIP).codes[:, 0].tolist() == list(range(650, 1275))
    beats = VisualBeats(np.array([9.5, 10.5, 19.0, 20.0]), np.array([0.1, 0.2, 1.0, 0.4]), 90.0)
    cut = between(beats, CLIP)
    assert (cut.times_s.tolist(), cut.strengths.tolist()) == ([0.5, 9.0], [0.2, 1.0])


@pytest.mark.parametrize("span", [(0.0, 3.0), (2.0, 5.0), (6.0, 9.0), (20.0, 30.0)])
def test_pictures_are_the_files_of_the_stretch(span: tuple[float, float]) -> None:
    files = [bytes([number]) * (number + 1) for number in range(8)]
    data = np.frombuffer(b"".join(files), np.uint8)
    whole = Pictures(data, np.cumsum([len(file) for file in files]), hop_s=1.0)
    first, last = (int(time_s) for time_s in span)
    assert list(between(whole, Clip(*span, *span)).files) == files[first:last]


def test_every_record_of_sound_and_pictures_can_be_cut() -> None:
    uncut = {"MidiFile", "Rejection", "SoundFile"}
    assert {name for name, kind in RECORD_TYPES.items() if not can_cut(kind)} == uncut


def test_what_has_no_times_stays_as_it_is() -> None:
    for record in (Key("C", "major", 0.9), SongInfo("A title"), Screened("x", 1.0, 0.5)):
        assert between(record, CLIP) is record
    assert not can_cut(MidiFile)
    with pytest.raises(TypeError, match="MidiFile cannot be taken"):
        between(MidiFile(np.frombuffer(b"MThd", np.uint8)), CLIP)


def test_an_empty_record_has_an_empty_clip() -> None:
    nothing = np.zeros(0)
    assert len(between(Notes(nothing, nothing, nothing, nothing), CLIP).pitches) == 0  # type: ignore[arg-type]
    assert len(between(Beats(nothing, nothing), CLIP).times_s) == 0  # type: ignore[arg-type]
    assert len(between(Chords(nothing, nothing, ()), CLIP).labels) == 0
    track = FeatureTrack("x", 1.0, np.zeros((0, 3)), Clock.VIDEO)  # type: ignore[arg-type]
    assert between(track, CLIP).values.shape == (0, 3)


@given(
    hop_ms=st.integers(10, 3000),
    length=st.integers(0, 400),
    start=st.floats(0.0, 100.0),
    span=st.floats(0.0, 50.0),
)
@settings(max_examples=60, deadline=None)
def test_samples_are_those_whose_times_lie_in_the_clip(
    hop_ms: int, length: int, start: float, span: float
) -> None:
    hop_s = hop_ms / 1000
    values = np.arange(length, dtype=np.float32)[:, None]
    clip = Clip(start, start + span, 0.0, 0.0)
    cut = between(FeatureTrack("x", hop_s, values, Clock.VIDEO), clip).values[:, 0]
    # Within a tenth of a millisecond of an end either is right.
    sure = [k for k in range(length) if start + 1e-3 < k * hop_s < start + span - 1e-3]
    may = [k for k in range(length) if start - 1e-3 < k * hop_s < start + span + 1e-3]
    assert set(sure) <= set(cut.astype(int).tolist()) <= set(may)
    assert (np.diff(cut) == 1).all()


@given(
    cuts=st.lists(st.floats(0.5, 60.0), max_size=8, unique=True),
    least=st.floats(0.5, 3.0),
    more=st.floats(0.0, 10.0),
)
@settings(max_examples=60, deadline=None)
def test_no_clip_of_shots_goes_over_a_cut(cuts: list[float], least: float, more: float) -> None:
    scenes = scenes_at(0.0, *sorted(cuts), end=61.0)
    found = spans_of(Shots(least, least + more), Lengths(61.0, ClockMap(), scenes))
    for start, end in found:
        assert least - 1e-3 <= end - start <= least + more + 1e-3
        assert not any(start + 1e-6 < cut < end - 1e-6 for cut in cuts)
    assert all(a[1] <= b[0] + 1e-6 for a, b in pairwise(found))


@given(
    hop=st.integers(1, 12), starts=st.lists(st.integers(0, 5000), max_size=40), seconds=st.just(50)
)
@settings(max_examples=40, deadline=None)
def test_every_note_is_in_one_window_of_those_that_follow_each_other(
    hop: int, starts: list[int], seconds: int
) -> None:
    times = np.sort(np.array(starts, dtype=float)) / 100
    notes = Notes(times, times + 0.1, np.full(len(times), 60), np.full(len(times), 60))
    clips = cut_entry(Windows(hop, hop, 0.001), Lengths(float(seconds) + 0.5, ClockMap()))
    back = [between(notes, clip).starts_s + clip.start_s for clip in clips]
    assert np.concatenate([np.zeros(0), *back]).tolist() == pytest.approx(times.tolist())


def test_a_clip_is_named_by_its_entry_and_its_start() -> None:
    assert Clip(12.5, 20.0, 0.0, 1.0).id_of("my.sonata-2") == "my.sonata-2@00012500ms"
    assert clip_id("a", 1) == "a@00000001ms"
    for address in ("sonata@12.5", "sonata@12.5s", "sonata@00012500ms", "sonata@12.500"):
        assert parse_address(address) == ("sonata", 12500)
    for other in ("sonata", "sonata@", "@5", "sonata@-5", "a@b@5", "sonata@1e3", "../a@5"):
        assert parse_address(other) is None
    assert entry_of("sonata@00012500ms") == "sonata" == entry_of("sonata")
    # Ids become names of files.
    assert not is_clip_id("../../etc/x@00012500ms")
    assert is_clip_id("sonata@00012500ms")


def test_every_kind_of_record_that_rows_have_can_be_cut() -> None:
    uncut = {name for name, kind in RECORD_TYPES.items() if not can_cut(kind)}
    # No row has these: a whole MIDI file is a column of whole entries, a sound is for later steps.
    assert uncut == {"MidiFile", "Rejection", "SoundFile"}
