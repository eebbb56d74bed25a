"""Values over the steps of a training as one SVG drawing, a line for each split."""

from collections.abc import Mapping, Sequence

from symmv_builder.report.elements import Html, element

# Left of a drawing is room for a number such as 4.59e-05.
_WIDE, _TALL, _LEFT, _TOP = 400, 180, 64, 12


def draw(name: str, curves: Mapping[str, Sequence[tuple[int, float]]]) -> Html:
    """The curves ``(step, value)`` of one measure by split, with the range of both axes.

    `ValueError` without a point.
    """
    points = [point for curve in curves.values() for point in curve]
    if not points:
        raise ValueError("a curve needs a point")
    steps, values = [step for step, _ in points], [value for _, value in points]
    first, last, low, high = min(steps), max(steps), min(values), max(values)

    def place(step: int, value: float) -> str:
        x = _LEFT + (step - first) / max(1, last - first) * _WIDE
        y = _TOP + _TALL - (value - low) / ((high - low) or 1.0) * _TALL
        return f"{x:.1f},{y:.1f}"

    lines = [
        element(
            "polyline", element("title", split), class_=f"curve split-{number % 4}",
            points=" ".join(place(*point) for point in _two(curve)),
        )
        for number, (split, curve) in enumerate(curves.items())
        if curve
    ]  # fmt: skip
    names = [
        element("text", split, x=_LEFT + 8 + 110 * number, y=_TOP + _TALL + 36,
                class_=f"split-{number % 4}")
        for number, split in enumerate(curves)
    ]  # fmt: skip
    return element(
        "svg",
        element("rect", x=_LEFT, y=_TOP, width=_WIDE, height=_TALL, class_="frame"),
        *lines,
        *names,
        element("text", f"{high:.3g}", x=_LEFT - 6, y=_TOP + 10, text_anchor="end"),
        element("text", f"{low:.3g}", x=_LEFT - 6, y=_TOP + _TALL, text_anchor="end"),
        element("text", f"step {first}", x=_LEFT, y=_TOP + _TALL + 18),
        element("text", last, x=_LEFT + _WIDE, y=_TOP + _TALL + 18, text_anchor="end"),
        class_="losses", viewBox=f"0 0 {_LEFT + _WIDE + 12} {_TOP + _TALL + 44}", role="img",
        aria_label=f"{name} over the steps",
    )  # fmt: skip


def _two(curve: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    """A line needs two ends: a single point is drawn as a short one."""
    return curve if len(curve) > 1 else [curve[0], (curve[0][0] + 1, curve[0][1])]
