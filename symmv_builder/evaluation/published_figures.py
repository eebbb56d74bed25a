"""What the papers report, each with its paper, table and row, to stand beside what we measure.

Values are as printed: P@k, beat scores in percent, everything else as it is. Names of values are
those of our own results. A paper's data, pool and models are its own: the figures say where one
would like to be, not that the experiment was the same. GVMGen's Table 4 (CMR, TA) is missing: the
text of the paper that we have holds its caption alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

VMUSPROD = "V-MusProd"
VIDEO2MUSIC = "Video2Music"
V2MEOW = "V2Meow"
RELEASE = "SymMV release"


@dataclass(frozen=True, slots=True)
class Figures:
    """One row of a paper's table; what the row does not give is absent."""

    paper: str
    table: str
    row: str
    values: Mapping[str, float]


def _rows(
    paper: str, table: str, names: str, rows: Mapping[str, tuple[float | None, ...]]
) -> tuple[Figures, ...]:
    columns = names.split()
    return tuple(
        Figures(
            paper,
            table,
            row,
            {n: v for n, v in zip(columns, values, strict=True) if v is not None},
        )
        for row, values in rows.items()
    )


# Zhuo et al., "Video Background Music Generation: Dataset, Method and Evaluation", 2023.
_CONDITIONAL = _rows(
    VMUSPROD,
    "Table 2",
    "p5 p10 p20 ar sc pe pce ebr ioi",
    {
        "Real (SymMV)": (None, None, None, None, 0.986, 4.197, 2.633, 0.023, 0.184),
        "CMT": (8.9, 17.7, 31.0, 33.4, 0.990, 3.920, 2.444, 0.074, 0.246),
        "w/o semantic": (11.6, 23.9, 42.0, 26.1, 0.955, 2.892, 2.310, 0.019, 0.358),
        "w/o color": (15.6, 26.6, 44.8, 25.1, 0.956, 2.732, 2.200, 0.011, 0.330),
        "w/o motion": (12.2, 22.2, 37.9, 26.3, 0.975, 3.010, 2.283, 0.004, 0.261),
        "Video2music": (10.8, 19.7, 33.3, 30.0, 0.981, 3.990, 2.639, 0.010, 0.229),
        "Video2chord2music": (13.7, 23.1, 43.6, 26.0, 0.996, 2.497, 2.036, 0.081, 0.985),
        "V-MusProd": (15.7, 24.6, 44.8, 25.4, 0.983, 3.940, 2.607, 0.004, 0.174),
    },
)
_UNCONDITIONAL = _rows(
    VMUSPROD,
    "Table 4",
    "sc pe pce ebr ioi",
    {
        "Real (POP909)": (0.965, 4.455, 2.774, 0.005, 0.125),
        "CP": (0.987, 3.697, 2.538, 0.041, 0.250),
        "Music Trans.": (0.985, 3.934, 2.581, 0.034, 0.216),
        "HAT": (0.989, 3.856, 2.550, 0.040, 0.139),
        "V-MusProd": (0.967, 4.070, 2.774, 0.005, 0.171),
    },
)
# Not of a paper: the same metrics of every file that was released (zhuole1025/SymMV@1448813).
_RELEASED = _rows(
    RELEASE,
    "all 1,140 files",
    "sc pe pce ebr ioi",
    {"Real (SymMV)": (0.975, 4.330, 2.705, 0.0211, 0.182)},
)

MUSIC = (*_CONDITIONAL, *_RELEASED, *_UNCONDITIONAL)
VMCP = tuple(figures for figures in _CONDITIONAL if "p5" in figures.values)
# How many videos V-MusProd ranks a piece of music among (section 5.2, M).
VMCP_POOL = 70

# Kang, Poria, Herremans, "Video2Music", Expert Systems with Applications, 2024.
AMT = _rows(
    VIDEO2MUSIC,
    "Table 4",
    "hits1 hits3 hits5 matching_loss",
    {
        "Transformer": (0.4789, 0.7117, 0.8204, 1.8366),
        "Music Transformer": (0.4965, 0.7303, 0.8323, 1.8795),
        "AMT w/o emotion loss": (0.5142, 0.7585, 0.8660, 1.6859),
        "AMT": (0.5139, 0.7722, 0.8672, 0.4662),
    },
)
REGRESSOR = _rows(
    VIDEO2MUSIC,
    "Table 2",
    "rmse_density rmse_loudness",
    {
        "FC": (4.7314, 0.0877),
        "LSTM": (4.6247, 0.0892),
        "Bi-LSTM": (4.5337, 0.0882),
        "GRU": (4.6030, 0.0888),
        "Bi-GRU": (4.5030, 0.0876),
    },
)

# Su et al., "V2Meow: Meowing to the Visual Beat via Video-to-Music Generation", 2023.
BEATS = _rows(
    V2MEOW,
    "Table 2",
    "bcs csd bhs hsd f1",
    {
        "V2Meow CLIP+I3D (10 s)": (100.0, 0.00, 84.4, 25.1, 91.5),
        "V2Meow CLIP+I3D (6 s)": (99.3, 8.64, 84.7, 25.7, 91.4),
        "V2Meow CLIP+I3D (2 s)": (90.0, 30.0, 84.8, 32.1, 87.3),
        "CDCD Step-Intra (6 s)": (87.9, None, 83.2, None, 85.5),
        "D2M-GAN (2 s)": (88.2, None, 84.7, None, 86.4),
        "CMT (2 s)": (85.5, None, 83.5, None, 84.5),
    },
)
# On MV100K, over VGGish; both stages of the model see the video.
AUDIO = _rows(
    V2MEOW,
    "Table 1, VGGish",
    "fad",
    {
        "V2Meow CLIP": (2.779,),
        "V2Meow I3D": (2.328,),
        "V2Meow VIT": (1.988,),
        "V2Meow VIT+I3D": (1.945,),
        "V2Meow CLIP+I3D": (2.003,),
    },
)

# What listeners said, by the questions of `study/questions.py`; rates of preference in percent.
# V-MusProd against CMT: 10 experts, 45 others.
_SYMMV_LISTENERS = _rows(
    VMUSPROD,
    "Table 3",
    "melody rhythm video_content video_rhythm chords accompaniment overall",
    {
        "V-MusProd over CMT, experts": (77, 63, 63, 60, 63, 83, 73),
        "V-MusProd over CMT, non-experts": (82, 53, 63, 57, None, None, 67),
    },
)
# Means of 21 listeners, on 7 points.
_VIDEO2MUSIC_LISTENERS = _rows(
    VIDEO2MUSIC,
    "Table 5",
    "omq mvc hm rm lm",
    {
        "Music Transformer": (3.4905, 2.7476, 2.6333, 2.8476, 3.1286),
        "Video2Music": (4.2095, 3.6667, 3.4143, 3.8714, 3.8143),
    },
)
# Each model against CMT (and, of MusicCaps, against Riffusion and MUBERT).
_V2MEOW_LISTENERS = (
    *_rows(
        V2MEOW,
        "Table 1, MV100K",
        "relevance preference",
        {
            "CMT": (20.6, 30.0),
            "V2Meow CLIP": (78.2, 67.6),
            "V2Meow I3D": (74.3, 65.8),
            "V2Meow VIT": (81.4, 71.5),
            "V2Meow VIT+I3D": (83.8, 76.8),
            "V2Meow CLIP+I3D": (79.2, 68.2),
        },
    ),
    *_rows(
        V2MEOW,
        "Table 1, MusicCaps",
        "relevance preference",
        {
            "CMT": (19.7, 20.7),
            "Riffusion": (38.6, 41.2),
            "MUBERT": (43.3, 49.3),
            "V2Meow CLIP": (63.6, 58.5),
            "V2Meow I3D": (68.8, 68.0),
            "V2Meow VIT": (66.9, 60.3),
            "V2Meow VIT+I3D": (71.8, 67.1),
            "V2Meow CLIP+I3D": (67.4, 65.8),
        },
    ),
)
LISTENERS: Mapping[str, tuple[Figures, ...]] = {
    "symmv": _SYMMV_LISTENERS,
    "video2music": _VIDEO2MUSIC_LISTENERS,
    "v2meow": _V2MEOW_LISTENERS,
}
# Why nothing stands beside the answers to other questions.
NOT_PRINTED: Mapping[str, str] = {
    "gvmgen": "What GVMGen's raters said (Zuo et al. 2025, Table 2: OMQ, MVC, MR) is not shown: "
    "the text of the paper that these figures were taken from has that table's caption alone.",
}
