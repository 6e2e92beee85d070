"""Runs the finders of fastai, Lightning, torch-lr-finder and ignite on every pair, from their own packages.

    make peers     (or: .venv/peers/bin/python benchmarks/regret/peers.py [--minutes 8])

The command continues after a stop. Each finder has its own defaults: range, steps, smoothing, stop and skipped rungs. They get
the same Keras models, on PyTorch, with Keras's own optimizers behind PyTorch's interface. The answers from three initial
weights and orders go into `peers.json`.
"""

import argparse
import contextlib
import functools
import io
import json
import logging
import os
import pathlib
import tempfile
import time
import warnings

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch
from tasks import LOSSES, TASKS

OUT = pathlib.Path(__file__).parent / "peers.json"
SEEDS = (100, 101, 102)  # as in answers.py
START = 1e-7  # the first rate for a finder without a default, as in its README


class KerasOptimizer(torch.optim.Optimizer):
    """A Keras optimizer behind PyTorch's interface, at the rate of the parameter groups."""

    def __init__(self, params, optimizer, variables, lr=1e-3):
        super().__init__(params, {"lr": lr})
        self._optimizer, self._variables = optimizer, variables
        optimizer.build(variables)

    def step(self, closure=None):
        """One update."""
        loss = None if closure is None else closure()
        self._optimizer.learning_rate = float(self.param_groups[0]["lr"])
        with torch.no_grad():
            self._optimizer.apply([variable.value.grad for variable in self._variables], self._variables)
        return loss


class Work:
    """A pair from one seed, as PyTorch code needs it."""

    def __init__(self, task, seed):
        keras.utils.set_random_seed(seed)
        self.task, self.keras_model = task, task.build_model()
        self.net = Network(self.keras_model)
        x, y, *_ = task.arrays()
        self.data = torch.utils.data.TensorDataset(torch.as_tensor(x), torch.as_tensor(y))

    def loss(self, output, target):
        """The scaled loss of a batch."""
        return LOSSES[self.task.loss]()(target, output) * self.task.scale

    def optimizer(self, params=None, lr=1e-3):
        """The pair's optimizer."""
        model = self.keras_model
        return KerasOptimizer(params or self.net.parameters(), model.optimizer, model.trainable_variables, lr)

    def loader(self):
        """Full batches in a new order each epoch."""
        return torch.utils.data.DataLoader(self.data, self.task.batch_size, shuffle=True, drop_last=True)


class Network(torch.nn.Module):
    """A Keras model that follows PyTorch's training mode."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        """The output."""
        return self.model(x, training=self.training)


def fastai(work, folder):
    """The four rules of `Learner.lr_find`."""
    from fastai.callback.schedule import SuggestionMethod
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    loader = DataLoader(work.data, bs=work.task.batch_size, shuffle=True, drop_last=True)
    learner = Learner(
        DataLoaders(loader, loader),
        work.net,
        loss_func=work.loss,
        opt_func=functools.partial(OptimWrapper, opt=work.optimizer),
        path=folder,
        train_bn=True,
    )
    methods = SuggestionMethod.Valley, SuggestionMethod.Slide, SuggestionMethod.Minimum, SuggestionMethod.Steep
    rates = learner.lr_find(show_plot=False, suggest_funcs=methods)
    return {f"fastai {name}": float(rate) for name, rate in rates._asdict().items()}


def lightning(work, folder):
    """`Tuner.lr_find`."""
    import lightning.pytorch as pl
    from lightning.pytorch.tuner import Tuner

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net, self.lr = work.net, 1e-3

        def training_step(self, batch, index):
            return work.loss(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return work.optimizer(lr=self.lr)

    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = pl.Trainer(accelerator="cpu", default_root_dir=folder, **quiet)
    search = Tuner(trainer).lr_find(Module(), train_dataloaders=work.loader())
    rate = None if search is None else search.suggestion()
    return {"Lightning": None if rate is None else float(rate)}


def torch_lr_finder(work, folder):
    """`LRFinder.range_test` and the suggestion of its `plot`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from torch_lr_finder import LRFinder

    finder = LRFinder(work.net, work.optimizer(lr=START), work.loss, device="cpu")
    finder.range_test(work.loader(), end_lr=10, num_iter=100)
    _, axis = pyplot.subplots()
    answer = finder.plot(ax=axis)
    pyplot.close("all")
    return {"torch-lr-finder": float(answer[1]) if isinstance(answer, tuple) else None}


def ignite(work, folder):
    """`FastaiLRFinder.lr_suggestion`."""
    from ignite.engine import create_supervised_trainer
    from ignite.handlers import FastaiLRFinder

    optimizer, finder = work.optimizer(lr=START), FastaiLRFinder()
    trainer = create_supervised_trainer(work.net, optimizer, work.loss)
    state = {"model": work.net, "optimizer": optimizer}
    with finder.attach(trainer, state, num_iter=100, end_lr=10.0) as trial:
        trial.run(work.loader())
    return {"ignite": float(finder.lr_suggestion())}


PEERS = {
    fastai: ("fastai valley", "fastai slide", "fastai minimum", "fastai steep"),
    lightning: ("Lightning",),
    torch_lr_finder: ("torch-lr-finder",),
    ignite: ("ignite",),
}


def answers_of(task, seed, failures):
    """Returns every peer's answer for a pair from one seed; None if it raises or refuses."""
    rates = {}
    for peer, names in PEERS.items():
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            try:
                rates |= peer(Work(task, seed), folder)
            except Exception as error:  # a user would see it instead of a rate
                failures.append(f"{names[0]}: {task.name}, seed {seed}: {type(error).__name__}: {error}")
                rates |= dict.fromkeys(names)
    return rates


def main(minutes):
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)  # faster for such small models
    document = json.loads(OUT.read_text()) if OUT.exists() else {"answers": {}, "failures": []}
    answers, failures = document["answers"], document["failures"]
    end = time.monotonic() + 60.0 * minutes
    for task in TASKS:
        if task.name in answers or time.monotonic() > end:
            continue
        each = [answers_of(task, seed, failures) for seed in SEEDS]
        answers[task.name] = {name: [one[name] for one in each] for name in each[0]}
        OUT.write_text(json.dumps(document, indent=1) + "\n")
        print(task.name, answers[task.name], flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="start no pair after that")
    main(parser.parse_args().minutes)
