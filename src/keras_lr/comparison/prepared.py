"""Everything that a comparison knows before its first run: the checked plan, the template and the engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from keras_lr.comparison.execution.engines import Engine, stored_name
from keras_lr.comparison.execution.workers import check_workers, engine_for
from keras_lr.comparison.planning import auto_rates, halving
from keras_lr.comparison.planning.auto_rates import RateStart
from keras_lr.comparison.planning.plan import Plan
from keras_lr.comparison.planning.reference_model import Description, Template
from keras_lr.comparison.store.identity import identity_of


@dataclasses.dataclass(frozen=True)
class Preparation:
    """A comparison before its first run.

    Attributes:
        plan: The plan, with every case that may be tried, and the metric by the name that Keras logs.
        metric: The metric as the user named it.
        template: Builds the models.
        descriptions: One for each case.
        engine: Executes the runs of all epochs.
        engine_arguments: The `engine` and the `workers` of the call.
        starts: Of learning_rates="auto", the first rates of each optimizer and schedule.
    """

    plan: Plan
    metric: str
    template: Template
    descriptions: Sequence[Description]
    engine: Engine
    engine_arguments: tuple[str, int]
    starts: Sequence[RateStart]

    def identity(self) -> dict[str, Any]:
        """Returns the identity of the plan, for a store."""
        plan = dataclasses.replace(self.plan, metric=self.metric)
        return identity_of(plan, self.descriptions, self.template.model, stored_name(self.engine), self.starts)

    def shorter(self, rung: int, epochs: int) -> tuple[Plan, Engine]:
        """Returns the plan of a shorter rung and the engine for its runs."""
        plan = dataclasses.replace(self.plan, epochs=epochs, rung=rung)
        return plan, engine_for(plan, self.template.build, self.template.model, *self.engine_arguments)


def prepare(plan: Plan, engine: str, workers: int, starts: Callable[[Template], Sequence[RateStart]]) -> Preparation:
    """Builds a first model and checks everything that needs one.

    `engine` and `workers` are those of the call; `starts` returns the first rates if the plan leaves them to `find`.

    Raises:
        ArgumentError: An argument is invalid.
    """
    engine_arguments = (engine, check_workers(engine, workers))
    halving.check(plan)
    template = Template(plan)
    if plan.prune == halving.HALVING and any(case.rate is None and case.optimizer is None for case in plan.cases):
        halving.check_rates(template.model.optimizer)
    first_rates = starts(template) if plan.auto else ()
    metric, descriptions = plan.metric, template.descriptions
    if first_rates:
        plan = auto_rates.with_rates(plan, first_rates)
        descriptions = [template.describe(case) for case in plan.cases]
    plan = dataclasses.replace(plan, metric=template.metric)
    chosen = engine_for(plan, template.build, template.model, *engine_arguments)
    return Preparation(plan, metric, template, descriptions, chosen, engine_arguments, first_rates)
