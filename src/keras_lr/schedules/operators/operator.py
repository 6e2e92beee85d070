"""What the operators on one schedule share."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from keras_lr.schedules import fields
from keras_lr.schedules.base import CALL, Schedule
from keras_lr.schedules.length import Length


@fields.schedule
class Operator(Schedule):
    """A schedule that a method makes of another: `schedule.method(arguments)`.

    The method is `_call`. The arguments at their defaults are left out; `_keywords` are the ones that need their names.
    """

    schedule: Schedule = fields.part()
    _keywords: ClassVar[tuple[str, ...]] = ()

    @property
    def extent(self) -> Length | None:
        return self.schedule.extent

    def __repr__(self) -> str:
        arguments = [(field, getattr(self, field.name)) for field in dataclasses.fields(self)[1:]]
        shown = [(field.name, value) for field, value in arguments if value != field.default]
        words = [f"{name}={value!r}" if name in self._keywords else repr(value) for name, value in shown]
        return f"{self.schedule.code_in(CALL)}.{self._call}({', '.join(words)})"
