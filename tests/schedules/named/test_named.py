"""The named schedules and atoms against the rates that the peers themselves gave, up to their end, which ours then hold."""

import numpy as np
import pytest

import keras_lr as klr
from tests.schedules.importers.test_peers import VECTORS

pytestmark = pytest.mark.once
WSD = "num_warmup_steps=4,num_stable_steps=8,num_decay_steps=8,min_lr_ratio=0.1"
CYCLIC = "torch.CyclicLR(base_lr=0.1,max_lr=1.0,step_size_up=5,step_size_down=3"
# our words; the peer's vector; where both begin to mean the same; where the peer ends (None: never)
SAME = [
    (klr.StepDecay(1.0, 0.5, 5), "torch.StepLR(lr=1.0,step_size=5,gamma=0.5)", 0, None),
    (klr.StepDecay(1.0, 0.5, 5), "timm.step(lr=1.0,decay_t=5,decay_rate=0.5)", 0, None),
    (klr.StepDecay(1.0, 0.5, 5), "keras.ExponentialDecay(initial_learning_rate=1.0,decay_steps=5,decay_rate=0.5,staircase=true)", 0, None),
    (klr.MultiStepDecay(1.0, 0.1, [6, 15]), "torch.MultiStepLR(lr=1.0,milestones=[6,15],gamma=0.1)", 0, None),
    (klr.Piecewise([6, 15], [1.0, 0.1, 0.05]), "optax.piecewise_constant_schedule(init_value=1.0,boundaries_and_scales={6:0.1,15:0.5})", 0, None),
    (klr.Constant(0.3), "transformers.constant(lr=0.3)", 0, None),
    (klr.Constant(0.3), "optax.constant_schedule(value=0.3)", 0, None),
    (klr.Linear(0.1, 1.0, 8), "torch.LinearLR(lr=1.0,start_factor=0.1,end_factor=1.0,total_iters=8)", 0, None),
    (klr.Linear(0.0, 0.3, 7), "optax.linear_schedule(init_value=0.0,end_value=0.3,transition_steps=7)", 0, None),
    (klr.Budgeted(0.3, 24), "transformers.linear(lr=0.3,num_warmup_steps=0,num_training_steps=24)", 0, None),
    (klr.Exponential(1.0, 0.9), "torch.ExponentialLR(lr=1.0,gamma=0.9)", 0, None),
    (klr.Exponential(0.001, 1.05), "torch.ExponentialLR(lr=0.001,gamma=1.05)", 0, None),
    (klr.Polynomial(1.0, 0.0, 10, 2.0), "torch.PolynomialLR(lr=1.0,total_iters=10,power=2.0)", 0, None),
    (klr.Polynomial(1.0, 0.1, 10, 2.0).delay(3), "optax.polynomial_schedule(init_value=1.0,end_value=0.1,power=2.0,transition_steps=10,transition_begin=3)", 0, None),
    (klr.Polynomial(0.3, 0.0001, 24), "keras.PolynomialDecay(initial_learning_rate=0.3,decay_steps=24)", 0, None),
    (klr.Cosine(1.0, 0.1, 9), "torch.CosineAnnealingLR(lr=1.0,T_max=9,eta_min=0.1)", 0, 9),
    (klr.Cosine(1.0, 0.1, 20, 2.0), "optax.cosine_decay_schedule(init_value=1.0,decay_steps=20,alpha=0.1,exponent=2.0)", 0, None),
    (klr.Cosine(0.3, 0.0, 24), "keras.CosineDecay(initial_learning_rate=0.3,decay_steps=24)", 0, None),
    (klr.Linear(0.01, 1.0, 4) >> klr.Cosine(1.0, 0.1, 16), "optax.warmup_cosine_decay_schedule(init_value=0.01,peak_value=1.0,warmup_steps=4,decay_steps=20,end_value=0.1)", 0, None),
    (klr.Linear(0.01, 1.0, 4) >> klr.Cosine(1.0, 0.1, 16), "keras.CosineDecay(initial_learning_rate=0.01,decay_steps=16,alpha=0.1,warmup_target=1.0,warmup_steps=4)", 0, None),
    (klr.CosineRestarts(1.0, 4, 0.1, stretch=2.0), "torch.CosineAnnealingWarmRestarts(lr=1.0,T_0=4,T_mult=2,eta_min=0.1)", 0, None),
    (klr.CosineRestarts(0.3, 7), "torch.CosineAnnealingWarmRestarts(lr=0.3,T_0=7)", 0, None),
    (klr.CosineRestarts(1.0, 4, 0.1, 2.0, 0.5), "keras.CosineDecayRestarts(initial_learning_rate=1.0,first_decay_steps=4,t_mul=2.0,m_mul=0.5,alpha=0.1)", 0, None),
    (klr.CosineRestarts(0.3, 7, gain=0.9), "keras.CosineDecayRestarts(initial_learning_rate=0.3,first_decay_steps=7,t_mul=1.0,m_mul=0.9)", 0, None),
    (klr.Triangular(0.1, 1.0, 5, 3), f"{CYCLIC},mode=triangular,gamma=1.0)", 0, None),
    (klr.Triangular(0.1, 1.0, 5, 3, gain=0.5), f"{CYCLIC},mode=triangular2,gamma=1.0)", 0, None),
    (klr.Triangular(0.1, 1.0, 5, 3, gamma=0.95), f"{CYCLIC},mode=exp_range,gamma=0.95)", 0, None),
    (klr.OneCycle(1.0, 20), "optax.cosine_onecycle_schedule(transition_steps=20,peak_value=1.0)", 0, None),
    (klr.OneCycle(0.3, 24, 0.15, final_div=10.0), "optax.cosine_onecycle_schedule(transition_steps=24,peak_value=0.3,pct_start=0.15,final_div_factor=10.0)", 0, None),
    (klr.OneCycle(1.0, 20, shape="linear", back=0.85), "optax.linear_onecycle_schedule(transition_steps=20,peak_value=1.0)", 0, None),
    (klr.OneCycle(0.3, 24, 0.4, 5.0, shape="linear", back=0.9), "optax.linear_onecycle_schedule(transition_steps=24,peak_value=0.3,pct_start=0.4,pct_final=0.9,div_factor=5.0)", 0, None),
    (klr.InverseTime(1.0, 0.5, 2), "keras.InverseTimeDecay(initial_learning_rate=1.0,decay_steps=2,decay_rate=0.5)", 0, None),
    (klr.TimeDecay(1.0, 0.25), "keras.InverseTimeDecay(initial_learning_rate=1.0,decay_steps=2,decay_rate=0.5)", 0, None),
    (klr.Linear(0.0, 1.0, 4) >> klr.InverseSqrt(1.0, 4), "transformers.inverse_sqrt(lr=1.0,num_warmup_steps=4,timescale=4)", 0, None),
    (klr.Linear(0.0, 0.3, 5) >> klr.PowerLaw(0.3, 24), "transformers.inverse_sqrt(lr=0.3,num_warmup_steps=5,timescale=24)", 0, None),
    (klr.Tanh(1.0, 0.0, 20), "timm.tanh(lr=1.0,t_initial=20)", 0, 19),
    (klr.KDecay(0.3, 0.01, 7, 1.5), "timm.cosine(lr=0.3,t_initial=7,lr_min=0.01,cycle_decay=0.5,cycle_limit=4,warmup_t=3,k_decay=1.5)", 3, 6),
    (klr.Ramp(1.0, 0.0, 20, "linear", 0.5, 2.0), "timm.poly(lr=1.0,t_initial=20,power=0.5,k_decay=2.0)", 0, None),
    # a warm-up of ours begins at 1 / (n + 1), that of the peer at its floor: the same from its end on
    *[(klr.WarmupStableDecay(1.0, 20, 4, 8, 0.1, shape), f"transformers.warmup_stable_decay(lr=1.0,{WSD},decay_type={shape})", 4, None) for shape in ("linear", "cosine", "1-sqrt")],
    (klr.Constant(0.3).warmup(5), "transformers.constant_with_warmup(lr=0.3,num_warmup_steps=5)", 5, None),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "key", "begin", "end"), SAME, ids=lambda value: str(value)[:60])
def test_it_is_the_peers_up_to_its_end_and_then_held(schedule, key, begin, end):
    theirs = np.array(VECTORS[key][1]["values"])
    end = len(theirs) - 1 if end is None else end
    steps = np.arange(begin, end + 1)
    assert schedule.evaluate(steps) == pytest.approx(theirs[steps], rel=1e-12, abs=1e-15)
    if schedule.length is not None:
        assert set(schedule.evaluate([schedule.length, schedule.length + 1, 10_000])) == {
            schedule.evaluate(schedule.length).item()
        }


def test_every_named_schedule_is_compared_with_a_peer_or_a_formula():
    """REX, ULMFiT's, Noam's and the infinite one have no peer here; `catalogue.py` restates their papers' formulas."""
    compared = {name for schedule, *_ in SAME for name in vars(klr) if f"{name}(" in repr(schedule)}
    from keras_lr.schedules.named import cycles, falling, whole_runs

    every = {
        kind.__name__
        for module in (falling, cycles, whole_runs)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, falling.Named) and kind is not falling.Named
    }
    assert every - compared == {"Rex", "SlantedTriangular", "Noam", "Infinite"}
    assert len({key.split("(")[0] for _, key, *_ in SAME}) + 4 >= 20
