"""What a schedule says of itself before it is used."""

import keras
import numpy as np
import pytest

import keras_lr as klr

pytestmark = pytest.mark.once


def kinds(schedule, steps=None):
    return [finding.kind for finding in schedule.check(steps)]


@keras.saving.register_keras_serializable(package="tests")
def breaking(t):
    return float("nan") if t == 3 else 0.1 - 0.02 * t


@pytest.mark.parametrize(
    ("schedule", "steps", "expected"),
    [
        (klr.Cosine(0.1, 0.0, 100).warmup(10), None, []),
        (klr.Constant(0.1), 50, []),
        (klr.WarmupStableDecay(0.1, 100, 5, 20), 100, []),
        (klr.Linear(0.0, 0.1, 10) >> klr.Constant(0.1, 10), None, ["zero start"]),
        (klr.Constant(0.1, 10) >> klr.Constant(0.01, 10), None, ["jump"]),
        (klr.Function(breaking), 10, ["not finite"]),
        (klr.Constant(-0.1, 10), None, ["negative"]),
        (klr.Constant(0.1, 10).warmup(20), 20, ["warm-up too long", "peak not reached", "unused tail"]),
        (klr.OneCycle(0.1, 100), 20, ["peak not reached", "unused tail"]),
        (klr.Cosine(0.1, 0.0, 100), 60, ["unused tail"]),
        (klr.Cosine(0.1, 0.0, 60), 100, ["unused run"]),
    ],
    ids=repr,
)
def test_each_kind_of_finding(schedule, steps, expected):
    assert kinds(schedule, steps) == expected


def test_a_finding_names_the_step_and_the_rates():
    (finding,) = (klr.Constant(0.1, 10) >> klr.Constant(0.01, 10)).check()
    assert (finding.step, str(finding)) == (10, "The rate jumps from 0.1 to 0.01 at update 10.")


def test_a_schedule_without_an_end_asks_for_the_run():
    with pytest.raises(klr.ArgumentError, match=r"check\(steps=None\): the schedule has no end. Say how many updates"):
        klr.Constant(0.1).check()


def test_the_area_is_the_sum_of_the_rates():
    schedule = klr.Linear(1.0, 0.0, 10)
    assert schedule.area() == pytest.approx(5.5)
    assert schedule.area(3) == pytest.approx(1.0 + 0.9 + 0.8)
    assert klr.Constant(0.5).area(2_500_000) == pytest.approx(1_250_000)


def test_the_area_of_a_bound_schedule_is_that_of_its_run():
    assert klr.Constant(0.5, "50%").bind(steps_per_epoch=10, epochs=2).area() == pytest.approx(10.0)


def test_in_words():
    text = klr.CosineRestarts(0.1, 10, times=3).describe()
    assert text.splitlines() == [
        "CosineRestarts(0.1, 10, 0.0, 1.0, 1.0, 3)",
        "30 updates, then held at 0",
        "first 0.1, highest 0.1 (updates 0 to 20), last 0.00245",
        "falls in updates 0 to 9, rises in 9 to 10, falls in 10 to 19, rises in 19 to 20, falls in 20 to 29",
        "area 1.65, mean 0.055",
        "The rate jumps from 0.00245 to 0.1 at update 10.",
        "The rate jumps from 0.00245 to 0.1 at update 20.",
    ]


def test_side_by_side():
    compared = klr.compare_schedules({"cosine": klr.Cosine(1.0, 0.0, 10), "linear": klr.Linear(1.0, 0.0, 10)})
    table = compared.table()
    assert table["schedule"].tolist() == ["cosine", "linear"]
    assert table["area"].tolist() == pytest.approx([5.5, 5.5])
    assert table["highest"].tolist() == [1.0, 1.0]
    assert table["last"].tolist() == pytest.approx([(1 + np.cos(np.pi * 0.9)) / 2, 0.1])


def test_side_by_side_is_one_picture(tmp_path):
    compared = klr.compare_schedules([klr.Cosine(1.0, 0.0, 10), klr.Constant(0.5)])
    figure = compared.plot(tmp_path / "both.png")
    assert (tmp_path / "both.png").read_bytes()[:4] == b"\x89PNG"
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [11, 11]


def test_side_by_side_needs_one_length_at_least():
    with pytest.raises(klr.ArgumentError, match=r"compare_schedules\(steps=None\): no schedule has an end"):
        klr.compare_schedules([klr.Constant(0.5)])
    with pytest.raises(klr.ArgumentError, match="schedules must be a list or a dict of schedules"):
        klr.compare_schedules([0.1])


def test_longer_and_later():
    plan = klr.WarmupStableDecay(1.0, 20, 4, 6)
    assert plan.extend(10) == klr.WarmupStableDecay(1.0, 30, 4, 6)
    chain = (klr.Constant(1.0, 5) >> klr.Linear(1.0, 0.0, 5)).warmup(3)
    assert chain.extend(4) == (klr.Constant(1.0, 9) >> klr.Linear(1.0, 0.0, 5)).warmup(3)
    assert klr.Constant(1.0, 9).cooldown(3).extend(2) == klr.Constant(1.0, 11).cooldown(3)
    assert klr.Constant(1.0, 9).cooldown(3, at=4).extend(2) == klr.Constant(1.0, 11).cooldown(3, at=6)
    bound = klr.WarmupStableDecay(1.0).bind(steps_per_epoch=10, epochs=10)
    assert bound.extend(50).evaluate([99, 129, 130, 140, 150]).tolist() == pytest.approx([1.0, 1.0, 1.0, 0.5, 0.0])
    with pytest.raises(klr.ArgumentError, match="it has no constant part that could be longer"):
        klr.Cosine(1.0, 0.0, 5).extend(3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: klr.Ramp(1.0, 0.0, 5, "geometric"), r"Ramp\(end=0.0\): a geometric ramp can't go through 0"),
        (lambda: klr.Ramp(0.0, 1.0, 5, "geometric"), r"Ramp\(start=0.0\): start must be above 0"),
        (lambda: klr.Ramp(1.0, 0.0, 5, "cubic"), r"Ramp\(shape='cubic'\): shape must be one of 'linear', 'cosine'"),
        (lambda: klr.Ramp(1.0, 0.0, 5, warp=0.0), r"warp must be above 0"),
        (lambda: klr.Tanh(1.0, 0.0, 5, 3.0, -7.0), r"high must be above low"),
        (lambda: klr.Constant(1.0, 5).warmup(2, mode="under"), r"warmup\(mode='under'\): mode must be one of 'prefix'"),
        (lambda: klr.Constant(1.0, 5).cooldown(6), r"cooldown\(steps=6\): it is longer than the schedule, 5 updates"),
        (lambda: klr.Constant(1.0).cooldown(6), r"the schedule has no end. Say where the cooldown begins: at=1000"),
        (lambda: klr.Constant(1.0, "50%").cooldown("60%", at="50%"), r"it ends at 110 % of the run"),
        (lambda: klr.Constant(1.0, 5).delay(-1), r"delay\(steps=-1\)"),
        (lambda: klr.Constant(1.0, 5).skip(1.5), r"skip\(steps=1.5\): steps must be a whole number"),
        (lambda: klr.Constant(1.0, 5).repeat(stretch=0.0), r"stretch must be above 0"),
        (lambda: klr.Constant(1.0, 5).retime(5, 5, 9), r"retime\(old_total=5\): old_total must be above at, 5"),
        (lambda: klr.Cosine(1.0, 0.0, "9%").retime(5, 6, 9), r"its lengths have units"),
        (lambda: klr.Constant(1.0, 5).extend(0), r"extend\(steps=0\)"),
        (lambda: klr.Interpolate([0, 0], [1.0, 2.0]), r"steps must rise"),
        (lambda: klr.Interpolate([0, 5], [1.0]), r"2 steps need 2 values"),
        (lambda: klr.Interpolate([0, float("inf")], [1.0, 2.0]), r"steps must be a finite number"),
        (lambda: klr.OneCycle(1.0, 10, rise=1.0), r"OneCycle\(rise=1.0\): rise must be above 0 and below 1"),
        (lambda: klr.OneCycle(1.0, 10, back=0.2), r"below back=0.2"),
        (lambda: klr.OneCycle(1.0, 10, div=0.5), r"div must be 1 or more"),
        (lambda: klr.SlantedTriangular(1.0, 10, ratio=0.5), r"ratio must be 1 or more"),
        (lambda: klr.WarmupStableDecay(1.0, 10, 6, 6), r"warm-up and decay are longer than the whole, 10"),
        (lambda: klr.WarmupStableDecay(1.0, 10, shape="cubic"), r"shape must be one of"),
        (lambda: klr.Infinite(1.0, 0.5, 0.0, 1, 1, 1, 1), r"Infinite\(end=0.0\): end must be above 0"),
        (lambda: klr.CosineRestarts(0.1, 5, end=0.2), r"peak must not be below end"),
        (lambda: klr.MultiStepDecay(0.1, 0.5, [5, 3]), r"boundaries must rise"),
        (lambda: klr.Noam(0, 5), r"Noam\(model_dim=0\)"),
        (
            lambda: klr.WarmupStableDecay(1.0, "100%", 50, 60).bind(steps_per_epoch=10, epochs=10),
            r"bind\(total_steps=100\): the other parts are 10 updates longer than the run of 100",
        ),
    ],
)
def test_bad_arguments_say_what_to_do(make, message):
    with pytest.raises(klr.ArgumentError, match=message):
        make()
