"""The panel that shows the short trainings behind an answer, as plain data for the report floor."""

from __future__ import annotations

import math

from keras_lr.finder.verifying.search import Trial, Verification
from keras_lr.report.figure import GREY, Line, Mark, Panel, Points

HEADROOM = 0.15  # of the picture, above the untrained loss: worse trainings are marked at its top


def panel_of(found: Verification) -> Panel:
    """Validation loss against rate: each length of trainings, and the loss without any."""
    trials = [trial for trial in found.trials if trial.learning_rate > 0.0]
    lengths = sorted({trial.updates for trial in trials})
    lowest = min([found.untrained_loss, *(trial.validation_loss for trial in trials)])
    depth = max(found.untrained_loss - lowest, 1e-12)
    top = found.untrained_loss + HEADROOM * depth
    lines, points = [], []
    for color, length in enumerate(lengths):
        tried = sorted((one for one in trials if one.updates == length), key=lambda one: one.learning_rate)
        shown = [trial for trial in tried if trial.validation_loss <= top]
        x, y = [trial.learning_rate for trial in shown], [trial.validation_loss for trial in shown]
        lines.append(Line(x, y, color=color, faint=True))
        points.append(Points(x, y, label=f"after {length} updates", color=color))
        points += _above(tried, top, color)
    rates = [trial.learning_rate for trial in trials]
    untrained = Line([min(rates), max(rates)], [found.untrained_loss] * 2, label="untrained", color=GREY, dashed=True)
    marks: tuple[Mark, ...] = ()
    if found.learning_rate is not None:
        marks = (Mark(found.learning_rate, label=f"answer, {found.learning_rate:.2g}", color=len(lengths)),)
    return Panel(
        title=f"Verified by {len(found.trials)} short trainings",
        x_label="Learning rate (log scale)",
        y_label="Validation loss",
        x_scale="log",
        lines=(untrained, *lines),
        points=tuple(points),
        marks=marks,
        y_limits=(lowest - HEADROOM * depth, top),
    )


def _above(tried: list[Trial], top: float, color: int) -> list[Points]:
    """Trainings that are worse than the picture is high, and those that diverged, at its top."""
    high = [one.learning_rate for one in tried if top < one.validation_loss < math.inf]
    diverged = [one.learning_rate for one in tried if one.validation_loss == math.inf]
    points = [Points(high, [top] * len(high), color=color, marker="^")] if high else []
    return points + ([Points(diverged, [top] * len(diverged), color=color, marker="x")] if diverged else [])
