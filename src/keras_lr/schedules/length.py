"""How long a part of a schedule is: updates, epochs, a share of the run, or examples.

Until the run is known a length may be a sum of these, so it is a small vector of exact fractions. Imports no Keras.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from fractions import Fraction
from typing import Any, Union

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

Steps = Union[int, str, "Length"]
"""A length as users write it: `1000` updates, `"3ep"`, `"10%"` of the run, `"5000ex"` examples. Named schedules compute a
`Length` from these."""

_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*(ep|%|ex)")
_REPAIR = 'Pass updates as an int, or "3ep" (epochs), "10%" (of the run) or "5000ex" (examples)'


@dataclasses.dataclass(frozen=True)
class RunLength:
    """The length of a training run in updates. `per_example` is None if the batch size is unknown."""

    total: Fraction
    per_epoch: Fraction
    per_example: Fraction | None = None

    def slowed(self, factor: int) -> RunLength:
        """Returns the same run on a clock that ticks once in `factor` steps."""
        example = None if self.per_example is None else self.per_example / factor
        return RunLength(self.total / factor, self.per_epoch / factor, example)


@dataclasses.dataclass(frozen=True)
class Length:
    """A sum of lengths in the four units."""

    steps: int = 0
    epochs: Fraction = Fraction(0)
    share: Fraction = Fraction(0)
    examples: Fraction = Fraction(0)

    @property
    def parts(self) -> tuple[Any, ...]:
        """The sizes in the four units."""
        return self.steps, self.epochs, self.share, self.examples

    @property
    def bound(self) -> bool:
        """Whether it is a plain number of updates."""
        return not (self.epochs or self.share or self.examples)

    def __add__(self, other: Length) -> Length:
        return Length(*(mine + theirs for mine, theirs in zip(self.parts, other.parts, strict=True)))

    def __sub__(self, other: Length) -> Length:
        return self + other * -1

    def __mul__(self, times: int | Fraction) -> Length:
        """Multiplies the length; plain updates are rounded to a whole number."""
        return Length(round(self.steps * times), self.epochs * times, self.share * times, self.examples * times)

    def resolve(self, run: RunLength) -> Fraction:
        """Returns the length in updates of a run, exactly: it may be a fraction."""
        if self.examples and run.per_example is None:
            rule = "a length in examples needs the batch size"
            raise ArgumentError("bind", rule, "Call .bind(..., batch_size=32)", batch_size=None)
        examples = self.examples * run.per_example if run.per_example is not None else Fraction(0)
        return self.steps + self.epochs * run.per_epoch + self.share * run.total + examples


def parse(where: str, least: int = 1, **argument: Any) -> Length:
    """Reads a length as a user writes it.

    Args:
        where: The call whose argument it is, for the error.
        least: The smallest length allowed, 0 or 1.
        **argument: The length, by the name of its argument.

    Raises:
        ArgumentError: It is not a valid length, or it is too short or too long.
    """
    ((name, value),) = argument.items()
    if isinstance(value, Length):
        return value
    if isinstance(value, float):
        rule = f"{name} must be a whole number of updates or a text with a unit"
        raise ArgumentError(where, rule, _REPAIR, **argument)
    if not isinstance(value, str):
        return Length(steps=checks.whole(where, least, **argument))
    match = _PATTERN.fullmatch(value.strip())
    if match is None:
        raise ArgumentError(where, f"{name} is not a valid length", _REPAIR, **argument)
    number, unit = Fraction(match[1]), match[2]
    if number == 0 and least > 0:
        raise ArgumentError(where, f"{name} must be above 0", _REPAIR, **argument)
    if unit == "%" and number > 100:
        raise ArgumentError(where, f"{name} must be at most 100 %", "Pass a share of the run such as '10%'", **argument)
    if unit == "ep":
        return Length(epochs=number)
    return Length(share=number / 100) if unit == "%" else Length(examples=number)


def of(value: Steps) -> Length:
    """Returns the length that a checked value stands for."""
    return parse("length", 0, length=value)


def place(length: Length, run: RunLength, start: Fraction) -> int:
    """Returns the whole number of updates of a part that starts `start` updates into a run.

    Boundaries are rounded, not lengths, so the parts of a run always add up to the run.

    Raises:
        ArgumentError: No updates are left for this part: the parts around it are longer than the run.
    """
    steps = round(start + length.resolve(run)) - round(start)
    if steps < 0:
        rule = f"the other parts are {-steps} updates longer than the run of {float(run.total):g}"
        raise ArgumentError("bind", rule, "Shorten them, or train longer", total_steps=round(run.total))
    return steps


def split(whole: Length, *shares: float) -> tuple[Length, ...]:
    """Splits a length at the given shares of it. Plain updates are rounded down to whole ones.

    Example:
        >>> [part.steps for part in split(Length(steps=15), 0.3)]
        [4, 11]
    """
    exact = [Fraction(str(share)) for share in shares]
    cuts = [dataclasses.replace(whole * share, steps=int(whole.steps * share)) for share in exact]
    ends = [Length(), *cuts, whole]
    return tuple(after - before for before, after in itertools.pairwise(ends))
