"""The panel that shows the best rate against the length of the training, as plain data that `report` draws."""

from __future__ import annotations

import numpy as np

from keras_lr.finder.deciding.consensus import LONGER
from keras_lr.finder.record import FindRecord
from keras_lr.report.figure import Band, Line, Panel, Points
from keras_lr.report.text import rate

SAMPLES = 61  # of the line
ANSWER, SPRINTS = 1, 2  # colours, as in the range test


def panel_of(record: FindRecord) -> Panel | None:
    """Builds the panel: the best rates that the sprints measured, and the rates that follow for longer trainings.

    Returns:
        None if the record has no rates by length, because there were no sprints or no answer.
    """
    by_length, answer, steps = record.by_length, record.learning_rate, record.steps
    if by_length is None or answer is None or steps is None:
        return None
    first = min(by_length.length, steps)
    lengths = np.geomspace(first, max(LONGER * steps, by_length.lengths[-1]), SAMPLES).tolist()
    rates = [by_length.rate_for(length, record.mean_share) for length in lengths]
    bounds = [by_length.interval_for(length, record.mean_share) for length in lengths]
    expected = "best rate, expected" if record.schedule is None else "best peak, expected"
    return Panel(
        title="Best rate by length of the training",
        x_label="Length of the training in updates (log scale)",
        y_label="Learning rate (log scale)",
        x_scale="log",
        y_scale="log",
        lines=(Line(lengths, rates, expected, dashed=True),),
        bands=(Band(lengths, [low for low, _ in bounds], [high for _, high in bounds], "90 % interval"),),
        points=(
            Points(by_length.lengths, by_length.best_rates, label="best rate, measured", color=SPRINTS),
            Points([steps], [answer], label=f"{rate(answer)} for {steps:,} updates", color=ANSWER, marker="*"),
        ),
    )
