"""One driver at a time: a lock that the operating system lets go of when the process ends, however it ends.

The lock is held on a file beside the store, `runs.sqlite.lock`, which stays there: to delete it would let two processes
lock two files of one name. The lock is `flock` where there is one and `msvcrt.locking` on Windows; both end with the process.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator

_FAR = 1 << 30  # the byte that is locked on Windows, where a locked byte can't be read: behind the process's number


@contextlib.contextmanager
def held(path: pathlib.Path) -> Iterator[None]:
    """Holds the lock of a file within the block.

    Args:
        path: The file that is protected; it need not exist.

    Raises:
        BlockingIOError: Another process holds it, or another part of this one; the text is its number, if known.
        OSError: There is no place for the lock.
    """
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            _lock(descriptor)
        except OSError:
            raise BlockingIOError(os.pread(descriptor, 20, 0).decode() if hasattr(os, "pread") else "") from None
        with contextlib.suppress(OSError):  # on a full disk the lock holds without a number in it
            os.truncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
