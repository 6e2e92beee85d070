"""From runs to the record: scores, the verdict, and the sentences that say it."""

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
    """How the runs of a plan came about, besides the runs themselves.

    Attributes:
        engine: What made the runs, and why it was chosen.
        seconds: How long all of it took.
        budget_seconds: How long it was allowed to, or None.
        rungs: The epochs of each shorter rung, in ascending order.
        dropped: The cases that were not good enough in one of them.
        notes: Sentences on it, for the warnings.
        unmade: Why no run was made, where none was.
    """

    engine: tuple[str, str]
    seconds: float
    budget_seconds: float | None = None
    rungs: Sequence[int] = ()
    dropped: Collection[int] = ()
    notes: Sequence[str] = ()
    unmade: str = ""


def summarize(
    plan: Plan, descriptions: Sequence[Description], measured: Mapping[RunKey, RunMeasurement], course: Course
) -> Comparison:
    """The record of a plan that was carried out, as far as it was.

    Args:
        plan: The plan.
        descriptions: One for each case.
        measured: The runs of every rung.
        course: How they came about.
    """
    runs = _runs(plan, measured, course.dropped)
    scores = [{run.seed: run.score for run in own if run.score is not None and run.counts} for own in runs]
    decision = verdict.decide(scores, plan.mode)
    cases = []
    for place, own in enumerate(runs):
        keys = [key for key in measured if (key.rung, key.case) == (plan.rung, place)]
        rates = max((measured[key].learning_rates for key in keys), key=len, default=())
        case = _case(plan.cases[place], descriptions[place], own, decision, place, rates)
        cases.append(dataclasses.replace(case, rungs=_rungs(plan, place, measured, course)))
    best = None if decision.best is None else cases[decision.best]
    return Comparison(
        metric=plan.metric,
        mode=plan.mode,
        cases=tuple(cases),
        best_name=None if best is None else best.name,
        alike=tuple(cases[place].name for place in decision.indistinguishable),
        reason=_reason(plan, cases, decision, course),
        warnings=tuple(_warnings(cases, best, course)),
        seeds=plan.seeds,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        template=getattr(plan.build_model, "__qualname__", type(plan.build_model).__name__),
        engine=course.engine[0],
        engine_reason=course.engine[1],
        versions=versions(),
        seconds=course.seconds,
        prune=plan.prune,
        budget_seconds=course.budget_seconds,
    )


def _runs(plan: Plan, measured: Mapping[RunKey, RunMeasurement], dropped: Collection[int]) -> list[list[Run]]:
    """The runs of each case, those too that were not made. The seeds that all cases have count, or else the first."""
    going = [place for place in range(len(plan.cases)) if place not in dropped]
    shared = {seed for seed in plan.seeds if all(plan.key(place, seed) in measured for place in going)}
    shared = shared or {key.seed for key in [key for key in measured if key.rung == plan.rung][:1]}
    found = []
    for place in range(len(plan.cases)):
        without = "dropped" if place in dropped else "not run"
        found.append(
            [
                _run(plan, seed, measured[plan.key(place, seed)].run, seed in shared)
                if plan.key(place, seed) in measured
                else Run(seed, without, None, {})
                for seed in plan.seeds
            ]
        )
    return found


def _run(plan: Plan, seed: int, run: TrainingRun, counts: bool = True) -> Run:
    return Run(seed, run.outcome, plan.score(run), run.history, run.diverged_at, run.seconds, run.error, counts=counts)


def _rungs(plan: Plan, case: int, measured: Mapping[RunKey, RunMeasurement], course: Course) -> tuple[Rung, ...]:
    """The shorter rungs that a case was in."""
    found = []
    for rung, epochs in enumerate(course.rungs, 1):
        keys = [RunKey(rung, case, seed) for seed in plan.seeds]
        runs = tuple(_run(plan, key.seed, measured[key].run) for key in keys if key in measured)
        found += [Rung(epochs, runs)] if runs else []
    return tuple(found)


def _case(
    planned: PlannedCase,
    description: Description,
    runs: Sequence[Run],
    decision: Verdict,
    place: int,
    learning_rates: Sequence[float],
) -> Case:
    scores = [run.score for run in runs if run.score is not None and run.counts]
    made = any(run.outcome not in NOT_EXECUTED for run in runs)
    difference = decision.differences[place]
    return Case(
        name=planned.name,
        learning_rate=description.learning_rate,
        optimizer=description.config,
        schedule=planned.schedule_name,
        code=description.code,
        mean=verdict.mean(scores),
        interval=verdict.interval(scores),
        difference=None if difference is None else difference[0],
        difference_interval=None if difference is None else difference[1],
        learning_rates=tuple(float(rate) for rate in learning_rates),
        runs=tuple(runs),
        optimizer_name=description.kind,
        p_best=decision.chances[place] if made else None,
    )


def _reason(plan: Plan, cases: Sequence[Case], decision: Verdict, course: Course) -> str:
    made = [case for case in cases if case.trained]
    if decision.best is None:
        return _without_a_best(made) if made else course.unmade
    best = cases[decision.best]
    seeds = sum(run.counts and run.outcome not in NOT_EXECUTED for run in best.runs)
    word = "lowest" if plan.mode == "min" else "highest"
    value = text.measured(best.mean, best.interval)
    spread = "" if best.interval is None else f" (95 % interval {text.interval(best.interval)})"
    over = "with 1 seed" if seeds == 1 else f"as its mean over {seeds} seeds"
    found = f"{best.name!r} has the {word} {plan.metric} {over}: {value}{spread}."
    if len(cases) == 1:
        return found.replace(f"has the {word}", "reaches a")
    if len(best.scores) == 1:
        why = "With one seed" if seeds == 1 else "With one run that finished"
        return f"{found} {why} there is no interval: no case that finished can be told from another."
    told = [found, *([_told_apart(decision, len(made) - 1)] if len(made) > 1 else []), *_dropped(course)]
    return " ".join(told)


def _dropped(course: Course) -> list[str]:
    count = len(course.dropped)
    if not count:
        return []
    return [
        f"{'1 case was' if count == 1 else f'{count} cases were'} dropped in shorter rungs, and may be better at full length."
    ]


def _without_a_best(cases: Sequence[Case]) -> str:
    count = sum(run.outcome not in NOT_EXECUTED for case in cases for run in case.runs)
    failed = sum(case.failed for case in cases)
    every = "The only run" if count == 1 else f"All {count} runs"
    if failed == 0:
        return f"{every} diverged: the loss was not finite. Try smaller learning rates."
    if failed == count:
        return f"{every} failed, so there is no answer."
    return f"No run finished: {count - failed} diverged, as the loss was not finite, and {failed} failed."


def _told_apart(decision: Verdict, others: int) -> str:
    alike = len(decision.indistinguishable)
    if alike == 0:
        return "The other case is worse." if others == 1 else "Every other case is worse."
    some = "1 other case" if alike == 1 else f"{alike} other cases"
    return f"{some} can't be told from it with these seeds."


def _warnings(cases: Sequence[Case], best: Case | None, course: Course) -> list[str]:
    found = [*course.notes, *_failures(cases)]
    if best is not None:
        found += [*_edge(cases, best), *filter(None, [near_divergence(cases, best)])]
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


def _edge(cases: Sequence[Case], best: Case) -> list[str]:
    """A sentence where the best rate is the first or the last of those tried."""
    made = [case for case in cases if case.not_run < len(case.runs)]
    tried = sorted(case.learning_rate for case in made if case.learning_rate is not None)
    if best.learning_rate is None or len(set(tried)) < 2 or best.learning_rate not in (tried[0], tried[-1]):
        return []
    smallest = best.learning_rate == tried[0]
    word, other = ("smallest", best.learning_rate / 10) if smallest else ("largest", best.learning_rate * 10)
    return [
        f"The best learning rate, {best.learning_rate:g}, is the {word} of those tried: the best may lie beyond. "
        f"Add {'smaller' if smallest else 'larger'} ones, such as {other:g}."
    ]
