"""When a plateau is reached, as tables: measurements in, decisions out."""

import dataclasses
import json
import math

import pytest

import keras_lr as klr
from keras_lr.callbacks.plateau_rule import PlateauRule, PlateauState

pytestmark = pytest.mark.once
NAN, INF = math.nan, math.inf


def decisions(values, **rule):
    plateau, state = PlateauRule(**{"patience": 2, **rule}), PlateauState()
    return [plateau.decide(state, value) for value in values]


def reduced_at(values, **rule):
    return [i for i, decision in enumerate(decisions(values, **rule)) if decision == "reduce"]


@pytest.mark.parametrize(
    ("values", "rule", "at"),
    [
        # patience: n in a row without improvement; 0 is 1, as in Keras
        ([1.0] * 6, {"patience": 0}, [1, 2, 3, 4, 5]),
        ([1.0] * 6, {"patience": 1}, [1, 2, 3, 4, 5]),
        ([1.0] * 6, {"patience": 2}, [2, 4]),
        ([1.0] * 6, {"patience": 3}, [3]),
        ([1.0, 1.0, 0.5, 0.5, 0.5], {}, [4]),
        # cooldown: exactly n measurements after a reduction are not counted
        ([1.0] * 8, {"patience": 1, "cooldown": 1}, [1, 3, 5, 7]),
        ([1.0] * 8, {"patience": 1, "cooldown": 2}, [1, 4, 7]),
        ([1.0] * 9, {"patience": 2, "cooldown": 2}, [2, 6]),
        # an improvement during the cooldown is a new best
        ([1.0, 1.0, 0.2, 0.5, 0.5], {"patience": 1, "cooldown": 1}, [1, 3]),
        # a value that is no number is never the best
        ([NAN, 1.0, 0.9, 0.8, 0.7], {}, []),
        ([NAN, NAN, 1.0, 0.9], {}, [1]),
        ([1.0, NAN, 0.9, NAN, NAN], {}, [4]),
        ([-INF, 1.0, 0.9, 0.8], {}, []),
        ([INF, INF, 1.0], {}, [1]),
        # a loss of 1e-5 that improves by 10 % stands still by the absolute rule, and improves by the relative one
        ([1e-5 * 0.9**i for i in range(7)], {}, [2, 4, 6]),
        ([1e-5 * 0.9**i for i in range(7)], {"threshold": "relative", "min_delta": 0.01}, []),
        ([1e-5 * 0.999**i for i in range(5)], {"threshold": "relative", "min_delta": 0.01}, [2, 4]),
        # a negative measurement: 1 % better is further from 0
        ([-100.0, -100.5, -100.9], {"threshold": "relative", "min_delta": 0.01}, [2]),
        ([-100.0, -101.5, -103.0], {"threshold": "relative", "min_delta": 0.01}, []),
        # equal is not better, whatever the sign
        ([-100.0, -100.0, -100.0], {"threshold": "relative", "min_delta": 0.0}, [2]),
        # both: by the larger of the two margins
        ([100.0, 99.5, 99.1], {"threshold": "both", "min_delta": 0.01}, [2]),
        ([0.1, 0.095, 0.091], {"threshold": "both", "min_delta": 0.01}, [2]),
        ([0.1, 0.08, 0.06], {"threshold": "both", "min_delta": 0.01}, []),
        # more is better
        ([0.5, 0.6, 0.6, 0.6], {"mode": "max"}, [3]),
        ([0.5, NAN, NAN, 0.6], {"mode": "max"}, [2]),
        # one bad value out of three does not end the improvement of the mean
        ([3.0, 2.0, 2.5, 1.0, 1.5, 0.5], {"window": 2, "patience": 1}, []),
        ([3.0, 2.0, 2.5, 1.0, 1.5, 0.5], {"patience": 1}, [2, 4]),
    ],
)
def test_when_it_reduces(values, rule, at):
    assert reduced_at(values, **rule) == at


def test_the_exponential_average_is_unbiased_from_the_first_value():
    state, plateau = PlateauState(), PlateauRule(ema=0.5)
    for value in (4.0, 2.0, 1.0):
        plateau.decide(state, value)
    # (4/8 + 2/4 + 1/2) / (7/8)
    assert state.average / state.weight == pytest.approx(1.5 / 0.875)


def test_up_as_well_as_down():
    values = [5.0, 4.0, 3.0, 2.0, 2.0, 2.0, 1.0, 0.5]
    message = decisions(values, rises=True)
    assert message == [None, "raise", None, "raise", None, "reduce", None, "raise"]


def torchs(values, patience, threshold, cooldown):
    """torch's rule, restated: relative, it reduces when there are more bad epochs than its patience."""
    best, bad, cool, found = INF, 0, 0, []
    for i, value in enumerate(values):
        if value < best * (1 - threshold):
            best, bad = value, 0
        else:
            bad += 1
        if cool > 0:
            cool, bad = cool - 1, 0
        if bad > patience:
            found.append(i)
            cool, bad = cooldown, 0
    return found


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("cooldown", [0, 1, 4])
def test_it_is_torchs_rule_where_they_mean_the_same(patience, cooldown):
    values = [1 / (1 + i) + 0.3 * ((7 * i) % 5 == 0) + 0.05 * ((3 * i) % 4) for i in range(60)]
    ours = reduced_at(values, patience=patience + 1, cooldown=cooldown, threshold="relative", min_delta=0.01)
    assert ours == torchs(values, patience, 0.01, cooldown)
    assert len(ours) >= 2


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_state_that_went_through_a_file_decides_the_same(cut):
    values = [1.0, NAN, 0.9, 0.95, 0.95, 0.95, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4, 0.3, 0.3, 0.3, 0.3, 0.2, NAN, NAN, NAN]
    rule = PlateauRule(patience=2, cooldown=1, rises=True, window=2)
    whole, resumed = PlateauState(), PlateauState()
    expected = [rule.decide(whole, value) for value in values]
    decisions = [rule.decide(resumed, value) for value in values[:cut]]
    again = PlateauState(**json.loads(json.dumps(dataclasses.asdict(resumed))))
    assert decisions + [rule.decide(again, value) for value in values[cut:]] == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"factor": 1.0}, r"ReduceLROnPlateau\(factor=1.0\): factor must be above 0 and below 1"),
        ({"factor": 0.0}, "factor must be above 0 and below 1"),
        ({"patience": -1}, "patience must be a whole number of at least 0"),
        ({"patience": 1.5}, "patience must be a whole number"),
        ({"cooldown": -1}, "cooldown must be a whole number"),
        ({"min_delta": -0.1}, "min_delta must be 0 or more"),
        ({"mode": "most"}, "mode must be one of 'auto', 'min', 'max'"),
        ({"threshold": "rel"}, "threshold must be one of 'absolute', 'relative', 'both'"),
        ({"ema": 1.0}, "ema must be 0 or more and below 1"),
        ({"window": 0}, "window must be a whole number"),
        ({"ema": 0.5, "window": 3}, "only one of ema and window can be given"),
        ({"min_lr": -1.0}, "min_lr must be 0 or more"),
        ({"up_factor": 0.9}, "up_factor must be above 1"),
        ({"max_lr": 0.0}, "max_lr must be above 0"),
        ({"every_steps": 0, "monitor": "loss"}, "every_steps must be a whole number"),
        (
            {"every_steps": 5},
            r"ReduceLROnPlateau\(monitor='val_loss'\): with every_steps the training loss is measured",
        ),
        ({"after": "10 parsecs"}, "after is not a valid length"),
    ],
)
def test_bad_arguments_say_what_to_do(words, message):
    with pytest.raises(klr.ArgumentError, match=message):
        klr.ReduceLROnPlateau(**words)


@pytest.mark.parametrize(("monitor", "mode"), [("val_loss", "min"), ("val_accuracy", "max"), ("auc", "max")])
def test_auto_goes_by_the_name(monitor, mode):
    assert klr.ReduceLROnPlateau(monitor).rule.mode == mode
