"""Changes the rate of a running `fit` from outside: from another thread, or through a small file."""

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
    """One change of the rate: the first step that it applies to, the rate of that step, and the product of all scales."""

    step: int
    learning_rate: float
    scale: float


@final
class LearningRateControl(keras.callbacks.Callback):
    """Lets you change the rate of a running `fit`: `control.set(1e-4)`, `control.scale(0.5)`, or a file with a number.

    A change applies from the next update on. It scales a schedule, which keeps its shape: `set(r)` makes the rate of the next
    update r. With `steps_per_execution` it applies from the next execution on.

    Args:
        path: A file to read while training: a number, which is a rate, or JSON, `{"learning_rate": 1e-4}` or
            `{"scale": 0.5}`. It is read whenever it has changed.
        min_lr: No change goes below it. 0 or more.
        max_lr: No change goes above it.
        every_seconds: The seconds between two looks at the file.

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
        self._requests: list[tuple[str, float]] = []
        self._base: Any = None
        self._bound = False
        self._last_look, self._last_stamp = -math.inf, self._stamp()

    def set(self, learning_rate: float) -> None:
        """Sets the rate from the next update on; a schedule is scaled to it."""
        self._request("learning_rate", checks.above_zero(f"{_NAME}.set", learning_rate=learning_rate))

    def scale(self, factor: float) -> None:
        """Multiplies the rate by a factor from the next update on."""
        self._request("scale", checks.above_zero(f"{_NAME}.scale", factor=factor))

    @property
    def schedule(self) -> Schedule:
        """A schedule that replays the rates of the first optimizer: its own rate or schedule, times the scales.

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
        """Starts a new list of changes; changes requested earlier are kept."""
        live_rate.check_changeable(_NAME, self.model)
        self.changes, self._base, self._bound = [], None, False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Binds a schedule with units, and warns of a rate that Keras ignores."""
        if not self._bound:
            bind_rates(_NAME, self.model, self.params, epoch)
            rate = machinery.rate_of(machinery.optimizers_of(self.model)[0])
            schedule = live_rate.is_schedule(rate)
            self._base = live_rate.as_ours(rate) if schedule else Constant(live_rate.number(rate))
            self._bound = True
        live_rate.warn_of_ignored(self.model)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Applies the changes requested since the last update."""
        if self.path is not None and time.monotonic() - self._last_look >= self.every_seconds:
            self._look(self.path)
        if self._requests:
            with self._lock:
                requests, self._requests = self._requests, []
            for kind, value in requests:
                self._apply(kind, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Records what the training step was compiled with."""
        live_rate.remember_trace(self.model)

    def _request(self, kind: str, value: float) -> None:
        with self._lock:
            self._requests.append((kind, value))

    def _apply(self, kind: str, value: float) -> None:
        """Applies one change within the bounds, and records it."""
        step = machinery.steps_of(self.model)
        before = live_rate.rate_at(machinery.optimizers_of(self.model)[0], step)
        if before == 0.0:
            text = f"{_NAME}: the rate of update {step} is 0, which no factor changes. The change is ignored."
            warnings.warn(text, stacklevel=2)
            return
        scaling = kind == "scale"
        after = max(before * value if scaling else value, min(self.min_lr, before) if scaling else self.min_lr)
        if self.max_lr is not None:
            after = min(after, max(self.max_lr, before) if scaling else self.max_lr)
        live_rate.scale(self.model, after / before)
        product = self.changes[-1].scale if self.changes else 1.0
        self.changes.append(Change(step, after, product * after / before))

    def _stamp(self) -> tuple[int, int] | None:
        """The time and the size of the file, which differ when its content does."""
        try:
            status = self.path.stat() if self.path is not None else None
        except OSError:
            return None
        return None if status is None else (status.st_mtime_ns, status.st_size)

    def _look(self, path: pathlib.Path) -> None:
        """Reads the file if it has changed. Warns once of an invalid content, and ignores it."""
        self._last_look, stamp = time.monotonic(), self._stamp()
        if stamp is None or stamp == self._last_stamp:
            return
        self._last_stamp = stamp
        try:
            self._request(*_parse(path.read_text()))
        except (ValueError, OSError) as error:
            text = f'{_NAME}: {path} is ignored ({error}). Write a rate, for example 0.0001, or {{"scale": 0.5}}.'
            warnings.warn(text, stacklevel=2)


def _parse(text: str) -> tuple[str, float]:
    """The kind and the value of the change that a file requests."""
    content = json.loads(text)
    pair = content if isinstance(content, dict) and len(content) == 1 else {"learning_rate": content}
    ((kind, value),) = pair.items()
    if kind not in ("learning_rate", "scale"):
        raise ValueError(f"{kind!r} is neither learning_rate nor scale")
    return kind, checks.above_zero(_NAME, **{kind: value})
