"""The picture that explains an answer, as plain data for the report floor."""

from __future__ import annotations

import math

import numpy as np

from keras_lr.finder.deciding.curve import Curve, zero_phase
from keras_lr.finder.deciding.other_finders import RULES
from keras_lr.finder.deciding.sprints import deciding
from keras_lr.finder.deciding.stopping import level_and_noise
from keras_lr.finder.result import FindResult
from keras_lr.finder.verifying.figure import panel_of
from keras_lr.report.figure import GREY, Band, Figure, Line, Mark, Panel, Points
from keras_lr.report.text import rate

HEADROOM = 0.35  # of the descent, above the first loss: the blow-up goes out of the picture
SPRINTS = 2  # the colour of what sprints come to
MOST = (2.0, 98.0)  # percentiles of the updates up to the lowest point: most are in the picture
MARKERS = ("o", "s", "D", "h", "p", "<", ">", "P")  # of the rules, which share one quiet colour


def figure_of(found: FindResult) -> Figure:
    """Loss against rate, as measured and smooth, how it is read, the answer, what others say; beside it, what verified it."""
    more = () if found.verified is None else (panel_of(found.verified),)
    return Figure(
        (
            Panel(
                title=_title(found),
                x_label="Learning rate (log scale)",
                y_label="Loss of a batch before its update",
                x_scale="log",
                lines=(
                    Line(found.learning_rates[: len(found.smoothed)], found.smoothed, "mean of the ramps, smooth"),
                    *_sprints(found),
                ),
                bands=_band(found),
                points=(*_raw(found), *_landmarks(found), *_ends(found), *_answer(found), *_rules(found)),
                marks=_marks(found),
                x_limits=_stretch(found),
                y_limits=_limits(found),
            ),
            *more,
        )
    )


def _title(found: FindResult) -> str:
    """The answer, or the first sentence of the refusal."""
    if found.learning_rate is None:
        return f"No learning rate. {found.reason.split('. ')[0].rstrip('.')}"
    return f"Learning rate {rate(found.learning_rate)}"


def _raw(found: FindResult) -> list[Points]:
    """Every update of every ramp."""
    return [
        Points(found.learning_rates[: len(ramp)], ramp, label="every update" if index == 0 else None, faint=True)
        for index, ramp in enumerate(found.losses)
    ]


def _band(found: FindResult) -> tuple[Band, ...]:
    """Between the lowest and the highest of the single ramps, each smooth alone, as far as all of them went."""
    length = min((len(ramp) for ramp in found.losses), default=0)
    finite = [ramp[:length] for ramp in found.losses if all(map(math.isfinite, ramp[:length]))]
    if len(finite) < 2 or length < 2:
        return ()
    rates = np.asarray(found.learning_rates[:length])
    _, ceiling = _limits(found) or (0.0, math.inf)
    smooth = np.array([zero_phase(rates, np.minimum(ramp, ceiling)) for ramp in finite])
    return (
        Band(rates.tolist(), smooth.min(0).tolist(), smooth.max(0).tolist(), f"range of {len(finite)} ramps, smooth"),
    )


def _landmarks(found: FindResult) -> list[Points]:
    """Where the descent is half and nine tenths done, lowest, and undone."""
    marks = found.landmarks
    if marks is None:
        return []
    places = [marks.half, marks.nine_tenths, marks.lowest, *([marks.edge] if marks.edge else [])]
    return [Points(places, _heights(found, places), label="landmarks of the descent", marker="d")]


def _after(found: FindResult) -> tuple[list[float], list[float]]:
    """The rates of the sprints that did not diverge, and the mean of the losses that decide."""
    if found.sprints is None or not found.sprints.learning_rates:
        return [], []
    sprints = deciding(found.sprints)
    idle, gains = float(np.mean(sprints.counted[0])), sprints.gains.mean(axis=1)
    known = [(rate, idle - gain) for rate, gain in zip(sprints.learning_rates, gains, strict=True)]
    known = [(rate, loss) for rate, loss in known if math.isfinite(loss)]
    return [rate for rate, _ in known], [loss for _, loss in known]


def _sprints(found: FindResult) -> list[Line]:
    """What sprints come to, as a line from rate to rate."""
    rates, losses = _after(found)
    if found.sprints is None or not rates:
        return []
    return [Line(rates, losses, f"after {found.sprints.steps} updates at one rate", color=SPRINTS)]


def _ends(found: FindResult) -> list[Points]:
    """Each sprint as a point on that line."""
    rates, losses = _after(found)
    return [Points(rates, losses, color=SPRINTS)] if rates else []


def _answer(found: FindResult) -> list[Points]:
    """A star on the line of the sprints, or without them on the curve."""
    if found.learning_rate is None:
        return []
    rates, losses = _after(found)
    if rates and found.verified is None:
        height = np.interp(math.log(found.learning_rate), np.log(rates), losses).tolist()
    else:
        (height,) = _heights(found, [found.learning_rate])
    return [Points([found.learning_rate], [height], color=1, marker="*")]


def _rules(found: FindResult) -> list[Points]:
    """One small grey mark on the curve for each rule that is in the picture, named with its rate."""
    if len(found.smoothed) < 2:
        return []
    said = {rule: found.suggest(rule).learning_rate for rule in RULES}
    return [
        Points([value], _heights(found, [value]), label=f"{rule} {rate(value)}", color=GREY, marker=marker)
        for (rule, value), marker in zip(said.items(), MARKERS, strict=True)
        if value is not None
    ]


def _marks(found: FindResult) -> tuple[Mark, ...]:
    """The answer with its interval, and the critical rate."""
    marks: list[Mark] = []
    if found.learning_rate is not None and found.interval is not None:
        low, high = found.interval
        name = "answer" if found.verified is None else "verified"
        marks.append(Mark(found.learning_rate, f"{name} {rate(found.learning_rate)}", color=1))
        marks.append(Mark(low, f"interval {rate(low)} to {rate(high)}", end=high, color=1))
    if found.critical is not None and found.critical.learning_rate is not None:
        value = found.critical.learning_rate
        marks.append(Mark(value, f"critical rate {rate(value)}", color=3, dashed=True))
    return tuple(marks)


def _heights(found: FindResult, rates: list[float]) -> list[float]:
    """The smooth curve at some rates; beyond its ends that of the end."""
    ladder = np.log(found.learning_rates[: len(found.smoothed)])
    return np.interp(np.log(rates), ladder, found.smoothed).tolist()


def _stretch(found: FindResult) -> tuple[float, float] | None:
    """From three decades before the descent is half done, without the long flat stretch, to the last rung reached."""
    if found.landmarks is None:
        return None
    last = found.learning_rates[len(found.smoothed) - 1]
    edge = found.critical.learning_rate if found.critical is not None and found.critical.learning_rate else last
    return max(found.learning_rates[0], found.landmarks.half / 1000.0), max(last, 1.5 * edge)


def _limits(found: FindResult) -> tuple[float, float] | None:
    """From just below the descent to just above where it began; without a descent, around what is not a blow-up."""
    marks = found.landmarks
    if marks is not None:
        depth = marks.start_loss - marks.lowest_loss
        falling = found.learning_rates.index(marks.lowest) + 1 if marks.lowest in found.learning_rates else None
        updates = [loss for ramp in found.losses for loss in ramp[:falling] if math.isfinite(loss)]
        low, high = np.percentile(updates, MOST)
        after = min(_after(found)[1], default=marks.lowest_loss)
        return (
            min(marks.lowest_loss - 0.5 * HEADROOM * depth, float(low), after - 0.2 * HEADROOM * depth),
            max(marks.start_loss + HEADROOM * depth, float(high)),
        )
    _, losses = found.curve.pooled()
    if len(losses) < 2:
        return None
    level, noise = level_and_noise(losses[: Curve(found.learning_rates, ()).lead_in])
    every = [loss for ramp in found.losses for loss in ramp if math.isfinite(loss)]
    scatter = max(level_and_noise(every)[1], noise)
    low, high = min(every), min(max(every), max(level, *found.smoothed[:1]) + 6.0 * scatter)
    return (low - 0.1 * (high - low), high + 0.1 * (high - low)) if high > low else None
