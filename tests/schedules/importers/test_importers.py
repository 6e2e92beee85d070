"""Importing schedules by name and from live objects: what is refused, what is shown, and the atoms that only they need."""

import collections
import functools
import json
import random

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr import backends
from keras_lr.schedules import CosineWave, Excerpt, UnevenRepeat
from tests.schedules.importers.vectors.functions import inverse, nearly_one

STEPS = np.arange(40)

# Each atom beside its formula, written again in plain Python for one step.
ATOMS = [
    (CosineWave(1.0, 0.1, 9), lambda t: 0.1 + 0.9 * (1 + np.cos(np.pi * t / 9)) / 2),
    (CosineWave(0.1, 1.0, 20, 2.5), lambda t: 1.0 - 0.9 * (1 + np.cos(np.pi * 2.5 * t / 20)) / 2),
    (CosineWave(1.0, 0.0, 23, 5, restart=True), lambda t: (1 + np.cos(np.pi * ((5 * t) % 23) / 23)) / 2),
    (CosineWave(1.0, 0.0, 2.7, offset=0.7), lambda t: (1 + np.cos(np.pi * (t + 0.7) / 2.7)) / 2),
    (Excerpt(klr.Exponential(1.0, 0.9), 5) >> klr.Constant(0.3), lambda t: 0.9**t if t < 5 else 0.3),
    (UnevenRepeat(klr.Linear(1.0, 0.0, 5), 1.5, 3, 0.5), lambda t: uneven(t)),
]


def uneven(t):
    """Three falls of 5, 7.5 and 11.25 updates, each half as high as the one before."""
    for begin, span, height in ((0.0, 5.0, 1.0), (5.0, 7.5, 0.5), (12.5, 11.25, 0.25)):
        if begin <= t < begin + span:
            return height * (1 - (t - begin) / span)
    return 0.0


@pytest.mark.parametrize(
    ("atom", "formula"), ATOMS, ids=lambda value: repr(value) if isinstance(value, klr.Schedule) else ""
)
def test_an_atom_is_its_formula_on_the_host_and_compiled(atom, formula):
    host = atom.evaluate(STEPS)
    assert host == pytest.approx([formula(int(t)) for t in STEPS], rel=1e-12, abs=1e-15)
    assert keras.ops.convert_to_numpy(atom(STEPS)) == pytest.approx(host, rel=0, abs=1e-6)
    compiled = backends.active().compiled(atom)
    scalar = [float(compiled(keras.ops.convert_to_tensor(int(t), dtype="int32"))) for t in (0, 1, 7, 39)]
    assert scalar == pytest.approx(host[[0, 1, 7, 39]], rel=0, abs=1e-6)


@pytest.mark.parametrize("step", [0, 2**24 - 1, 2**24 + 1, 2**31 - 1])
@pytest.mark.parametrize(
    "atom",
    [
        CosineWave(1.0, 0.1, 9),
        CosineWave(1.0, 0.0, 20, 2.5),
        CosineWave(1.0, 0.0, 1000, 3, restart=True),
        Excerpt(klr.Constant(1.0, 2**24) >> klr.Constant(0.5), 2**30),
        UnevenRepeat(klr.Linear(1.0, 0.0, 5), 1.5),
    ],
    ids=repr,
)
def test_late_steps_agree_on_host_and_backend(atom, step):
    value = float(atom(keras.ops.convert_to_tensor(step, dtype="int32")))
    assert value == pytest.approx(float(atom.evaluate(step)), rel=0, abs=1e-6)


@pytest.mark.parametrize("atom", [atom for atom, _ in ATOMS], ids=repr)
def test_an_atom_is_made_by_its_repr_and_config(atom):
    assert eval(repr(atom), {**vars(klr), **globals()}) == atom
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(atom)) == atom
    assert np.isfinite(atom.evaluate([-3, -1])).all()


@pytest.mark.once
@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: klr.from_torch("CosineAnnealingLR", lr=0.1, T_max=9), "CosineWave(0.1, 0.0, 9)"),
        (lambda: klr.from_torch("LinearLR", lr=0.3, start_factor=0.5, total_iters=0), "Constant(0.15)"),
        (
            lambda: klr.from_torch(
                "SequentialLR",
                lr=0.1,
                schedulers=[("LinearLR", {"start_factor": 0.1, "total_iters": 4}), klr.Cosine(0.1, 0.0, 20)],
                milestones=[4],
            ),
            "Linear(0.010000000000000002, 0.1, 4) >> Cosine(0.1, 0.0, 20)",
        ),
        (
            lambda: klr.from_transformers("linear", lr=0.1, num_warmup_steps=2, num_training_steps=6),
            "Linear(0.0, 0.1, 2) >> Linear(0.1, 0.0, 4)",
        ),
        (
            lambda: klr.from_transformers(
                "warmup_stable_decay", lr=0.1, num_warmup_steps=2, num_stable_steps=3, num_decay_steps=4
            ),
            "Linear(0.0, 0.1, 2) >> Constant(0.1, 3) >> Cosine(0.1, 0.0, 4)",
        ),
        (
            lambda: klr.from_timm("cosine", lr=0.1, t_initial=10, warmup_t=2),
            "Linear(0.0, 0.1, 2) >> Cosine(0.1, 0.0, 10).skip(2)",
        ),
        (
            lambda: klr.from_optax("cosine_onecycle_schedule", transition_steps=3, peak_value=1.0),
            "Interpolate([0, 3], [1.0, 4e-06], 'cosine')",
        ),
        (lambda: klr.from_keras(keras.optimizers.schedules.CosineDecay(0.1, 50)), "Cosine(0.1, 0.0, 50)"),
        (lambda: klr.from_keras(klr.Cosine(0.1, 0.0, 50)), "Cosine(0.1, 0.0, 50)"),
        (lambda: klr.from_keras(0.1), "Constant(0.1)"),
    ],
)
def test_the_code_shows_what_the_peer_does(make, shown):
    assert repr(make()) == shown


class Custom(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1


decay = keras.optimizers.schedules
refused = functools.partial(klr.from_torch, "ChainedScheduler", lr=0.1)


@pytest.mark.once
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: klr.from_torch("StepLr", lr=0.1),
            r"from_torch\(scheduler='StepLr'\): the schedule is unknown. Use one of ChainedScheduler, ConstantLR, Cosine.*",
        ),
        (
            lambda: klr.from_torch("StepLR", lr=0.1, step=5),
            r"from_torch\(step=5\): StepLR has no argument step. It takes lr, step_size, gamma.",
        ),
        (
            lambda: klr.from_torch("StepLR", lr=0.1),
            r"from_torch\(scheduler='StepLR'\): StepLR needs step_size. It takes lr, step_size, gamma.",
        ),
        (
            lambda: klr.from_torch("ReduceLROnPlateau", lr=0.1),
            "ReduceLROnPlateau follows a metric, so it isn't a function of the step. Pass a callback",
        ),
        (lambda: klr.from_transformers("greedy", lr=0.1), "greedy follows a metric"),
        (lambda: klr.from_timm("plateau", lr=0.1), "plateau follows a metric"),
        (lambda: klr.from_timm("cosine", lr=0.1, t_initial=9, noise_pct=0.1), "cosine has no argument noise_pct"),
        (
            lambda: klr.from_optax(lambda count: 0.1),
            "the schedule is unknown. Use one of constant_schedule, cosine_decay",
        ),
        (lambda: klr.from_torch("StepLR", lr=0.1, step_size=0), "step_size must be a whole number of at least 1"),
        (lambda: klr.from_torch("StepLR", lr=0.1, step_size=2.5), "step_size must be a whole number"),
        (lambda: klr.from_torch("StepLR", lr=-0.1, step_size=5), r"from_torch\(lr=-0.1\): lr must be 0 or more"),
        (lambda: klr.from_torch("StepLR", lr=None, step_size=5), r"from_torch\(lr=None\): lr must be a finite number"),
        (lambda: klr.from_torch("LinearLR", lr=0.1, start_factor=0.0), "start_factor must be above 0"),
        (
            lambda: klr.from_timm("wsd", lr=0.1, t_initial=9, decay_t=3, warmup_t=-1),
            r"from_timm\(warmup_t=-1\): warmup_t",
        ),
        (lambda: klr.from_torch("ConstantLR", lr=0.1, factor=0.0), "factor must be above 0 and at most 1"),
        (lambda: klr.from_torch("LambdaLR", lr=0.1, lr_lambda=[inverse]), "lr_lambda must be a function of the step"),
        (lambda: klr.from_torch("MultiplicativeLR", lr=0.1, lr_lambda=inverse), "total_steps=1000"),
        (lambda: klr.from_torch("OneCycleLR", max_lr=0.1), "total_steps, or epochs and steps_per_epoch, must be given"),
        (
            lambda: klr.from_torch("OneCycleLR", max_lr=0.1, total_steps=10, pct_start=0.1),
            "PyTorch divides by zero here",
        ),
        (lambda: klr.from_torch("OneCycleLR", max_lr=0.1, total_steps=9, pct_start=1.5), "between 0 and 1"),
        (
            lambda: klr.from_torch("CyclicLR", base_lr=0.1, max_lr=1.0, mode="square"),
            "mode must be one of 'triangular'",
        ),
        (
            lambda: klr.from_torch("SequentialLR", lr=0.1, schedulers=[], milestones=[]),
            "0 schedulers need 0 milestones",
        ),
        (
            lambda: klr.from_torch("SequentialLR", lr=0.1, schedulers=[("ExponentialLR", {})] * 2, milestones=[3]),
            "ExponentialLR needs gamma",
        ),
        (
            lambda: klr.from_torch("SequentialLR", lr=0.1, schedulers=["ConstantLR", "ConstantLR"], milestones=[3]),
            r"schedulers must be pairs \(name, arguments\), or schedules",
        ),
        (
            lambda: klr.from_torch(
                "SequentialLR",
                lr=0.1,
                schedulers=[("ConstantLR", {}), ("MultiplicativeLR", {"lr_lambda": inverse})],
                milestones=[3],
            ),
            "MultiplicativeLR continues from the last rate",
        ),
        (
            lambda: klr.from_torch(
                "SequentialLR",
                lr=0.1,
                schedulers=[("OneCycleLR", {"max_lr": 1.0, "total_steps": 20})] * 2,
                milestones=[20],
            ),
            "OneCycleLR changes the rates that another scheduler in the list starts from",
        ),
        (lambda: refused(schedulers=[]), "there must be a scheduler"),
        (lambda: refused(schedulers=[("ChainedScheduler", {})]), "ChainedScheduler can't be nested"),
        (
            lambda: refused(schedulers=[("LambdaLR", {"lr_lambda": inverse}), ("ExponentialLR", {"gamma": 0.9})]),
            "LambdaLR overwrites the rate of those before it at each step. Multiply schedules with \\* instead",
        ),
        (
            lambda: refused(schedulers=[("ExponentialLR", {"gamma": 0.9}), ("CosineAnnealingLR", {"T_max": 9})]),
            "CosineAnnealingLR multiplies the others only if eta_min is 0 and they have ended at 1 by T_max",
        ),
        (
            lambda: klr.from_transformers("cosine_with_min_lr", lr=0.1, num_warmup_steps=1, num_training_steps=9),
            "one of min_lr and min_lr_rate must be given",
        ),
        (
            lambda: klr.from_transformers("polynomial", lr=0.1, num_warmup_steps=1, num_training_steps=9, lr_end=0.1),
            "lr_end must be below lr, 0.1",
        ),
        (
            lambda: klr.from_transformers("warmup_stable_decay", lr=0.1, num_warmup_steps=1, num_decay_steps=9),
            "num_training_steps or num_stable_steps must be given",
        ),
        (lambda: klr.from_timm("multistep", lr=0.1, decay_t=[9, 3]), "decay_t must rise"),
        (lambda: klr.from_timm("wsd", lr=0.1, t_initial=9, decay_t=10), "decay_t must be at most t_initial, 9"),
        (lambda: klr.from_timm("rsqrt", lr=0.1, t_initial=9, decay_t=3), "stable_timescale must be above 0"),
        (
            lambda: klr.from_timm("cosine", lr=0.1, t_initial=9, cycle_mul=0.5, cycle_limit=2),
            "cycle_mul must be 1 or more",
        ),
        (
            lambda: klr.from_optax(
                "warmup_cosine_decay_schedule", init_value=0.0, peak_value=0.1, warmup_steps=9, decay_steps=9
            ),
            "decay_steps must be above warmup_steps, 9: it includes them",
        ),
        (lambda: klr.from_optax("join_schedules", schedules=[klr.Constant(0.1)], boundaries=[3]), "1 schedules need 0"),
        (lambda: klr.from_optax("sgdr_schedule", cosine_kwargs=[]), "there must be a schedule"),
        (
            lambda: klr.from_keras(Custom()),
            "the class isn't one of Keras's own schedules. Pass one of CosineDecay, CosineDecayRest",
        ),
        (
            lambda: klr.from_keras(decay.ExponentialDecay(1, 10, 0.9)),
            "initial_learning_rate must be a float: Keras computes in whole numbers from an int",
        ),
        (
            lambda: klr.from_keras(decay.CosineDecayRestarts(0.1, 10, t_mul=0.5)),
            "t_mul must be 1 or more: below, Keras's rate isn't a number",
        ),
        (lambda: klr.from_keras(decay.PiecewiseConstantDecay([5, 2], [1.0, 0.1, 0.01])), "boundaries must rise"),
        (lambda: CosineWave(1.0, 0.0, 0), "steps must be above 0"),
        (lambda: UnevenRepeat(klr.Constant(1.0), 2.0), "the schedule has no length"),
        (lambda: UnevenRepeat(klr.Constant(1.0, 3), 1.0), "stretch must be above 1. Use .repeat"),
        (lambda: Excerpt(klr.Constant(1.0), -1), "steps must be a whole number of at least 0"),
        (lambda: Excerpt(klr.Constant(1.0, 9), 5).extend(3), "it has no constant part that could be longer"),
    ],
)
def test_bad_arguments_are_errors(make, message):
    with pytest.raises(klr.ArgumentError, match=message):
        make()


@pytest.mark.once
def test_a_function_of_the_step_stays_one_or_becomes_its_values():
    live = klr.from_torch("LambdaLR", lr=0.3, lr_lambda=inverse)
    table = klr.from_torch("LambdaLR", lr=0.3, lr_lambda=inverse, total_steps=8)
    assert live == klr.Constant(0.3) * klr.Function(inverse)
    assert table.evaluate(range(8)) == pytest.approx(live.evaluate(range(8)), rel=1e-15)
    assert table.evaluate(99) == live.evaluate(7)
    product = klr.from_torch("MultiplicativeLR", lr=0.3, lr_lambda=nearly_one, total_steps=4)
    factors = [0.3, *(1 - 0.5 / (t + 1) for t in (1, 2, 3))]
    assert product.evaluate(range(5)) == pytest.approx([*np.cumprod(factors), np.prod(factors)], rel=1e-15)
    with pytest.warns(UserWarning, match="can't be loaded in safe mode"):
        klr.from_torch("LambdaLR", lr=0.3, lr_lambda=lambda t: 1.0)


def fake(name, **attributes):
    """An object that has what a scheduler of PyTorch has; PyTorch may be absent."""
    scheduler = type(name, (), {"__module__": "torch.optim.lr_scheduler"})()
    vars(scheduler).update({"base_lrs": [0.1, 0.1], **attributes})
    return scheduler


@pytest.mark.once
def test_a_live_scheduler_is_read_without_pytorch():
    milestones = collections.Counter([3, 5, 5])
    assert klr.from_torch(fake("MultiStepLR", milestones=milestones, gamma=0.1)) == klr.from_torch(
        "MultiStepLR", lr=0.1, milestones=[3, 5, 5]
    )
    assert klr.from_torch(fake("ExponentialLR", gamma=0.9)) == klr.Exponential(0.1, 0.9)
    with pytest.raises(
        klr.ArgumentError, match=r"base_lrs=\[0.1, 0.2\]\): its parameter groups have different base_lrs"
    ):
        klr.from_torch(fake("ExponentialLR", gamma=0.9, base_lrs=[0.1, 0.2]))
    with pytest.raises(klr.ArgumentError, match="ReduceLROnPlateau follows a metric"):
        klr.from_torch(fake("ReduceLROnPlateau"))
    with pytest.raises(klr.ArgumentError, match="this is neither a name nor a scheduler of torch.optim.lr_scheduler"):
        klr.from_torch(object())


def _get_linear_schedule_with_warmup_lr_lambda(step, *, num_warmup_steps, num_training_steps):
    return 0.0


@pytest.mark.once
def test_a_live_scheduler_of_transformers_is_told_by_its_function(monkeypatch):
    monkeypatch.setattr(_get_linear_schedule_with_warmup_lr_lambda, "__module__", "transformers.optimization")
    arguments = {"num_warmup_steps": 2, "num_training_steps": 9}
    partial = functools.partial(_get_linear_schedule_with_warmup_lr_lambda, **arguments)
    scheduler = fake("LambdaLR", lr_lambdas=[partial, partial])
    assert klr.from_torch(scheduler) == klr.from_transformers("linear", lr=0.1, **arguments)
    assert klr.from_transformers(scheduler) == klr.from_torch(scheduler)


def drawn(random_source):
    """A scheduler of PyTorch with arguments drawn at random."""
    whole, real, one = random_source.randint, random_source.uniform, random_source.choice
    return one(
        [
            ("StepLR", {"step_size": whole(1, 9), "gamma": real(0.1, 1.2)}),
            ("MultiStepLR", {"milestones": [whole(0, 40) for _ in range(whole(0, 5))], "gamma": real(0.1, 1.2)}),
            ("ConstantLR", {"factor": real(0.1, 1.0), "total_iters": whole(0, 20)}),
            ("LinearLR", {"start_factor": real(0.1, 1.0), "end_factor": real(0.0, 1.0), "total_iters": whole(0, 20)}),
            ("PolynomialLR", {"total_iters": whole(0, 30), "power": real(0.3, 3.0)}),
            ("CosineAnnealingLR", {"T_max": whole(1, 30), "eta_min": one([0.0, 0.01])}),
            ("CosineAnnealingWarmRestarts", {"T_0": whole(1, 12), "T_mult": whole(1, 3), "eta_min": 0.01}),
            (
                "CyclicLR",
                {
                    "base_lr": real(0.0, 0.5),
                    "max_lr": real(0.0, 1.0),
                    "step_size_up": whole(1, 9),
                    "mode": "triangular2",
                },
            ),
            (
                "OneCycleLR",
                {
                    "max_lr": real(0.1, 1.0),
                    "total_steps": whole(2, 40),
                    "pct_start": one([0.3, real(0.0, 1.0), 1.0]),
                    "anneal_strategy": one(["cos", "linear"]),
                    "three_phase": one([True, False]),
                },
            ),
        ]
    )


def several_drawn(random_source):
    """One drawn scheduler, or some of them one after another or in a chain."""
    kind = random_source.choice(["one", "SequentialLR", "ChainedScheduler"])
    if kind == "one":
        return drawn(random_source)
    parts = [drawn(random_source) for _ in range(random_source.randint(1, 4))]
    if kind == "ChainedScheduler":
        return kind, {"schedulers": parts}
    return kind, {"schedulers": parts, "milestones": sorted(random_source.sample(range(50), len(parts) - 1))}


def built(torch, optimizer, name, arguments):
    """The live scheduler of a name and its arguments."""
    inner = [built(torch, optimizer, *part) for part in arguments.get("schedulers", [])]
    arguments = {**arguments, "schedulers": inner} if inner else arguments
    return getattr(torch.optim.lr_scheduler, name)(optimizer=optimizer, **arguments)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.filterwarnings("ignore")
def test_what_is_imported_does_what_pytorch_does_or_is_refused(seed):
    torch = pytest.importorskip("torch")
    name, arguments = several_drawn(random.Random(seed))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3, momentum=0.9)
    own = {} if name in ("CyclicLR", "OneCycleLR") else {"lr": 0.3}
    try:
        scheduler = built(torch, optimizer, name, arguments)
    except ZeroDivisionError:
        with pytest.raises(klr.ArgumentError, match="PyTorch divides by zero"):
            klr.from_torch(name, **own, **arguments)
        return
    try:
        named, live = klr.from_torch(name, **own, **arguments), klr.from_torch(scheduler)
    except klr.ArgumentError as error:
        assert name in ("SequentialLR", "ChainedScheduler"), error
        return
    rates = []
    for _ in range(73):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        try:
            scheduler.step()
        except (ValueError, ZeroDivisionError):
            break
    for schedule in (named, live):
        assert schedule.evaluate(range(len(rates))) == pytest.approx(rates, rel=1e-12, abs=1e-14 * max(map(abs, rates)))


@pytest.mark.once
def test_an_imported_schedule_is_saved_as_words():
    schedule = klr.from_torch("CosineAnnealingLR", lr=0.1, T_max=9)
    saved = json.loads(json.dumps(keras.optimizers.schedules.serialize(schedule)))
    assert (saved["registered_name"], saved["config"]["steps"]) == ("keras_lr>CosineWave", 9)
