"""Where letters stand in a picture: the detector of RapidOCR, whose package carries it.

PP-OCRv4's detection network (Liao et al., "Real-time scene text detection with
differentiable binarization", AAAI 2020), run straight through onnxruntime on small
pictures: the package's own pipeline enlarges every picture to 736 pixels and goes on to
read the letters, of which only the area is wanted.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, hash_files
from symmv_builder.backends.slots import TextModel
from symmv_builder.backends.wheels import Packed, Wheel, files_of
from symmv_builder.errors import WrongWeights
from symmv_builder.text import clean_line

WHEEL = Wheel(
    get="rapidocr",
    project="rapidocr-onnxruntime",
    version="1.4.4",
    sha256="971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
    megabytes=15,
    files=(
        Packed(
            "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
            4_745_517,
            "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        ),
    ),
)
# The network halves a picture five times.
MULTIPLE = 32
LONGER_SIDE = 480
# The package's configuration.
PIXEL_THRESHOLD, BOX_THRESHOLD, UNCLIP_RATIO, MAX_BOXES = 0.3, 0.5, 1.6, 1000
SMALLEST_SIDE = 3
THREADS = 2


@final
class RapidOcr(TextModel):
    """Text detection on pictures of at most 480 pixels."""

    layout = "bgr24"
    needs = ("cv2", "onnxruntime")

    def __init__(self, home: ModelHome) -> None:
        [path] = files_of(WHEEL)
        import cv2
        import onnxruntime

        self._cv2: Any = cv2
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        # Threads that wait sleep: spinning takes the cores from other workers.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            # onnxruntime raises its own classes, which derive from Exception alone.
            problem = f"rapidocr's network does not load from {path}: {clean_line(str(error))}"
            raise WrongWeights("rapidocr", problem) from error
        self._input = self._session.get_inputs()[0].name

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("rapidocr", WHEEL.version, hash_files(files_of(WHEEL)))

    @classmethod
    def about(cls) -> About:
        return About("RapidOCR (PP-OCRv4 detection)", "Apache-2.0", WHEEL.where, fetched=True)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Give the size wanted of a picture: 480 pixels at most, in steps of 32."""
        factor = min(1.0, LONGER_SIDE / max(width, height))
        across, down = (max(1, round(s * factor / MULTIPLE)) * MULTIPLE for s in (width, height))
        return across, down

    def text_mask(self, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Mark which pixels of a picture, BGR ``[h, w, 3]`` of `size`, lie in lines of text."""
        inputs = (picture.astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1)[None]
        [answer] = self._session.run(None, {self._input: np.ascontiguousarray(inputs)})
        likely = np.asarray(answer[0, 0], dtype=np.float32)
        mask = np.zeros(picture.shape[:2], np.uint8)
        cores = (likely > PIXEL_THRESHOLD).astype(np.uint8)
        outlines, _ = self._cv2.findContours(
            cores, self._cv2.RETR_LIST, self._cv2.CHAIN_APPROX_SIMPLE
        )
        for outline in outlines[:MAX_BOXES]:
            self._fill(mask, likely, self._cv2.minAreaRect(outline))
        return mask.astype(np.bool_)

    def _fill(self, mask: NDArray[np.uint8], likely: NDArray[np.float32], core: Any) -> None:
        """Mark the line around a core, if the network is sure enough of it.

        The network is trained on lines shrunk by a share of their area over their outline;
        here they are let out again.
        """
        centre, (across, down), angle = core
        if min(across, down) < SMALLEST_SIDE:
            return
        inside = np.zeros_like(mask)
        self._cv2.fillPoly(inside, [np.rint(self._cv2.boxPoints(core)).astype(np.int32)], 1)
        if not inside.any() or likely[inside > 0].mean() < BOX_THRESHOLD:
            return
        out = across * down * UNCLIP_RATIO / (2.0 * (across + down))
        line = self._cv2.boxPoints((centre, (across + 2 * out, down + 2 * out), angle))
        self._cv2.fillPoly(mask, [np.rint(line).astype(np.int32)], 1)
