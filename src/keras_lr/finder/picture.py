"""The picture that explains an answer, as plain data for the report floor."""

from __future__ import annotations

from keras_lr.finder.result import FindResult
from keras_lr.finder.rules import RULES
from keras_lr.report.figure import Figure, Line, Mark, Panel

HEADROOM = 0.35  # of the descent, above the first loss: the blow-up goes out of the picture


def figure_of(found: FindResult) -> Figure:
    """One panel: loss against rate, both as measured and smooth, with the answer and what other rules say."""
    rates = found.learning_rates
    lines = [
        Line(rates[: len(ramp)], ramp, label="each ramp" if index == 0 else None, color=0, faint=True)
        for index, ramp in enumerate(found.losses)
    ]
    lines.append(Line(rates[: len(found.smoothed)], found.smoothed, label="pooled and smooth", color=0))
    answer = "no answer" if found.learning_rate is None else f"{found.learning_rate:.2g}"
    return Figure(
        (
            Panel(
                title=f"Learning rate: {answer}",
                x_label="Learning rate (log scale)",
                y_label="Loss of the batch",
                x_scale="log",
                lines=tuple(lines),
                marks=_marks(found),
                x_limits=_stretch(found),
                y_limits=_limits(found),
            ),
        )
    )


def _marks(found: FindResult) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    if found.learning_rate is not None and found.interval is not None:
        low, high = found.interval
        marks.append(Mark(low, end=high, label=f"interval, {low:.2g} to {high:.2g}", color=1))
        marks.append(Mark(found.learning_rate, label=f"consensus, {found.learning_rate:.2g}", color=1))
    for color, rule in enumerate(RULES, start=2):
        rate = found.suggest(rule).learning_rate
        if rate is not None:
            marks.append(Mark(rate, label=f"{rule}, {rate:.2g}", color=color, dashed=True))
    return tuple(marks)


def _stretch(found: FindResult) -> tuple[float, float] | None:
    """From three decades before the descent is half done, without the long flat stretch, to the last rung reached."""
    if found.landmarks is None:
        return None
    last = found.learning_rates[len(found.smoothed) - 1]
    return max(found.learning_rates[0], found.landmarks.half / 1000.0), last


def _limits(found: FindResult) -> tuple[float, float] | None:
    """From just below the descent to just above where it began."""
    marks = found.landmarks
    if marks is None:
        return None
    depth = marks.start_loss - marks.lowest_loss
    return marks.lowest_loss - 0.5 * HEADROOM * depth, marks.start_loss + HEADROOM * depth
