"""Weights of embedding models: the real shapes at their ends, thin within, seeded and random."""

import json
from pathlib import Path
from typing import Any

from symmv_builder.backends.embeddings.vggish import make_network
from symmv_builder.backends.pretrained import UNTRAINED


def make_vggish(folder: Path, *, seed: int = 0) -> Path:
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    path = folder / "vggish.pth"
    torch.save(make_network(hidden=16).state_dict(), path)
    (folder / UNTRAINED).touch()
    return path


def make_clap(folder: Path, **changed: Any) -> Path:
    """A folder as the hub has it: both towers, the extractor's settings."""
    import torch
    import transformers

    audio = {
        "patch_embeds_hidden_size": 8,
        "hidden_size": 64,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 1, 1],
        "projection_dim": 512,
    }
    text = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 16,
        "vocab_size": 32,
        "projection_dim": 512,
    }
    config = transformers.ClapConfig(
        audio_config={**audio, **changed}, text_config={**text, **changed}, **changed
    )
    torch.manual_seed(0)
    transformers.ClapModel(config).save_pretrained(folder)
    transformers.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    write_tokenizer(folder)
    (folder / UNTRAINED).touch()
    return folder


def write_tokenizer(folder: Path) -> None:
    """A tokenizer of letters, as RoBERTa's is stored."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    settings = {"tokenizer_class": "RobertaTokenizer", "model_max_length": 32}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def make_mert(folder: Path, **changed: Any) -> Path:
    """A folder as the hub has it: MERT's own configuration, tensors of HuBERT in a pickle."""
    import torch
    import transformers

    plain = {
        "hidden_size": 768,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 16,
        "conv_dim": [16] * 7,
        "num_conv_pos_embeddings": 8,
        "num_conv_pos_embedding_groups": 4,
    }
    torch.manual_seed(0)
    model = transformers.HubertModel(transformers.HubertConfig(**plain)).eval()
    # The hub's file was written before torch named the parts of a normalised weight anew.
    state = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in model.state_dict().items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "pytorch_model.bin")
    own = {
        "model_type": "mert_model",
        "architectures": ["MERTModel"],
        "auto_map": {"AutoModel": "modeling_MERT.MERTModel"},
        "feature_extractor_cqt": False,
        "feature_extractor_cqt_bins": 336,
        "deepnorm": False,
        "attention_relax": -1.0,
        "sample_rate": 24000,
    }
    (folder / "config.json").write_text(json.dumps({**plain, **own, **changed}))
    # Whoever runs it fails the test.
    (folder / "modeling_MERT.py").write_text("raise SystemExit('code of the hub was run')\n")
    transformers.Wav2Vec2FeatureExtractor(
        sampling_rate=24000, do_normalize=True, return_attention_mask=True
    ).save_pretrained(folder)
    (folder / UNTRAINED).touch()
    return folder
