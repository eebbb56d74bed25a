"""Weights of codecs: the real shapes of their codes, thin within, seeded and random."""

from pathlib import Path
from typing import Any

from symmv_builder.backends.pretrained import UNTRAINED


def make_encodec(folder: Path, **changed: Any) -> Path:
    """A folder as the hub has it of facebook/encodec_32khz."""
    import torch
    import transformers

    plain: dict[str, Any] = {
        "sampling_rate": 32_000,
        "audio_channels": 1,
        "num_filters": 2,
        "hidden_size": 16,
        "codebook_dim": 16,
        "upsampling_ratios": [8, 5, 4, 4],
        "codebook_size": 2048,
        "target_bandwidths": [2.2],
        "num_lstm_layers": 1,
        "use_causal_conv": False,
        "normalize": False,
        "chunk_length_s": None,
    }
    torch.manual_seed(0)
    model = transformers.EncodecModel(transformers.EncodecConfig(**{**plain, **changed}))
    for layer in model.quantizer.layers:
        torch.nn.init.normal_(layer.codebook.embed, std=0.05)
    model.save_pretrained(folder)
    transformers.EncodecFeatureExtractor(sampling_rate=32_000).save_pretrained(folder)
    (folder / UNTRAINED).touch()
    return folder


def make_dac(folder: Path, **changed: Any) -> Path:
    """A folder as the hub has it of descript/dac_44khz."""
    import torch
    import transformers

    plain: dict[str, Any] = {
        "encoder_hidden_size": 2,
        "decoder_hidden_size": 32,
        "sampling_rate": 44_100,
        "n_codebooks": 9,
        "codebook_size": 1024,
    }
    torch.manual_seed(0)
    transformers.DacModel(transformers.DacConfig(**{**plain, **changed})).save_pretrained(folder)
    transformers.DacFeatureExtractor(sampling_rate=44_100).save_pretrained(folder)
    (folder / UNTRAINED).touch()
    return folder
