"""What a figure of a report shows, as plain numbers: made by `datasets/statistics`, drawn by
`report/charts.py`, and written as JSON beside the pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts ``[n]`` between edges ``[n + 1]``, with the median and the 5 % and 95 % quantiles."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    unit: str
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Curves:
    """One curve ``[n]`` a label over the places `x` ``[n]``, in `unit`."""

    x: tuple[float, ...]
    curves: Mapping[str, tuple[float, ...]]
    unit: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BarChart:
    """One number a label, in the order in which they are shown."""

    labels: tuple[str, ...]
    values: tuple[float, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Shares ``[rows][columns]``; each row of them is of one whole."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    across: str
    down: str


@dataclass(frozen=True, slots=True)
class Bands:
    """Shares of one whole, one band a label ``[n]``, over equal parts of the length."""

    bands: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class PointChart:
    """Places ``[n]`` in a plane with what each belongs to; `explained` is a share an axis."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    genres: tuple[str, ...]
    splits: tuple[str, ...]
    explained: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tints:
    """Rows of colours (``#rrggbb``) in order of hue, each as wide as its share."""

    rows: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TableFigure:
    """Texts and numbers in rows; what has no picture."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]


Content: TypeAlias = (
    Histogram | Curves | BarChart | Matrix | Bands | PointChart | Tints | TableFigure
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of one dataset: what it shows, how to make its numbers oneself, and the numbers.

    `query` is SQL over the shards (duckdb) or Python. `content` is `None` where the dataset has
    nothing to show, and `absent` says why.
    """

    name: str
    title: str
    about: str
    query: str = ""
    content: Content | None = None
    absent: str = ""

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        fields = {
            "title": self.title,
            "about": self.about,
            "query": self.query,
            "absent": self.absent,
        }
        if self.content is not None:
            fields |= {"kind": type(self.content).__name__.lower(), **asdict(self.content)}
        return fields


@dataclass(frozen=True, slots=True)
class Difference:
    """One test of two datasets: the measure, how large each is, the size of the difference.

    `effect` is the chance that an entry of the first has the greater value (Mann-Whitney), or
    Cramér's V (chi-square); `p_adjusted` is Holm's over all tests of the report.
    """

    measure: str
    test: str
    first: str
    second: str
    statistic: float
    effect: float
    p: float
    p_adjusted: float = 1.0
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Statistics:
    """All figures of a dataset, or of a release of it, with what stands above them."""

    label: str
    facts: Mapping[str, str]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = field(default=())

    def figure(self, name: str) -> Figure:
        """The figure of a name; `KeyError` where there is none."""
        for each in self.figures:
            if each.name == name:
                return each
        raise KeyError(name)
