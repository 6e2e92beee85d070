"""Check a store, and recover the intact runs of a damaged one.

Every run is read on its own. A run is intact if it matches its digest, wherever the rest of the file is damaged.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import pathlib
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from keras_lr.comparison.measured import RunKey
from keras_lr.comparison.planning.halving import HALVING
from keras_lr.comparison.store import schema
from keras_lr.comparison.store.store import connect, mode_to_read, supported_version, transaction, translate_errors
from keras_lr.core.errors import ArgumentError, StoreError

_LINES = 3  # of SQLite's report on broken pages
_BEYOND = 1000  # rows to look for beyond those of the plan
_MANY = 1 << 40  # more cases than any plan has


@dataclasses.dataclass(frozen=True)
class Contents:
    """The readable contents of a store.

    Attributes:
        plan: The identity of its plan, or None if it can't be read.
        runs: Those that match their digests.
        problems: Its faults; empty for an intact store.
    """

    plan: Mapping[str, Any] | None
    runs: tuple[schema.StoredRun, ...]
    problems: tuple[str, ...]

    @property
    def planned(self) -> int | None:
        """The number of runs in the plan."""
        return None if self.plan is None else _planned(self.plan)

    @property
    def open_ended(self) -> bool:
        """Whether a complete store may have fewer runs than planned, as rates or cases are left out."""
        plan = self.plan or {}
        return "auto" in plan or plan.get("prune") == HALVING

    @property
    def outcomes(self) -> dict[str, int]:
        """The number of intact runs by outcome."""
        return dict(collections.Counter(stored.measured.run.outcome for stored in self.runs))


def contents_of(path: str | os.PathLike[str], where: str = "check") -> Contents:
    """Reads a store without changing it. Errors name the caller, `where`.

    Raises:
        ArgumentError: The file does not exist, or a newer keras-lr wrote it.
        StoreError: It can't be read.
    """
    target = pathlib.Path(path)
    if not target.is_file():
        raise ArgumentError(where, "the file does not exist", "Pass the path of a store", store=str(path))
    try:
        with translate_errors(where, target), open_to_read(target) as connection:
            return _contents(connection, target, where)
    except ArgumentError as error:
        if error.__cause__ is None:
            raise
        return Contents(None, (), (f"{error.__cause__}",))


def salvage(contents: Contents, path: str | os.PathLike[str], where: str = "check") -> None:
    """Writes the intact runs of a damaged store into a new one, which `compare` can continue.

    Raises:
        ArgumentError: The file exists.
        StoreError: The plan can't be read, or the file can't be written.
    """
    target = pathlib.Path(path)
    if target.exists():
        raise ArgumentError(where, "the file exists", "Pass a new path", salvage=str(path))
    if contents.plan is None:
        raise StoreError(where, "its plan can't be read, so its runs can't be used", "Start a new store", path)
    with translate_errors(where, target), contextlib.closing(connect(target)) as connection, transaction(connection):
        schema.upgrade(connection, 0)
        schema.write_plan(connection, contents.plan)
        for stored in contents.runs:
            schema.write_run(connection, stored)


@contextlib.contextmanager
def open_to_read(path: pathlib.Path) -> Iterator[sqlite3.Connection]:
    """Connects to read a snapshot of a store, also while it is written and from a read-only folder."""
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(_connect_to_read(path, mode_to_read(path)))
        except sqlite3.OperationalError:
            connection = stack.enter_context(_connect_to_read(path, "ro&immutable=1"))
        connection.execute("BEGIN")
        yield connection


@contextlib.contextmanager
def _connect_to_read(path: pathlib.Path, mode: str) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(connect(path, mode)) as connection:
        connection.execute("PRAGMA writable_schema = ON")  # to read a truncated file
        connection.execute("PRAGMA schema_version").fetchone()
        yield connection


def _contents(connection: sqlite3.Connection, path: pathlib.Path, where: str) -> Contents:
    version = supported_version(connection, path, where)
    if version == 0:
        return Contents(None, (), ("it is empty",))
    problems = _broken_pages(connection)
    plan = None
    try:
        plan = schema.read_plan(connection)
    except (schema.DamagedError, sqlite3.Error) as error:
        problems.append(str(error))
    places = None if version > 1 else _MANY if plan is None else len(plan["cases"])
    runs, lost = _runs(connection, 0 if plan is None else _planned(plan), places)
    return Contents(plan, tuple(runs), (*problems, *lost))


def _planned(plan: Mapping[str, Any]) -> int:
    return len(plan["cases"]) * (1 + len(plan.get("rungs", ()))) * len(plan["seeds"])


def _broken_pages(connection: sqlite3.Connection) -> list[str]:
    try:
        texts = [str(text) for (text,) in connection.execute("PRAGMA integrity_check(1)")]
    except sqlite3.Error as error:
        return [str(error)]
    lines = [line for text in texts for line in text.splitlines() if not line.startswith("***")]
    return [] if lines == ["ok"] else lines[:_LINES]


def _runs(connection: sqlite3.Connection, planned: int, places: int | None) -> tuple[list[schema.StoredRun], list[str]]:
    """Returns the intact runs, and a line about the others. A broken page hides only the runs on it."""
    intact: dict[RunKey, schema.StoredRun] = {}
    numbers, complete = _numbers(connection, planned)
    for number in numbers:
        try:
            stored = schema.read_run(connection, number, places)
            intact[stored.key] = stored
        except (LookupError, schema.DamagedError, sqlite3.Error, UnicodeDecodeError):
            continue
    runs = sorted(intact.values(), key=lambda stored: (stored.key.seed, stored.key.rung, stored.key.case))
    lost = len(numbers) - len(runs)
    if not complete:
        return runs, ["the list of its runs is broken: there may have been more"]
    return runs, [f"{lost} of {len(numbers)} runs in it can't be read"] if lost else []


def _numbers(connection: sqlite3.Connection, planned: int) -> tuple[list[int], bool]:
    """Returns the ids of the rows of runs, and True; if they can't be listed, all that may exist, and False."""
    try:
        return [number for (number,) in connection.execute("SELECT id FROM run ORDER BY id")], True
    except sqlite3.Error:
        return list(range(1, 2 * planned + _BEYOND)), False
