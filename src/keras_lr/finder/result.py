"""`FindResult`: the answer of `find`, to apply, to turn into a schedule, to draw and to save."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.deciding.critical import cross_check
from keras_lr.finder.deciding.other_finders import RULES, Suggestion, suggest
from keras_lr.finder.deciding.ramps import share_of_center
from keras_lr.finder.figure import figure_of
from keras_lr.finder.measuring.rates import rate_plan
from keras_lr.finder.record import FindRecord
from keras_lr.finder.target import KINDS, mean_share, shape_of
from keras_lr.report import draw, html
from keras_lr.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class FindResult(FindRecord):
    """The answer of `find`: a learning rate with its interval and reason, or a refusal with its reason.

    `FindRecord` describes its attributes: `learning_rate`, `interval`, `reason`, `steps`, `cost`, `losses` and more.
    """

    def suggest(self, rule: str = "consensus") -> Suggestion:
        """Returns the rate that a rule reads from the same measurement.

        Args:
            rule: "consensus", the rule of this package; "valley", "slide", "minimum" or "steep" of fastai;
                "torch_lr_finder", "ignite" or "lightning"; "lightning_before", Lightning's rule until August 2025.

        Returns:
            A `Suggestion` with `.learning_rate` (or None), `.rule` and `.reason`; `float()` of it is the rate.
        """
        checks.one_of("suggest", ["consensus", *RULES], rule=rule)
        if rule != "consensus":
            return suggest(self.curve, rule)
        return Suggestion(self.learning_rate, rule, self.reason)

    def rate_for(self, steps: int) -> float:
        """Returns the rate, or the peak of the same schedule, for a training of another length.

        Args:
            steps: The length of the training in updates.

        Raises:
            ArgumentError: `find` gave no answer, or trained no sprints.
        """
        steps = checks.whole("rate_for", steps=steps)
        self._answer("rate_for", steps=steps)
        if self.by_length is None:
            rule, repair = "without sprints the length of a training does not count", "Call find without sprint_steps=0"
            raise ArgumentError("rate_for", rule, repair, steps=steps)
        return self.by_length.rate_for(steps, self.mean_share)

    def to_schedule(self, kind: str, steps: int) -> Schedule:
        """Returns a schedule of `steps` updates whose peak is the answer, rescaled to the new shape.

        The answer is for one length and one shape: a constant rate, or the schedule that `find` got. The peak is what the
        sprints give for the new length and shape. Without sprints, the answer is rescaled to the mean of the new shape. To
        use the answer itself as the peak, pass the shape and the length to `find`.

        The warm-up takes `warmup_steps` updates, at most half of the run; 5 % of the run if no critical rate was measured.
        One cycle always rises for 30 % of the run; it begins at the peak / 25, or at the critical rate if that is lower.

        Args:
            kind: "one_cycle", "cosine" (to 0, after a warm-up) or "wsd" (warm-up, constant, linear to 0 in the last fifth).
            steps: The length in updates, warm-up included.

        Raises:
            ArgumentError: `learning_rate` is None.
        """
        checks.one_of("to_schedule", KINDS, kind=kind)
        steps = checks.whole("to_schedule", 10, steps=steps)
        answer = self._answer("to_schedule", kind=kind)
        shape = shape_of(kind, steps, self.warmup_steps)
        share = mean_share("to_schedule", shape)
        if self.by_length is not None:
            return shape * self.by_length.rate_for(steps, share)
        return shape * (answer * share_of_center(share) / share_of_center(self.mean_share))

    def apply(self, model: Any) -> float:
        """Sets the optimizer of `model` to the answer, and returns it.

        Several optimizers keep the ratios of their rates, and the first gets the answer. With `find(group=...)`, only the
        optimizer of that name gets it.

        Args:
            model: A compiled model whose optimizer has a float rate.

        Raises:
            ArgumentError: `learning_rate` is None, an optimizer has a schedule, or none has the name of the group.
        """
        answer = self._answer("apply", model=model)
        if not getattr(model, "compiled", False):
            raise ArgumentError("apply", "the model is not compiled", "Call model.compile(...) first", model=model)
        plan = rate_plan("apply", model, self.group)
        optimizers = machinery.followers_of(model, plan)
        if not all(hasattr(machinery.rate_of(optimizer), "assign") for optimizer in optimizers):
            repair = "Compile with keras.optimizers.X(found.learning_rate * schedule)"
            raise ArgumentError("apply", "the optimizer's rate is not a single float", repair, model=model)
        for optimizer, rate in zip(optimizers, plan.rates(np.array([answer]))[0].tolist(), strict=True):
            optimizer.learning_rate = rate
        return answer

    def _answer(self, where: str, **argument: Any) -> float:
        """Returns the rate; raises if there is none."""
        if self.learning_rate is None:
            rule = f"find gave no answer: {self.reason.rstrip('.')}"
            raise ArgumentError(where, rule, "See found.reason", **argument)
        return self.learning_rate

    def plot(self, path: str | os.PathLike[str] | None = None, ax: Any = None) -> Any:
        """Draws the ramps, the smooth curve, the answer with its interval, and the rates of other rules.

        With sprints, a second panel shows the best rate by length of the training; with `verify`, the trials.

        Args:
            path: A file to write, `.png`, `.svg` or `.pdf`.
            ax: A matplotlib axis to draw the first panel on.

        Returns:
            The matplotlib figure.
        """
        return draw.draw(figure_of(self), path=path, ax=ax)

    def __str__(self) -> str:
        """Returns one line: the rate, its interval, and the reason, which begins with what the answer is for."""
        if self.learning_rate is None or self.interval is None:
            return f"No learning rate. {self.reason}"
        line = f"{self.learning_rate:.2g} ({self.interval[0]:.2g} to {self.interval[1]:.2g}). {self.reason}"
        return " ".join(filter(None, [line, cross_check(self.learning_rate, self.critical)]))

    def _repr_html_(self) -> str:
        if self.learning_rate is None or self.interval is None:
            return f"<p>{html.escape(str(self))}</p>{draw.svg(figure_of(self))}"
        low, high = self.interval
        answer = f"<p><b>{self.learning_rate:.2g}</b> ({low:.2g} to {high:.2g})</p>"
        reason = " ".join(filter(None, [self.reason, cross_check(self.learning_rate, self.critical)]))
        return f"{answer}<p>{html.escape(reason)}</p>{draw.svg(figure_of(self))}"
