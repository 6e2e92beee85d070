"""All that is known of a comparison before its first run: the checked plan, the template, the engine."""

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
        plan: The plan, with every case that may be tried, and the metric under the name that it will be logged by.
        metric: The metric as it was asked for.
        template: The first model.
        descriptions: One for each case.
        engine: Makes the runs.
        chosen: The engine and the number of workers that were asked for.
        starts: Of learning_rates="auto", where the rates of each optimizer and schedule start.
    """

    plan: Plan
    metric: str
    template: Template
    descriptions: Sequence[Description]
    engine: Engine
    chosen: tuple[str, int]
    starts: Sequence[RateStart]

    def identity(self) -> dict[str, Any]:
        """What a store knows the plan by."""
        asked = dataclasses.replace(self.plan, metric=self.metric)
        return identity_of(asked, self.descriptions, self.template.model, stored_name(self.engine), self.starts)

    def shorter(self, rung: int, epochs: int) -> tuple[Plan, Engine]:
        """The plan of a shorter rung, and what makes its runs."""
        plan = dataclasses.replace(self.plan, epochs=epochs, rung=rung)
        return plan, engine_for(plan, self.template.build, self.template.model, *self.chosen)


def prepare(plan: Plan, engine: str, workers: int, starts: Callable[[Template], Sequence[RateStart]]) -> Preparation:
    """Looks at a first model and checks all that needs one.

    Args:
        plan: The plan.
        engine: The engine that was asked for.
        workers: In how many processes.
        starts: Gives the first rates where the plan leaves them to `find`.

    Raises:
        ArgumentError: An argument breaks a rule.
    """
    chosen = (engine, check_workers(engine, workers))
    halving.check(plan)
    template = Template(plan)
    if plan.prune == halving.HALVING and any(case.rate is None and case.optimizer is None for case in plan.cases):
        halving.check_rates(template.model.optimizer)
    found = starts(template) if plan.auto else ()
    full = dataclasses.replace(auto_rates.with_rates(plan, found) if found else plan, metric=template.metric)
    descriptions = [template.describe(case) for case in full.cases] if found else template.descriptions
    maker = engine_for(full, template.build, template.model, *chosen)
    return Preparation(full, plan.metric, template, descriptions, maker, chosen, found)
