"""LICENSE.md of a release: whose terms hold for which column, and what follows for the whole."""

from collections.abc import Mapping
from typing import Any

from symmv_builder.datasets.card.escape import markdown, table
from symmv_builder.datasets.card.facts import restricted
from symmv_builder.datasets.card.licences import URLS, kinds_of
from symmv_builder.datasets.card.view import View

RULE = (
    "A release is as strict as the strictest thing in it: the licences of the models that made its "
    "columns, and that of the recordings or published data that the rows were made from. What "
    "nobody has stated counts as not known, and then the licence is `other`."
)


def licence_file(receipt: Mapping[str, Any]) -> str:
    """Write LICENSE.md."""
    view = View(receipt)
    lines = [f"# Licence of {markdown(view.title)} {view.version}", "", *licence_lines(view), ""]
    lines += ["## Models", "", *model_table(view), "", "## Columns", ""]
    rows = [
        (column["name"], ", ".join(view.models_of(column["name"])) or "no model",
         "; ".join(terms_of_column(view, column["name"])))
        for column in view.columns
    ]  # fmt: skip
    lines += table(("column", "models", "licences"), rows)
    return "\n".join(lines) + "\n"


def licence_lines(view: View) -> list[str]:
    """Tell the licence of the whole and its reason, and whose terms are stricter than others'."""
    choice = view.licence
    named = f"[{choice.licence}]({URLS[choice.licence]})" if choice.licence in URLS else "other"
    source = view.source_terms or "nobody has stated it"
    lines = [f"**{named}**. {markdown(choice.reason)}", "", RULE, ""]
    lines.append(f"Licence of what the rows were made from: {markdown(source)}.")
    for restriction in restricted(view.facts):
        lines += ["", f"Not known to allow commercial use: {markdown(restriction.line)}."]
    return lines


def model_table(view: View) -> list[str]:
    """List every model with its version, its weights and its licence."""
    rows = []
    for model in view.receipt["models"]:
        name = f"{model['slot']}={model['backend']}"
        facts = view.facts["models"][name]
        licence = facts["licence"] or "not known"
        kinds = ", ".join(sorted(kinds_of(facts["licence"])))
        weights = model["weights_sha256"][:16]
        rows.append((name, facts["tool"], model["version"], weights, licence, kinds))
    if not rows:
        return ["No model has a part in it."]
    return table(("model", "tool", "version", "weights (sha256)", "licence", "kind"), rows)


def terms_of_column(view: View, column: str) -> list[str]:
    """List the licences of the models that have a part in a column."""
    models = view.facts["models"]
    return [models[model]["licence"] or "not known" for model in view.models_of(column)]
