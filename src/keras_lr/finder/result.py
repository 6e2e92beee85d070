"""What `find` answers: a frozen record that can be asked, drawn, saved and loaded without training again."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from keras_lr.core import checks, records
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.consensus import Landmarks, consensus
from keras_lr.finder.curve import Curve
from keras_lr.finder.rules import RULES, Suggestion, suggest


@dataclasses.dataclass(frozen=True)
class FindResult:
    """A learning rate with its interval and reason, and the ramps that it was read from.

    Attributes:
        learning_rate: The answer, or None; then `reason` says why.
        interval: A 90 % interval of the answer, or None.
        reason: What the curve showed, in a sentence or two.
        stop_reason: Why the ramps ended: "diverged", "loss_not_finite" or "reached_end".
        learning_rates: The ladder of rates.
        losses: For each ramp the raw loss of every update: of the batch, before the update at that rate.
        smoothed: The pooled, smooth curve that the answer was read from.
        landmarks: Where the descent was half and nine tenths done, lowest, and back at its start; or None.
        mean_share: Mean of the schedule over its peak that the answer is for; 1 for a constant rate.
        schedule: The code of that schedule, or None for a constant rate.
        note: What could not be promised about the data, or None.
    """

    learning_rate: float | None
    interval: tuple[float, float] | None
    reason: str
    stop_reason: str
    learning_rates: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    smoothed: tuple[float, ...]
    landmarks: Landmarks | None = None
    mean_share: float = 1.0
    schedule: str | None = None
    note: str | None = None

    @property
    def curve(self) -> Curve:
        """The raw measurement alone."""
        return Curve(self.learning_rates, self.losses)

    def suggest(self, rule: str = "consensus") -> Suggestion:
        """What a rule says of the same curve.

        Args:
            rule: "consensus" (the answer), or "valley", "slide", "minimum", "steep" as fastai has them.

        Returns:
            A `Suggestion` with `.learning_rate` (or None), `.rule` and `.reason`; `float()` of it is the rate.
        """
        checks.one_of("suggest", ["consensus", *RULES], rule=rule)
        if rule == "consensus":
            answer = consensus(self.curve, self.mean_share)
            return Suggestion(answer.learning_rate, rule, answer.reason)
        return suggest(self.curve, rule)

    def apply(self, model: Any) -> float:
        """Sets the optimizer of `model` to the answer, and returns it.

        Args:
            model: A compiled model whose optimizer was made with a float rate.

        Raises:
            ArgumentError: There is no answer, or the optimizer has a schedule.
        """
        if self.learning_rate is None:
            raise ArgumentError(
                "apply", f"find gave no answer: {self.reason.rstrip('.')}", "See found.reason", model=model
            )
        if not getattr(model, "compiled", False):
            raise ArgumentError("apply", "the model is not compiled", "Call model.compile(...) first", model=model)
        try:
            model.optimizer.learning_rate = self.learning_rate
        except (TypeError, AttributeError) as error:
            repair = "Compile with keras.optimizers.X(found.learning_rate * schedule)"
            raise ArgumentError("apply", "the optimizer's rate is not a single float", repair, model=model) from error
        return self.learning_rate

    def plot(self, path: str | os.PathLike[str] | None = None, ax: Any = None) -> Any:
        """Draws the ramps, the smooth curve, the answer with its interval and the other rules' marks.

        Args:
            path: A file to write, `.png`, `.svg` or `.pdf`.
            ax: A matplotlib axis to draw on.

        Returns:
            The matplotlib figure.
        """
        from keras_lr.finder.picture import figure_of
        from keras_lr.report import draw

        return draw.draw(figure_of(self), path=path, ax=ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the record to `path` as JSON."""
        records.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FindResult:
        """Reads a record that `save` wrote."""
        return records.load(cls, path)

    def __str__(self) -> str:
        """One line: the rate, its interval and why."""
        if self.learning_rate is None or self.interval is None:
            return f"No learning rate. {self.reason}"
        return f"{self.learning_rate:.2g} ({self.interval[0]:.2g} to {self.interval[1]:.2g}). {self.reason}"

    def _repr_html_(self) -> str:
        from keras_lr.finder.picture import figure_of
        from keras_lr.report import draw, html

        return f"<p>{html.escape(str(self))}</p>{draw.svg(figure_of(self))}"
