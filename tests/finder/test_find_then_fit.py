"""The answer as a schedule, and `find_then_fit`."""

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.backends import keras as machinery
from keras_lr.finder.deciding.critical import CriticalRate
from keras_lr.finder.target import KINDS, mean_share, shape_of

SHORT = {"steps": 60, "sprint_steps": 12}
# A training here has a few updates, of which find warns; one test is on that.
pytestmark = pytest.mark.filterwarnings("ignore:find.*. the training has")
SHAPE = klr.Cosine(1.0, 0.0, "90%").warmup("10%")


@pytest.fixture(scope="module")
def found(some_digits, make_mlp):
    return klr.find(make_mlp(), *some_digits, batch_size=64, **SHORT)


def test_the_rate_of_each_update_is_the_answer_times_the_schedule(some_digits, make_mlp):
    monitor, model = klr.LearningRateMonitor(), make_mlp()
    outcome = klr.find_then_fit(
        model,
        *some_digits,
        schedule=SHAPE,
        find_arguments=SHORT,
        batch_size=64,
        epochs=2,
        verbose=0,
        callbacks=[monitor],
    )
    expected = outcome.found.learning_rate * SHAPE.bind(steps_per_epoch=10, epochs=2).evaluate(range(20))
    assert monitor.learning_rates == pytest.approx(expected, rel=1e-5)
    assert outcome.found.schedule == repr(SHAPE)
    assert outcome.found == klr.find(make_mlp(), *some_digits, batch_size=64, schedule=SHAPE, epochs=2, **SHORT)
    assert outcome.reason == f"Trained with {outcome.found.learning_rate:.2g} times {SHAPE!r}."


def test_units_are_bound_without_a_callback_of_the_user(some_digits, make_mlp):
    outcome = klr.find_then_fit(make_mlp(), *some_digits, schedule=SHAPE, find_arguments=SHORT, epochs=2, verbose=0)
    assert outcome.history.history["learning_rate"][-1] < 0.05 * outcome.found.learning_rate


def test_it_is_find_then_apply_then_fit(some_digits, make_mlp):
    """To the last bit, with a model that was trained before too."""
    histories = []
    for together in (False, True):
        model = make_mlp()
        model.fit(*some_digits, batch_size=64, verbose=0)
        if together:
            outcome = klr.find_then_fit(model, *some_digits, find_arguments=SHORT, batch_size=64, epochs=2, verbose=0)
            histories.append(outcome.history.history)
        else:
            klr.find(model, *some_digits, batch_size=64, epochs=2, **SHORT).apply(model)
            histories.append(model.fit(*some_digits, batch_size=64, epochs=2, verbose=0).history)
    assert histories[0] == histories[1]


def test_a_schedule_is_traced_anew_after_an_earlier_fit(some_digits, make_mlp):
    model = make_mlp()
    model.fit(*some_digits, batch_size=64, verbose=0)
    before = machinery.step_count(model.optimizer)
    outcome = klr.find_then_fit(
        model,
        *some_digits,
        schedule=klr.Constant(1.0, 12) >> klr.Constant(0.0),
        find_arguments=SHORT,
        batch_size=64,
        verbose=0,
    )
    weights = model.get_weights()[0]
    assert before == 10
    assert outcome.history is not None
    model.fit(*some_digits, batch_size=64, verbose=0)
    assert np.array_equal(model.get_weights()[0], weights)  # the rate is 0 from update 12 on


def test_what_is_held_out_is_not_used_to_find(some_digits, make_mlp):
    x, y = some_digits
    poisoned = x.copy()
    poisoned[-64:] = 1e6
    arguments = {"find_arguments": SHORT, "batch_size": 64, "epochs": 1, "verbose": 0}
    outcome = klr.find_then_fit(make_mlp(), poisoned, y, validation_split=0.1, **arguments)
    assert outcome.found == klr.find(make_mlp(), x[:576], y[:576], batch_size=64, epochs=1, **SHORT)


def test_without_an_answer_nothing_is_trained(some_digits, make_mlp):
    model = make_mlp()
    before = [np.array(value) for value in model.get_weights()]
    outcome = klr.find_then_fit(
        model, *some_digits, find_arguments={"min_lr": 1e-12, "max_lr": 1e-11}, batch_size=64, epochs=2
    )
    assert outcome.history is None
    assert outcome.found.learning_rate is None
    assert outcome.reason.startswith("Not trained: find gave no answer. ")
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


@pytest.mark.once
def test_a_schedule_in_the_optimizer_is_told_before_any_work(some_digits, make_mlp):
    model = make_mlp(keras.optimizers.Adam(klr.Cosine(0.1, 0.0, 10)))
    message = r"find_then_fit\(learning_rate=.*: the optimizer has a schedule already. Compile with a float such as"
    with pytest.raises(klr.ArgumentError, match=message):
        klr.find_then_fit(model, *some_digits)


@pytest.mark.once
def test_the_answer_as_a_schedule(found):
    flat = klr.FindResult(**{**vars(found), "mean_share": 0.5, "by_length": None})  # as without sprints
    cosine = flat.to_schedule("cosine", 100)
    rates = cosine.evaluate(range(101))
    assert rates.argmax() == 5
    assert rates.max() == pytest.approx(flat.learning_rate, rel=0.05)  # the mean of this one is nearly half of its peak
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)
    stable = flat.to_schedule("wsd", 100).evaluate(range(101))
    assert (stable[5:81] == stable[5]).all()
    assert stable[0] == pytest.approx(stable[5] / 6)
    assert stable[100] == 0.0
    assert stable[5] < rates.max()  # it stays longer at its peak
    cycle = flat.to_schedule("one_cycle", 100).evaluate(range(101))
    assert cycle.argmax() == 30
    assert cycle[0] == pytest.approx(cycle[30] / 25)


@pytest.mark.once
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [100, 100_000])
def test_after_sprints_the_peak_is_that_of_the_length_and_the_shape(kind, steps, found):
    shape = shape_of(kind, steps, None)
    peak = found.by_length.rate_for(steps, mean_share("find", shape))
    assert found.to_schedule(kind, steps).evaluate(range(steps)).max() == pytest.approx(peak, rel=1e-3)
    assert found.rate_for(steps) == found.by_length.rate_for(steps)


@pytest.mark.once
def test_the_warm_up_is_that_of_the_critical_rate(found):
    edge = found.learning_rate / 20.5
    record = klr.FindResult(**{**vars(found), "critical": CriticalRate(edge, (edge, edge), "")})
    assert record.warmup_steps == 20
    for kind in ("cosine", "wsd"):
        assert record.to_schedule(kind, 100).evaluate(range(101)).argmax() == 20
        assert record.to_schedule(kind, 30).evaluate(range(31)).argmax() == 15  # half of the run at most
    assert record.to_schedule("one_cycle", 100).evaluate(0) <= found.to_schedule("one_cycle", 100).evaluate(0)
    below = klr.FindResult(**{**vars(found), "critical": CriticalRate(1.0, (1.0, 1.0), "")})
    assert below.to_schedule("cosine", 100).evaluate(range(101)).argmax() == 0


@pytest.mark.once
def test_a_refusal_has_no_schedule(found):
    refused = klr.FindResult(None, None, "Flat.", "diverged", (), (), ())
    with pytest.raises(
        klr.ArgumentError, match=r"to_schedule\(kind='wsd'\): find gave no answer: Flat. See found.reason."
    ):
        refused.to_schedule("wsd", 100)
    with pytest.raises(klr.ArgumentError, match="kind must be one of 'one_cycle', 'cosine', 'wsd'"):
        found.to_schedule("linear", 100)
    with pytest.raises(klr.ArgumentError, match="find gave no answer"):
        refused.learning_rate * klr.Cosine(1.0, 0.0, 10)


@pytest.mark.once
def test_a_record_with_a_critical_rate_survives_a_file_and_an_old_one_loads(found, tmp_path):
    record = klr.FindResult(**{**vars(found), "critical": CriticalRate(0.1, (0.05, 0.2), "It is.", (0.05, 0.1, 0.2))})
    record.save(tmp_path / "new.json")
    assert klr.FindResult.load(tmp_path / "new.json") == record
    text = (tmp_path / "new.json").read_text()
    start = text.index(',\n "critical"')
    (tmp_path / "old.json").write_text(text[:start] + "\n}")
    old = klr.FindResult.load(tmp_path / "old.json")
    assert old.critical is None
    assert old.warmup_steps is None
    assert old.learning_rate == found.learning_rate


@pytest.mark.once
def test_the_page_of_a_notebook_needs_no_other_file(found):
    record = klr.FindResult(**{**vars(found), "critical": CriticalRate(0.1, (0.05, 0.2), "It is.")})
    page = record._repr_html_()
    assert page.count("<svg") == 1
    assert "times the critical rate of the first update, 0.1" in page
    assert not {"<script", "<link", "src=", "@import"} & set(page.lower().split())
