"""Declares the arguments and options of the commands, with their help texts. Imports no framework."""

from __future__ import annotations

import enum
import pathlib
from typing import Annotated, Any

import typer

DEMO_FOLDER = pathlib.Path("demo")
INSTALL = 'pip install "keras-lr[{}]"'


class Backend(enum.StrEnum):
    """The frameworks, in the order in which `keras-lr` looks for an installed one."""

    tensorflow = "tensorflow"
    jax = "jax"
    torch = "torch"


_FORMS = "[bold]path/train.py:{0}[/bold] or [bold]package.module:{0}[/bold]"
_RETURNS = "It returns (x, y), ((x, y), (x_val, y_val)) or a dict of fit's arguments."
_EXPR = "\"Cosine(1.0, 0.0, '95%').warmup('5%')\""
Path = pathlib.Path


def _option(flag: str, text: str, metavar: str | None = None, least: int | None = None) -> Any:
    return typer.Option(flag, help=text, metavar=metavar, min=least)


def _argument(metavar: str, text: str) -> Any:
    return typer.Argument(metavar=metavar, help=text)


# Several commands
_MODEL = f"Function that returns the compiled model: {_FORMS.format('build_model')}."
ModelArgument = Annotated[str, _argument("MODEL", _MODEL)]
_DATA = f"Function that loads the data: {_FORMS.format('load_data')}. {_RETURNS}"
DataOption = Annotated[str, _option("--data", _DATA, "DATA")]
_BACKEND = "The framework. Default: KERAS_BACKEND, else Keras's setting, else the first one installed."
BackendOption = Annotated[Backend | None, _option("--backend", _BACKEND)]
JsonOption = Annotated[bool, _option("--json", "Print one JSON document on stdout and nothing else there.")]
BatchSizeOption = Annotated[
    int | None, _option("--batch-size", "Examples in a batch. Default: the data's, else Keras's.", least=1)
]
PlotOption = Annotated[Path | None, _option("--plot", "Save the picture (.png, .svg, .pdf).", "PATH")]
SaveOption = Annotated[Path | None, _option("--save", "Save the whole result as JSON.", "PATH")]
EpochsOption = Annotated[int | None, _option("--epochs", "Epochs of a run.", least=1)]
SeedOption = Annotated[int, _option("--seed", "Seed of initial weights, data order and dropout.", least=0)]
# demo
_DEMO_DATA = "[bold]digits[/bold], [bold]mnist[/bold] or a file .npz with x_train, y_train, x_test, y_test."
DemoDataOption = Annotated[str, _option("--data", _DEMO_DATA, "DATA")]
OutputOption = Annotated[Path, _option("--output", "Folder for the pictures, the report and result.json.", "FOLDER")]
# find
_PEAK = f"Find the peak of this schedule: {_EXPR}. Default: a constant rate."
ScheduleOption = Annotated[str | None, _option("--schedule", _PEAK, "EXPR")]
MinOption = Annotated[float, _option("--min-lr", "First rate of a ramp.")]
MaxOption = Annotated[float, _option("--max-lr", "Last rate of a ramp.")]
StepsOption = Annotated[int, _option("--steps", "Updates in a ramp.")]
_LENGTH = "Epochs of the training that the rate is for. Default: ten, but at least 600 updates."
LengthOption = Annotated[int | None, _option("--epochs", _LENGTH, least=1)]
_PER_EPOCH = "Updates in an epoch. Default: those of the data."
PerEpochOption = Annotated[int | None, _option("--steps-per-epoch", _PER_EPOCH, least=1)]
_REPEATS = "Ramps from the same weights in different batch orders. Default: 1, and 3 without sprints."
RepeatsOption = Annotated[int | None, _option("--repeats", _REPEATS, least=1)]
_SPRINT = "Updates of a long sprint, a short training at one rate. Default: as the cost allows. 0: use the ramps alone."
SprintOption = Annotated[int | None, _option("--sprint-steps", _SPRINT, least=0)]
RampOption = Annotated[str, _option("--ramp", "How the rate rises: exponential or linear.", "NAME")]
_VERIFY = "Updates to spend on trials, short trainings whose validation loss picks the rate. 0: none."
VerifyOption = Annotated[int, _option("--verify", _VERIFY, "N", least=0)]
_GROUP = "Find the rate of this one of several optimizers, such as [bold]adam[/bold]. Default: all, at their ratios."
GroupOption = Annotated[str | None, _option("--group", _GROUP, "NAME")]
_RULES = "consensus, valley, slide, minimum, steep, lightning, lightning_before, torch_lr_finder or ignite"
RuleOption = Annotated[str | None, _option("--rule", f"Print the suggestion of one rule too: {_RULES}.", "NAME")]
_CRITICAL = "Measure the critical rate of the first update too, and the warm-up it needs."
CriticalOption = Annotated[bool, _option("--critical", _CRITICAL)]
# batch-size
SmallestOption = Annotated[int, _option("--smallest", "Smallest size to try.", least=1)]
LargestOption = Annotated[int | None, _option("--largest", "Largest size to try. Default: all examples.", least=1)]
# compare
_RATES = "The rates, as in [bold]0.1,0.01,0.001[/bold], or [bold]auto[/bold]."
RatesOption = Annotated[str | None, _option("--learning-rates", _RATES, "RATES")]
_SCHEDULE = f"A named schedule, such as cosine={_EXPR}; repeatable. Rates multiply it."
SchedulesOption = Annotated[list[str] | None, _option("--schedule", _SCHEDULE, "NAME=EXPR")]
_OPTIMIZERS = "Keras names: [bold]adam,sgd[/bold]. Default: the model's own."
OptimizersOption = Annotated[str | None, _option("--optimizers", _OPTIMIZERS, "NAMES")]
SeedsOption = Annotated[str, _option("--seeds", "Number of runs per case, or the seeds: [bold]0,1,2[/bold].", "N")]
_ENGINE = "How runs are executed: auto, sequential, population (one JAX program) or ray."
EngineOption = Annotated[str, _option("--engine", _ENGINE, "NAME")]
_WORKERS = "Number of processes that train runs, each with its share of the cores."
WorkersOption = Annotated[int, _option("--workers", _WORKERS, "N", least=1)]
_PRUNE = "Which runs stop early: divergence, halving (short rungs first) or none."
PruneOption = Annotated[str, _option("--prune", _PRUNE, "NAME")]
BudgetOption = Annotated[str | None, _option("--budget", "Time limit, such as [bold]10min[/bold], 90s or 1h.", "TIME")]
DryRunOption = Annotated[bool, _option("--dry-run", "Print the plan and its estimated time, and train nothing.")]
MetricOption = Annotated[str, _option("--metric", "The metric to compare, after the last epoch.", "NAME")]
SplitOption = Annotated[float | None, _option("--validation-split", "Share of the data to hold out.", "SHARE")]
_STORE = "Store every finished run in this file, and resume from it."
StoreOption = Annotated[Path | None, _option("--store", _STORE, "PATH")]
ReportOption = Annotated[Path | None, _option("--report", "Save one self-contained HTML page.", "PATH")]
# schedule
ExpressionArgument = Annotated[str, _argument("EXPR", f"The schedule as code: {_EXPR}.")]
StepsPerEpochOption = Annotated[int | None, _option("--steps-per-epoch", "Updates in an epoch.", least=1)]
ExamplesOption = Annotated[
    int | None, _option("--batch-size", "Examples in a batch, for lengths such as '5000ex'.", least=1)
]
# store
StoreArgument = Annotated[Path, _argument("PATH", "The store that compare wrote.")]
SalvageOption = Annotated[Path | None, _option("--salvage", "Copy the intact runs into a new store.", "NEW")]
OutArgument = Annotated[Path, _argument("OUT", "A file .csv, .parquet or .db (Optuna), or a folder (TensorBoard).")]
_FORMAT = "csv, parquet, tensorboard or optuna. Default: by the ending of OUT."
FormatOption = Annotated[str | None, _option("--to", _FORMAT, "FORMAT")]
