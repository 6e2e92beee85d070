"""What is whole in a store, and how to get it out of a damaged one.

A whole store can be read from one end to the other. Of a damaged one every run is looked for on its own: those whose digest
is right are whole, wherever the damage is.
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
from keras_lr.comparison.store.store import connect, known_version, mode_to_read, transaction, translate_errors
from keras_lr.core.errors import ArgumentError, StoreError

_LINES = 3  # of what SQLite says about broken pages
_BEYOND = 1000  # rows looked for behind the last one that is known of
_MANY = 1 << 40  # more cases than any plan has


@dataclasses.dataclass(frozen=True)
class Contents:
    """What can be read of a store.

    Attributes:
        plan: The identity of its plan, or None where that can't be read.
        runs: The runs that are whole.
        problems: What is wrong with it; nothing where it is whole.
    """

    plan: Mapping[str, Any] | None
    runs: tuple[schema.StoredRun, ...]
    problems: tuple[str, ...]

    @property
    def planned(self) -> int | None:
        """How many runs the plan has."""
        return None if self.plan is None else _planned(self.plan)

    @property
    def open_ended(self) -> bool:
        """Whether fewer runs than planned may be all: rates that were not come to, cases that were dropped."""
        plan = self.plan or {}
        return "auto" in plan or plan.get("prune") == HALVING

    @property
    def outcomes(self) -> dict[str, int]:
        """How many of the whole runs ended how."""
        return dict(collections.Counter(stored.measured.run.outcome for stored in self.runs))


def contents_of(path: str | os.PathLike[str], where: str = "check") -> Contents:
    """Looks at a store, and changes nothing in it.

    Args:
        path: The file.
        where: The call, for errors.

    Raises:
        ArgumentError: There is no file, or a newer keras-lr wrote it.
        StoreError: It can't be read now.
    """
    target = pathlib.Path(path)
    if not target.is_file():
        raise ArgumentError(where, "there is no such file", "Pass the path of a store", store=str(path))
    try:
        with translate_errors(where, target), open_to_read(target) as connection:
            return _contents(connection, target, where)
    except ArgumentError as error:
        if error.__cause__ is None:
            raise
        return Contents(None, (), (f"{error.__cause__}",))


def salvage(contents: Contents, path: str | os.PathLike[str], where: str = "check") -> None:
    """Writes what is whole into a new store, which `compare` goes on with.

    Args:
        contents: What was read of the damaged store.
        path: The new file.
        where: The call, for errors.

    Raises:
        ArgumentError: The file exists, or there is no plan to put into it.
        StoreError: It can't be written.
    """
    target = pathlib.Path(path)
    if target.exists():
        raise ArgumentError(where, "the file exists", "Pass a new path", salvage=str(path))
    if contents.plan is None:
        raise StoreError(where, "its plan can't be read, so no store can be made of it", "Start anew", path)
    with translate_errors(where, target), contextlib.closing(connect(target)) as connection, transaction(connection):
        schema.upgrade(connection, 0)
        schema.write_plan(connection, contents.plan)
        for stored in contents.runs:
            schema.write_run(connection, stored)


@contextlib.contextmanager
def open_to_read(path: pathlib.Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, in one moment of a store that may be written meanwhile; also from a read-only folder."""
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(_opened(path, mode_to_read(path)))
        except sqlite3.OperationalError:
            connection = stack.enter_context(_opened(path, "ro&immutable=1"))
        connection.execute("BEGIN")
        yield connection


@contextlib.contextmanager
def _opened(path: pathlib.Path, mode: str) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(connect(path, mode)) as connection:
        connection.execute("PRAGMA writable_schema = ON")  # lets a file be read that was cut off
        connection.execute("PRAGMA schema_version").fetchone()
        yield connection


def _contents(connection: sqlite3.Connection, path: pathlib.Path, where: str) -> Contents:
    version = known_version(connection, path, where)
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
    """The runs that are whole, and a line on those that aren't. Row by row: a broken page hides only those on it."""
    found: dict[RunKey, schema.StoredRun] = {}
    numbers, complete = _numbers(connection, planned)
    for number in numbers:
        try:
            stored = schema.read_run(connection, number, places)
            found[stored.key] = stored
        except (LookupError, schema.DamagedError, sqlite3.Error, UnicodeDecodeError):
            continue
    runs = sorted(found.values(), key=lambda stored: (stored.key.seed, stored.key.rung, stored.key.case))
    lost = len(numbers) - len(runs)
    if not complete:
        return runs, ["the list of its runs is broken: there may have been more"]
    return runs, [f"{lost} of {len(numbers)} runs in it can't be read"] if lost else []


def _numbers(connection: sqlite3.Connection, planned: int) -> tuple[list[int], bool]:
    """The numbers of the rows of runs, and whether they are certain; else all that may be."""
    try:
        return [number for (number,) in connection.execute("SELECT id FROM run ORDER BY id")], True
    except sqlite3.Error:
        return list(range(1, 2 * planned + _BEYOND)), False
