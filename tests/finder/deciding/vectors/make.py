"""Runs the learning-rate finders of other libraries on curves of prescribed losses: the vectors of `test_peers.py`.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r tests/finder/deciding/vectors/requirements.txt
    /tmp/peers/bin/pip install --no-deps --target /tmp/before lightning==2.5.2
    /tmp/peers/bin/python tests/finder/deciding/vectors/make.py
    PYTHONPATH=/tmp/before /tmp/peers/bin/python tests/finder/deciding/vectors/make.py lightning

Each finder runs its own loop, ladder, smoothing and rule, as its users run it, on a model whose loss of update i is
number i of the curve: in float64, and in float32 for fastai, whose smoothing takes nothing else. When to stop is measuring, not deciding, so every finder is told not to stop early by
its own argument for that. Where a finder raises, or gives no rate, the answer is null.
"""

import contextlib
import importlib.metadata
import io
import json
import logging
import os
import pathlib
import platform
import sys
import tempfile
import warnings

os.environ["TQDM_DISABLE"] = "1"
import numpy as np
import torch
from torch.utils.data import DataLoader

HERE = pathlib.Path(__file__).parent
LOW, HIGH = 1e-7, 10.0
NEVER = float("nan")  # times a best loss below 0 an infinite threshold would stop at once


def curves():
    """Losses by name: three dozen shapes, in six decimals."""
    rate = np.geomspace(LOW, HIGH, 100)
    fall = lambda middle, power=1.5: 1.0 / (1.0 + (middle / rate) ** power)  # noqa: E731
    smooth = {
        "early": 2.3 - 1.8 * fall(1e-5) + (rate / 1e-2) ** 2,
        "middle": 2.3 - 1.8 * fall(1e-3) + (rate / 0.3) ** 2,
        "late": 2.3 - 1.8 * fall(0.1) + (rate / 8.0) ** 2,
        "slow": 2.3 - 1.8 * fall(1e-3, 0.4) + (rate / 2.0) ** 2,
        "two falls": 4.0 - 1.5 * fall(1e-5, 3.0) - 2.0 * fall(1e-2, 3.0) + (rate / 2.0) ** 2,
        "tiny": 1e-3 * (2.3 - 1.8 * fall(1e-3) + (rate / 0.3) ** 2),
        "huge": 1e5 * (2.3 - 1.8 * fall(1e-3) + (rate / 0.3) ** 2),
        "negative": -100.0 - 1.8 * fall(1e-3) + (rate / 0.3) ** 2,
        "through zero": 0.9 - 1.8 * fall(1e-3) + (rate / 0.3) ** 2,
        "still falling": 2.3 - 1.8 * fall(1.0),
    }
    found = {f"smooth, {name}": losses for name, losses in smooth.items()}
    for seed, (name, noise) in enumerate(
        [("early", 0.02), ("middle", 0.05), ("late", 0.2), ("slow", 0.1), ("two falls", 0.05)]
    ):
        for twice in range(2):
            order = np.random.default_rng(10 * seed + twice)
            found[f"noisy, {name}, {twice}"] = smooth[name] + noise * order.normal(size=100)
    order = np.random.default_rng(99)
    steps = order.normal(size=100)
    found |= {
        "flat": np.full(100, 2.3),
        "flat, zero": np.zeros(100),
        "flat, noisy": 2.3 + 0.05 * order.normal(size=100),
        "random walk": 5.0 + 0.1 * np.cumsum(steps),
        "rising": np.linspace(1.0, 4.0, 100),
        "rising, noisy": np.linspace(1.0, 4.0, 100) + 0.1 * order.normal(size=100),
        "falling": np.linspace(4.0, 1.0, 100),
        "spike at the start": smooth["middle"] + 5.0 * (np.arange(100) < 3),
        "spike inside": smooth["middle"] + 3.0 * (np.arange(100) == 40),
        "NaN early": np.where(np.arange(100) < 21, smooth["early"], np.nan),
        "NaN at once": np.full(100, np.nan),
        "NaN late": np.where(np.arange(100) < 80, smooth["middle"], np.nan),
        "one NaN": np.where(np.arange(100) == 50, np.nan, smooth["middle"]),
        "infinite late": np.where(np.arange(100) < 70, smooth["middle"], np.inf),
        "one infinity": np.where(np.arange(100) == 60, np.inf, smooth["middle"]),
        "skipped by Lightning": np.where(np.arange(100) < 70, smooth["middle"], np.nan),
    }
    for length in (6, 8, 12, 16, 17, 20, 22, 23, 30, 50):
        found[f"short, {length}"] = np.interp(np.linspace(0, 99, length), np.arange(100), smooth["middle"])
    return {name: [float(f"{loss:.6g}") for loss in losses] for name, losses in found.items()}


class Prescribed(torch.nn.Module):
    """A model whose output is its input, and that has a weight to train."""

    def __init__(self, dtype=torch.float64):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=dtype))

    def forward(self, x):
        return x + (self.weight - self.weight.detach())


def pairs(losses, dtype=torch.float64):
    """The curve as data: one example a batch, its own target."""
    values = torch.tensor(losses, dtype=dtype).reshape(-1, 1)
    return DataLoader(list(zip(values, values, strict=True)), batch_size=1, shuffle=False)


def mean(prediction, target):
    return prediction.mean()


def optimizer_of(model):
    return torch.optim.SGD(model.parameters(), lr=LOW)


def fastai(losses):
    from fastai.basics import SGD, DataLoaders, Learner
    from fastai.callback import schedule

    answers, learning_rates = {}, None
    for rule in ("valley", "slide", "minimum", "steep"):
        with tempfile.TemporaryDirectory() as folder:
            data, model = pairs(losses, torch.float32), Prescribed(torch.float32)
            learner = Learner(DataLoaders(data, data), model, loss_func=mean, opt_func=SGD, path=folder)
            try:
                found = learner.lr_find(
                    LOW, HIGH, len(losses), stop_div=False, show_plot=False, suggest_funcs=(getattr(schedule, rule),)
                )
                answers[rule] = float(found[0])
            except (IndexError, RuntimeError, ValueError) as error:
                print(f"fastai {rule}: {type(error).__name__}: {error}", file=sys.stderr)
                answers[rule] = None
            learning_rates = [float(rate) for rate in learner.recorder.lrs]
            assert len(learner.recorder.losses) == len(losses)
    return learning_rates, answers


def lightning(losses, name="lightning"):
    import lightning.pytorch as pl
    from lightning.pytorch.tuner import Tuner

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = Prescribed()

        def training_step(self, batch, index):
            return self.model(batch[0]).mean()

        def configure_optimizers(self):
            return optimizer_of(self)

    with tempfile.TemporaryDirectory() as folder:
        silence = {
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
        }
        trainer = pl.Trainer(accelerator="cpu", max_epochs=1, default_root_dir=folder, **silence)
        finder = Tuner(trainer).lr_find(
            Module(),
            pairs(losses),
            min_lr=LOW,
            max_lr=HIGH,
            num_training=len(losses),
            early_stop_threshold=None,
            update_attr=False,
        )
    assert len(finder.results["loss"]) == len(losses), (len(finder.results["loss"]), len(losses))
    return finder.results["lr"], {name: finder.suggestion()}


def torch_lr_finder(losses):
    import matplotlib.figure
    from torch_lr_finder import LRFinder

    model = Prescribed()
    finder = LRFinder(model, optimizer_of(model), mean, device="cpu")
    with contextlib.redirect_stdout(io.StringIO()):
        finder.range_test(pairs(losses), start_lr=LOW, end_lr=HIGH, num_iter=len(losses), diverge_th=NEVER)
        axis = matplotlib.figure.Figure().add_subplot()
        try:
            answer = float(finder.plot(ax=axis)[1])
        except RuntimeError as error:
            print(f"torch_lr_finder: {error}", file=sys.stderr)
            answer = None
    return [float(rate) for rate in finder.history["lr"]], {"torch_lr_finder": answer}


def ignite(losses):
    from ignite.engine import Engine
    from ignite.handlers import FastaiLRFinder

    model = Prescribed()
    optimizer = optimizer_of(model)

    def update(engine, batch):
        optimizer.zero_grad()
        loss = model(batch[0]).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    trainer, finder = Engine(update), FastaiLRFinder()
    # its history has one point more than num_iter, where the data goes on
    saved = {"model": model, "optimizer": optimizer}
    with finder.attach(trainer, saved, num_iter=len(losses), start_lr=LOW, end_lr=HIGH, diverge_th=NEVER) as attached:
        attached.run(pairs(losses), max_epochs=1)
    history = finder.get_results()
    assert len(history["loss"]) == len(losses)
    try:
        answer = float(finder.lr_suggestion())
    except RuntimeError as error:
        print(f"ignite: {error}", file=sys.stderr)
        answer = None
    return [float(rate) for rate in history["lr"]], {"ignite": answer}


FINDERS = {
    "fastai": (fastai, "fastai"),
    "lightning": (lightning, "lightning"),
    "torch_lr_finder": (torch_lr_finder, "torch-lr-finder"),
    "ignite": (ignite, "pytorch-ignite"),
}


def made_by(finder, package):
    """The answers of one finder for all curves, with the ladder of each length."""
    ladders, answers = {}, {}
    for name, losses in curves().items():
        learning_rates, answers[name] = finder(losses)
        assert ladders.setdefault(str(len(losses)), learning_rates) == learning_rates
    versions = {
        "python": platform.python_version(),
        package: importlib.metadata.version(package),
        "torch": torch.__version__,
    }
    return {"versions": versions, "learning_rates": ladders, "answers": answers}


def write(name, document):
    """One line for each curve, ladder and answer."""
    parts = [
        f"{json.dumps(key)}: {{\n"
        + ",\n".join(f"{json.dumps(name)}: {json.dumps(item)}" for name, item in value.items())
        + "\n}"
        for key, value in document.items()
    ]
    (HERE / f"{name}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    if sys.argv[1:] == ["lightning"]:
        write("lightning_before", made_by(lambda losses: lightning(losses, "lightning_before"), "lightning"))
        return
    write("curves", {"losses": curves()})
    for name, (finder, package) in FINDERS.items():
        write(name, made_by(finder, package))


if __name__ == "__main__":
    main()
