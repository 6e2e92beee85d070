"""Writes docs/schedules.md: every schedule with its picture, formula, source and the names that peers have for it."""

import dataclasses
import inspect
import pathlib
import re
import textwrap

import keras_lr as klr
from keras_lr import schedules
from keras_lr.report import draw
from keras_lr.report.figure import Figure
from keras_lr.schedules.figure import figure_of
from keras_lr.schedules.text import parse

HERE = pathlib.Path(__file__).parent
STEPS = 100

# section: name -> what is drawn, and what peers call it
ATOMS = {
    "Constant": ("Constant(0.1, 100)", "Keras: a float; torch `ConstantLR` (which scales); transformers `constant`"),
    "Piecewise": (
        "Piecewise([30, 60], [0.1, 0.05, 0.01])",
        "Keras `PiecewiseConstantDecay` (one step later); optax `piecewise_constant_schedule` (scales)",
    ),
    "Linear": ("Linear(0.1, 0.0, 80)", "torch `LinearLR`; optax `linear_schedule`; transformers `linear`"),
    "Cosine": (
        "Cosine(0.1, 0.0, 80)",
        "Keras `CosineDecay`; torch `CosineAnnealingLR` (rises again); optax `cosine_decay_schedule`; timm and transformers `cosine`",
    ),
    "Polynomial": (
        "Polynomial(0.1, 0.0, 80, power=2.0)",
        "Keras `PolynomialDecay`; torch `PolynomialLR`; optax `polynomial_schedule`; transformers `polynomial`; timm `poly`",
    ),
    "Ramp": (
        "Ramp(0.1, 0.001, 80, '1-sqrt')",
        "the decay types of timm `wsd` and transformers `warmup_stable_decay`; Megatron's WSD styles",
    ),
    "Tanh": ("Tanh(0.1, 0.0, 80)", "timm `tanh`"),
    "Exponential": (
        "Exponential(0.1, 0.5, per=20)",
        "Keras `ExponentialDecay`; torch `ExponentialLR`; optax `exponential_decay`",
    ),
    "InverseTime": ("InverseTime(0.1, 1.0, per=20)", "Keras `InverseTimeDecay`"),
    "InverseSqrt": ("InverseSqrt(0.1, 10)", "transformers `inverse_sqrt`; timm `rsqrt`; big_vision `rsqrt`"),
    "PowerLaw": ("PowerLaw(0.1, 10, power=1.5)", "timm `wsd` with a power as its stable part"),
    "Interpolate": (
        "Interpolate([0, 20, 60, 90], [0.01, 0.1, 0.05, 0.0])",
        "optax `piecewise_interpolate_schedule`",
    ),
    "Adopted": (None, "any class of Keras's or your own that is a `LearningRateSchedule`"),
    "Function": (None, "torch `LambdaLR`; Keras: a subclass of `LearningRateSchedule`"),
}
NAMED = {
    "StepDecay": (
        "StepDecay(0.1, 0.5, per=20)",
        "torch `StepLR`; timm `step`; Keras `ExponentialDecay(staircase=True)`",
    ),
    "MultiStepDecay": ("MultiStepDecay(0.1, 0.5, [30, 60])", "torch `MultiStepLR`; timm `multistep` (one step sooner)"),
    "TimeDecay": ("TimeDecay(0.1, decay=0.05)", "the `decay` argument of optimizers before Keras 3"),
    "Budgeted": ("Budgeted(0.1, 80)", "transformers `linear`"),
    "Rex": ("Rex(0.1, 0.0, 80)", "pytorch_optimizer `REXScheduler`"),
    "KDecay": ("KDecay(0.1, 0.0, 80, k=2.0)", "timm `k_decay=`"),
    "Triangular": (
        "Triangular(0.01, 0.1, up=20, gain=0.5)",
        "torch `CyclicLR` (triangular; gain=0.5: triangular2; gamma: exp_range)",
    ),
    "CosineRestarts": (
        "CosineRestarts(0.1, 15, stretch=2.0, gain=0.8)",
        "Keras `CosineDecayRestarts`; torch `CosineAnnealingWarmRestarts`; timm `cycle_mul, cycle_decay`; optax `sgdr_schedule`",
    ),
    "OneCycle": (
        "OneCycle(0.1, 100)",
        "torch `OneCycleLR` (ends at T - 1); optax `cosine_onecycle_schedule`, `linear_onecycle_schedule`; fastai `fit_one_cycle`",
    ),
    "SlantedTriangular": ("SlantedTriangular(0.1, 100)", "ULMFiT's schedule"),
    "WarmupStableDecay": (
        "WarmupStableDecay(0.1, 100, 10, 30, shape='1-sqrt')",
        "timm `wsd`; transformers `warmup_stable_decay`; Megatron `WSD`",
    ),
    "Infinite": (
        "Infinite(0.1, 0.04, 0.005, 10, 30, 30, 30)",
        "Megatron and NeMo configurations of continual pre-training",
    ),
    "Noam": ("Noam(512, 20)", "the transformer's schedule; tensor2tensor, fairseq `inverse_sqrt`"),
}
OPERATORS = {
    "Then": (
        "Linear(0.0, 0.1, 20) >> Constant(0.1, 40) >> Linear(0.1, 0.0, 40)",
        "optax `join_schedules`; torch `SequentialLR`",
    ),
    "Product": (
        "Cosine(0.1, 0.0, 100) * Exponential(1.0, 0.5, per=30)",
        "torch `ChainedScheduler`, for those that multiply",
    ),
    "Sum": ("Cosine(0.08, 0.0, 100) + 0.02", ""),
    "Clip": ("Exponential(0.1, 0.5, per=15).clip(low=0.02)", "optax `exponential_decay(end_value=)`"),
    "Warmup": ("Constant(0.1).warmup(30)", "transformers, timm: `warmup` (from 0); optax `warmup_*`"),
    "Cooldown": ("InverseSqrt(0.1, 10).cooldown(30, at=70)", "big_vision `cooldown_steps`; timm `wsd`"),
    "Delay": ("Linear(0.1, 0.0, 60).delay(30)", "optax `transition_begin`"),
    "Skip": ("Linear(0.1, 0.0, 100).skip(40)", "torch `last_epoch=`"),
    "Every": ("Exponential(0.1, 0.7).every(15)", "Keras `staircase=True`"),
    "Repeat": ("Linear(0.1, 0.0, 15).repeat(stretch=2.0, gain=0.7)", "timm `cycle_mul, cycle_decay`; torch `T_mult`"),
    "Scaled": ("Scaled(Cosine(0.1, 0.0, 100), 0.3, low=0.01)", "what torch's plateau does to a recursive scheduler"),
    "Retime": ("Linear(0.1, 0.0, 60).retime(at=30, old_total=60, new_total=100)", ""),
}
OF_IMPORTERS = {
    "CosineWave": ("CosineWave(0.1, 0.0, 25)", "torch `CosineAnnealingLR`; transformers `cosine_with_restarts`"),
    "Excerpt": ("Excerpt(Linear(0.1, 0.0, 100), 60)", "torch `LinearLR` with an end above `total_iters`"),
    "UnevenRepeat": (
        "UnevenRepeat(Linear(0.1, 0.0, 15), 1.7)",
        "Keras `CosineDecayRestarts(t_mul=1.7)`; timm `cycle_mul`",
    ),
}
SECTIONS = {
    "Atoms": ("Each has one formula. Their ends are reached at t = T and held.", ATOMS),
    "Named schedules": ("Short names for expressions of atoms; `.expression` shows the expression.", NAMED),
    "Operators": ("Written as `>>`, `*`, `+` and methods of any schedule.", OPERATORS),
    "Schedules of the importers": (
        "Imported schedules are expressions of the ones above, and of these three: `keras_lr.schedules.CosineWave` and so on.",
        OF_IMPORTERS,
    ),
}
INTRODUCTION = """\
# Schedules

A schedule is a learning rate as a function of the step t: the update about to be made, counted from 0. It is a value. Two
schedules are equal if their configurations are equal, and a schedule's repr is the code that makes it. Pass it to any optimizer:

```python
import keras, keras_lr as klr

schedule = 0.003 * (klr.Constant(1.0, "55%") >> klr.Cosine(1.0, 0.0, "40%")).warmup("5%")
keras.optimizers.Adam(schedule)
```

A length is a number of updates (`1000`), or `"3ep"` (epochs), `"10%"` (of the run) or `"5000ex"` (examples). Lengths with a unit
bind to the run in `fit`, through any callback of keras-lr, or by `.bind(steps_per_epoch=, epochs=)`. Conventions: a boundary b takes
effect at t = b; an end is reached at t = T and held; a total includes its warm-up; a warm-up never wastes update 0 at rate 0.

If the plan changes during a run, `.extend(n)` lengthens the last constant part, so that the decay comes later.
`.retime(at, old_total, new_total)` stretches the rest of the schedule, without a jump.

Before you train, look at a schedule with `.plot()`, `.describe()`, `.check(steps)` (what is unusual), `.area(steps)`,
`.evaluate(steps)` (in float64) and `compare_schedules([...])`. From the shell:
`keras-lr schedule "Cosine(0.1, 0, '90%').warmup('10%')" --epochs 10 --steps-per-epoch 100`.

Importers reproduce the schedules of other libraries, with their off-by-ones and faults: `from_torch("OneCycleLR", ...)`,
`from_transformers("cosine", ...)`, `from_optax("warmup_cosine_decay_schedule", ...)`, `from_timm("cosine", ...)`,
`from_keras(schedule)`.
"""


def main():
    folder = HERE / "images" / "schedules"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [INTRODUCTION]
    for section, (words, entries) in SECTIONS.items():
        lines += [f"## {section}", "", words, ""]
        for name, (code, peers) in entries.items():
            lines += entry(name, code, peers, folder)
    (HERE / "schedules.md").write_text("\n".join(lines))


def entry(name, code, peers, folder):
    """The lines of one schedule; its picture is drawn on the way."""
    kind = getattr(schedules, name)
    first, formula, references = parts(inspect.getdoc(kind))
    lines = [f"### {name}", "", first, ""]
    if formula:
        lines += ["```text", formula, "```", ""]
    if code is not None:
        draw.draw(picture(parse(code), code), path=folder / f"{name}.svg")
        lines += [f"![{code}](images/schedules/{name}.svg)", "", f"Drawn: `{code}`", ""]
    else:
        lines += ["Not drawn: it can be any function.", ""]
    lines += [f"Elsewhere: {peers}.", ""] if peers else []
    return lines + ([f"Source: {references}", ""] if references else [])


def picture(schedule, code):
    """The schedule over 100 updates, under its code."""
    return Figure((dataclasses.replace(figure_of(schedule, STEPS).panels[0], title=code),))


def parts(doc):
    """The first line, the text before the arguments, and the references of a docstring."""
    first, _, rest = doc.partition("\n")
    body, *sections = re.split(r"\n(?=(?:Args|Example|References|Returns|Raises):\n)", rest)
    references = [section for section in sections if section.startswith("References:")]
    source = " ".join(references[0].split("\n", 1)[1].split()) if references else ""
    return first, textwrap.dedent(body).strip(), source


def documented():
    """The names on the page."""
    return [name for _, entries in SECTIONS.values() for name in entries]


if __name__ == "__main__":
    main()
    print(f"{len(documented())} schedules of keras-lr {klr.__version__}")
