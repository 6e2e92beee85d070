"""The panel that shows the trials behind an answer, as plain data that `report` draws."""

from __future__ import annotations

import math

from keras_lr.finder.verifying.search import Trial, Verification
from keras_lr.report.figure import GREY, Line, Mark, Panel, Points

HEADROOM = 0.15  # of the descent, above the untrained loss: marks at the top stand for worse trials


def panel_of(verification: Verification) -> Panel:
    """Builds the panel: the validation loss against the rate for each length of trials, and the untrained loss."""
    trials = [trial for trial in verification.trials if trial.learning_rate > 0.0]
    lengths = sorted({trial.updates for trial in trials})
    lowest = min([verification.untrained_loss, *(trial.validation_loss for trial in trials)])
    depth = max(verification.untrained_loss - lowest, 1e-12)
    top = verification.untrained_loss + HEADROOM * depth
    lines, points = [], []
    for color, length in enumerate(lengths):
        group = sorted((trial for trial in trials if trial.updates == length), key=lambda trial: trial.learning_rate)
        inside = [trial for trial in group if trial.validation_loss <= top]
        x, y = [trial.learning_rate for trial in inside], [trial.validation_loss for trial in inside]
        lines.append(Line(x, y, color=color, faint=True))
        points.append(Points(x, y, label=f"after {length} updates", color=color))
        points += _above(group, top, color)
    rates = [trial.learning_rate for trial in trials]
    untrained = Line(
        [min(rates), max(rates)], [verification.untrained_loss] * 2, label="untrained", color=GREY, dashed=True
    )
    marks: tuple[Mark, ...] = ()
    if verification.learning_rate is not None:
        label = f"answer, {verification.learning_rate:.2g}"
        marks = (Mark(verification.learning_rate, label=label, color=len(lengths)),)
    return Panel(
        title=f"Verified by {len(verification.trials)} short trainings",
        x_label="Learning rate (log scale)",
        y_label="Validation loss",
        x_scale="log",
        lines=(untrained, *lines),
        points=tuple(points),
        marks=marks,
        y_limits=(lowest - HEADROOM * depth, top),
    )


def _above(group: list[Trial], top: float, color: int) -> list[Points]:
    """Draws marks at the top for trials that diverged, or whose loss lies above the picture."""
    high = [trial.learning_rate for trial in group if top < trial.validation_loss < math.inf]
    diverged = [trial.learning_rate for trial in group if trial.validation_loss == math.inf]
    return [
        Points(rates, [top] * len(rates), color=color, marker=marker)
        for rates, marker in ((high, "^"), (diverged, "x"))
        if rates
    ]
