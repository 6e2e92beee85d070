"""The store of a comparison: an SQLite file that keeps every finished run, written by one driver.

A run is written in one transaction when it ends, so that it is there whole or not at all, whenever the machine stops. The
file also holds the identity of its plan: the same call goes on where it stopped, and any other is refused.
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
from keras_lr.comparison.store.identity import difference
from keras_lr.core.errors import ArgumentError, StoreError

PATIENCE = 30.0  # seconds to wait for a program that reads or copies the file
_OUTSIDE = {
    sqlite3.SQLITE_FULL: ("it can't be written: the disk is full", "Free some space"),
    sqlite3.SQLITE_IOERR: (
        "it can't be read or written: the disk gave an error",
        "Look for free space and permissions",
    ),
    sqlite3.SQLITE_READONLY: ("it can't be written: no permission", "Make the file and its folder writable"),
    sqlite3.SQLITE_CANTOPEN: ("it can't be opened", "Make the file and its folder writable, and look for free space"),
    sqlite3.SQLITE_PERM: ("it can't be opened: no permission", "Make the file and its folder writable"),
    sqlite3.SQLITE_BUSY: ("another program has been writing it for too long", "Close that program"),
    sqlite3.SQLITE_NOMEM: ("there is no memory left", "Free some"),
}
_GO_ON = "the same call then goes on where it stopped"


class Store:
    """A store that this process alone may write.

    Attributes:
        runs: The runs that ended, by key. Runs that failed are left out, so that they are tried again.
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

    def put(self, key: RunKey, measured: RunMeasurement) -> None:
        """Keeps a run: after this, it survives whatever happens.

        Raises:
            StoreError: It can't be written; nothing of it is then.
        """
        with translate_errors(WHERE, self.path), transaction(self._connection):
            schema.write_run(self._connection, schema.StoredRun(key, measured, self._versions))

    def close(self) -> None:
        """Moves what is in the write-ahead log into the file, if that can be done now."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _open(self, identity: Mapping[str, Any]) -> None:
        connection = self._connection
        version = known_version(connection, self.path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if version == 0:
            with transaction(connection):
                schema.upgrade(connection, 0)
                schema.write_plan(connection, identity)
            return
        _check_pages(connection)
        told_apart = difference(schema.read_plan(connection), identity)
        if told_apart:
            repair = "Pass another path, or the arguments of the plan in it"
            raise ArgumentError(WHERE, f"it holds another plan: {told_apart}", repair, store=str(self.path))
        if version < len(schema.STEPS):
            with transaction(connection):
                schema.upgrade(connection, version)
        stored = {one.key: one.measured for one in schema.read_runs(connection)}
        self.runs = {key: one for key, one in stored.items() if one.run.outcome != "failed"}


@contextlib.contextmanager
def open_store(path: Any, identity: Callable[[], Mapping[str, Any]]) -> Iterator[Store | None]:
    """The store at a path, for one driver.

    Args:
        path: Where it is or will be; None for no store.
        identity: Gives the identity of the plan, where there is a store.

    Raises:
        ArgumentError: The path is none, or holds another plan, a newer or a damaged store, or another file.
        StoreError: The store can't be read or written now.
    """
    if path is None:
        yield None
        return
    target = _checked(path)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.lock(target.resolve()))
        except BlockingIOError as error:
            other = f"another process ({error})" if str(error) else "another process"
            raise StoreError(
                WHERE, f"{other} is writing it", "Wait until it ends, or pass another path", target
            ) from None
        except OSError as error:
            raise StoreError(WHERE, f"it can't be written: {error.strerror}", "Pass another path", target) from error
        yield stack.enter_context(contextlib.closing(Store(target, identity())))


def identity_in(path: Any) -> Mapping[str, Any] | None:
    """The identity of the plan in a store, before it is opened; None where there is none that can be read.

    Raises:
        ArgumentError: The path is none.
    """
    target = None if path is None else _checked(path)
    if target is None or not target.is_file():
        return None
    try:
        with contextlib.closing(connect(target, mode_to_read(target))) as connection:
            return schema.read_plan(connection)
    except (sqlite3.Error, schema.DamagedError):
        return None  # whoever opens it says what is wrong


def connect(path: pathlib.Path, mode: str = "rwc") -> sqlite3.Connection:
    """A connection without transactions of Python's own making."""
    name = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(name, uri=True, timeout=PATIENCE, isolation_level=None)


def mode_to_read(path: pathlib.Path) -> str:
    """The mode of a connection that only reads: SQLite leaves files beside a store that no driver has open, unless told."""
    return "ro" if path.with_name(f"{path.name}-wal").exists() else "ro&immutable=1"


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All statements of the block, or none of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def known_version(connection: sqlite3.Connection, path: pathlib.Path, where: str = WHERE) -> int:
    """The version of a store that this keras-lr can read; 0 of an empty file."""
    version = schema.version_of(connection)
    if version is None:
        raise ArgumentError(where, "it is not a store", _look(path), store=str(path))
    if version > len(schema.STEPS):
        rule = f"a newer keras-lr wrote it (version {version}; this one knows {len(schema.STEPS)})"
        repair = f"Update keras-lr, or pass another path; keras-lr store check {path} tells more"
        raise ArgumentError(where, rule, repair, store=str(path))
    return version


def _check_pages(connection: sqlite3.Connection) -> None:
    """Refuses a file whose pages don't fit together."""
    ((answer,), *_) = connection.execute("PRAGMA integrity_check(1)")
    if answer != "ok":
        raise schema.DamagedError(answer)


@contextlib.contextmanager
def translate_errors(where: str, path: pathlib.Path) -> Iterator[None]:
    """Says in the words of keras-lr what SQLite says in its own."""
    try:
        yield
    except (sqlite3.Error, schema.DamagedError, UnicodeDecodeError) as error:
        outside = _OUTSIDE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        if outside is not None:
            fault, repair = outside
            raise StoreError(where, fault, f"{repair}; {_GO_ON}", path) from error
        raise ArgumentError(where, "it is not a store, or it is damaged", _look(path), store=str(path)) from error


def _look(path: pathlib.Path) -> str:
    return f"Run keras-lr store check {path}, or pass another path"


def _checked(path: Any) -> pathlib.Path:
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise ArgumentError(WHERE, "store must be a path", "Pass such as 'runs.sqlite'", store=path)
    target = pathlib.Path(path)
    if target.is_dir():
        repair = f"Add a file name, such as {target / 'runs.sqlite'}"
        raise ArgumentError(WHERE, "it is a folder", repair, store=str(path))
    if not target.resolve().parent.is_dir():
        raise ArgumentError(WHERE, f"the folder {target.parent} does not exist", "Make it first", store=str(path))
    return target
