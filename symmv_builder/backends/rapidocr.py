"""Where letters stand in a picture: the detector of RapidOCR, whose package carries it.

PP-OCRv4's detection network (Liao et al., "Real-time scene text detection with
differentiable binarization", AAAI 2020), run straight through onnxruntime on small
pictures: the package's own pipeline enlarges every picture to 736 pixels and goes on to
read the letters, of which only the area is wanted. The package's own rule makes boxes of
the network's map.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    hash_files,
    package_folder,
    package_version,
)
from symmv_builder.errors import StopRun

MODEL = "models/ch_PP-OCRv4_det_infer.onnx"
# The network halves a picture five times.
MULTIPLE = 32
LONGER_SIDE = 480
# The package's configuration.
PIXEL_THRESHOLD, BOX_THRESHOLD, UNCLIP_RATIO, MAX_BOXES = 0.3, 0.5, 1.6, 1000
THREADS = 2


class RapidOcr:
    """Text detection on pictures of at most 480 pixels."""

    layout = "bgr24"

    def __init__(self, home: ModelHome) -> None:
        path = package_folder("rapidocr_onnxruntime") / MODEL
        try:
            import onnxruntime
            from rapidocr_onnxruntime.ch_ppocr_det.utils import DBPostProcess
        except ImportError as error:
            raise StopRun(
                f"rapidocr needs {error.name}; run: pip install 'symmv-builder[crawl]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            # onnxruntime raises its own classes, which derive from Exception alone.
            raise StopRun(f"rapidocr's network does not load from {path}: {error}") from error
        self._input = self._session.get_inputs()[0].name
        self._boxes: Any = DBPostProcess(
            thresh=PIXEL_THRESHOLD,
            box_thresh=BOX_THRESHOLD,
            max_candidates=MAX_BOXES,
            unclip_ratio=UNCLIP_RATIO,
            use_dilation=True,
            score_mode="fast",
        )

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        weights = package_folder("rapidocr_onnxruntime") / MODEL
        version = package_version("rapidocr-onnxruntime")
        return ModelIdentity("rapidocr", version, hash_files([weights]))

    @classmethod
    def about(cls) -> About:
        return About("RapidOCR (PP-OCRv4 detection)", "Apache-2.0", "inside the package")

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height wanted of a picture: 480 pixels at most, in steps of 32."""
        factor = min(1.0, LONGER_SIDE / max(width, height))
        across, down = (max(1, round(s * factor / MULTIPLE)) * MULTIPLE for s in (width, height))
        return across, down

    def text_mask(self, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which pixels of a picture, BGR ``[h, w, 3]`` of `size`, lie in lines of text."""
        import cv2

        height, width = picture.shape[:2]
        given = (picture.astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1)[None]
        [answer] = self._session.run(None, {self._input: np.ascontiguousarray(given)})
        boxes, _ = self._boxes(answer, (height, width))
        mask = np.zeros((height, width), np.uint8)
        for box in boxes:
            cv2.fillPoly(mask, [np.asarray(box, dtype=np.int32)], 1)
        return mask.astype(np.bool_)
