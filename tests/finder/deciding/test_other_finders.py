"""The rules against what the other libraries themselves answer for the same losses: `vectors/make.py` ran them."""

import json
import math
import pathlib

import pytest

from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.other_finders import RULES, suggest

pytestmark = pytest.mark.once

HERE = pathlib.Path(__file__).parent / "vectors"
FILES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in HERE.glob("*.json")}
LOSSES = FILES.pop("curves")["losses"]
CASES = [(peer, curve, rule) for peer, file in FILES.items() for curve in LOSSES for rule in file["answers"][curve]]


@pytest.mark.parametrize(("peer", "curve", "rule"), CASES)
def test_the_answer_is_that_of_the_peer(peer, curve, rule):
    losses = tuple(map(float, LOSSES[curve]))
    rates = tuple(FILES[peer]["learning_rates"][str(len(losses))])
    theirs, ours = FILES[peer]["answers"][curve][rule], suggest(Curve(rates, (losses,)), rule)
    assert ours.rule == rule
    if theirs is None:
        assert ours.learning_rate is None
        assert ours.reason == f"Too few points: {RULES[rule].library} would give no answer."
    else:
        assert ours.learning_rate == pytest.approx(theirs, rel=1e-12)


def test_every_rule_has_vectors_of_all_curves():
    assert {rule for _, _, rule in CASES} == set(RULES)
    assert len(LOSSES) >= 36
    assert len(CASES) == len(RULES) * len(LOSSES)


def test_the_versions_are_those_that_are_documented():
    versions = {name: version for file in FILES.values() for name, version in file["versions"].items()}
    assert versions["fastai"] == "2.8.12"
    assert versions["torch-lr-finder"] == "0.2.2"
    assert versions["pytorch-ignite"] == "0.5.5"
    assert FILES["lightning"]["versions"]["lightning"] == "2.6.6"
    assert FILES["lightning_before"]["versions"]["lightning"] == "2.5.2"


def test_several_ramps_are_averaged_in_log_rate():
    rates = tuple(FILES["ignite"]["learning_rates"]["100"])
    ramps = [tuple(map(float, LOSSES[name])) for name in ("smooth, early", "smooth, late")]
    single = [float(suggest(Curve(rates, (ramp,)), "ignite")) for ramp in ramps]
    assert float(suggest(Curve(rates, tuple(ramps)), "ignite")) == pytest.approx(math.sqrt(single[0] * single[1]))
