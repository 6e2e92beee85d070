"""Runs trained one after the other by one program in this process, with the time that it takes known beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras

from keras_lr import backends
from keras_lr.engines.programs.calibration import seconds_per_update
from keras_lr.engines.programs.population import MemberRun, Members, compile_all, first_state, train_alone

WORTH = 10  # times what it took to make: so long must the runs take before a faster program is tried
TIMES = 3
IN_A_LOOP = "The runs are trained by one {}, one after the other, in this process: {}."


class Loop:
    """A program for the runs of a group, made and timed.

    Args:
        make: Makes a program, as `backends.programs` gives it.
        members: The runs.
        long: Seconds from which on a faster program is tried.

    Attributes:
        seconds_per_update: The time of an update alone.
        seconds: The time of all runs, with their beginnings and their validation.

    Raises:
        Exception: It can't be made.
    """

    def __init__(self, make: Callable[[bool], Any], members: Members, long: float) -> None:
        self._members, self._long, self._besides = members, long, 0.0
        started = time.perf_counter()
        with backends.random_state():
            self._program = make(False)
            compile_all([self._program], members, complete=False)
            self._made_in = time.perf_counter() - started
            self.seconds_per_update = self._timed(self._program)
            if self.seconds <= long:  # else it is known to be long without this
                compile_all([self._program], members, complete=True)
                self._besides = self._timed_besides()

    @property
    def updates(self) -> int:
        """The updates of all runs."""
        return self._members.rates.shape[1] * len(self._members)

    @property
    def seconds(self) -> float:
        """The time of all runs."""
        return self.seconds_per_update * self.updates + self._besides * len(self._members)

    @property
    def figures(self) -> str:
        """What was measured, in words."""
        return f"{self.updates:,} updates of {1000 * self.seconds_per_update:.3g} ms, {self.seconds:.2g} s in all"

    def train(self, why: str) -> tuple[list[list[MemberRun]], str]:
        """Trains the members, each from the state of chance that `fit` would begin with.

        Args:
            why: Why they are trained here.

        Returns:
            For each seed its members in the order of the cases, and the reason in a sentence.
        """
        with backends.random_state():
            if self.seconds > max(self._long, WORTH * self._made_in):
                self._hurry()
            found = train_alone(self._program, self._members, keras.utils.set_random_seed)
        kind = "loop" if keras.backend.backend() == "torch" else "compiled program"
        return found, IN_A_LOOP.format(kind, f"{why}, {self.figures}")

    def _hurry(self) -> None:
        """Takes a faster program, if there is one."""
        other = self._program.faster()
        if other is None:
            return
        try:
            compile_all([other], self._members, complete=False)
            seconds = self._timed(other)
        except Exception:  # whatever it can't compile, the plain one can do
            return
        if seconds < self.seconds_per_update:
            self._program, self.seconds_per_update = other, seconds

    def _timed(self, program: Any) -> float:
        """The least of some measurements: the first updates of a process take longer."""
        return min(seconds_per_update(program, self._members) for _ in range(TIMES))

    def _timed_besides(self) -> float:
        """The time that a run takes besides its updates."""
        program, taken = self._program, []
        for _ in range(TIMES):
            started = time.perf_counter()
            state = first_state(program, self._members)
            begin, started = time.perf_counter() - started, time.perf_counter()
            if program.validates:
                program.validate(state)
            taken.append(begin + (time.perf_counter() - started) * self._members.epochs)
        return min(taken)
