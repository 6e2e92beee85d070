"""The lock of a store, which the operating system releases when its process ends, even by a kill."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

import filelock


@contextlib.contextmanager
def lock(path: pathlib.Path) -> Iterator[None]:
    """Locks a file within the block, by a lock on `PATH.lock`, which stays there and has the number of the process in it.

    Args:
        path: The file to protect; it need not exist.

    Raises:
        BlockingIOError: Another process has the lock, or another part of this one; the text is its number, if known.
        OSError: The lock can't be created.
    """
    target = path.with_name(path.name + ".lock")
    try:
        acquired = filelock.FileLock(target, blocking=False).acquire()
    except filelock.Timeout:
        try:
            raise BlockingIOError(target.read_text()) from None
        except PermissionError:  # on Windows a locked file can't be read
            raise BlockingIOError from None
    with acquired:
        with contextlib.suppress(OSError):  # on a full disk the lock has no number in it
            target.write_text(str(os.getpid()))
        yield
