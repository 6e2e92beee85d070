"""Processes that tests start."""

import contextlib
import signal


@contextlib.contextmanager
def hearing_interrupts():
    """Lets processes that are started within the block hear Ctrl-C; in a background job they would ignore it.

    `preexec_fn` would do the same in the new process, but forks this one, of which JAX warns.
    """
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
