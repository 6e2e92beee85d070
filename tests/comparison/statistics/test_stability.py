"""The largest stable rate, sensitivity to the rate, and the time to a target, by hand."""

import dataclasses
import json
import math

import pytest

from keras_lr.comparison.case import Run
from keras_lr.comparison.result import Comparison
from keras_lr.comparison.statistics import time_to_target
from keras_lr.comparison.statistics.stability import RateOutcome, Stability, sensitivity, stability, worst_of
from keras_lr.comparison.views.tables import near_divergence
from keras_lr.core.errors import ArgumentError
from tests.comparison.results import case, result

pytestmark = pytest.mark.once

NAN = pytest.approx(math.nan, nan_ok=True)


def tried(rate, first=2.0, last=1.0, diverged=0):
    return RateOutcome(rate, {0: first}, {0: last}, diverged)


def test_stable_up_to_the_first_rate_that_is_not():
    assert stability([tried(0.1), tried(0.01), tried(1.0, diverged=1)]) == Stability(0.1, 1.0)
    assert stability([tried(0.01), tried(0.1, diverged=1), tried(1.0)]) == Stability(0.01, 0.1)
    assert stability([tried(0.01), tried(0.1)]) == Stability(0.1, None)
    assert stability([tried(0.01, diverged=1), tried(0.1)]) == Stability(None, 0.01)
    assert stability([]) == Stability(None, None)


def test_worse_than_hardly_trained_is_not_stable():
    assert stability([tried(0.01, first=2.3), tried(0.1, first=9.0, last=2.31)]) == Stability(0.01, 0.1)
    assert stability([tried(0.01, first=2.3), tried(0.1, first=9.0, last=2.3)]) == Stability(0.1, None)


def test_sensitivity_is_the_mean_excess_over_decades():
    assert sensitivity([0.1, 0.01], [1.0, 1.0], "min", 1.0) == 0.0
    # Excess 3, 0, 1 at 0, 1 and 3 decades: (1.5 * 1 + 0.5 * 2) / 3.
    assert sensitivity([1e-3, 1e-2, 1.0], [4.0, 1.0, 2.0], "min", 9.0) == pytest.approx(2.5 / 3)
    assert sensitivity([1e-3, 1e-2, 1.0], [-4.0, -1.0, -2.0], "max", -9.0) == pytest.approx(2.5 / 3)
    assert sensitivity([1e-3, 1e-2, 1.0], [4.0, 1.0, None], "min", 3.0) == pytest.approx((1.0 + 2.0) / 3)  # 2, 0, 2
    assert sensitivity([0.1, 1.0], [None, None], "min", 1.0) is None
    assert sensitivity([0.1], [1.0], "min", 1.0) is None


def test_the_worst_that_counts_did_not_blow_up():
    assert worst_of([1.0, 2.0, 3.0, 1e6], "min") == 3.0
    assert worst_of([-1.0, -2.0], "min") == -1.0
    assert worst_of([0.1, 0.9], "max") == 0.1
    assert worst_of([], "min") is None


def test_the_first_epoch_at_the_target():
    assert time_to_target.reached_at([3.0, 2.0, 2.5, 1.0], 2.0, "min") == 2
    assert time_to_target.reached_at([0.1, math.nan, 0.9], 0.5, "max") == 3
    assert time_to_target.reached_at([], 0.5, "max") is None


def test_the_median_of_times_that_may_be_infinite():
    assert time_to_target.median([1.0, math.inf, math.inf]) == math.inf
    assert time_to_target.median([5.0, 1.0, math.inf]) == 5.0
    assert math.isnan(time_to_target.median([]))
    assert time_to_target.median_interval([1.0] * 5) is None
    times = [float(time) for time in range(1, 11)]
    assert time_to_target.median_interval(times) == (2.0, 9.0)  # 1 - 2 * 11 / 1024 = 0.979; with the third, 0.89
    assert time_to_target.median_interval([]) is None


GRID = [
    case("lr 0.01", [2.0, 2.0], learning_rate=0.01),
    case("lr 0.1", [1.0, 1.2], learning_rate=0.1),
    case("lr 1", [4.0, None], learning_rate=1.0),
]


def test_the_tables_of_a_comparison():
    (row,) = result(GRID).stability().to_dict("records")
    assert row == {
        "optimizer": "SGD",
        "schedule": None,
        "best_rate": 0.1,
        "largest_stable": 0.1,
        "smallest_unstable": 1.0,
        "margin": 1.0,
    }
    (row,) = result(GRID).sensitivity().to_dict("records")
    # Excess 0.9 at 0.01, 0 at 0.1, and the worst mean, 4.0, at 1.0, where a run diverged: 2.9.
    assert row["sensitivity"] == pytest.approx((0.45 + 1.45) / 2)
    assert (row["rates"], row["decades"], row["best_mean"]) == (3, pytest.approx(2.0), pytest.approx(1.1))


def test_a_run_that_failed_says_nothing_of_the_rate():
    failed = Run(1, "failed", None, {})
    last = dataclasses.replace(GRID[2], runs=(GRID[2].runs[0], failed))
    assert result([*GRID[:2], last]).stability()["smallest_unstable"].tolist() == [NAN]


def test_each_optimizer_has_a_row_and_the_least_sensitive_is_first():
    cases = [
        case(f"{name}, lr {rate:g}", [1.0 + cost * (rate > 0.1)], learning_rate=rate, optimizer=name)
        for name, cost in (("sgd", 4.0), ("adam", 1.0))
        for rate in (0.1, 1.0)
    ]
    table = result(cases).sensitivity()
    assert table["optimizer"].tolist() == ["adam", "sgd"]
    assert table["sensitivity"].tolist() == pytest.approx([0.5, 2.0])
    assert result(cases).stability()["margin"].tolist() == [1.0, 10.0]  # 5 is more than the first 3
    alone = result([case("adam", [1.0]), case("sgd", [2.0], optimizer="adam")])
    assert alone.sensitivity().empty and alone.stability().empty


def test_nothing_finished():
    lost = result([case(f"lr {rate}", [None, None], learning_rate=rate) for rate in (1.0, 10.0)])
    assert lost.stability()["largest_stable"].tolist() == [NAN]
    assert lost.sensitivity()["sensitivity"].tolist() == [NAN]
    assert lost.time_to(1.0)["reached"].tolist() == [0, 0]


def test_time_to_a_target():
    table = result(GRID).time_to(2.2).to_dict("records")  # a run falls by 1 an epoch to its score, in 3 epochs
    assert [(row["case"], row["reached"], row["runs"]) for row in table] == [
        ("lr 0.1", 2, 2),
        ("lr 0.01", 2, 2),
        ("lr 1", 0, 2),
    ]
    assert [row["median"] for row in table] == [2.0, 3.0, math.inf]
    assert result(GRID).time_to(0.1, "learning_rate")["median"].tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ArgumentError, match=r"time_to\(metric='acc'\): no run has logged it"):
        result(GRID).time_to(0.1, "acc")
    with pytest.raises(ArgumentError, match=r"time_to\(target=nan\): target must be a finite number"):
        result(GRID).time_to(math.nan)


def test_seconds_are_the_share_of_the_epochs():
    timed = dataclasses.replace(GRID[1], runs=tuple(dataclasses.replace(run, seconds=6.0) for run in GRID[1].runs))
    assert result([timed]).time_to(2.2)["median_seconds"].tolist() == [4.0]
    assert result(GRID).time_to(2.2)["median_seconds"].tolist() == [NAN, NAN, math.inf]


def test_a_best_rate_beside_divergence_is_told():
    cases = [case("lr 0.1", [1.0, 1.0], learning_rate=0.1), case("lr 0.2", [3.0, None], learning_rate=0.2)]
    assert near_divergence(cases, cases[0]).startswith(
        "The best learning rate, 0.1, is within a factor of 2 of 0.2, where 1 of 2 runs diverged"
    )
    far = [cases[0], case("lr 0.3", [3.0, None], learning_rate=0.3)]
    assert near_divergence(far, far[0]) is None
    other = [cases[0], case("lr 0.2", [3.0, None], learning_rate=0.2, optimizer="Adam")]
    assert near_divergence(other, other[0]) is None
    assert near_divergence([case("a", [1.0])], case("a", [1.0])) is None


def test_a_comparison_that_was_saved_without_chances_is_read(tmp_path):
    result(GRID).save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    for one in document["cases"]:
        del one["p_best"], one["rungs"]
    del document["prune"], document["budget_seconds"]
    (tmp_path / "a.json").write_text(json.dumps(document))
    loaded = Comparison.load(tmp_path / "a.json")
    assert [one.p_best for one in loaded.cases] == [None] * 3
    assert loaded.table()["p_best"].isna().all()
    assert result(GRID).table()["p_best"].iloc[0] > 0.9
