"""Files stay small enough to be read in one sitting."""

from pathlib import Path
from statistics import median

MOST_LINES = 500
FOLDERS = {"symmv_builder", "flows", "tests", "benchmarks", "installation"}


def line_counts(root: Path, files: list[Path], folders: set[str]) -> dict[str, int]:
    ours = (path.relative_to(root) for path in files if path.suffix == ".py")
    return {
        path.as_posix(): len((root / path).read_text().splitlines())
        for path in ours
        if path.parts[0] in folders
    }


def test_no_file_is_longer_than_500_lines(root: Path, repository_files: list[Path]) -> None:
    counts = line_counts(root, repository_files, FOLDERS)
    assert {path: count for path, count in counts.items() if count > MOST_LINES} == {}


def test_the_median_module_is_a_few_screens(root: Path, repository_files: list[Path]) -> None:
    counts = line_counts(root, repository_files, {"symmv_builder"})
    assert median(count for count in counts.values() if count > 5) <= 200


def test_no_file_of_the_repository_is_heavy(repository_files: list[Path]) -> None:
    """Media, weights and data of others never enter the repository; a model of ours is small."""
    sizes = {path: path.stat().st_size for path in repository_files}
    most = dict.fromkeys(sizes, 200000)
    most |= {path: 500_000 for path in sizes if path.match("music/melody/weights.npz")}
    # The lock has the hash of every file of every release.
    most |= {path: 400_000 for path in sizes if path.match("requirements/*.txt")}
    starter = [path for path in sizes if path.match("starter/run/*/best/model.safetensors")]
    most |= dict.fromkeys(starter, 3_000_000)
    assert {path.name: size for path, size in sizes.items() if size > most[path]} == {}
    models = [size for path, size in sizes.items() if path.suffix in (".npz", ".safetensors")]
    assert sum(models) <= 8_000_000
