"""Runs the schedulers of other libraries as their users do and writes down every rate: the vectors of `test_peers.py`.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r tests/schedules/importers/vectors/requirements.txt
    /tmp/peers/bin/python tests/schedules/importers/vectors/make.py

PyTorch's schedulers are stepped (`scheduler.step()` after each `optimizer.step()`), as are those of transformers and timm;
they compute in Python's float64. The schedules of optax and Keras are called step by step, once in float32, as they run in
training, and once in float64, which shows their formula without its rounding.
"""

# ruff: noqa: E402
from __future__ import annotations

import json
import logging
import os
import pathlib
import sys
import types
import warnings
from importlib import metadata, util

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE)]

import functions
import jax
import keras
import numpy as np
import optax
import pure
import stepped as stateful
import torch
from keras.src.backend.common import dtypes

dtypes.BIT64_TO_BIT32_DTYPE["float64"] = (
    "float64"  # without this, Keras computes cosines in float32 outside of TensorFlow
)

# timm's package imports its models, which need torchvision; its schedulers need neither
timm = types.ModuleType("timm")
timm.__path__ = list(util.find_spec("timm").submodule_search_locations)
sys.modules["timm"] = timm
import timm.scheduler
import transformers

STEPS = 73


def optimizer_at(lr):
    """An optimizer of one weight."""
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)


def stepped(optimizer, step, value="lr"):
    """The values of the first updates, up to where the scheduler raises."""
    values = []
    for _ in range(STEPS):
        values.append(float(optimizer.param_groups[0][value]))
        optimizer.step()
        try:
            step(len(values))
        except (ValueError, ZeroDivisionError):
            break
    return values


def torch_scheduler(optimizer, name, arguments):
    """A scheduler of PyTorch, with those inside it made in the order of the list."""
    arguments = functions.resolved(dict(arguments))
    if "schedulers" in arguments:
        arguments["schedulers"] = [torch_scheduler(optimizer, *inner) for inner in arguments["schedulers"]]
    if name == "ChainedScheduler":
        return torch.optim.lr_scheduler.ChainedScheduler(**arguments, optimizer=optimizer)
    return getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)


def run_torch(name, lr=1.0, value="lr", **arguments):
    optimizer = optimizer_at(lr)
    scheduler = torch_scheduler(optimizer, name, arguments)
    return {"values": stepped(optimizer, lambda t: scheduler.step(), value)}


def run_transformers(name, lr=1.0, num_warmup_steps=None, num_training_steps=None, **specific):
    optimizer = optimizer_at(lr)
    scheduler = transformers.get_scheduler(name, optimizer, num_warmup_steps, num_training_steps, specific)
    return {"values": stepped(optimizer, lambda t: scheduler.step())}


TIMM = {"cosine": "Cosine", "tanh": "Tanh", "step": "Step", "multistep": "MultiStep", "poly": "Poly"}


def timm_scheduler(optimizer, name, arguments):
    """The class behind a name of timm's factory, with what the factory adds."""
    if name == "constant":
        return timm.scheduler.StepLRScheduler(optimizer, decay_t=1, decay_rate=1.0, t_in_epochs=False, **arguments)
    if name == "rsqrt":
        arguments = {"stable_fn": "rsqrt", "decay_fn": "linear", **arguments}
    kind = getattr(timm.scheduler, f"{TIMM.get(name, 'WSD')}LRScheduler")
    return kind(optimizer, t_in_epochs=False, **arguments)


def run_timm(name, lr=1.0, **arguments):
    optimizer = optimizer_at(lr)
    scheduler = timm_scheduler(optimizer, name, arguments)
    scheduler.step_update(0)
    return {"values": stepped(optimizer, scheduler.step_update)}


def optax_schedule(name, arguments):
    """A schedule of optax, with those inside it."""
    if "schedules" in arguments:
        arguments = {**arguments, "schedules": [optax_schedule(*inner) for inner in arguments["schedules"]]}
    if "boundaries_and_scales" in arguments:
        scales = arguments["boundaries_and_scales"]
        arguments = {**arguments, "boundaries_and_scales": {int(step): scale for step, scale in scales.items()}}
    return getattr(optax, name)(**arguments)


def called(make):
    """The values of a pure schedule in both precisions; `float32` in the fewest digits that are that number."""
    found = {}
    for field, double in (("values", True), ("float32", False)):
        keras.config.set_floatx("float64" if double else "float32")
        with jax.enable_x64(double):
            schedule = make()
            rates = [np.asarray(schedule(jax.numpy.asarray(t))) for t in range(STEPS)]
        kind = np.float64 if double else np.float32
        found[field] = [float(str(kind(rate))) for rate in rates]
    return found


def run_optax(name, **arguments):
    return called(lambda: optax_schedule(name, arguments))


def run_keras(name, **arguments):
    return called(lambda: getattr(keras.optimizers.schedules, name)(**arguments))


RUNS = {
    "torch": (run_torch, stateful.TORCH),
    "transformers": (run_transformers, stateful.TRANSFORMERS),
    "timm": (run_timm, stateful.TIMM),
    "optax": (run_optax, pure.OPTAX),
    "keras": (run_keras, pure.KERAS),
}


def key_of(peer, name, arguments):
    """What a vector is called: the call that makes the schedule."""
    words = ",".join(f"{argument}={json.dumps(value, separators=(',', ':'))}" for argument, value in arguments.items())
    return f"{peer}.{name}({words})".replace('"', "")


def main():
    logging.getLogger("timm").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    versions = {
        package: metadata.version(package) for package in ("torch", "transformers", "timm", "optax", "keras", "jax")
    }
    for peer, (run, configurations) in RUNS.items():
        lines = []
        for name, arguments, *ours in configurations:
            vector = {"name": name, "arguments": arguments, "ours": ours[0] if ours else {}, **run(name, **arguments)}
            line = json.dumps(vector, separators=(",", ":"), allow_nan=False)
            lines.append(f"{json.dumps(key_of(peer, name, arguments))}:{line}")
        used = {package: versions[package] for package in ((peer, "jax") if peer in ("optax", "keras") else (peer,))}
        text = f'{{"made_with":{json.dumps(used)},"vectors":{{\n' + ",\n".join(lines) + "\n}}\n"
        (HERE / f"{peer}.json").write_text(text, encoding="utf-8")
        print(f"{peer}.json: {len(lines)} vectors")


if __name__ == "__main__":
    main()
