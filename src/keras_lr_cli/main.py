"""The console script `keras-lr`: what the commands are called, and which framework is started.

It lies outside the package and imports `keras_lr` (and with it Keras and a framework) only inside a command, so that
`keras-lr --help` answers at once. What each command does is in `keras_lr_cli.commands`.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import pathlib
import runpy
import sys
import traceback
from typing import Annotated, Any

import typer

from keras_lr_cli import options
from keras_lr_cli.quiet import hushed, quiet

INTERRUPTED, FAILED, BAD_USAGE = 130, 3, 2
LINE = 'pip install "keras-lr[{}]"'


app = typer.Typer(
    name="keras-lr",
    help="Find, schedule, watch and compare [bold]learning rates[/bold] for Keras 3 models.",
    epilog="Start with [bold]keras-lr demo[/bold]. Exit codes: 0 done, 1 no answer (with the reason), "
    "2 bad usage, 3 failed, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(requested: bool) -> None:
    """Prints the version, which it reads from its file, because importing `keras_lr` would import Keras."""
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


@app.command()
def demo(
    *,
    data: options.DemoData = "digits",
    output: options.OutputOption = options.DEMO_FOLDER,
    seed: options.SeedOption = 0,
    backend: options.BackendOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Find, compare and train on real images of digits; leaves pictures and a report.

    Finds the peak rate of a small network for warm-up, constant, cosine. Compares four fixed rates over three seeds.

    Trains with the rate found, and watches the rate of every update.
    """
    _run("demo.run", backend, as_json, data=data, output=output, seed=seed)


@app.command()
def find(
    *,
    model: options.ModelArgument,
    data: options.DataOption,
    batch_size: options.BatchOption = None,
    schedule: options.ShapeOption = None,
    min_lr: options.MinOption = 1e-7,
    max_lr: options.MaxOption = 10.0,
    steps: options.StepsOption = 100,
    repeats: options.RepeatsOption = 3,
    sprint_steps: options.SprintOption = 50,
    ramp: options.RampOption = "exponential",
    verify: options.VerifyOption = 0,
    seed: options.SeedOption = 0,
    critical: options.CriticalOption = False,
    rule: options.RuleOption = None,
    plot: options.PlotOption = None,
    save: options.SaveOption = None,
    backend: options.BackendOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Find the learning rate of your model, with an interval and a reason.

    Example: [bold]keras-lr find train.py:build_model --data train.py:load_data --plot lr.png[/bold]
    """
    test = {"min_lr": min_lr, "max_lr": max_lr, "steps": steps, "repeats": repeats, "ramp": ramp}
    test |= {"sprint_steps": sprint_steps, "critical": critical}
    test |= {"verify": verify}
    theirs = {"model": model, "data": data, "batch_size": batch_size, "schedule": schedule}
    _run("find", backend, as_json, **theirs, **test, seed=seed, rule=rule, plot=plot, save=save)


@app.command("batch-size")
def batch_size_command(
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
    sizes = {"smallest": smallest, "largest": largest, "seed": seed}
    _run("batch_size", backend, as_json, model=model, data=data, **sizes, save=save)


@app.command()
def compare(
    *,
    model: options.ModelArgument,
    data: options.DataOption,
    learning_rates: options.RatesOption = None,
    schedule: options.SchedulesOption = None,
    optimizers: options.OptimizersOption = None,
    seeds: options.SeedsOption = "3",
    epochs: options.EpochsOption = None,
    batch_size: options.BatchOption = None,
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
    cases = {"learning_rates": learning_rates, "schedule": schedule or [], "optimizers": optimizers, "seeds": seeds}
    fit = {"epochs": epochs, "batch_size": batch_size, "validation_split": validation_split, "metric": metric}
    written = {"store": store, "plot": plot, "report": report, "save": save}
    how = {"engine": engine, "workers": workers, "prune": prune, "budget": budget, "dry_run": dry_run}
    _run("compare", backend, as_json, model=model, data=data, **how, **cases, **fit, **written)


@app.command("schedule")
def schedule_command(
    *,
    expression: options.ExpressionArgument,
    steps_per_epoch: options.PerEpochOption = None,
    epochs: options.EpochsOption = None,
    batch_size: options.ExamplesOption = None,
    plot: options.PlotOption = None,
    backend: options.BackendOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Draw and describe a schedule.

    Example: [bold]keras-lr schedule "Cosine(0.1, 0.0, '100%')" --steps-per-epoch 100 --epochs 10 --plot s.png[/bold]
    """
    run = {"steps_per_epoch": steps_per_epoch, "epochs": epochs, "batch_size": batch_size}
    _run("schedule", backend, as_json, expression=expression, **run, plot=plot)


stores = typer.Typer(
    help="Look into a store of runs, rescue what is in it, or export it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(stores, name="store")


@stores.command()
def check(
    *, path: options.StoreArgument, salvage: options.SalvageOption = None, as_json: options.JsonOption = False
) -> None:
    """Tell what in a store is whole, and rescue it. Exit codes: 0 whole, 1 damaged.

    Example: [bold]keras-lr store check runs.sqlite --salvage rescued.sqlite[/bold]
    """
    _run("store", None, as_json, action="check", path=path, into=salvage)


@stores.command()
def export(
    *,
    path: options.StoreArgument,
    out: options.OutArgument,
    to: options.FormatOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Write the runs of a store as a table, for TensorBoard or as an Optuna study.

    Example: [bold]keras-lr store export runs.sqlite runs.csv[/bold]
    """
    _run("store", None, as_json, action="export", path=path, out=out, kind=to)


@app.command()
def doctor(*, backend: options.BackendOption = None, as_json: options.JsonOption = False) -> None:
    """Show versions, the backend, its devices, and what is missing."""
    _run("doctor", backend, as_json)


def main() -> None:
    """The entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app()


def _run(command: str, backend: options.Backend | None, as_json: bool, **arguments: Any) -> None:
    """Starts the framework in silence, runs one command, and leaves with its exit code."""
    try:
        trouble = _start(command, backend, as_json)
        outcome = importlib.import_module("keras_lr_cli.outcome")
        module = importlib.import_module(f"keras_lr_cli.commands.{command}")
        if command == "doctor":
            arguments["trouble"] = trouble
        code = outcome.run(module.run, arguments, as_json)
    except KeyboardInterrupt:
        code = _refuse("interrupted", INTERRUPTED, as_json)
    raise typer.Exit(code)


def _start(command: str, backend: options.Backend | None, as_json: bool) -> str | None:
    """Chooses and imports the framework. Returns what went wrong, for `doctor`; any other command ends here."""
    quiet()
    trouble = _choose(backend)
    if trouble is None:
        try:
            with hushed():
                keras = importlib.import_module("keras")
                keras.ops.zeros(1)  # devices announce themselves at the first operation
                importlib.import_module("keras_lr")
            return None
        except Exception as error:
            if command != "doctor":
                traceback.print_exc()
            trouble = f"the backend {os.environ['KERAS_BACKEND']} does not start: {type(error).__name__}: {error}"
    if command != "doctor":
        raise typer.Exit(_refuse(trouble, FAILED, as_json))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("keras", "keras_lr")]:
        del sys.modules[name]
    os.environ["KERAS_BACKEND"] = "numpy"  # enough for a look at what is there
    with hushed():
        importlib.import_module("keras_lr")
    return trouble


def _choose(backend: options.Backend | None) -> str | None:
    """Sets KERAS_BACKEND: the option, the variable, Keras's file, or the first that is installed. Returns an error."""
    installed = [name for name in options.Backend if importlib.util.find_spec(name) is not None]
    wanted = backend or os.environ.get("KERAS_BACKEND") or _configured()
    if wanted not in list(options.Backend):
        return f"KERAS_BACKEND={wanted!r}: keras-lr works on tensorflow, jax and torch. Set it to one of these, or pass --backend."
    if not installed:
        return f"no framework is installed. Run: {LINE.format('tensorflow')}"
    if wanted not in installed and backend is not None:
        return f"--backend {backend}: {backend} is not installed. Run: {LINE.format(backend)}"
    os.environ["KERAS_BACKEND"] = str(wanted if wanted in installed else installed[0])
    return None


def _configured() -> str:
    """The backend of Keras's own configuration file, else Keras's default."""
    home = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
    try:
        return str(json.loads((home / "keras.json").read_text(encoding="utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return options.Backend.tensorflow


def _refuse(text: str, code: int, as_json: bool) -> int:
    """Says why nothing was done, in the form that was asked for."""
    typer.echo(f"error: {text}" if code != INTERRUPTED else text, err=True)
    if as_json:
        typer.echo(json.dumps({"error": text, "exit_code": code}))
    return code


if __name__ == "__main__":
    main()
