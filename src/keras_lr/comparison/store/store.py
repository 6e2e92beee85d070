"""The store of a comparison: an SQLite file with every run, written by one process at a time.

A run is written in one transaction when it ends, so the file has it as a whole or not at all, even if the machine stops.
The file also has the identity of its plan: the same call continues where it stopped, and any other call is refused.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from keras_lr.comparison.measured import RunKey, RunMeasurement, versions
from keras_lr.comparison.planning.plan import WHERE
from keras_lr.comparison.store import locks, schema
from keras_lr.comparison.store.identity import check_identity
from keras_lr.core.errors import ArgumentError, StoreError

TIMEOUT = 30.0  # seconds to wait for a program that reads or copies the file
_FAULTS = {
    sqlite3.SQLITE_FULL: ("it can't be written: the disk is full", "Free some space"),
    sqlite3.SQLITE_IOERR: ("it can't be read or written: the disk gave an error", "Check free space and permissions"),
    sqlite3.SQLITE_READONLY: ("it can't be written: no permission", "Make the file and its folder writable"),
    sqlite3.SQLITE_CANTOPEN: ("it can't be opened", "Make the file and its folder writable, and check free space"),
    sqlite3.SQLITE_PERM: ("it can't be opened: no permission", "Make the file and its folder writable"),
    sqlite3.SQLITE_BUSY: ("another program writes it for too long", "Close that program"),
    sqlite3.SQLITE_NOMEM: ("out of memory", "Free some"),
}
_CONTINUE = "the same call then continues where it stopped"


class Store:
    """A store that only this process may write.

    Attributes:
        runs: The runs in it, except those that failed: they are tried again.
    """

    def __init__(self, path: pathlib.Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        self.runs: dict[RunKey, RunMeasurement] = {}
        self._versions = versions()
        with translate_errors(WHERE, path):
            self._connection = connect(path)
            try:
                self._open(identity)
            except BaseException:
                self.close()
                raise

    def write(self, key: RunKey, measured: RunMeasurement) -> None:
        """Writes a run durably.

        Raises:
            StoreError: The run can't be written; then no part of it is.
        """
        with translate_errors(WHERE, self.path), transaction(self._connection):
            schema.write_run(self._connection, schema.StoredRun(key, measured, self._versions))

    def close(self) -> None:
        """Moves the write-ahead log into the file, if that is possible now."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _open(self, identity: Mapping[str, Any]) -> None:
        connection = self._connection
        version = supported_version(connection, self.path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if version == 0:
            with transaction(connection):
                schema.upgrade(connection, 0)
                schema.write_plan(connection, identity)
            return
        _check_pages(connection)
        check_identity(schema.read_plan(connection), identity, self.path)
        if version < len(schema.STEPS):
            with transaction(connection):
                schema.upgrade(connection, version)
        runs = schema.read_runs(connection)
        self.runs = {stored.key: stored.measured for stored in runs if stored.measured.run.outcome != "failed"}


@contextlib.contextmanager
def open_store(path: Any, identity: Callable[[], Mapping[str, Any]]) -> Iterator[Store | None]:
    """Opens or creates the store at a path, and locks it.

    Args:
        path: The path, or None for no store.
        identity: Returns the identity of the plan; called only with a path.

    Raises:
        ArgumentError: The path is invalid, or it has another plan, a newer or a damaged store, or another file.
        StoreError: The store can't be read or written.
    """
    if path is None:
        yield None
        return
    target = _check_path(path)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.lock(target.resolve()))
        except BlockingIOError as error:
            other = f"another process ({error})" if str(error) else "another process"
            repair = "Wait until it ends, or pass another path"
            raise StoreError(WHERE, f"{other} is writing it", repair, target) from None
        except OSError as error:
            raise StoreError(WHERE, f"it can't be written: {error.strerror}", "Pass another path", target) from error
        yield stack.enter_context(contextlib.closing(Store(target, identity())))


def identity_in(path: Any) -> Mapping[str, Any] | None:
    """Reads the identity of the plan in a store before it is opened; None if no identity can be read.

    Raises:
        ArgumentError: The path is invalid.
    """
    target = None if path is None else _check_path(path)
    if target is None or not target.is_file():
        return None
    try:
        with contextlib.closing(connect(target, mode_to_read(target))) as connection:
            return schema.read_plan(connection)
    except (sqlite3.Error, schema.DamagedError):
        return None  # `open_store` reports the fault


def connect(path: pathlib.Path, mode: str = "rwc") -> sqlite3.Connection:
    """Connects without the implicit transactions of Python's sqlite3."""
    name = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(name, uri=True, timeout=TIMEOUT, isolation_level=None)


def mode_to_read(path: pathlib.Path) -> str:
    """Returns the mode to read a store. If no process has it open, it is `immutable`: SQLite adds no files."""
    return "ro" if path.with_name(f"{path.name}-wal").exists() else "ro&immutable=1"


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Applies all statements of the block, or none of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def supported_version(connection: sqlite3.Connection, path: pathlib.Path, where: str = WHERE) -> int:
    """Returns the version of a store that this keras-lr can read; 0 for an empty file."""
    version = schema.version_of(connection)
    if version is None:
        raise ArgumentError(where, "it is not a store", _check_it(path), store=str(path))
    if version > len(schema.STEPS):
        rule = f"a newer keras-lr wrote it (version {version}; this one knows {len(schema.STEPS)})"
        repair = f"Update keras-lr, or pass another path; keras-lr store check {path} says more"
        raise ArgumentError(where, rule, repair, store=str(path))
    return version


def _check_pages(connection: sqlite3.Connection) -> None:
    """Refuses a file whose pages are inconsistent."""
    ((message,), *_) = connection.execute("PRAGMA integrity_check(1)")
    if message != "ok":
        raise schema.DamagedError(message)


@contextlib.contextmanager
def translate_errors(where: str, path: pathlib.Path) -> Iterator[None]:
    """Turns the errors of SQLite into errors of keras-lr within the block."""
    try:
        yield
    except (sqlite3.Error, schema.DamagedError, UnicodeDecodeError) as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _FAULTS:
            fault, repair = _FAULTS[code]
            raise StoreError(where, fault, f"{repair}; {_CONTINUE}", path) from error
        raise ArgumentError(where, "it is not a store, or it is damaged", _check_it(path), store=str(path)) from error


def _check_it(path: pathlib.Path) -> str:
    return f"Run keras-lr store check {path}, or pass another path"


def _check_path(path: Any) -> pathlib.Path:
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise ArgumentError(WHERE, "store must be a path", "Pass a path such as 'runs.sqlite'", store=path)
    target = pathlib.Path(path)
    if target.is_dir():
        repair = f"Add a file name, such as {target / 'runs.sqlite'}"
        raise ArgumentError(WHERE, "it is a folder", repair, store=str(path))
    if not target.resolve().parent.is_dir():
        raise ArgumentError(WHERE, f"the folder {target.parent} does not exist", "Create it first", store=str(path))
    return target
