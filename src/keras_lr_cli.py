"""The console script `keras-lr`: what the commands are called, and which framework is started.

It lies outside the package and imports `keras_lr` (and with it Keras and a framework) only inside a command, so that
`keras-lr --help` answers at once. What the commands do is in `keras_lr.cli`, one file a command.
"""

from __future__ import annotations

import contextlib
import enum
import importlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import sys
import traceback
from typing import Annotated, Any

import typer

from keras_lr_quiet import hushed, quiet

INTERRUPTED, FAILED, BAD_USAGE = 130, 3, 2
DEMO_FOLDER = pathlib.Path("demo")
LINE = 'pip install "keras-lr[{}]"'


class Backend(enum.StrEnum):
    """The frameworks, in the order in which an installed one is looked for."""

    tensorflow = "tensorflow"
    jax = "jax"
    torch = "torch"


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

_MADE_BY = "[bold]path/train.py:{0}[/bold] or [bold]package.module:{0}[/bold]"
_RETURNS = "It returns (x, y), ((x, y), (x_val, y_val)) or a dict of fit's arguments."
_EXPR = "\"Cosine(1.0, 0.0, '95%').warmup('5%')\""
Path = pathlib.Path


def _option(flag: str, text: str, metavar: str | None = None, least: int | None = None) -> Any:
    return typer.Option(flag, help=text, metavar=metavar, min=least)


# Options of several commands
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help=f"Makes the compiled model: {_MADE_BY.format('build_model')}.")
]
DataOption = Annotated[str, _option("--data", f"Loads the data: {_MADE_BY.format('load_data')}. {_RETURNS}", "DATA")]
BackendOption = Annotated[
    Backend | None,
    _option("--backend", "The framework. Default: KERAS_BACKEND, else Keras's setting, else one installed."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
BatchOption = Annotated[
    int | None, _option("--batch-size", "Examples in a batch. Default: the data's, else Keras's.", least=1)
]
PlotOption = Annotated[Path | None, _option("--plot", "Save the picture (.png, .svg, .pdf).", "PATH")]
SaveOption = Annotated[Path | None, _option("--save", "Save the whole result as JSON.", "PATH")]
EpochsOption = Annotated[int | None, _option("--epochs", "Epochs of a run.", least=1)]
# of demo
DemoData = Annotated[
    str,
    _option(
        "--data",
        "[bold]digits[/bold], [bold]mnist[/bold] or a file .npz with x_train, y_train, x_test, y_test.",
        "DATA",
    ),
]
OutputOption = Annotated[Path, _option("--output", "Where the pictures, the report and result.json go.", "FOLDER")]
SeedOption = Annotated[int, _option("--seed", "Sets initial weights, the order of the data and dropout.", least=0)]
# of find
ShapeOption = Annotated[
    str | None, _option("--schedule", f"Find the peak of this schedule: {_EXPR}. Default: a constant rate.", "EXPR")
]
MinOption = Annotated[float, _option("--min-lr", "The first rate tried.")]
MaxOption = Annotated[float, _option("--max-lr", "The last rate tried.")]
StepsOption = Annotated[int, _option("--steps", "Updates in a ramp.")]
RepeatsOption = Annotated[int, _option("--repeats", "Ramps from the same start in different batch orders.")]
RampOption = Annotated[str, _option("--ramp", "How the rate is raised: exponential or linear.", "NAME")]
VerifyOption = Annotated[
    int,
    _option(
        "--verify", "Spend so many updates on short trainings, and pick by validation loss. 0: none.", "N", least=0
    ),
]
RuleOption = Annotated[
    str | None,
    _option(
        "--rule",
        "Print one rule's suggestion too: consensus, valley, slide, minimum, steep, lightning, lightning_before, "
        "torch_lr_finder or ignite.",
        "NAME",
    ),
]
CriticalOption = Annotated[
    bool,
    typer.Option("--critical", help="Measure the critical rate of the first update too, and the warm-up it needs."),
]
# of batch-size
SmallestOption = Annotated[int, _option("--smallest", "The first size tried.", least=1)]
LargestOption = Annotated[int | None, _option("--largest", "The last size tried. Default: all examples.", least=1)]
# of compare
RatesOption = Annotated[
    str | None, _option("--learning-rates", "Such as [bold]0.1,0.01,0.001[/bold], or [bold]auto[/bold].", "RATES")
]
SchedulesOption = Annotated[
    list[str] | None, _option("--schedule", f"Such as cosine={_EXPR}; several times. Rates multiply it.", "NAME=EXPR")
]
OptimizersOption = Annotated[
    str | None, _option("--optimizers", "Keras names: [bold]adam,sgd[/bold]. Default: the model's own.", "NAMES")
]
SeedsOption = Annotated[str, _option("--seeds", "How many runs of each case, or the seeds: [bold]0,1,2[/bold].", "N")]
EngineOption = Annotated[
    str, _option("--engine", "How the runs are made: auto, sequential, population (one JAX program) or ray.", "NAME")
]
WorkersOption = Annotated[
    int,
    _option("--workers", "In how many processes the runs are made, each with its share of the cores.", "N", least=1),
]
PruneOption = Annotated[
    str, _option("--prune", "Which runs are cut: divergence, halving (short rungs first) or none.", "NAME")
]
BudgetOption = Annotated[
    str | None, _option("--budget", "How long it may take, such as [bold]10min[/bold], 90s or 1h.", "TIME")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done and how long it would take, and do nothing.")
]
MetricOption = Annotated[str, _option("--metric", "What is compared, after the last epoch.", "NAME")]
SplitOption = Annotated[float | None, _option("--validation-split", "The share of the data to hold out.", "SHARE")]
StoreOption = Annotated[
    Path | None, _option("--store", "Keep every finished run in this file, and go on where it stopped.", "PATH")
]
ReportOption = Annotated[Path | None, _option("--report", "Save one self-contained HTML page.", "PATH")]
# of store
StoreArgument = Annotated[Path, typer.Argument(metavar="PATH", help="The store that compare wrote.")]
SalvageOption = Annotated[Path | None, _option("--salvage", "Copy the runs that are whole into a new store.", "NEW")]
OutArgument = Annotated[
    Path, typer.Argument(metavar="OUT", help="A file .csv, .parquet or .db (Optuna), or a folder (TensorBoard).")
]
FormatOption = Annotated[
    str | None, _option("--to", "csv, parquet, tensorboard or optuna. Default: by OUT's ending.", "FORMAT")
]
# of schedule
ExamplesOption = Annotated[
    int | None, _option("--batch-size", "Examples in a batch, for lengths such as '5000ex'.", least=1)
]
ExpressionArgument = Annotated[str, typer.Argument(metavar="EXPR", help=f"The schedule as code: {_EXPR}.")]
PerEpochOption = Annotated[int | None, _option("--steps-per-epoch", "Updates in an epoch.", least=1)]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"keras-lr {importlib.metadata.version('keras-lr')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find, schedule, watch and compare [bold]learning rates[/bold] for Keras 3 models."""
    del version


@app.command()
def demo(
    *,
    data: DemoData = "digits",
    output: OutputOption = DEMO_FOLDER,
    seed: SeedOption = 0,
    backend: BackendOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find, compare and train on real images of digits; leaves pictures and a report.

    Finds the peak rate of a small network for warm-up, constant, cosine. Compares four fixed rates over three seeds.

    Trains with the rate found, and watches the rate of every update.
    """
    _run("demo", backend, as_json, data=data, output=output, seed=seed)


@app.command()
def find(
    *,
    model: ModelArgument,
    data: DataOption,
    batch_size: BatchOption = None,
    schedule: ShapeOption = None,
    min_lr: MinOption = 1e-7,
    max_lr: MaxOption = 10.0,
    steps: StepsOption = 100,
    repeats: RepeatsOption = 3,
    ramp: RampOption = "exponential",
    verify: VerifyOption = 0,
    seed: SeedOption = 0,
    critical: CriticalOption = False,
    rule: RuleOption = None,
    plot: PlotOption = None,
    save: SaveOption = None,
    backend: BackendOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the learning rate of your model, with an interval and a reason.

    Example: [bold]keras-lr find train.py:build_model --data train.py:load_data --plot lr.png[/bold]
    """
    test = {"min_lr": min_lr, "max_lr": max_lr, "steps": steps, "repeats": repeats, "ramp": ramp, "critical": critical}
    test |= {"verify": verify}
    theirs = {"model": model, "data": data, "batch_size": batch_size, "schedule": schedule}
    _run("find", backend, as_json, **theirs, **test, seed=seed, rule=rule, plot=plot, save=save)


@app.command("batch-size")
def batch_size_command(
    *,
    model: ModelArgument,
    data: DataOption,
    smallest: SmallestOption = 32,
    largest: LargestOption = None,
    seed: SeedOption = 0,
    save: SaveOption = None,
    backend: BackendOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the largest batch that fits into memory, and the size beyond which larger ones gain little.

    Example: [bold]keras-lr batch-size train.py:build_model --data train.py:load_data[/bold]
    """
    sizes = {"smallest": smallest, "largest": largest, "seed": seed}
    _run("batch_size", backend, as_json, model=model, data=data, **sizes, save=save)


@app.command()
def compare(
    *,
    model: ModelArgument,
    data: DataOption,
    learning_rates: RatesOption = None,
    schedule: SchedulesOption = None,
    optimizers: OptimizersOption = None,
    seeds: SeedsOption = "3",
    epochs: EpochsOption = None,
    batch_size: BatchOption = None,
    metric: MetricOption = "val_loss",
    validation_split: SplitOption = None,
    engine: EngineOption = "auto",
    workers: WorkersOption = 1,
    prune: PruneOption = "divergence",
    budget: BudgetOption = None,
    dry_run: DryRunOption = False,
    store: StoreOption = None,
    plot: PlotOption = None,
    report: ReportOption = None,
    save: SaveOption = None,
    backend: BackendOption = None,
    as_json: JsonOption = False,
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
    expression: ExpressionArgument,
    steps_per_epoch: PerEpochOption = None,
    epochs: EpochsOption = None,
    batch_size: ExamplesOption = None,
    plot: PlotOption = None,
    backend: BackendOption = None,
    as_json: JsonOption = False,
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
def check(*, path: StoreArgument, salvage: SalvageOption = None, as_json: JsonOption = False) -> None:
    """Tell what in a store is whole, and rescue it. Exit codes: 0 whole, 1 damaged.

    Example: [bold]keras-lr store check runs.sqlite --salvage rescued.sqlite[/bold]
    """
    _run("store", None, as_json, action="check", path=path, into=salvage)


@stores.command()
def export(*, path: StoreArgument, out: OutArgument, to: FormatOption = None, as_json: JsonOption = False) -> None:
    """Write the runs of a store as a table, for TensorBoard or as an Optuna study.

    Example: [bold]keras-lr store export runs.sqlite runs.csv[/bold]
    """
    _run("store", None, as_json, action="export", path=path, out=out, kind=to)


@app.command()
def doctor(*, backend: BackendOption = None, as_json: JsonOption = False) -> None:
    """Show versions, the backend, its devices, and what is missing."""
    _run("doctor", backend, as_json)


def main() -> None:
    """The entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app()


def _run(command: str, backend: Backend | None, as_json: bool, **arguments: Any) -> None:
    """Starts the framework in silence, runs one command of `keras_lr.cli`, and leaves with its exit code."""
    try:
        trouble = _start(command, backend, as_json)
        outcome = importlib.import_module("keras_lr.cli.outcome")
        module = importlib.import_module(f"keras_lr.cli.{command}")
        if command == "doctor":
            arguments["trouble"] = trouble
        code = outcome.run(module.run, arguments, as_json)
    except KeyboardInterrupt:
        code = _refuse("interrupted", INTERRUPTED, as_json)
    raise typer.Exit(code)


def _start(command: str, backend: Backend | None, as_json: bool) -> str | None:
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


def _choose(backend: Backend | None) -> str | None:
    """Sets KERAS_BACKEND: the option, the variable, Keras's file, or the first that is installed. Returns an error."""
    installed = [name for name in Backend if importlib.util.find_spec(name) is not None]
    wanted = backend or os.environ.get("KERAS_BACKEND") or _configured()
    if wanted not in list(Backend):
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
        return Backend.tensorflow


def _refuse(text: str, code: int, as_json: bool) -> int:
    """Says why nothing was done, in the form that was asked for."""
    typer.echo(f"error: {text}" if code != INTERRUPTED else text, err=True)
    if as_json:
        typer.echo(json.dumps({"error": text, "exit_code": code}))
    return code


if __name__ == "__main__":
    main()
