"""Changing the rate of a running `fit` from outside: from another thread, or through a small file."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pathlib
import threading
import time
import warnings
from typing import Any, final

import keras

from keras_lr.backends import keras as machinery
from keras_lr.callbacks import live_rate
from keras_lr.callbacks.binding import bind_rates
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Constant, Piecewise, Schedule

_NAME = "LearningRateControl"


@dataclasses.dataclass(frozen=True)
class Change:
    """One change: the first step that it holds for, what the rate of that step became, and the scale so far."""

    step: int
    learning_rate: float
    scale: float


@final
class LearningRateControl(keras.callbacks.Callback):
    """Lets the rate of a running `fit` be changed: `control.set(1e-4)`, `control.scale(0.5)`, or a file with a number.

    A change holds from the next update on. Beside a schedule it scales the schedule, so that its shape goes on: `set(r)`
    makes the rate of the next update r. Under `steps_per_execution` it holds from the next execution on.

    Args:
        path: A file to look at while training: a number, which is a rate, or JSON, `{"learning_rate": 1e-4}` or
            `{"scale": 0.5}`. It is read when it has changed.
        min_lr: No change goes below it. 0 or more.
        max_lr: No change goes above it.
        every_seconds: How often the file is looked at.

    Attributes:
        changes: Every change so far, a list of `Change`.

    Example:
        >>> import keras, numpy as np, keras_lr as klr
        >>> model = keras.Sequential([keras.layers.Input([1]), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(klr.Linear(0.1, 0.0, 10)), "mse")
        >>> control = klr.LearningRateControl()
        >>> control.scale(0.5)  # from any thread; it waits for the next update
        >>> history = model.fit(np.ones([8, 1]), np.ones(8), batch_size=4, verbose=0, callbacks=[control])
        >>> control.changes
        [Change(step=0, learning_rate=0.05, scale=0.5)]
        >>> control.schedule.evaluate([0, 1]).round(4).tolist()
        [0.05, 0.045]
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        min_lr: float = 0.0,
        max_lr: float | None = None,
        every_seconds: float = 0.5,
    ) -> None:
        super().__init__()
        self.path = None if path is None else pathlib.Path(path)
        self.min_lr = checks.at_least_zero(_NAME, min_lr=min_lr)
        self.max_lr = None if max_lr is None else checks.above_zero(_NAME, max_lr=max_lr)
        if self.max_lr is not None and self.max_lr < self.min_lr:
            raise ArgumentError(_NAME, f"max_lr must not be below min_lr, {self.min_lr!r}", "Swap them", max_lr=max_lr)
        self.every_seconds = checks.at_least_zero(_NAME, every_seconds=every_seconds)
        self.changes: list[Change] = []
        self._lock = threading.Lock()
        self._wishes: list[tuple[str, float]] = []
        self._base: Any = None
        self._bound = False
        self._looked, self._seen = -math.inf, self._stamp()

    def set(self, learning_rate: float) -> None:
        """From the next update on the rate is this one; beside a schedule, the schedule scaled to it."""
        self._wish("learning_rate", checks.above_zero("LearningRateControl.set", learning_rate=learning_rate))

    def scale(self, factor: float) -> None:
        """From the next update on the rate is this factor times what it would have been."""
        self._wish("scale", checks.above_zero("LearningRateControl.scale", factor=factor))

    @property
    def schedule(self) -> Schedule:
        """A schedule that replays what was done to the rate of the first optimizer: what it was, times the scales.

        Raises:
            ArgumentError: No `fit` has begun.
        """
        if self._base is None:
            raise ArgumentError(_NAME, "there is nothing to replay", "Call fit with it first", changes=self.changes)
        if not self.changes:
            return self._base if isinstance(self._base, Schedule) else Constant(1.0)
        last = {change.step: change.scale for change in self.changes}  # the last of several changes at one step
        first = last.pop(0, 1.0)
        replay: Schedule = self._base * Piecewise(tuple(last), (first, *last.values()))
        return replay

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins a new record; wishes that were uttered before are kept."""
        del logs
        live_rate.check_changeable(_NAME, self.model)
        self.changes, self._base, self._bound = [], None, False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Binds a schedule with units, and tells of a rate that Keras ignores."""
        del logs
        if not self._bound:
            bind_rates(self.model, self.params, epoch)
            rate = machinery.rate_of(machinery.optimizers_of(self.model)[0])
            self._base = live_rate.as_ours(rate) if live_rate.is_schedule(rate) else Constant(live_rate.number(rate))
            self._bound = True
        live_rate.tell_ignored(self.model)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Does what has been wished for since the last update."""
        del batch, logs
        if self.path is not None and time.monotonic() - self._looked >= self.every_seconds:
            self._look()
        if self._wishes:
            with self._lock:
                wishes, self._wishes = self._wishes, []
            for kind, value in wishes:
                self._do(kind, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes what the training step was compiled with."""
        del epoch, logs
        live_rate.remember(self.model)

    def _wish(self, kind: str, value: float) -> None:
        with self._lock:
            self._wishes.append((kind, value))

    def _do(self, kind: str, value: float) -> None:
        """One change, within the bounds, and its record."""
        optimizer = machinery.optimizers_of(self.model)[0]
        step = machinery.steps_of(self.model)
        before = live_rate.rate_at(optimizer, step)
        if before == 0.0:
            text = f"{_NAME}: the rate of update {step} is 0, which no factor changes. Nothing is done."
            warnings.warn(text, stacklevel=2)
            return
        wanted = value if kind == "learning_rate" else before * value
        wanted = max(wanted, min(self.min_lr, before) if kind == "scale" else self.min_lr)
        if self.max_lr is not None:
            wanted = min(wanted, max(self.max_lr, before) if kind == "scale" else self.max_lr)
        live_rate.scale(self.model, wanted / before)
        so_far = self.changes[-1].scale if self.changes else 1.0
        self.changes.append(Change(step, wanted, so_far * wanted / before))

    def _stamp(self) -> tuple[int, int] | None:
        """What tells one content of the file from another."""
        try:
            found = self.path.stat() if self.path is not None else None
        except OSError:
            return None
        return None if found is None else (found.st_mtime_ns, found.st_size)

    def _look(self) -> None:
        """Reads the file if it has changed. A content that makes no sense is told once, and ignored."""
        self._looked = time.monotonic()
        stamp = self._stamp()
        if stamp is None or stamp == self._seen or self.path is None:
            return
        self._seen = stamp
        try:
            self._wish(*_read(self.path.read_text()))
        except (ValueError, OSError) as error:
            warnings.warn(
                f'{_NAME}: {self.path} is ignored ({error}). Write a rate such as 0.0001, or {{"scale": 0.5}}.',
                stacklevel=2,
            )


def _read(text: str) -> tuple[str, float]:
    """What a file asks for."""
    told = json.loads(text)
    if isinstance(told, dict) and len(told) == 1:
        ((kind, value),) = told.items()
    else:
        kind, value = "learning_rate", told
    if kind not in ("learning_rate", "scale"):
        raise ValueError(f"{kind!r} is neither learning_rate nor scale")
    return kind, checks.above_zero(_NAME, **{kind: value})
