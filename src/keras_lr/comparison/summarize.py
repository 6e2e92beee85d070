"""Turn the runs of a plan into its result: scores, verdict, reason and warnings."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from keras_lr.comparison.case import NOT_EXECUTED, Case, Run, Rung
from keras_lr.comparison.measured import RunKey, RunMeasurement, versions
from keras_lr.comparison.planning.plan import Plan, PlannedCase
from keras_lr.comparison.planning.reference_model import Description
from keras_lr.comparison.result import Comparison
from keras_lr.comparison.statistics import verdict
from keras_lr.comparison.statistics.verdict import Verdict
from keras_lr.comparison.views.tables import near_divergence
from keras_lr.engines import failures
from keras_lr.engines.fit import TrainingRun
from keras_lr.report import text


@dataclasses.dataclass(frozen=True)
class Course:
    """How a plan was executed, apart from the measurements.

    Attributes:
        engine: Its name.
        engine_reason: Why this engine.
        seconds: The time that the comparison took.
        budget_seconds: Its limit, or None.
        rungs: The epochs of each shorter rung, in ascending order.
        dropped: The cases that did not reach the last rung.
        notes: Warnings about the execution.
        no_result: The reason if no case was trained for all epochs.
    """

    engine: str
    engine_reason: str
    seconds: float
    budget_seconds: float | None = None
    rungs: Sequence[int] = ()
    dropped: Collection[int] = ()
    notes: Sequence[str] = ()
    no_result: str = ""


def summarize(
    plan: Plan, descriptions: Sequence[Description], measurements: Mapping[RunKey, RunMeasurement], course: Course
) -> Comparison:
    """Builds the result of a plan for all epochs from the runs of every rung, with a description of each case."""
    runs = _runs(plan, measurements, course.dropped)
    scores = [{run.seed: run.score for run in own if run.score is not None and run.counts} for own in runs]
    decision = verdict.decide(scores, plan.mode)
    cases = []
    for number, own in enumerate(runs):
        keys = [key for key in measurements if (key.rung, key.case) == (plan.rung, number)]
        rates = max((measurements[key].learning_rates for key in keys), key=len, default=())
        case = _case(plan.cases[number], descriptions[number], own, decision, number, rates)
        cases.append(dataclasses.replace(case, rungs=_rungs(plan, number, measurements, course)))
    best = None if decision.best is None else cases[decision.best]
    return Comparison(
        metric=plan.metric,
        mode=plan.mode,
        cases=tuple(cases),
        best_name=None if best is None else best.name,
        alike=tuple(cases[number].name for number in decision.indistinguishable),
        reason=_reason(plan, cases, decision, course),
        warnings=tuple(_warnings(cases, best, course)),
        seeds=plan.seeds,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        template=getattr(plan.build_model, "__qualname__", type(plan.build_model).__name__),
        engine=course.engine,
        engine_reason=course.engine_reason,
        versions=versions(),
        seconds=course.seconds,
        prune=plan.prune,
        budget_seconds=course.budget_seconds,
    )


def _runs(plan: Plan, measurements: Mapping[RunKey, RunMeasurement], dropped: Collection[int]) -> list[list[Run]]:
    """Returns the runs of each case for all epochs, also those that were not executed.

    The statistics use the seeds that all remaining cases have; if there are none, the seed of the first run.
    """
    remaining = [case for case in range(len(plan.cases)) if case not in dropped]
    shared = {seed for seed in plan.seeds if all(plan.key(case, seed) in measurements for case in remaining)}
    shared = shared or {key.seed for key in [key for key in measurements if key.rung == plan.rung][:1]}

    def run(case: int, seed: int) -> Run:
        measurement = measurements.get(plan.key(case, seed))
        if measurement is None:
            return Run(seed, "dropped" if case in dropped else "not run", None, {})
        return _run(plan, seed, measurement.run, seed in shared)

    return [[run(case, seed) for seed in plan.seeds] for case in range(len(plan.cases))]


def _run(plan: Plan, seed: int, run: TrainingRun, counts: bool = True) -> Run:
    return Run(seed, run.outcome, plan.score(run), run.history, run.diverged_at, run.seconds, run.error, counts)


def _rungs(plan: Plan, case: int, measurements: Mapping[RunKey, RunMeasurement], course: Course) -> tuple[Rung, ...]:
    """Returns the shorter rungs that a case was in."""
    rungs = []
    for rung, epochs in enumerate(course.rungs, 1):
        keys = [key for key in (RunKey(rung, case, seed) for seed in plan.seeds) if key in measurements]
        if keys:
            rungs.append(Rung(epochs, tuple(_run(plan, key.seed, measurements[key].run) for key in keys)))
    return tuple(rungs)


def _case(
    planned: PlannedCase,
    description: Description,
    runs: Sequence[Run],
    decision: Verdict,
    number: int,
    learning_rates: Sequence[float],
) -> Case:
    scores = [run.score for run in runs if run.score is not None and run.counts]
    executed = any(run.outcome not in NOT_EXECUTED for run in runs)
    difference, interval = decision.differences[number] or (None, None)
    return Case(
        name=planned.name,
        learning_rate=description.learning_rate,
        optimizer=description.config,
        schedule=planned.schedule_name,
        code=description.code,
        mean=verdict.mean(scores),
        interval=verdict.interval(scores),
        difference=difference,
        difference_interval=interval,
        learning_rates=tuple(float(rate) for rate in learning_rates),
        runs=tuple(runs),
        optimizer_name=description.kind,
        p_best=decision.chances[number] if executed else None,
    )


def _reason(plan: Plan, cases: Sequence[Case], decision: Verdict, course: Course) -> str:
    trained = [case for case in cases if case.trained]
    if decision.best is None:
        return _reason_without_best(trained) if trained else course.no_result
    best = cases[decision.best]
    seeds = sum(run.counts and run.outcome not in NOT_EXECUTED for run in best.runs)
    extreme = "lowest" if plan.mode == "min" else "highest"
    value = text.measured(best.mean, best.interval)
    spread = "" if best.interval is None else f" (95 % interval {text.interval(best.interval)})"
    over = "with 1 seed" if seeds == 1 else f"as its mean over {seeds} seeds"
    reached = f"{plan.metric} {over}: {value}{spread}."
    if len(cases) == 1:
        return f"{best.name!r} reaches a {reached}"
    sentences = [f"{best.name!r} has the {extreme} {reached}"]
    if len(best.scores) == 1:
        only = "With one seed" if seeds == 1 else "With one run that finished"
        return f"{sentences[0]} {only} no interval can be computed: all cases that finished are indistinguishable."
    if len(trained) > 1:
        sentences.append(_others(len(decision.indistinguishable), len(trained) - 1))
    count = len(course.dropped)
    if count:
        some = "1 case was" if count == 1 else f"{count} cases were"
        sentences.append(f"{some} dropped in shorter rungs, and may be better at full length.")
    return " ".join(sentences)


def _reason_without_best(cases: Sequence[Case]) -> str:
    count = sum(run.outcome not in NOT_EXECUTED for case in cases for run in case.runs)
    failed = sum(case.failed for case in cases)
    every = "The only run" if count == 1 else f"All {count} runs"
    if failed == 0:
        return f"{every} diverged: the loss was not finite. Try smaller learning rates."
    if failed == count:
        return f"{every} failed, so no case has a score."
    return f"No run finished: {count - failed} diverged, as the loss was not finite, and {failed} failed."


def _others(alike: int, others: int) -> str:
    if alike == 0:
        return "The other case is worse." if others == 1 else "Every other case is worse."
    some = "1 other case is" if alike == 1 else f"{alike} other cases are"
    return f"{some} indistinguishable from it with these seeds."


def _warnings(cases: Sequence[Case], best: Case | None, course: Course) -> list[str]:
    warnings = [*course.notes, *_failures(cases)]
    if best is not None:
        warnings += filter(None, [_edge(cases, best), near_divergence(cases, best)])
        if best.diverged:
            warnings.append(
                f"The best case, {best.name!r}, diverged in {best.diverged} of {len(best.runs)} runs, and no case in fewer. "
                "Try smaller learning rates."
            )
    return warnings


def _failures(cases: Sequence[Case]) -> list[str]:
    """Returns a warning about the runs that failed, with the error of the first."""
    failed = [(case, run) for case in cases for run in case.runs if run.outcome == "failed"]
    if not failed:
        return []
    case, run = failed[0]
    some, first = ("1 run failed and has", "It is")
    if len(failed) > 1:
        some, first = (f"{len(failed)} runs failed and have", "The first is")
    error = failures.summary(run.error or "without a message")
    return [f"{some} no score. {first} {case.name!r} with seed {run.seed}: {error}"]


def _edge(cases: Sequence[Case], best: Case) -> str | None:
    """Returns a warning if the best rate is the smallest or the largest."""
    executed = [case for case in cases if case.not_run < len(case.runs)]
    rates = sorted(case.learning_rate for case in executed if case.learning_rate is not None)
    if best.learning_rate is None or len(set(rates)) < 2 or best.learning_rate not in (rates[0], rates[-1]):
        return None
    smallest = best.learning_rate == rates[0]
    word, other = ("smallest", best.learning_rate / 10) if smallest else ("largest", best.learning_rate * 10)
    return (
        f"The best learning rate, {best.learning_rate:g}, is the {word} of those tried: the best may lie beyond. "
        f"Add {'smaller' if smallest else 'larger'} ones, such as {other:g}."
    )
