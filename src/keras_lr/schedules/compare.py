"""Compares schedules over the same run, as a table and as one picture."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.inspect import total_of

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class SideBySide:
    """Schedules over the same run: `.table()` and `.plot(path)`."""

    schedules: dict[str, Schedule]
    steps: int

    def table(self) -> pd.DataFrame:
        """Returns a row for each schedule: `schedule, first, highest, highest_at, last, mean, area`, number of `findings`."""
        import pandas as pd

        rows = []
        for name, schedule in self.schedules.items():
            rates = schedule.evaluate(np.arange(self.steps))
            rows.append(
                {
                    "schedule": name,
                    "first": rates[0],
                    "highest": rates.max(),
                    "highest_at": int(rates.argmax()),
                    "last": rates[-1],
                    "mean": rates.mean(),
                    "area": rates.sum(),
                    "findings": len(schedule.check(self.steps)),
                }
            )
        return pd.DataFrame(rows)

    def plot(self, path: str | os.PathLike[str] | None = None, *, ax: Any = None) -> Any:
        """Draws them into one picture and saves it to `path` if one is given. Returns the matplotlib figure."""
        from keras_lr.report import draw
        from keras_lr.schedules.figure import figure_of_several

        return draw.draw(figure_of_several(self.schedules, self.steps), path=path, ax=ax)


def compare_schedules(schedules: Sequence[Schedule] | Mapping[str, Schedule], steps: int | None = None) -> SideBySide:
    """Compares schedules over the same run. With equal areas they are on equal terms: their rates have equal sums.

    Args:
        schedules: A list, or a dict of names to schedules. Bind those with units first.
        steps: Updates to look at. Default: the longest of their runs and lengths.

    Returns:
        A `SideBySide`, with `.table()` and `.plot(path)`.

    Raises:
        ArgumentError: An item is not a schedule, or no schedule has an end and `steps` is None.

    Example:
        >>> import keras_lr as klr
        >>> both = klr.compare_schedules({"linear": klr.Linear(1.0, 0.0, 4), "cosine": klr.Cosine(1.0, 0.0, 4)})
        >>> both.table()[["schedule", "area"]].round(3).values.tolist()
        [['linear', 2.5], ['cosine', 2.5]]
    """
    named = dict(schedules) if isinstance(schedules, Mapping) else {repr(each): each for each in schedules}
    if not named or not all(isinstance(each, Schedule) for each in named.values()):
        repair = "Pass schedules such as [Cosine(0.1, 0.0, 1000)]"
        rule = "schedules must be a list or a dict of schedules"
        raise ArgumentError("compare_schedules", rule, repair, schedules=schedules)
    if steps is None:
        totals = [each.total_steps for each in named.values() if each.total_steps]
        if not totals:
            raise ArgumentError("compare_schedules", "no schedule has an end", "Pass steps=1000", steps=None)
        steps = max(totals)
    return SideBySide(named, total_of("compare_schedules", next(iter(named.values())), steps))
