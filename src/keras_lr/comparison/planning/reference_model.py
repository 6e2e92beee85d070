"""The first model of `build_model`: it is inspected and never trained."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import keras

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.comparison.planning import data_checks, optimizers
from keras_lr.comparison.planning.plan import WHERE, Plan, PlannedCase, call_build_model
from keras_lr.core.errors import ArgumentError


@dataclasses.dataclass(frozen=True)
class Description:
    """The optimizer of a case, read before any training."""

    config: dict[str, Any]
    code: str
    learning_rate: float | None
    kind: str


def _describe(case: PlannedCase, template: Any) -> Description:
    """Describes the optimizer of a case for a model compiled with `template`."""
    optimizer = case.optimizer_for(template)
    rate = None if case.rate is None else optimizers.product_code(case.learning_rate, case.schedule)
    code = optimizers.code_of(optimizer, rate)
    inner = getattr(optimizer, "inner_optimizer", None) or optimizer
    return Description(
        config=optimizers.config_of(optimizer),
        code=f"{optimizers.imports_for(code)}\n\noptimizer = {code}",
        learning_rate=optimizers.rate_in(optimizer) if case.rate is None else case.learning_rate,
        kind=case.optimizer_name or type(inner).__name__,
    )


class Template:
    """The template of all runs: a first model, and the function that builds further ones.

    Attributes:
        model: Inspected, never trained.
        descriptions: The optimizer of each case.
        metric: The name that Keras logs for the metric.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        with backends.random_state():
            keras.utils.set_random_seed(plan.seeds[0])
            self.model = self._call()
            self._check_model()
            self.descriptions = [self.describe(case) for case in plan.cases]
            self.metric = self._find_metric()

    def build(self) -> Any:
        """Builds another model and checks that it is new."""
        model, function = self._call(), self._plan.build_model
        if model is self.model:
            repair = "Build and compile the model inside it"
            raise ArgumentError(WHERE, "build_model returned the same model twice", repair, build_model=function)
        if model.optimizer is self.model.optimizer:
            repair = "Build the optimizer inside it"
            raise ArgumentError(WHERE, "build_model gave two models the same optimizer", repair, build_model=function)
        return model

    def _call(self) -> Any:
        return call_build_model(self._plan.build_model)

    def _check_model(self) -> None:
        model, function = self.model, self._plan.build_model
        if any(kind.__module__.split(".")[0] == "tf_keras" for kind in type(model).__mro__):
            repair = "Build it with `import keras`, which is Keras 3"
            rule = "build_model returned a model of tf_keras, which is Keras 2"
            raise ArgumentError(WHERE, rule, repair, build_model=function)
        if not isinstance(model, keras.Model):
            rule = f"build_model must return a keras.Model, and returned {_kind(model)}"
            raise ArgumentError(WHERE, rule, "End it with `return model`", build_model=function)
        if not machinery.step_takes_rate(model):
            rule = "build_model returned a model that is not compiled"
            raise ArgumentError(WHERE, rule, "Call model.compile(optimizer, loss) in it", build_model=function)

    def describe(self, case: PlannedCase) -> Description:
        """Describes the optimizer of a case.

        Raises:
            ArgumentError: The case has a rate, and the optimizer has several.
        """
        template = self.model.optimizer if case.optimizer is None else case.optimizer
        if (case.rate is not None or self._plan.auto) and not optimizers.has_one_rate(template):
            rule = "the optimizer holds several optimizers, so it has no single rate to set"
            raise ArgumentError(WHERE, rule, "Leave out learning_rates and schedules", optimizer=template)
        return _describe(case, self.model.optimizer)

    def _find_metric(self) -> str:
        """Finds the metric among those of the compiled model, which a batch of the arrays builds."""
        plan, data = self._plan, self._plan.data
        if not data_checks.arrays_of(data["x"]) or type(self.model).train_step is not keras.Model.train_step:
            return plan.metric
        batch = data_checks.first_batch(data["x"], data["y"], data["sample_weight"], plan.batch_size)
        machinery.build(self.model, batch)
        names = list(self.model.get_metrics_result())
        return logged_name(plan.metric, names + [f"val_{name}" for name in names if plan.has_validation])


def logged_name(metric: str, names: Sequence[str]) -> str:
    """Returns the logged name of a metric: Keras numbers the metrics that it names itself, as in "auc_1".

    Raises:
        ArgumentError: No name matches, or several do.
    """
    numbered = [name for name in names if re.fullmatch(rf"{re.escape(metric)}_\d+", name)]
    if metric not in names and len(numbered) != 1:
        rule = f"the model has no metric {metric!r}"
        raise ArgumentError(WHERE, rule, f"Pass one of {', '.join(names)}", metric=metric)
    return metric if metric in names else numbered[0]


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
