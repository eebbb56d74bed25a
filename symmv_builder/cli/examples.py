"""One to three calls of each command, as its help shows them; a test parses every one."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "build": (
        "symmv build symmv --from my-pairs",
        "symmv build muvisync --from my-videos --only notes,chords --workers 4",
        "symmv build mine.toml --from my-pairs --dry-run",
    ),
    "demo": ("symmv demo --quick", "symmv demo --out tour --workers 2"),
    "import": ("symmv import pop909 POP909/ --root data",),
    "recipe": ("symmv recipe symmv > mine.toml", "symmv recipe mine.toml --check"),
    "run": (
        "symmv run key song.mid",
        "symmv run scenes holiday.mp4 --out results",
        "symmv run key song.mid --set profile=aarden-essen",
    ),
    "export": (
        "symmv export muvisync muvisync-files",
        "symmv export muvisync tars --format webdataset --video frames --dry-run",
        "symmv export symmv to-edit --format jams",
    ),
    "status": ("symmv status", "symmv status symmv --json"),
    "why": ("symmv why my-song", "symmv why my-song --dataset symmv --json"),
    "schema": ("symmv schema symmv", "symmv schema --out schemas"),
    "doctor": ("symmv doctor", "symmv doctor --json --root data"),
    "models": ("symmv models", "symmv models --json", "symmv models get basic_pitch"),
    "config": ("symmv config", "symmv config --json --root s3://bucket/data"),
    "show": ("symmv show my-song", "symmv show my-song --out pictures"),
    "report": (
        "symmv report symmv",
        "symmv report symmv@1.1.0 --against symmv@1.0.0 --out compared",
    ),
    "correct": (
        "symmv correct symmv my-song beat 12.46 12.40",
        "symmv correct symmv my-song chord 4.0 Am7",
        "symmv correct symmv --jams edited/",
    ),
    "crawl": (
        "symmv crawl symmv --most 20",
        "symmv crawl symmv --sources sources.toml --promote-above 0.9",
    ),
    "review": ("symmv review symmv",),
    "promote": ("symmv promote symmv --above 0.9", "symmv promote symmv --reviewed"),
    "reject": (
        'symmv reject symmv yt-abcdefghijk --reason "another song"',
        "symmv reject symmv yt-abcdefghijk --undo",
    ),
    "web": ("symmv web", "symmv web --root data --port 8000", "symmv web --study study"),
    "takedown": ('symmv takedown symmv my-song --reason "asked by its author"',),
    "rank": ("symmv rank v2m --model runs/vmcp --best 0.1",),
    "release": ("symmv release symmv 1.0.0",),
    "train": (
        "symmv train vmusprod --data symmv --out run --preset small",
        "symmv train amt --data muvisync --out run --minutes 60",
    ),
    "generate": ("symmv generate holiday.mp4", "symmv generate holiday.mp4 --model run --count 3"),
    "gallery": ("symmv gallery generated",),
    "study": (
        "symmv study make --config study.toml --out study",
        "symmv study serve study",
        "symmv study score study answers --out scores",
    ),
    "clean": ("symmv clean", "symmv clean --yes"),
    "verify": ("symmv verify", "symmv verify symmv --deep"),
    "evaluate": ("symmv evaluate music generated", "symmv evaluate music --dataset symmv"),
}


def epilog_of(command: str) -> str:
    """Write the examples of a command as the end of its help; empty where it has none."""
    calls = EXAMPLES.get(command, ())
    # A paragraph each: lines within one would be joined.
    return "\n\n".join(("Examples:" if len(calls) > 1 else "Example:", *calls)) if calls else ""
