"""silero-vad: how likely it is that somebody speaks, every 32 milliseconds.

Silero Team, "Silero VAD: pre-trained enterprise-grade Voice Activity Detector" (2021). The
network lies in the package as an ONNX file that takes many frames in one call and hands its
memory on to the next; the package's own code, which would need torch, is not used.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, hash_files
from symmv_builder.backends.slots import SpeechDetector
from symmv_builder.backends.wheels import Packed, Wheel, files_of
from symmv_builder.errors import WrongWeights
from symmv_builder.text import clean_line

NAME = "silero-vad"
WHEEL = Wheel(
    get=NAME,
    project="silero-vad",
    version="6.2.3",
    sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    megabytes=11,
    files=(
        Packed(
            "silero_vad/data/silero_vad_16k_sequence.onnx",
            1_246_165,
            "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
        ),
    ),
)
RATE_HZ, FRAME, CONTEXT, MEMORY = 16_000, 512, 64, 128
FRAMES_A_CALL = 512


@final
class SileroVad(SpeechDetector):
    """Speech in mono sound at 16 kHz."""

    rate_hz = RATE_HZ
    hop_s = FRAME / RATE_HZ
    needs = ("onnxruntime",)

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity(NAME, WHEEL.version, hash_files(files_of(WHEEL)))

    @classmethod
    def about(cls) -> About:
        return About("Silero VAD", "MIT", WHEEL.where, fetched=True)

    def __init__(self, home: ModelHome) -> None:
        [path] = files_of(WHEEL)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Each frame waits for the one before it: there is nothing for a second thread to do.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            # onnxruntime raises its own classes, which derive from Exception alone.
            problem = f"{NAME}'s network does not load from {path}: {clean_line(str(error))}"
            raise WrongWeights(NAME, problem) from error

    def likelihood(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the probability of speech, float32 ``[frames]``, 0-1, of 16 kHz samples ``[n]``.

        The last frame is filled up with silence.
        """
        count = -(-len(samples) // FRAME)
        frames = np.zeros((count, CONTEXT + FRAME), dtype=np.float32)
        frames[:, CONTEXT:].flat[: len(samples)] = samples
        # Each frame is heard with the end of the one before it.
        frames[1:, :CONTEXT] = frames[:-1, -CONTEXT:]
        hidden = cell = np.zeros((1, 1, MEMORY), dtype=np.float32)
        likelihoods = [np.zeros(0, dtype=np.float32)]
        for at in range(0, count, FRAMES_A_CALL):
            inputs = {"input": frames[at : at + FRAMES_A_CALL], "h": hidden, "c": cell}
            likely, hidden, cell = self._session.run(["speech_probs", "hn", "cn"], inputs)
            likelihoods.append(np.asarray(likely, dtype=np.float32).reshape(-1))
        return np.concatenate(likelihoods)
