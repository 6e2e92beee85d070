"""Makes the runs that are asked for, as far as they are missing and the budget goes; keeps each and tells of it."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
from collections.abc import Callable, Iterator, Sequence

from keras_lr.comparison.execution.engines import Engine, Sequential
from keras_lr.comparison.execution.workers import Elsewhere
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning.budget import Budget, portion
from keras_lr.comparison.planning.plan import WHERE, Plan
from keras_lr.comparison.store.store import Store
from keras_lr.core.errors import UserCodeError
from keras_lr.engines import failures
from keras_lr.engines.fit import TrainingRun
from keras_lr.report.progress import progress

Tell = Callable[[Plan, RunKey, TrainingRun], None]


class Making:
    """The runs of a comparison, those in its store and those that are made now.

    Args:
        kept: The store, or None.
        budget: The time that there is.
        verbose: As in `compare`.

    Attributes:
        found: The runs that are there, by key, those of every rung.
        complete: Whether every run that was asked for is there.
    """

    def __init__(self, kept: Store | None, budget: Budget, verbose: str | int) -> None:
        self._kept, self._budget, self._verbose = kept, budget, verbose
        self.found: dict[RunKey, RunMeasurement] = {}
        self.complete = True
        self._shortest = 0.0  # seconds of a portion: that of a program is not shorter than its making

    def make(self, plan: Plan, engine: Engine, cases: Sequence[int]) -> bool:
        """Makes the runs of some cases with all seeds, seed by seed, so that each case has a run early.

        Args:
            plan: The plan that the engine carries out.
            engine: Makes them.
            cases: The numbers of the cases.

        Returns:
            Whether all of them are there now.
        """
        keys = [plan.key(case, seed) for seed in plan.seeds for case in cases]
        self._look_up(plan, keys)
        missing = [key for key in keys if key not in self.found]
        with _told(len(keys), len(keys) - len(missing), self._verbose) as tell:
            while missing and self.complete:
                count = self._portion(plan, engine, missing, len(cases))
                self.complete = count > 0
                if count:
                    self._make(plan, engine, missing[:count], cases, tell)
                missing = missing[count:]
        return self.complete

    def _look_up(self, plan: Plan, keys: Sequence[RunKey]) -> None:
        """Takes over the runs that the store has."""
        stored = {} if self._kept is None else self._kept.runs
        for key in keys:
            kept = stored.get(key)
            if kept is not None and key not in self.found:
                self.found[key] = _as_logged(plan, kept)
                if kept.run.outcome == "finished":
                    self._budget.learn(kept.run.seconds, 1, plan.epochs)

    def _portion(self, plan: Plan, engine: Engine, missing: Sequence[RunKey], row: int) -> int:
        first = sum(key.seed == missing[0].seed for key in missing)
        one_by_one = engine.name == Sequential.name and not isinstance(engine, Elsewhere)
        if not one_by_one and self._budget.left < self._shortest:
            return 0
        return portion(self._budget.allows(plan.epochs), len(missing), first, row, one_by_one)

    def _make(self, plan: Plan, engine: Engine, keys: Sequence[RunKey], cases: Sequence[int], tell: Tell) -> None:
        began, epochs = self._budget.clock(), 0
        with contextlib.closing(engine.runs(keys)) as made:  # Ctrl-C ends other processes too
            for key, measured in made:
                self.found[key] = measured
                if self._kept is not None:
                    self._kept.put(key, measured)
                epochs += max(map(len, measured.run.history.values()), default=0)
                tell(plan, key, measured.run)
                self._check_some_work(plan, cases)
        took = self._budget.clock() - began
        self._shortest = min(took, self._shortest or took)
        if epochs:
            self._budget.learn(took, len(keys), epochs)

    def _check_some_work(self, plan: Plan, cases: Sequence[int]) -> None:
        """Raises the first error where every case failed with the first seed: then the fault is in no one case."""
        first = [self.found.get(plan.key(case, plan.seeds[0])) for case in cases]
        failed = [one.run for one in first if one is not None and one.run.outcome == "failed"]
        if len(failed) < len(first) or any(one.run.outcome != "failed" for one in self.found.values()):
            return
        error, told = failed[0].exception, failed[0].error or ""
        if isinstance(error, UserCodeError):
            raise error
        if error is None:  # it was raised in another process, or the process died
            said = f"{WHERE}: every case failed, the first: {failures.summary(told)}"
            raise UserCodeError(said) from failures.RemoteTraceback(told)
        raise UserCodeError(f"{WHERE}: every case raised, the first {type(error).__name__}: {error}") from error


def _as_logged(plan: Plan, measured: RunMeasurement) -> RunMeasurement:
    """A kept run with the metric under the name that it has in this process: Keras numbers it by what was made before."""
    history = measured.run.history
    if plan.metric in history or not history:
        return measured
    name = next((name for name in history if _stem(name) == _stem(plan.metric)), plan.metric)
    renamed = {plan.metric if key == name else key: values for key, values in history.items()}
    return dataclasses.replace(measured, run=dataclasses.replace(measured.run, history=renamed))


def _stem(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


@contextlib.contextmanager
def _told(total: int, done: int, verbose: str | int) -> Iterator[Tell]:
    """Tells of every run: in a bar, in lines, or not at all."""
    lines = verbose == 1 and not isinstance(verbose, str)
    with progress(WHERE, total, 0 if lines else verbose) as bar:
        bar.reach(done)

        def tell(plan: Plan, key: RunKey, run: TrainingRun) -> None:
            nonlocal done
            done += 1
            bar.step()
            if lines:
                case = plan.cases[key.case].name
                sys.stderr.write(
                    f"[{done}/{total}] {case}, seed {key.seed}: {_said(plan, run)} ({run.seconds:.1f} s)\n"
                )

        yield tell


def _said(plan: Plan, run: TrainingRun) -> str:
    if run.outcome == "finished":
        return f"{plan.metric} {run.history[plan.metric][-1]:.4g}"
    return run.outcome if run.error is None else f"{run.outcome}, {failures.summary(run.error)}"
