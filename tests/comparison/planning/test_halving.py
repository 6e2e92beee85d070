"""Successive halving: complete shorter runs first, and cases that are dropped have no score."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning.halving import fixed_length, promote, rungs_of
from keras_lr.comparison.planning.plan import Plan
from keras_lr.comparison.store.exports import rows_of
from keras_lr.comparison.store.salvage import contents_of
from keras_lr.comparison.views.figures import figure_of
from keras_lr.comparison.views.heatmap import heatmap_of
from keras_lr.comparison.views.page import page_of
from keras_lr.engines.fit import TrainingRun
from tests.comparison.store.test_store import after
from tests.comparison.stored import Stop, X, Y, build_line, compare, stored
from tests.schedules import catalogue

pytestmark = pytest.mark.once

SHARES = klr.Linear(1.0, 0.0, "100%")
# At 1e-9 nothing is learnt whatever the seed: such cases are distinguishable from the best in the first rung.
RATES = [0.1, 1e-9, 2e-9, 3e-9]
HALVED = {"learning_rates": RATES, "seeds": 3, "epochs": 4, "prune": "halving"}


@pytest.fixture(scope="module")
def halved():
    return compare(**HALVED, schedules={"fall": SHARES})


def test_only_what_is_kept_is_trained_for_all_epochs(halved):
    epochs = {case.learning_rate: [rung.epochs for rung in case.rungs] for case in halved.cases}
    assert epochs[0.1] == [1, 2]
    trained = [case for case in halved.cases if case.trained]
    assert halved.best.learning_rate == 0.1
    assert 1 <= len(trained) < 4
    for case in halved.cases:
        assert all(len(run.history["loss"]) == rung.epochs for rung in case.rungs for run in rung.runs)
        assert (case.dropped_after is None) == case.trained
    assert all(len(run.history["loss"]) == 4 for run in halved.best.runs)


def test_a_dropped_case_has_no_score_and_no_chance(halved):
    dropped = [case for case in halved.cases if not case.trained]
    for case in dropped:
        assert (case.mean, case.interval, case.difference, case.p_best, case.scores) == (None, None, None, None, {})
        assert {run.outcome for run in case.runs} == {"dropped"}
        assert halved.verdict(case) == "dropped"
        assert case not in halved.indistinguishable
        assert case.dropped_after == case.rungs[-1].epochs
    assert halved.ranked[0] is halved.best
    assert not any(case.trained for case in halved.ranked[-len(dropped) :])
    assert f"{len(dropped)} cases were dropped in shorter rungs" in halved.reason


def test_a_rung_is_a_comparison_of_its_own_with_its_schedules(halved):
    alone = compare(learning_rates=RATES[:1], seeds=3, epochs=2, schedules={"fall": SHARES})
    assert halved.cases[0].rungs[1].runs == alone.cases[0].runs
    final = compare(learning_rates=RATES[:1], seeds=3, epochs=4, schedules={"fall": SHARES})
    assert halved.cases[0].runs == final.cases[0].runs
    assert halved.cases[0].rungs[0].runs[0].history["learning_rate"] == pytest.approx((0.05,))


def test_it_is_shown(halved, tmp_path):
    last = halved.ranked[-1]
    said = f"dropped after the rung of {last.dropped_after} of 4 epochs"
    assert halved.row(last).texts[1:] == ["-", "-", "-", "-", "-", said]
    _, right = figure_of(halved).panels
    count = sum(not case.trained for case in halved.cases)
    (marks,) = [points for points in right.points if points.marker == "v"]
    assert len(marks.x) == count and marks.label == f"dropped in a shorter rung, {count} cases"
    page = page_of(halved)
    assert said in page and f"{last.name}, rung of {last.dropped_after} epochs" in page and "by halving" in page
    row = halved.table().set_index("case").loc[last.name]
    assert (row["verdict"], row["dropped_after"]) == ("dropped", last.dropped_after)
    halved.save(tmp_path / "a.json")
    assert klr.Comparison.load(tmp_path / "a.json") == halved


def test_a_dropped_case_is_an_empty_cell(halved):
    other = [dataclasses.replace(case, name=f"b {case.name}", schedule="b") for case in halved.cases]
    both = dataclasses.replace(halved, cases=(*halved.cases, *other))
    (panel,) = heatmap_of(both).panels
    assert panel.x_label.endswith("(empty: not trained for all epochs)")
    for row in panel.cells.values:
        assert [value is None for value in row] == [case.mean is None for case in sorted(halved.cases, key=by_rate)]


def by_rate(case):
    return case.learning_rate


@pytest.mark.slow
def test_it_goes_on_in_a_store(tmp_path, monkeypatch):
    path, arguments = tmp_path / "runs.sqlite", {**HALVED, "epochs": 3}
    halved = compare(**arguments)
    with monkeypatch.context() as patch, pytest.raises(Stop):
        after(14, Stop(), patch)  # behind the shorter rung
        compare(path, **arguments)
    assert len(stored(path)) == 14
    contents = contents_of(path)
    assert (contents.open_ended, contents.planned) == (True, 2 * 4 * 3)
    assert (len(contents.plan["cases"]), contents.plan["rungs"]) == (4, [1])
    assert {row[0] for row in rows_of(contents)} >= {
        f"{case['name']}, rung of 1 epochs" for case in contents.plan["cases"]
    }
    assert compare(path, **arguments) == halved
    with pytest.raises(klr.ArgumentError, match="it holds another plan: .*prune is 'halving' there"):
        compare(path, **{**arguments, "prune": "divergence"})


@pytest.mark.parametrize(
    ("scores", "places"),
    [
        (
            [[1.0, 1.2, 1.1], [1.1, 1.0, 1.2], [9.0, 9.1, 9.2], [1.2, 1.1, 1.0]],
            [0, 1, 3],
        ),  # three are indistinguishable
        ([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0], [4.0, 4.0, 4.0]], [0, 1]),  # a third of four is two
        ([[None, 1.0, 1.0], [2.0, 2.1, 2.0], [None] * 3], [1]),  # diverged once is worse than any score
        ([[None] * 3, [None] * 3], [0, 1]),
    ],
)
def test_what_is_kept(scores, places):
    plan = Plan(dict, (None,) * len(scores), (0, 1, 2), 3, None, "loss", "min", {}, rung=1)
    found = {}
    for case, own in enumerate(scores):
        for seed, score in enumerate(own):
            run = TrainingRun({"loss": (score,)}, "finished", None, 1.0)
            found[RunKey(1, case, seed)] = RunMeasurement(
                run if score else TrainingRun({}, "diverged", (0, 0), 1.0), ()
            )
    assert promote(plan, range(len(scores)), found) == places


def test_where_every_run_diverges_none_is_dropped():
    result = compare(learning_rates=[1e37, 1e38], seeds=2, epochs=3, prune="halving")
    assert (result.best, [case.diverged for case in result.cases]) == (None, [2, 2])


@pytest.mark.parametrize(
    ("cases", "epochs", "rungs"), [(9, 9, (1, 3)), (9, 10, (2, 4)), (3, 9, (3,)), (9, 3, (1,)), (4, 100, (12, 34))]
)
def test_the_epochs_of_the_rungs(cases, epochs, rungs):
    plan = Plan(dict, (None,) * cases, (0, 1), epochs, None, "loss", "min", {}, prune="halving")
    assert rungs_of(plan) == rungs
    assert rungs_of(dataclasses.replace(plan, prune="divergence")) == ()


@pytest.mark.parametrize(
    ("schedule", "fixed"),
    [
        (SHARES, None),
        (0.1 * (klr.Constant(1.0, "55%") >> klr.Cosine(1.0, 0.0, "40%")).warmup("5%"), None),
        (klr.Constant(1.0), None),
        (klr.OneCycle(1.0), None),
        (klr.Linear(1.0, 0.0, 100), "100"),
        (klr.Cosine(1.0, 0.0, "3ep"), "'3ep'"),
        (klr.Cosine(1.0, 0.0, "50%").warmup(5), "5"),
        (klr.StepDecay(1.0, 0.5, per="1000ex"), "'1000ex'"),
        (klr.Piecewise(["20%", 7], [1.0, 0.5, 0.1]), "7"),
        (klr.Noam(64, 400), "400"),
        (klr.Interpolate([0, "10%", "100%"], [0.0, 1.0, 0.0]), None),
        (klr.Interpolate([0, 2.5, "100%"], [0.0, 1.0, 0.0]), "2.5"),
        (klr.Triangular(0.1, 1.0, "10%", gamma=0.999), "1"),
        (klr.OneCycle(1.0).skip(7), "7"),
        (klr.Constant(1.0, 0) >> klr.Linear(1.0, 0.0, "100%"), None),
        (klr.from_torch("CosineAnnealingLR", lr=0.1, T_max=90), "90"),
        (klr.Function(abs), "that of Function"),
        (klr.Adopted(keras.optimizers.schedules.CosineDecay(1.0, 10)), "the length of a schedule of Keras"),
    ],
)
def test_a_length_that_is_no_share(schedule, fixed):
    assert fixed_length(schedule) == fixed


def shortens(schedule):
    """Whether a run of a quarter of the epochs has the same rates at the same shares of it."""
    long, short = (schedule.bind(steps_per_epoch=2000, epochs=epochs) for epochs in (8, 2))
    steps = np.unique([*range(20), *(np.arange(200) * 20 + 7)])
    rates = long.evaluate(4 * steps)
    return np.allclose(rates, short.evaluate(steps), rtol=0.0, atol=0.02 * np.abs(rates).max())


@pytest.mark.once
@pytest.mark.parametrize("schedule", [*catalogue.SCHEDULES, *catalogue.WITH_UNITS], ids=repr)
def test_what_a_shorter_run_shortens_is_accepted_and_nothing_else(schedule):
    assert (fixed_length(schedule) is None) == shortens(schedule)


def _with_schedule():
    model = build_line()
    model.compile(keras.optimizers.SGD(klr.Cosine(0.1, 0.0, "2ep")), "mse", run_eagerly=True)
    return model


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"prune": "rank"}, "compare(prune='rank'): prune must be 'divergence', 'halving' or None. Pass one of these, or"),
        ({"prune": True}, "compare(prune=True): prune must be 'divergence', 'halving' or None."),
        ({"epochs": 2}, "compare(epochs=2): prune='halving' needs 3 epochs or more, for a first rung of a third of them."),
        ({"seeds": 1}, "compare(prune='halving'): with one seed all cases are indistinguishable, so none can be dropped."),
        ({"learning_rates": [0.1]}, "compare(prune='halving'): there is one case, so none can be dropped."),
        ({"learning_rates": "auto"}, "compare(learning_rates='auto'): prune='halving' needs the rates in advance."),
        (
            {"schedules": {"a": klr.Cosine(1.0, 0.0, 100)}},
            "prune='halving' can't shorten 0.1 * Cosine(1.0, 0.0, 100), as 100 is not a share of the run. "
            "Give lengths in shares of the run, such as '10%', or leave prune out.",
        ),
        (
            {"learning_rates": None, "optimizers": {"a": keras.optimizers.SGD(klr.Cosine(1.0, 0.0, 5)), "b": "x"}},
            "'b' is not the name of an optimizer",
        ),
        (
            {"learning_rates": None, "schedules": None, "build_model": _with_schedule, "optimizers": None},
            "there is one case",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_halved_is_refused(arguments, said):
    with pytest.raises(klr.ArgumentError) as caught:
        compare(**{"epochs": 9, "seeds": 3, "prune": "halving", **arguments})
    assert said in str(caught.value)


def test_the_schedule_of_an_optimizer_is_looked_at():
    optimizers = {name: keras.optimizers.SGD(klr.Cosine(0.1, 0.0, "2ep")) for name in "ab"}
    with pytest.raises(klr.ArgumentError, match=r"can't shorten Cosine\(0\.1, 0\.0, '2ep'\), as '2ep' is not a share"):
        klr.compare(build_line, X, Y, optimizers=optimizers, metric="loss", epochs=9, prune="halving")


def test_without_pruning_a_run_goes_on_to_its_end():
    cut, whole = (compare(learning_rates=[1e38, 0.1], epochs=3, prune=prune) for prune in ("divergence", None))
    assert len(cut.cases[0].runs[0].history["loss"]) < 3
    for run in whole.cases[0].runs:
        assert (run.outcome, run.score, len(run.history["loss"])) == ("diverged", None, 3)
        assert np.isnan(run.history["loss"][-1]) and run.diverged_at is not None
    assert whole.cases[1].runs == cut.cases[1].runs
    with pytest.raises(klr.ArgumentError, match="prune=None keeps training runs that diverged"):
        compare(prune=None, engine="population")


def test_without_pruning_a_run_that_comes_back_has_its_score():
    def build():
        model, begun = build_line(), []
        own = model.reset_metrics

        def reset_metrics():  # called when an epoch begins, and maybe before
            begun.append(None)
            own()

        def loss(y_true, y_pred):
            return keras.ops.mean((y_true - y_pred) ** 2) + (float("inf") if len(begun) <= 2 else 0.0)

        model.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=True)
        model.reset_metrics = reset_metrics
        return model

    arguments = {"seeds": 1, "epochs": 6, "metric": "loss", "verbose": 0, "batch_size": 40}
    cut, whole = (klr.compare(build, X, Y, prune=prune, **arguments) for prune in ("divergence", None))
    assert (cut.best, cut.cases[0].runs[0].outcome) == (None, "diverged")
    (run,) = whole.cases[0].runs
    assert (run.outcome, len(run.history["loss"])) == ("finished", 6)
    assert np.isinf(run.history["loss"][0])
    assert np.isfinite(run.score) and run.diverged_at is None
