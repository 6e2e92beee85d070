"""The picture that explains an answer, as plain data that `report` draws."""

from __future__ import annotations

import math

import numpy as np

from keras_lr.finder.deciding.curve import zero_phase
from keras_lr.finder.deciding.other_finders import RULES, suggest
from keras_lr.finder.deciding.stopping import level_and_noise
from keras_lr.finder.length_figure import panel_of as length_panel_of
from keras_lr.finder.record import FindRecord
from keras_lr.finder.verifying.figure import panel_of
from keras_lr.report.figure import GREY, Band, Figure, Line, Mark, Panel, Points
from keras_lr.report.text import rate

HEADROOM = 0.35  # of the descent, above the first loss: higher losses are cut off
SPRINTS = 2  # the colour of the sprints
MOST = (2.0, 98.0)  # percentiles of the losses up to the lowest point that the picture shows
MARKERS = ("o", "s", "D", "h", "p", "<", ">", "P")  # of the rules, which share one quiet colour


def figure_of(record: FindRecord) -> Figure:
    """Builds the picture: the loss against the rate, the answer and the rates of other rules.

    Below it is the best rate by length of the training, if sprints measured it; beside it are the trials of `verify`.
    """
    title = f"No learning rate. {record.reason.split('. ')[0].rstrip('.')}"
    ramps = "ramp" if len(record.losses) == 1 else "mean of the ramps"
    panel = Panel(
        title=title if record.learning_rate is None else f"Learning rate {rate(record.learning_rate)}",
        x_label="Learning rate (log scale)",
        y_label="Loss of a batch before its update",
        x_scale="log",
        lines=(
            Line(record.learning_rates[: len(record.smoothed)], record.smoothed, f"{ramps}, smooth"),
            *_sprint_line(record),
        ),
        bands=_band(record),
        points=(*_ramp_points(record), *_sprint_points(record), *_rules(record)),
        marks=_marks(record),
        x_limits=_x_limits(record),
        y_limits=_y_limits(record),
    )
    if record.verified is not None:
        return Figure((panel, panel_of(record.verified)))
    lengths = length_panel_of(record)
    return Figure((panel,)) if lengths is None else Figure((panel, lengths), stacked=True)


def _band(record: FindRecord) -> tuple[Band, ...]:
    """Draws the range of the single ramps, each one smooth, up to the end of the shortest."""
    length = min((len(ramp) for ramp in record.losses), default=0)
    finite = [ramp[:length] for ramp in record.losses if all(map(math.isfinite, ramp[:length]))]
    if len(finite) < 2 or length < 2:
        return ()
    rates = np.asarray(record.learning_rates[:length])
    _, ceiling = _y_limits(record) or (0.0, math.inf)
    smooth = np.array([zero_phase(rates, np.minimum(ramp, ceiling)) for ramp in finite])
    label = f"range of {len(finite)} ramps, smooth"
    return (Band(rates.tolist(), smooth.min(0).tolist(), smooth.max(0).tolist(), label),)


def _ramp_points(record: FindRecord) -> list[Points]:
    """Draws every update of every ramp, and the landmarks of the descent on the curve."""
    points = [
        Points(record.learning_rates[: len(ramp)], ramp, label="every update" if index == 0 else None, faint=True)
        for index, ramp in enumerate(record.losses)
    ]
    marks = record.landmarks
    if marks is None:
        return points
    rates = [marks.half, marks.nine_tenths, marks.lowest, *([marks.edge] if marks.edge else [])]
    return [*points, Points(rates, _heights(record, rates), label="landmarks of the descent", marker="d")]


def _sprint_means(record: FindRecord) -> tuple[list[float], list[float]]:
    """Returns the rates of the long sprints that did not diverge, and their mean losses at the end."""
    curves = record.sprint_curves
    if curves is None:
        return [], []
    last = len(curves.lengths) - 1
    losses = float(np.mean(curves.idle_losses[last])) - curves.gains(last).mean(axis=1)
    means = [
        (rate, loss) for rate, loss in zip(curves.rates(last), losses.tolist(), strict=True) if math.isfinite(loss)
    ]
    return [rate for rate, _ in means], [loss for _, loss in means]


def _sprint_line(record: FindRecord) -> tuple[Line, ...]:
    rates, losses = _sprint_means(record)
    if record.sprint_curves is None or not rates:
        return ()
    return (Line(rates, losses, f"{record.sprint_curves.lengths[-1]:,} updates at one rate", color=SPRINTS),)


def _sprint_points(record: FindRecord) -> list[Points]:
    """Draws each sprint, and a star for the answer: on the line of the sprints where that reaches it, else on the curve."""
    rates, losses = _sprint_means(record)
    points = [Points(rates, losses, color=SPRINTS)] if rates else []
    answer = record.learning_rate
    if answer is None:
        return points
    if rates and rates[0] <= answer <= rates[-1] and record.verified is None:
        height = np.interp(math.log(answer), np.log(rates), losses).tolist()
    else:
        (height,) = _heights(record, [answer])
    return [*points, Points([answer], [height], color=1, marker="*")]


def _rules(record: FindRecord) -> list[Points]:
    """Draws one small grey mark on the curve for each other rule, with its name and rate."""
    if len(record.smoothed) < 2:
        return []
    rates = {rule: suggest(record.curve, rule).learning_rate for rule in RULES}
    return [
        Points([value], _heights(record, [value]), label=f"{rule} {rate(value)}", color=GREY, marker=marker)
        for (rule, value), marker in zip(rates.items(), MARKERS, strict=True)
        if value is not None
    ]


def _marks(record: FindRecord) -> tuple[Mark, ...]:
    """Draws the answer with its interval, and the critical rate."""
    marks: list[Mark] = []
    if record.learning_rate is not None and record.interval is not None:
        low, high = record.interval
        name = "answer" if record.verified is None else "verified"
        marks.append(Mark(record.learning_rate, f"{name} {rate(record.learning_rate)}", color=1))
        marks.append(Mark(low, f"interval {rate(low)} to {rate(high)}", end=high, color=1))
    if record.critical is not None and record.critical.learning_rate is not None:
        value = record.critical.learning_rate
        marks.append(Mark(value, f"critical rate {rate(value)}", color=3, dashed=True))
    return tuple(marks)


def _heights(record: FindRecord, rates: list[float]) -> list[float]:
    """Returns the height of the smooth curve at some rates; it is constant beyond its ends."""
    ladder = np.log(record.learning_rates[: len(record.smoothed)])
    return np.interp(np.log(rates), ladder, record.smoothed).tolist()


def _x_limits(record: FindRecord) -> tuple[float, float] | None:
    """Returns the limits: three decades below the middle of the descent, and the last rung reached."""
    if record.landmarks is None:
        return None
    last = record.learning_rates[len(record.smoothed) - 1]
    edge = (record.critical and record.critical.learning_rate) or last
    return max(record.learning_rates[0], record.landmarks.half / 1000.0), max(last, 1.5 * edge)


def _y_limits(record: FindRecord) -> tuple[float, float] | None:
    """Returns the limits: just around the descent, or without one, around the losses that did not blow up."""
    marks = record.landmarks
    if marks is not None:
        depth = marks.start_loss - marks.lowest_loss
        length = record.learning_rates.index(marks.lowest) + 1 if marks.lowest in record.learning_rates else None
        updates = [loss for ramp in record.losses for loss in ramp[:length] if math.isfinite(loss)]
        low, high = np.percentile(updates, MOST)
        sprint = min(_sprint_means(record)[1], default=marks.lowest_loss)
        return (
            min(
                marks.lowest_loss - 0.5 * HEADROOM * depth,
                float(low),
                sprint - 0.2 * HEADROOM * (marks.start_loss - sprint),
            ),
            max(marks.start_loss + HEADROOM * depth, float(high)),
        )
    _, losses = record.curve.pooled()
    if len(losses) < 2:
        return None
    level, noise = level_and_noise(losses[: record.curve.lead_in])
    every = [loss for ramp in record.losses for loss in ramp if math.isfinite(loss)]
    scatter = max(level_and_noise(every)[1], noise)
    low, high = min(every), min(max(every), max(level, *record.smoothed[:1]) + 6.0 * scatter)
    return (low - 0.1 * (high - low), high + 0.1 * (high - low)) if high > low else None
