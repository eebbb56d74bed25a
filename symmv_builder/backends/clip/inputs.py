"""What CLIP is shown: pictures as normalised pixels, words as numbers of tokens.

Both as the checkpoint's own files tell it, and bit for bit as `transformers` 5.23.0 reads them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

# What CLIP's own preparation does; a file that tells otherwise is of another model.
_STEPS: Final = ("do_resize", "do_center_crop", "do_rescale", "do_normalize")
_BICUBIC = 3
# Means and deviations of the pictures that CLIP learned from, by colour.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)

START, END = "<|startoftext|>", "<|endoftext|>"
# The two marks, contractions, runs of letters, single digits, runs of other signs.
_PARTS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


def read_json(path: Path) -> Mapping[str, Any]:
    """Read the object in a JSON file; `ValueError` where it holds another type."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds no object")
    return content


@dataclass(frozen=True, slots=True)
class Preparation:
    """Scale the shorter side to `shortest`, take the middle `side` x `side`, normalise colours.

    The last is done where the network is: a middle has a quarter of the bytes of its values.
    """

    shortest: int
    side: int
    resample: int
    factor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def middles(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Cut scaled middles uint8 ``[n, 3, side, side]`` of RGB pictures uint8 ``[h, w, 3]``."""
        middles = np.empty((len(pictures), 3, self.side, self.side), np.uint8)
        for place, picture in zip(middles, pictures, strict=True):
            place[:] = self._middle(picture).transpose(2, 0, 1)
        return middles

    @property
    def values(self) -> NDArray[np.float32]:
        """The normalised value of each of the 256 levels of red, green and blue, ``[3, 256]``.

        By this table a device normalises to the same bits as any other.
        """
        values = np.empty((256, 3), np.float32)
        values[:] = np.arange(256.0)[:, None] * self.factor
        values -= np.array(self.mean, np.float32)
        values /= np.array(self.deviation, np.float32)
        return np.ascontiguousarray(values.T)

    def _middle(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = picture.shape[:2]
        longer = int(self.shortest * max(height, width) / min(height, width))
        size = (self.shortest, longer) if width <= height else (longer, self.shortest)
        scaled = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling(self.resample)))
        top, left = ((length - self.side) // 2 for length in scaled.shape[:2])
        return scaled[top : top + self.side, left : left + self.side]


def read_preparation(folder: Path, image_size: int) -> Preparation:
    """Read how ``preprocessor_config.json`` prepares pictures of a size in pixels.

    `ValueError` where it does something else than CLIP's preparation, or for another size.
    """
    settings = read_json(folder / "preprocessor_config.json")
    if odd := [step for step in _STEPS if not settings.get(step, True)]:
        raise ValueError(f"{odd[0]} is off in preprocessor_config.json, which is not CLIP's way")
    shortest = _side(settings, "size", "shortest_edge")
    side = _side(settings, "crop_size", "height", "width")
    if side != image_size or shortest < side:
        raise ValueError(
            f"preprocessor_config.json scales to {shortest} and takes {side} pixels, "
            f"but the model sees {image_size}"
        )
    return Preparation(
        shortest,
        side,
        Image.Resampling(settings.get("resample", _BICUBIC)),
        float(settings.get("rescale_factor", 1 / 255)),
        _colours(settings.get("image_mean", _MEAN)),
        _colours(settings.get("image_std", _DEVIATION)),
    )


def _side(settings: Mapping[str, Any], name: str, *parts: str) -> int:
    """Read a side in pixels, told as a number or by its parts, which are equal; 224 by default."""
    value = settings.get(name, 224)
    sides = {value[part] for part in parts} if isinstance(value, dict) else {value}
    side = sides.pop()
    if sides or not isinstance(side, int) or side < 1:
        raise ValueError(f"{name} in preprocessor_config.json is {value}")
    return side


def _colours(values: Sequence[float]) -> tuple[float, ...]:
    red, green, blue = map(float, values)
    return red, green, blue


class Words:
    """Byte-pair tokens of words and sentences, in lower case, cut at `longest` tokens.

    Read from ``tokenizer.json``, else from ``vocab.json`` and ``merges.txt``; `ValueError` or the
    reader's own error where those are not CLIP's.
    """

    def __init__(self, folder: Path, longest: int, vocabulary: int) -> None:
        self._tokenizer = tokenizer = Tokenizer(_pairs(folder))
        start, self._end = (_number(tokenizer, token) for token in (START, END))
        if tokenizer.get_vocab_size() > vocabulary:
            count = tokenizer.get_vocab_size()
            raise ValueError(f"its words are {count} tokens, and its model knows {vocabulary}")
        tokenizer.normalizer = normalizers.Sequence(
            [
                normalizers.NFC(),
                normalizers.Replace(Regex(r"\s+"), " "),
                normalizers.Lowercase(),
            ]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_PARTS), behavior="removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        tokenizer.post_processor = processors.RobertaProcessing(
            (END, self._end), (START, start), trim_offsets=False, add_prefix_space=False
        )
        tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (START, END)])
        tokenizer.enable_truncation(longest)

    def tokens(
        self, words: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Give tokens ``[n, longest of them]`` padded on the right, lengths, and each text's end.

        The end is the first token that says so: a text may hold its name.
        """
        rows = [self._tokenizer.encode(text).ids for text in words]
        lengths = np.array([len(row) for row in rows], np.int64)
        padded = np.full((len(rows), lengths.max(initial=0)), self._end, np.int64)
        for place, row in zip(padded, rows, strict=True):
            place[: len(row)] = row
        ends = np.array([row.index(self._end) for row in rows], np.int64)
        return padded, lengths, ends


def _pairs(folder: Path) -> models.BPE:
    how = {"continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "unk_token": END}
    whole = folder / "tokenizer.json"
    if not whole.is_file():
        files = (str(folder / name) for name in ("vocab.json", "merges.txt"))
        return models.BPE.from_file(*files, **how)
    model = read_json(whole)["model"]
    merges = [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in model["merges"]]
    return models.BPE(vocab=model["vocab"], merges=merges, **how)


def _number(tokenizer: Tokenizer, token: str) -> int:
    number: int | None = tokenizer.token_to_id(token)
    if number is None:
        raise ValueError(f"its vocabulary has no {token}")
    return number
