"""Lengths in epochs, percent and examples: how they bind, and what is refused."""

import pytest

import keras_lr as klr

pytestmark = pytest.mark.once


def test_the_shares_of_a_run_add_up_to_it():
    shape = (klr.Constant(1.0, "55%") >> klr.Cosine(1.0, 0.0, "40%")).warmup("5%")
    for total in (7, 10, 33, 1000):
        bound = shape.bind(steps_per_epoch=total, epochs=1)
        assert bound.length == total
        rise = round(total * 0.05)
        flat = round(total * 0.6) - rise
        assert bound.expression == (klr.Constant(1.0, flat) >> klr.Cosine(1.0, 0.0, total - rise - flat)).warmup(rise)


def test_epochs_are_updates_of_an_epoch():
    bound = klr.Piecewise(["1ep", "2.5ep"], [3.0, 2.0, 1.0]).bind(steps_per_epoch=4, epochs=3)
    assert bound.evaluate(range(12)).tolist() == [3.0] * 4 + [2.0] * 6 + [1.0] * 2


def test_examples_are_counted_in_batches():
    bound = klr.Linear(1.0, 0.0, "64ex").bind(steps_per_epoch=10, epochs=1, batch_size=16)
    assert bound.evaluate(range(5)).tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_a_sum_of_units_is_exact():
    chain = klr.Constant(1.0, 3) >> klr.Constant(2.0, "1ep") >> klr.Constant(3.0, "50%") >> klr.Constant(4.0)
    bound = chain.bind(steps_per_epoch=5, epochs=4)
    assert bound.evaluate(range(20)).tolist() == [1.0] * 3 + [2.0] * 5 + [3.0] * 10 + [4.0] * 2


def test_every_slows_the_clock_of_a_placed_schedule():
    bound = (klr.Linear(1.0, 0.0, "50%").every(2)).bind(steps_per_epoch=8, epochs=1)
    assert bound.evaluate(range(6)).tolist() == [1.0, 1.0, 0.5, 0.5, 0.0, 0.0]


def test_without_units_binding_changes_nothing():
    schedule = klr.Cosine(0.1, 0.0, 100)
    assert schedule.bind(steps_per_epoch=3, epochs=2) is schedule


def test_an_unbound_schedule_shows_both_ways():
    with pytest.raises(
        klr.ArgumentError, match=r"callbacks=\[keras_lr.LearningRateMonitor\(\)\].*\.bind\(steps_per_epoch"
    ):
        klr.Cosine(0.1, 0.0, "10%")(0)
    with pytest.raises(klr.ArgumentError, match="it is not bound to a run"):
        klr.Cosine(0.1, 0.0, "10%").evaluate(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: klr.Cosine(0.1, 0.0, -1),
            r"Cosine\(steps=-1\): steps must be a whole number of at least 0. Pass 0 or more.",
        ),
        (lambda: klr.Cosine(0.1, 0.0, 2.5), "steps must be a whole number of updates or a text with a unit"),
        (lambda: klr.Cosine(0.1, 0.0, "10 parsecs"), "steps is not a valid length"),
        (lambda: klr.Cosine(0.1, 0.0, "110%"), "steps must be at most 100 %"),
        (lambda: klr.Cosine(0.1, 0.0, "-5%"), "steps is not a valid length"),
        (lambda: klr.Cosine(0.1, 0.0, 2**31), "at most 2\\*\\*31 - 1"),
        (lambda: klr.Cosine(0.1, 0.0, True), "steps must be a whole number"),
        (lambda: klr.Constant(0.1, "60%") >> klr.Constant(0.2, "50%"), "add up to 110 % of the run"),
        (lambda: klr.Constant(0.1, "60%").warmup("50%"), "add up to 110 % of the run"),
        (lambda: klr.Constant(0.1) >> klr.Constant(0.2), "the left side has no end"),
        (lambda: klr.Constant(0.1).repeat(), "the schedule has no end"),
        (lambda: klr.Constant(0.1, 0).repeat(), "the schedule is empty"),
        (lambda: klr.Cosine(float("nan"), 0.0, 5), "start must be a finite number"),
        (lambda: klr.Cosine(-0.1, 0.0, 5), "start must be 0 or more"),
        (lambda: klr.Exponential(0.1, 0.0), "rate must be above 0"),
        (lambda: klr.Piecewise([3, 2], [1, 2, 3]), "boundaries must rise"),
        (lambda: klr.Piecewise([3], [1]), "1 boundaries need 2 values"),
        (lambda: klr.Triangular(0.2, 0.1, 5), "high must not be below low"),
        (lambda: klr.Constant(1.0).clip(0.2, 0.1), "low must not be above high"),
        (lambda: klr.Function(3), "fn must be a function of the step"),
        (lambda: None * klr.Constant(1.0), "find gave no answer to multiply with. See found.reason"),
        (lambda: klr.Constant(1.0) * "3ep", "value must be a finite number"),
        (lambda: klr.Cosine(0.1, 0.0, "5ex").bind(steps_per_epoch=5, epochs=1), "needs the batch size"),
        (
            lambda: klr.Cosine(0.1, 0.0, "5%").bind(steps_per_epoch=0, epochs=1),
            "steps_per_epoch must be a whole number",
        ),
        (lambda: klr.Constant(0.1).plot(), "the schedule has no end. Say how many updates"),
    ],
)
def test_bad_arguments_are_errors_where_they_are_written(make, message):
    with pytest.raises(klr.ArgumentError, match=message):
        make()


def test_a_lambda_warns_that_it_can_not_be_loaded():
    with pytest.warns(UserWarning, match="can't be loaded in safe mode"):
        klr.Function(lambda t: 0.1)
