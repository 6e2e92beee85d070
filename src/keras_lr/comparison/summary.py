"""From runs to the record: scores, the verdict, and the sentences that say it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import platform
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_lr.comparison import optimizers, statistics
from keras_lr.comparison.plan import Place, Plan, PlannedCase
from keras_lr.comparison.record import Case, Comparison, Run
from keras_lr.comparison.statistics import Verdict
from keras_lr.comparison.tables import near_divergence
from keras_lr.engines import failures
from keras_lr.engines.training import TrainingRun
from keras_lr.report import text


@dataclasses.dataclass(frozen=True)
class Description:
    """What is to be known of a case's optimizer, read before anything is trained."""

    config: dict[str, Any]
    code: str
    learning_rate: float | None
    kind: str


@dataclasses.dataclass(frozen=True)
class Measured:
    """One run, the rate of each of its updates, and their raw losses where the engine measures them."""

    run: TrainingRun
    learning_rates: Sequence[float]
    losses: Sequence[float] | None = None


def describe(case: PlannedCase, template: Any) -> Description:
    """Describes the optimizer that a case gives to a model compiled with `template`."""
    optimizer = case.optimizer_for(template)
    rate = None if case.rate is None else optimizers.product_code(case.learning_rate, case.schedule)
    code = optimizers.code_of(optimizer, rate)
    known = optimizers.rate_in(optimizer) if case.rate is None else case.learning_rate
    inner = getattr(optimizer, "inner_optimizer", None) or optimizer
    return Description(
        config=optimizers.config_of(optimizer),
        code=f"{optimizers.imports_for(code)}\n\noptimizer = {code}",
        learning_rate=known,
        kind=case.optimizer_name or type(inner).__name__,
    )


def summarized(
    plan: Plan,
    descriptions: Sequence[Description],
    measured: Mapping[Place, Measured],
    engine: tuple[str, str],
    seconds: float,
) -> Comparison:
    """The record of a plan that was carried out.

    Args:
        plan: The plan.
        descriptions: One for each case.
        measured: The runs, by their places.
        engine: The engine that made them, and why it was chosen.
        seconds: How long all of it took.
    """
    runs = [[_run(plan, seed, measured[place, seed].run) for seed in plan.seeds] for place in range(len(plan.cases))]
    scores = [{run.seed: run.score for run in own if run.score is not None} for own in runs]
    verdict = statistics.decide(scores, plan.mode)
    cases = []
    for place, own in enumerate(runs):
        rates = max((measured[place, seed].learning_rates for seed in plan.seeds), key=len)
        cases.append(_case(plan.cases[place], descriptions[place], own, verdict, place, rates))
    best = None if verdict.best is None else cases[verdict.best]
    return Comparison(
        metric=plan.metric,
        mode=plan.mode,
        cases=tuple(cases),
        best_name=None if best is None else best.name,
        alike=tuple(cases[place].name for place in verdict.indistinguishable),
        reason=_reason(plan, cases, verdict),
        warnings=tuple(_warnings(plan, cases, best)),
        seeds=plan.seeds,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        template=getattr(plan.build_model, "__qualname__", type(plan.build_model).__name__),
        engine=engine[0],
        engine_reason=engine[1],
        versions=versions(),
        seconds=seconds,
    )


def versions() -> dict[str, str]:
    """What the figures were made with."""
    backend = keras.backend.backend()
    framework = getattr(sys.modules.get(backend), "__version__", "")
    return {
        "keras-lr": importlib.metadata.version("keras-lr"),
        "keras": keras.__version__,
        "backend": f"{backend} {framework}".strip(),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _run(plan: Plan, seed: int, run: TrainingRun) -> Run:
    last = run.history.get(plan.metric, (math.nan,))[-1:] or (math.nan,)
    score = last[0] if run.outcome == "finished" and math.isfinite(last[0]) else None
    return Run(seed, run.outcome, score, run.history, run.diverged_at, run.seconds, run.error)


def _case(
    planned: PlannedCase,
    description: Description,
    runs: Sequence[Run],
    verdict: Verdict,
    place: int,
    learning_rates: Sequence[float],
) -> Case:
    scores = [run.score for run in runs if run.score is not None]
    difference = verdict.differences[place]
    return Case(
        name=planned.name,
        learning_rate=description.learning_rate,
        optimizer=description.config,
        schedule=planned.schedule_name,
        code=description.code,
        mean=statistics.mean(scores),
        interval=statistics.interval(scores),
        difference=None if difference is None else difference[0],
        difference_interval=None if difference is None else difference[1],
        learning_rates=tuple(float(rate) for rate in learning_rates),
        runs=tuple(runs),
        optimizer_name=description.kind,
        p_best=verdict.chances[place],
    )


def _reason(plan: Plan, cases: Sequence[Case], verdict: Verdict) -> str:
    if verdict.best is None:
        return _without_a_best(cases)
    best = cases[verdict.best]
    word = "lowest" if plan.mode == "min" else "highest"
    value = text.measured(best.mean, best.interval)
    spread = "" if best.interval is None else f" (95 % interval {text.interval(best.interval)})"
    over = "with 1 seed" if len(plan.seeds) == 1 else f"as its mean over {len(plan.seeds)} seeds"
    found = f"{best.name!r} has the {word} {plan.metric} {over}: {value}{spread}."
    if len(cases) == 1:
        return found.replace(f"has the {word}", "reaches a")
    if len(best.scores) == 1:
        why = "With one seed" if len(plan.seeds) == 1 else "With one run that finished"
        return f"{found} {why} there is no interval: no case that finished can be told from another."
    return f"{found} {_told_apart(verdict, len(cases) - 1)}"


def _without_a_best(cases: Sequence[Case]) -> str:
    count, failed = sum(len(case.runs) for case in cases), sum(case.failed for case in cases)
    every = "The only run" if count == 1 else f"All {count} runs"
    if failed == 0:
        return f"{every} diverged: the loss was not finite. Try smaller learning rates."
    if failed == count:
        return f"{every} failed, so there is no answer."
    return f"No run finished: {count - failed} diverged, as the loss was not finite, and {failed} failed."


def _told_apart(verdict: Verdict, others: int) -> str:
    alike = len(verdict.indistinguishable)
    if alike == 0:
        return "The other case is worse." if others == 1 else "Every other case is worse."
    some = "1 other case" if alike == 1 else f"{alike} other cases"
    return f"{some} can't be told from it with these seeds."


def _warnings(plan: Plan, cases: Sequence[Case], best: Case | None) -> list[str]:
    found = _failures(cases)
    if best is not None:
        found += [*_edge(plan, cases, best), *filter(None, [near_divergence(cases, best)])]
        if best.diverged:
            found.append(
                f"The best case, {best.name!r}, diverged in {best.diverged} of {len(best.runs)} runs, and no case in fewer. "
                "Try smaller learning rates."
            )
    return found


def _failures(cases: Sequence[Case]) -> list[str]:
    """A sentence on the runs that failed, with what the first of them raised."""
    failed = [(case, run) for case in cases for run in case.runs if run.outcome == "failed"]
    if not failed:
        return []
    case, run = failed[0]
    some, first = ("1 run", "It is") if len(failed) == 1 else (f"{len(failed)} runs", "The first is")
    said = failures.summary(run.error or "without a word")
    return [
        f"{some} failed and {'has' if len(failed) == 1 else 'have'} no score. {first} {case.name!r} with seed {run.seed}: {said}"
    ]


def _edge(plan: Plan, cases: Sequence[Case], best: Case) -> list[str]:
    """A sentence where the best rate is the first or the last of those tried."""
    tried = sorted(case.learning_rate for case in plan.cases if case.learning_rate is not None)
    if best.learning_rate is None or len(set(tried)) < 2 or best.learning_rate not in (tried[0], tried[-1]):
        return []
    smallest = best.learning_rate == tried[0]
    word, other = ("smallest", best.learning_rate / 10) if smallest else ("largest", best.learning_rate * 10)
    return [
        f"The best learning rate, {best.learning_rate:g}, is the {word} of those tried: the best may lie beyond. "
        f"Add {'smaller' if smallest else 'larger'} ones, such as {other:g}."
    ]
