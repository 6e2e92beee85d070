"""Export the runs of a store: as a table in CSV or Parquet, as TensorBoard event files, or as an Optuna study."""

from __future__ import annotations

import csv
import importlib
import math
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from keras_lr.comparison.store.salvage import Contents
from keras_lr.comparison.store.schema import StoredRun
from keras_lr.core.errors import ArgumentError, MissingExtraError

COLUMNS = ("case", "learning_rate", "optimizer", "seed", "outcome", "per", "name", "step", "value")
Row = tuple[str, float | None, str, int, str, str, str, int, float]
_ENDINGS = {".csv": "csv", ".parquet": "parquet", ".db": "optuna", "": "tensorboard"}


def format_of(out: str | os.PathLike[str]) -> str | None:
    """Returns the format for a path: .csv, .parquet, .db (Optuna) or no suffix (TensorBoard); else None."""
    return _ENDINGS.get(pathlib.Path(out).suffix.lower())


def export(contents: Contents, out: str | os.PathLike[str], kind: str) -> None:
    """Writes the runs of a store to a new file, or to a new folder for TensorBoard; `kind` is one of `FORMATS`.

    Raises:
        ArgumentError: The path exists, or the plan of the store can't be read.
        MissingExtraError: The library for the format is not installed.
    """
    target = pathlib.Path(out)
    if target.exists():
        raise ArgumentError("export", "the path exists", "Pass a new one", out=str(out))
    if contents.plan is None:
        raise ArgumentError("export", "the plan of the store can't be read", "Pass another store", out=str(out))
    _WRITERS[kind](contents, target)


def rows_of(contents: Contents) -> Iterator[Row]:
    """Yields a row under `COLUMNS` for each number: of an epoch or of an update, both counted from 0 in the run."""
    for stored in contents.runs:
        case = _case(contents, stored)
        rate, kind = case["learning_rate"], str(case["optimizer"].get("class_name"))
        for per, name, values in _curves(stored):
            for step, value in enumerate(values):
                run = stored.measured.run
                yield case["name"], rate, kind, stored.key.seed, run.outcome, per, name, step, value


def _csv(contents: Contents, target: pathlib.Path) -> None:
    with target.open("x", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows_of(contents))


def _parquet(contents: Contents, target: pathlib.Path) -> None:
    _require("pyarrow", "parquet", "a table in Parquet")
    import pandas

    table = pandas.DataFrame(list(rows_of(contents)), columns=list(COLUMNS))
    table.to_parquet(target, engine="pyarrow", index=False)


def _tensorboard(contents: Contents, target: pathlib.Path) -> None:
    """Writes a folder for each run, without TensorFlow. A step is an epoch or an update."""
    _require("tensorboard", "tensorboard", "a folder for TensorBoard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    for stored in contents.runs:
        case, seed = _case(contents, stored), stored.key.seed
        number = stored.key.rung * len((contents.plan or {})["cases"]) + stored.key.case
        folder = target / f"{number:03d} {re.sub(r'[^A-Za-z0-9 .,=+-]', '_', case['name'])}" / f"seed {seed}"
        folder.mkdir(parents=True)
        with (folder / "events.out.tfevents.0.keras-lr").open("xb") as file:
            writer = RecordWriter(file)
            writer.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
            parameters = {"case": case["name"], "seed": seed, "learning_rate": case["learning_rate"]}
            parameters = {name: value for name, value in parameters.items() if value is not None}
            writer.write(Event(wall_time=0.0, summary=hparams_pb(parameters)).SerializeToString())
            for per, name, values in _curves(stored):
                for step, value in enumerate(values):
                    summary = Summary(value=[Summary.Value(tag=f"{per}/{name}", simple_value=value)])
                    writer.write(Event(wall_time=float(step), step=step, summary=summary).SerializeToString())


def _optuna(contents: Contents, target: pathlib.Path) -> None:
    """Writes a study with a trial for each run: case and seed are its parameters, the metric is its value."""
    optuna = _require("optuna", "optuna", "an Optuna study")
    plan: Mapping[str, Any] = contents.plan or {}
    metric, direction = plan["metric"], "minimize" if plan["mode"] == "min" else "maximize"
    storage = f"sqlite:///{target}"
    study = optuna.create_study(storage=storage, study_name="keras-lr", direction=direction)
    names = [_name(plan, case, rung) for rung in range(1 + len(plan.get("rungs", ()))) for case in plan["cases"]]
    kinds = {
        "case": optuna.distributions.CategoricalDistribution(names),
        "seed": optuna.distributions.CategoricalDistribution(plan["seeds"]),
    }
    for stored in contents.runs:
        run, case = stored.measured.run, _case(contents, stored)
        curve = next((values for name, values in run.history.items() if re.fullmatch(rf"{metric}(_\d+)?", name)), ())
        finished = run.outcome == "finished" and len(curve) > 0 and math.isfinite(curve[-1])
        trial = optuna.trial.create_trial(
            state=optuna.trial.TrialState.COMPLETE if finished else optuna.trial.TrialState.FAIL,
            params={"case": case["name"], "seed": stored.key.seed},
            distributions=kinds,
            value=curve[-1] if finished else None,
            intermediate_values={epoch: value for epoch, value in enumerate(curve) if math.isfinite(value)},
            user_attrs={"outcome": run.outcome, "learning_rate": case["learning_rate"]},
        )
        study.add_trial(trial)


def _require(package: str, extra: str, purpose: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(package, extra, purpose) from error


def _case(contents: Contents, stored: StoredRun) -> Mapping[str, Any]:
    """Returns the case of a run, with its rung in its name."""
    plan: Mapping[str, Any] = contents.plan or {}
    case = plan["cases"][stored.key.case]
    return {**case, "name": _name(plan, case, stored.key.rung)}


def _name(plan: Mapping[str, Any], case: Mapping[str, Any], rung: int) -> str:
    return str(case["name"]) if rung == 0 else f"{case['name']}, rung of {plan['rungs'][rung - 1]} epochs"


def _curves(stored: StoredRun) -> Iterator[tuple[str, str, Any]]:
    measured = stored.measured
    for name, values in measured.run.history.items():
        yield "epoch", name, values
    yield "update", "learning_rate", measured.learning_rates
    if measured.losses is not None:
        yield "update", "loss", measured.losses


_WRITERS: dict[str, Callable[[Contents, pathlib.Path], None]] = {
    "csv": _csv,
    "parquet": _parquet,
    "tensorboard": _tensorboard,
    "optuna": _optuna,
}
FORMATS = tuple(_WRITERS)
