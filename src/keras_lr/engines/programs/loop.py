"""One program that trains runs one after the other in this process, and measures beforehand how long they take."""

from __future__ import annotations

import time
from collections.abc import Callable

import keras

from keras_lr import backends
from keras_lr.backends.program import Program
from keras_lr.engines.programs.calibration import seconds_per_update
from keras_lr.engines.programs.population import Members, ProgramResult, compile_all, first_state, train_alone

WORTH = 10  # a faster program is tried if the runs take this many times as long as the compilation of the first
TIMES = 3  # repetitions of a measurement
REASON = "The runs are trained by one {}, one after the other, in this process: {}."


class Loop:
    """A program for the runs of a group, compiled and timed.

    Args:
        make: Creates a program, as `backends.programs` returns it.
        members: What to train.
        long: Seconds. Only if all runs take longer, a faster program is tried.

    Attributes:
        seconds_per_update: The seconds of an update.

    Raises:
        Exception: The program can't be compiled.
    """

    def __init__(self, make: Callable[[bool], Program], members: Members, long: float) -> None:
        self._members, self._long, self._overhead = members, long, 0.0
        start = time.perf_counter()
        with backends.random_state():
            self._program = make(False)
            compile_all([self._program], members, complete=False)
            self._compile_seconds = time.perf_counter() - start
            self.seconds_per_update = self._time_update(self._program)
            if self.seconds <= long:  # else the overhead changes no decision
                compile_all([self._program], members, complete=True)
                self._overhead = min(self._time_overhead() for _ in range(TIMES))

    @property
    def updates(self) -> int:
        """The number of updates of all runs."""
        return self._members.rates.shape[1] * len(self._members)

    @property
    def seconds(self) -> float:
        """The seconds that all runs take."""
        return self.seconds_per_update * self.updates + self._overhead * len(self._members)

    def train(self, why: str) -> ProgramResult:
        """Trains the members, each from the random state that `fit` would start with.

        Args:
            why: Why they are trained here, for the reason.
        """
        with backends.random_state():
            if self.seconds > max(self._long, WORTH * self._compile_seconds):
                self._try_faster()
            members = train_alone(self._program, self._members, keras.utils.set_random_seed)
        kind = "loop" if keras.backend.backend() == "torch" else "compiled program"
        each = f"{self.updates:,} updates of {1000 * self.seconds_per_update:.3g} ms"
        return ProgramResult(members, REASON.format(kind, f"{why}, {each}, {self.seconds:.2g} s in all"))

    def _try_faster(self) -> None:
        """Switches to a faster program, if there is one."""
        other = self._program.faster()
        if other is None:
            return
        try:
            compile_all([other], self._members, complete=False)
            seconds = self._time_update(other)
        except Exception:  # the first program can train what this one can't compile
            return
        if seconds < self.seconds_per_update:
            self._program, self.seconds_per_update = other, seconds

    def _time_update(self, program: Program) -> float:
        """Returns the seconds of an update, the least of some measurements: the first updates of a process take longer."""
        return min(seconds_per_update(program, self._members) for _ in range(TIMES))

    def _time_overhead(self) -> float:
        """Returns the seconds that a run takes beside its updates: its start and its validations."""
        start = time.perf_counter()
        state = first_state(self._program, self._members)
        begin = time.perf_counter()
        if self._program.validates:
            self._program.validate(state)
        return begin - start + (time.perf_counter() - begin) * self._members.epochs
