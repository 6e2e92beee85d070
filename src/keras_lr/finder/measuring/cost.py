"""What a `find` costs."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class FindCost:
    """The updates that a `find` spent.

    Attributes:
        ramps: Updates of ramps.
        sprints: Updates of sprints.
        trials: Updates of the trials of `verify`.
    """

    ramps: int = 0
    sprints: int = 0
    trials: int = 0

    @property
    def updates(self) -> int:
        """All updates."""
        return self.ramps + self.sprints + self.trials
