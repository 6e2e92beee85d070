"""What `find` answers: a frozen record that can be asked, drawn, saved and loaded without training again."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from keras_lr.core import checks, records
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.deciding.consensus import Landmarks, consensus
from keras_lr.finder.deciding.critical import CriticalRate, cross_check, warmup_steps
from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.other_finders import RULES, Suggestion, suggest
from keras_lr.finder.deciding.sprints import Sprints
from keras_lr.finder.measuring.ladder import mean_share
from keras_lr.finder.target import KINDS, shape_of
from keras_lr.finder.verifying.search import Verification
from keras_lr.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class FindResult:
    """A learning rate with its interval and reason, and the ramps that it was read from.

    Attributes:
        learning_rate: The answer, or None; then `reason` says why.
        interval: A 90 % interval of the answer, or None.
        reason: What the curve showed, in a sentence or two.
        stop_reason: Why the first ramp ended: "diverged", "loss_not_finite", "reached_end" or "data_ended"; "not_started"
            where nothing could be measured.
        learning_rates: The ladder of rates.
        losses: For each ramp the raw loss of every update: of the batch, before the update at that rate.
        smoothed: The pooled, smooth curve that the answer was read from.
        landmarks: Where the descent was half and nine tenths done, lowest, and back at its start; or None.
        mean_share: Mean of the schedule over its peak that the answer is for; 1 for a constant rate.
        schedule: The code of that schedule, or None for a constant rate.
        note: What could not be promised about the data, and how the ladder was changed, or None.
        output_losses: For each output of a model with several, by the name that Keras logs, the raw losses as in `losses`.
        critical: The critical rate of the first update, or None where `find` was not asked for it.
        verified: The short trainings that the answer was picked by, or None.
        sprints: The sprints that the answer was read from, or None.
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
    output_losses: dict[str, tuple[tuple[float, ...], ...]] = dataclasses.field(default_factory=dict)
    critical: CriticalRate | None = None
    verified: Verification | None = None
    sprints: Sprints | None = None

    @property
    def warmup_steps(self) -> int | None:
        """The shortest warm-up whose first update is not above the critical rate; None where that wasn't measured.

        A proposal for stability, ceil(answer / critical) - 1: longer ones may train better. See `finder.critical`.
        """
        return warmup_steps(self.learning_rate, self.critical)

    @property
    def curve(self) -> Curve:
        """The raw measurement alone."""
        return Curve(self.learning_rates, self.losses)

    def suggest(self, rule: str = "consensus") -> Suggestion:
        """What a rule says of the same curve.

        Args:
            rule: "consensus", the rule of this package; "valley", "slide", "minimum" or "steep" of fastai;
                "torch_lr_finder", "ignite" or "lightning"; "lightning_before" as Lightning had it until August 2025.

        Returns:
            A `Suggestion` with `.learning_rate` (or None), `.rule` and `.reason`; `float()` of it is the rate.
        """
        checks.one_of("suggest", ["consensus", *RULES], rule=rule)
        if rule == "consensus":
            answer = consensus(self.curve, self.mean_share, self.sprints)
            return Suggestion(answer.learning_rate, rule, answer.reason)
        return suggest(self.curve, rule)

    def to_schedule(self, kind: str, steps: int) -> Schedule:
        """A schedule of so many updates with the answer at its peak.

        The answer is for one shape: a constant rate, or the schedule that `find` was given. Where the mean of the new
        schedule is another share of its peak, the peak is what the same curve gives for that share, in the proportion
        of `consensus`: higher than the answer for a constant rate. Pass the shape to `find` to have the peak itself.

        The warm-up is `warmup_steps` where the critical rate was measured, half of the run at most, and 5 % of the run
        else. One cycle rises for 30 % of the run anyway; it begins at the peak / 25, or lower where the critical rate is.

        Args:
            kind: "one_cycle", "cosine" (to 0, after a warm-up) or "wsd" (warm-up, constant, linear to 0 in the last fifth).
            steps: The length in updates, warm-up included.

        Raises:
            ArgumentError: There is no answer.
        """
        checks.one_of("to_schedule", KINDS, kind=kind)
        steps = checks.whole("to_schedule", 10, steps=steps)
        if self.learning_rate is None:
            self._refuse("to_schedule", kind=kind)
        shape = shape_of(kind, steps, self.warmup_steps)
        wanted, measured = (
            consensus(self.curve, share, self.sprints).learning_rate for share in (mean_share(shape), self.mean_share)
        )
        ratio = wanted / measured if wanted and measured else 1.0
        return shape * ((self.learning_rate or 0.0) * ratio)

    def apply(self, model: Any) -> float:
        """Sets the optimizer of `model` to the answer, and returns it.

        Args:
            model: A compiled model whose optimizer was made with a float rate.

        Raises:
            ArgumentError: There is no answer, or the optimizer has a schedule.
        """
        if self.learning_rate is None:
            self._refuse("apply", model=model)
        if not getattr(model, "compiled", False):
            raise ArgumentError("apply", "the model is not compiled", "Call model.compile(...) first", model=model)
        try:
            model.optimizer.learning_rate = self.learning_rate
        except (TypeError, AttributeError) as error:
            repair = "Compile with keras.optimizers.X(found.learning_rate * schedule)"
            raise ArgumentError("apply", "the optimizer's rate is not a single float", repair, model=model) from error
        return self.learning_rate  # type: ignore[return-value]

    def _refuse(self, where: str, **argument: Any) -> None:
        raise ArgumentError(where, f"find gave no answer: {self.reason.rstrip('.')}", "See found.reason", **argument)

    def plot(self, path: str | os.PathLike[str] | None = None, ax: Any = None) -> Any:
        """Draws the ramps, the smooth curve, the answer with its interval and the other rules' marks.

        Args:
            path: A file to write, `.png`, `.svg` or `.pdf`.
            ax: A matplotlib axis to draw on.

        Returns:
            The matplotlib figure.
        """
        from keras_lr.finder.figure import figure_of
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
        said = [f"{self.learning_rate:.2g} ({self.interval[0]:.2g} to {self.interval[1]:.2g}). {self.reason}"]
        return " ".join([*said, *filter(None, [cross_check(self.learning_rate, self.critical)])])

    def _repr_html_(self) -> str:
        from keras_lr.finder.figure import figure_of
        from keras_lr.report import draw, html

        return f"<p>{html.escape(str(self))}</p>{draw.svg(figure_of(self))}"
