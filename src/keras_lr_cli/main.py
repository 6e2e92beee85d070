"""The console script `keras-lr`: declares the commands, and starts the framework for the one that runs.

It lies outside the library and imports `keras_lr`, and with it Keras, only inside a command, so that `--help` is instant.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import json
import os
import pathlib
import runpy
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from keras_lr_cli import options, outcome
from keras_lr_cli.outcome import ExitCode
from keras_lr_cli.quiet import quiet, silence

app = typer.Typer(
    name="keras-lr",
    help="Find, schedule, watch and compare [bold]learning rates[/bold] for Keras 3 models.",
    epilog="Start with [bold]keras-lr demo[/bold]. Exit codes: 0 success, 1 no answer (with the reason), "
    "2 bad usage, 3 failure, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
stores = typer.Typer(
    help="Check a store of runs, recover its intact runs, or export them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(stores, name="store")


def main() -> None:
    """Runs the console script."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app()


def _version(requested: bool) -> None:
    """Prints the version from its file, because importing `keras_lr` would import Keras."""
    if requested:
        package = pathlib.Path(importlib.util.find_spec("keras_lr").origin).parent  # type: ignore[union-attr, arg-type]
        typer.echo(f"keras-lr {runpy.run_path(str(package / 'core' / 'version.py'))['__version__']}")
        raise typer.Exit


@app.callback()
def keras_lr(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find, schedule, watch and compare [bold]learning rates[/bold] for Keras 3 models."""
    del version


def _command(function: str, group: typer.Typer = app) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a command. The decorated function declares its options; `function` of `keras_lr_cli.commands` runs it."""

    def register(declaration: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(declaration)
        def execute(*, backend: options.Backend | None = None, as_json: bool = False, **arguments: Any) -> None:
            raise typer.Exit(_run(function, arguments, backend, as_json))

        return group.command()(execute)

    return register


@_command("demo.run.run")
def demo(
    *,
    data: options.DemoDataOption = "digits",
    output: options.OutputOption = options.DEMO_FOLDER,
    seed: options.SeedOption = 0,
    backend: options.BackendOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Find, compare and train on real images of digits; saves pictures and a report.

    Finds the peak rate of a small network for a schedule of warm-up, constant and cosine. Compares four fixed rates over three seeds.

    Trains at the rate found and records the rate of every update.
    """


@_command("find.run")
def find(
    *,
    model: options.ModelArgument,
    data: options.DataOption,
    batch_size: options.BatchSizeOption = None,
    schedule: options.ScheduleOption = None,
    epochs: options.LengthOption = None,
    steps_per_epoch: options.PerEpochOption = None,
    min_lr: options.MinOption = 1e-7,
    max_lr: options.MaxOption = 10.0,
    steps: options.StepsOption = 100,
    repeats: options.RepeatsOption = None,
    sprint_steps: options.SprintOption = None,
    ramp: options.RampOption = "exponential",
    group: options.GroupOption = None,
    verify: options.VerifyOption = 0,
    seed: options.SeedOption = 0,
    critical: options.CriticalOption = False,
    rule: options.RuleOption = None,
    plot: options.PlotOption = None,
    save: options.SaveOption = None,
    backend: options.BackendOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Find the learning rate of your model for the length of your training, with an interval and a reason.

    Example: [bold]keras-lr find train.py:build_model --data train.py:load_data --epochs 30 --plot lr.png[/bold]
    """


@_command("batch_size.run")
def batch_size(
    *,
    model: options.ModelArgument,
    data: options.DataOption,
    smallest: options.SmallestOption = 32,
    largest: options.LargestOption = None,
    seed: options.SeedOption = 0,
    save: options.SaveOption = None,
    backend: options.BackendOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Find the largest batch that fits into memory, and the size beyond which larger ones gain little.

    Example: [bold]keras-lr batch-size train.py:build_model --data train.py:load_data[/bold]
    """


@_command("compare.run")
def compare(
    *,
    model: options.ModelArgument,
    data: options.DataOption,
    learning_rates: options.RatesOption = None,
    schedule: options.SchedulesOption = None,
    optimizers: options.OptimizersOption = None,
    seeds: options.SeedsOption = "3",
    epochs: options.EpochsOption = None,
    batch_size: options.BatchSizeOption = None,
    metric: options.MetricOption = "val_loss",
    validation_split: options.SplitOption = None,
    engine: options.EngineOption = "auto",
    workers: options.WorkersOption = 1,
    prune: options.PruneOption = "divergence",
    budget: options.BudgetOption = None,
    dry_run: options.DryRunOption = False,
    store: options.StoreOption = None,
    plot: options.PlotOption = None,
    report: options.ReportOption = None,
    save: options.SaveOption = None,
    backend: options.BackendOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Compare learning rates, schedules and optimizers over several seeds.

    Example: [bold]keras-lr compare train.py:build_model --data train.py:load_data --learning-rates 0.1,0.01[/bold]
    """


@_command("schedule.run")
def schedule(
    *,
    expression: options.ExpressionArgument,
    steps_per_epoch: options.StepsPerEpochOption = None,
    epochs: options.EpochsOption = None,
    batch_size: options.ExamplesOption = None,
    plot: options.PlotOption = None,
    backend: options.BackendOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Draw and describe a schedule.

    Example: [bold]keras-lr schedule "Cosine(0.1, 0.0, '100%')" --steps-per-epoch 100 --epochs 10 --plot s.png[/bold]
    """


@_command("store.check", stores)
def check(
    *, path: options.StoreArgument, salvage: options.SalvageOption = None, as_json: options.JsonOption = False
) -> None:
    """Check a store and recover its intact runs. Exit codes: 0 intact, 1 damaged.

    Example: [bold]keras-lr store check runs.sqlite --salvage recovered.sqlite[/bold]
    """


@_command("store.export", stores)
def export(
    *,
    path: options.StoreArgument,
    out: options.OutArgument,
    to: options.FormatOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Export the runs of a store as a table, for TensorBoard or as an Optuna study.

    Example: [bold]keras-lr store export runs.sqlite runs.csv[/bold]
    """


@_command("doctor.run")
def doctor(*, backend: options.BackendOption = None, as_json: options.JsonOption = False) -> None:
    """Show versions, the backend, its devices, and what is missing."""


def _run(function: str, arguments: Mapping[str, Any], backend: options.Backend | None, as_json: bool) -> ExitCode:
    """Starts the framework silently and runs one command. `doctor` also runs if the framework does not start."""
    module, _, name = function.rpartition(".")
    try:
        problem = _start(backend, module == "doctor")
        if module == "doctor":
            arguments = {"problem": problem}
        elif problem is not None:
            return outcome.fail(problem, ExitCode.FAILURE, as_json)
        command = getattr(importlib.import_module(f"keras_lr_cli.commands.{module}"), name)
        return outcome.run(command, arguments, as_json)
    except KeyboardInterrupt:
        return outcome.fail("interrupted", ExitCode.INTERRUPT, as_json)


def _start(backend: options.Backend | None, is_doctor: bool) -> str | None:
    """Chooses and imports the framework; if that fails, `doctor` gets NumPy's backend. Returns the problem or None."""
    quiet()
    problem = _choose(backend)
    if problem is None:
        try:
            with silence():
                keras = importlib.import_module("keras")
                keras.ops.zeros(1)  # devices announce themselves at the first operation
                importlib.import_module("keras_lr")
            return None
        except Exception as error:
            if not is_doctor:
                traceback.print_exc()
            problem = f"the backend {os.environ['KERAS_BACKEND']} does not start: {type(error).__name__}: {error}"
    if is_doctor:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("keras", "keras_lr")]:
            del sys.modules[name]
        os.environ["KERAS_BACKEND"] = "numpy"
        with silence():
            importlib.import_module("keras_lr")
    return problem


def _choose(option: options.Backend | None) -> str | None:
    """Sets KERAS_BACKEND: the option, the variable, Keras's file, or the first that is installed. Returns an error."""
    installed = [name for name in options.Backend if importlib.util.find_spec(name) is not None]
    backend = option or os.environ.get("KERAS_BACKEND") or _configured()
    if backend not in list(options.Backend):
        return f"KERAS_BACKEND={backend!r}: keras-lr works on tensorflow, jax and torch. Set it to one of these, or pass --backend."
    if not installed:
        return f"no framework is installed. Run: {options.INSTALL.format('tensorflow')}"
    if backend not in installed and option is not None:
        return f"--backend {option}: {option} is not installed. Run: {options.INSTALL.format(option)}"
    os.environ["KERAS_BACKEND"] = str(backend if backend in installed else installed[0])
    return None


def _configured() -> str:
    """Returns the backend in Keras's own configuration file, else Keras's default."""
    home = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
    try:
        return str(json.loads((home / "keras.json").read_text(encoding="utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return options.Backend.tensorflow


if __name__ == "__main__":
    main()
