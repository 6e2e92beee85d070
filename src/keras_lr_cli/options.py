"""The options and arguments of the commands of `keras-lr`, as they are told by `--help`. Imports no framework."""

from __future__ import annotations

import enum
import pathlib
from typing import Annotated, Any

import typer

DEMO_FOLDER = pathlib.Path("demo")


class Backend(enum.StrEnum):
    """The frameworks, in the order in which an installed one is looked for."""

    tensorflow = "tensorflow"
    jax = "jax"
    torch = "torch"


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
SprintOption = Annotated[
    int, _option("--sprint-steps", "Updates of a training at one rate. 0: read the ramps alone.", least=0)
]
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
