"""Keys are the digests that they are said to be, however they are computed."""

from dataclasses import asdict

import pytest

from symmv_builder import datasets
from symmv_builder.pipeline.keys import ModelIdentity, Plan, Work, digest
from symmv_builder.pipeline.step import RECORDINGS


@pytest.mark.parametrize("dataset", datasets.ALL)
@pytest.mark.parametrize("content", ["0" * 64, '}null{"\\é\n'])
def test_a_key_is_the_digest_of_all_that_makes_a_result(dataset: str, content: str) -> None:
    recipe = datasets.recipe(dataset)
    uses = (*recipe.uses, *(u for u in recipe.screening if u not in recipe.uses))
    models = {
        (use.step.slot, use.model): ModelIdentity(use.model, "null}", "f" * 64)
        for use in uses
        if use.step.slot and use.model
    }
    work = Work("entry", content, "1" * 64, content[::-1])
    plan = Plan(dataset, uses, models)
    known = dict(zip(RECORDINGS, work.contents, strict=True))
    for use in uses:
        model = plan.model_of(use)
        known[use.makes] = digest(
            {
                "step": use.step.name,
                "version": use.step.version,
                "parameters": dict(use.parameters),
                "model": asdict(model) if model else None,
                "inputs": {
                    read: known[name] for read, name in zip(use.step.reads, use.inputs, strict=True)
                },
            }
        )
        assert plan.keys(work)[use.makes] == known[use.makes]
