"""The tables of a store, and how runs are written to them and read back.

A curve is one packed array, so a run of any length is a few rows. Each run and each copy of the plan has a digest of its
content: SQLite detects a broken page, but not a flipped bit within a number.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.engines.fit import TrainingRun

APPLICATION = 0x6B6C7273  # "klrs" in the header of the file marks a store of keras-lr

_TABLES = (
    "CREATE TABLE plan (copy INTEGER PRIMARY KEY, identity TEXT NOT NULL, digest TEXT NOT NULL)",
    "CREATE TABLE run (id INTEGER PRIMARY KEY, rung INTEGER NOT NULL, case_number INTEGER NOT NULL,"
    " seed INTEGER NOT NULL, outcome TEXT NOT NULL, epoch INTEGER, batch INTEGER, seconds REAL NOT NULL, error TEXT,"
    " versions TEXT NOT NULL, digest TEXT NOT NULL, UNIQUE (rung, case_number, seed))",
    "CREATE TABLE curve (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,"
    " width INTEGER NOT NULL, points BLOB NOT NULL)",
)
CURVES = 1 << 20  # the curves of run i have the ids from i * CURVES on: an index could break on its own
COPIES = 2  # of the plan, without which the runs can't be identified
_KEY = "rung, case_number, seed"
_KEY_1 = "place, seed"  # in version 1: place = rung * cases + case
_FIELDS = "outcome, epoch, batch, seconds, error, versions"
_RATES, _LOSSES = "learning_rate", "loss"


class DamagedError(Exception):
    """A row was read, but its content does not match its digest."""


@dataclasses.dataclass(frozen=True)
class StoredRun:
    """A run in a store.

    Attributes:
        key: Identifies the run in the plan.
        measured: Without the exception of a failed run.
        versions: Of the packages that produced it.
    """

    key: RunKey
    measured: RunMeasurement
    versions: Mapping[str, str]


def version_of(connection: sqlite3.Connection) -> int | None:
    """Returns the version of a store; 0 for an empty file, None for the file of another program."""
    ((application,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master")
    if application == APPLICATION and version > 0:
        return int(version)
    return 0 if (application, version, tables) == (0, 0, 0) else None


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Creates the tables, or upgrades those of an older version; within the caller's transaction."""
    for step in STEPS[version:]:
        step(connection)
    connection.execute(f"PRAGMA user_version = {len(STEPS)}")


def write_plan(connection: sqlite3.Connection, identity: Mapping[str, Any]) -> None:
    """Writes the plan's identity, twice."""
    text = json.dumps(identity)
    rows = [(copy, text, _digest(text)) for copy in range(COPIES)]
    connection.executemany("INSERT INTO plan (copy, identity, digest) VALUES (?, ?, ?)", rows)


def read_plan(connection: sqlite3.Connection) -> dict[str, Any]:
    """Reads the plan's identity from its first intact copy, in the form of the newest version.

    Raises:
        DamagedError: No copy is intact.
    """
    for copy in range(COPIES):
        try:
            for text, digest in connection.execute("SELECT identity, digest FROM plan WHERE copy = ?", (copy,)):
                if _digest(text) == digest:
                    return _with_rungs(dict(json.loads(text)))
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            continue
    raise DamagedError("its plan can't be read")


def write_run(connection: sqlite3.Connection, stored: StoredRun) -> None:
    """Writes a run and replaces one with the same key; within the caller's transaction."""
    fields, curves = _fields(stored), _curves(stored.measured)
    same = f"SELECT id FROM run WHERE ({_KEY}) = (?, ?, ?)"
    for (number,) in connection.execute(same, dataclasses.astuple(stored.key)).fetchall():
        connection.execute("DELETE FROM curve WHERE id BETWEEN ? AND ?", _numbers(number))
        connection.execute("DELETE FROM run WHERE id = ?", (number,))
    marks = ", ".join("?" * (len(fields) + 1))
    row = connection.execute(
        f"INSERT INTO run ({_KEY}, {_FIELDS}, digest) VALUES ({marks})", (*fields, _digest(fields, *curves))
    )
    first, _ = _numbers(row.lastrowid or 0)
    rows = [(first + place, *curve) for place, curve in enumerate(curves)]
    connection.executemany("INSERT INTO curve (id, kind, name, width, points) VALUES (?, ?, ?, ?, ?)", rows)


def read_runs(connection: sqlite3.Connection, places: int | None = None) -> Iterator[StoredRun]:
    """Yields every run of a store; `places` as in `read_run`.

    Raises:
        DamagedError: A run does not match its digest.
    """
    for (number,) in connection.execute("SELECT id FROM run ORDER BY id").fetchall():
        yield read_run(connection, number, places)


def read_run(connection: sqlite3.Connection, number: int, places: int | None = None) -> StoredRun:
    """Reads the run in a row.

    `places` is the number of cases in the plan for a store of version 1, and None for a newer store.

    Raises:
        DamagedError: The run does not match its digest.
        LookupError: The row does not exist.
    """
    key = _KEY if places is None else _KEY_1
    row = connection.execute(f"SELECT {key}, {_FIELDS}, digest FROM run WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise LookupError(number)
    select = "SELECT kind, name, width, points FROM curve WHERE id BETWEEN ? AND ? ORDER BY id"
    curves = connection.execute(select, _numbers(number)).fetchall()
    *fields, digest = row
    if _digest(fields, *curves) != digest:
        raise DamagedError(f"the run in row {number} does not match its digest")
    if places is not None:
        fields[:1] = divmod(fields[0], places)
    return _stored(fields, curves)


def _numbers(run: int) -> tuple[int, int]:
    """Returns the first and the last id that a curve of a run may have."""
    return run * CURVES, run * CURVES + CURVES - 1


def _fields(stored: StoredRun) -> tuple[Any, ...]:
    run = stored.measured.run
    epoch, batch = run.diverged_at or (None, None)
    versions = json.dumps(dict(stored.versions))
    return (*dataclasses.astuple(stored.key), run.outcome, epoch, batch, run.seconds, run.error, versions)


def _curves(measured: RunMeasurement) -> list[tuple[str, str, int, bytes]]:
    curves = [("epoch", name, *pack(values)) for name, values in measured.run.history.items()]
    curves.append(("update", _RATES, *pack(measured.learning_rates)))
    if measured.losses is not None:
        curves.append(("update", _LOSSES, *pack(measured.losses)))
    return curves


def _stored(fields: Sequence[Any], curves: Sequence[tuple[str, str, int, bytes]]) -> StoredRun:
    rung, case, seed, outcome, epoch, batch, seconds, error, versions = fields
    values = {(kind, name): unpack(width, points) for kind, name, width, points in curves}
    history = {name: points for (kind, name), points in values.items() if kind == "epoch"}
    run = TrainingRun(history, outcome, None if epoch is None else (epoch, batch), seconds, error)
    measured = RunMeasurement(run, values["update", _RATES], values.get(("update", _LOSSES)))
    return StoredRun(RunKey(rung, case, seed), measured, json.loads(versions))


def pack(values: Sequence[float]) -> tuple[int, bytes]:
    """Packs numbers; returns the bytes per number and the bytes: 4 if that loses nothing, else 8.

    Example:
        >>> pack([0.5, 1.0])[0], pack([0.1])[0]
        (4, 8)
    """
    wide = np.asarray(values, "<f8")
    with np.errstate(over="ignore"):
        narrow = wide.astype("<f4")
    if np.array_equal(narrow.astype("<f8"), wide, equal_nan=True):
        return 4, narrow.tobytes()
    return 8, wide.tobytes()


def unpack(width: int, points: bytes) -> tuple[float, ...]:
    """Returns the numbers that were packed."""
    return tuple(np.frombuffer(points, f"<f{width}").astype(float).tolist())


def _digest(*parts: Any) -> str:
    """Returns a digest of texts, numbers and bytes, and of their types."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        for value in part if isinstance(part, (tuple, list)) else [part]:
            data = value if isinstance(value, bytes) else repr(value).encode(errors="surrogatepass")
            digest.update(f"{type(value).__name__} {len(data)} ".encode() + data)
    return digest.hexdigest()


def _create(connection: sqlite3.Connection) -> None:
    """Turns an empty file into a store."""
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    for statement in _TABLES:
        connection.execute(statement)


def _split_places(connection: sqlite3.Connection) -> None:
    """Rewrites a store of version 1, in which one number stands for the rung and the case of a run."""
    if "place" not in [name for _, name, *_ in connection.execute("PRAGMA table_info(run)")]:
        return  # `_create` has just created the tables
    identity = read_plan(connection)
    runs = list(read_runs(connection, len(identity["cases"])))
    for table in ("plan", "run", "curve"):
        connection.execute(f"DROP TABLE {table}")
    _create(connection)
    write_plan(connection, identity)
    for stored in runs:
        write_run(connection, stored)


def _with_rungs(identity: dict[str, Any]) -> dict[str, Any]:
    """Converts the identity of version 1, in which the cases of each rung follow those of the plan."""
    if identity.get("prune") != "halving" or "rungs" in identity:
        return identity
    names = [case["name"] for case in identity["cases"]]
    matches = [re.fullmatch(rf"{re.escape(names[0])}, rung of (\d+) epochs", name) for name in names]
    rungs = [int(match[1]) for match in matches if match is not None]
    return identity | {"cases": identity["cases"][: len(names) // (1 + len(rungs))], "rungs": rungs}


STEPS: list[Callable[[sqlite3.Connection], object]] = [_create, _split_places]
"""The n-th entry brings a store of version n - 1 to version n; the first makes an empty file a store."""
