"""Execute the missing runs of a plan within the budget; store and report each one."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
from collections.abc import Callable, Iterator, Sequence

from keras_lr.comparison.execution.engines import Engine
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning.budget import Budget, runs_to_start
from keras_lr.comparison.planning.plan import WHERE, Plan
from keras_lr.comparison.store.store import Store
from keras_lr.core.errors import UserCodeError
from keras_lr.engines import failures
from keras_lr.engines.fit import TrainingRun
from keras_lr.report.progress import progress

Report = Callable[[Plan, RunKey, TrainingRun], None]


class Executor:
    """Executes the runs of a comparison that its store does not have.

    Args:
        store: Where runs are read and written, or None.
        budget: Limits how many runs start.
        verbose: As in `compare`.

    Attributes:
        runs: The stored and the new runs of every rung.
        complete: Whether the budget has allowed every run so far.
    """

    def __init__(self, store: Store | None, budget: Budget, verbose: str | int) -> None:
        self._store, self._budget, self._verbose = store, budget, verbose
        self.runs: dict[RunKey, RunMeasurement] = {}
        self.complete = True
        self._shortest = 0.0  # seconds of the shortest batch of runs, which includes the compilation of a program

    def execute(self, plan: Plan, engine: Engine, cases: Sequence[int]) -> bool:
        """Executes these cases of the plan with all seeds, seed by seed, so that each case has a run early.

        Returns:
            Whether all of these runs exist now.
        """
        keys = [plan.key(case, seed) for seed in plan.seeds for case in cases]
        self._read_store(plan, keys)
        missing = [key for key in keys if key not in self.runs]
        with _reports(len(keys), len(keys) - len(missing), self._verbose) as report:
            while missing and self.complete:
                count = self._affordable(plan, engine, missing, len(cases))
                self.complete = count > 0
                if count:
                    self._execute(plan, engine, missing[:count], cases, report)
                missing = missing[count:]
        return self.complete

    def _read_store(self, plan: Plan, keys: Sequence[RunKey]) -> None:
        stored = {} if self._store is None else self._store.runs
        for key in keys:
            measurement = stored.get(key)
            if measurement is not None and key not in self.runs:
                self.runs[key] = _rename_metric(plan, measurement)
                if measurement.run.outcome == "finished":
                    self._budget.learn(measurement.run.seconds, 1, plan.epochs)

    def _affordable(self, plan: Plan, engine: Engine, missing: Sequence[RunKey], row: int) -> int:
        """Returns how many of the missing runs to start now; `row` is the number of runs of a seed."""
        first = sum(key.seed == missing[0].seed for key in missing)
        if not engine.separable and self._budget.left < self._shortest:
            return 0
        return runs_to_start(self._budget.allows(plan.epochs), len(missing), first, row, engine.separable)

    def _execute(
        self, plan: Plan, engine: Engine, keys: Sequence[RunKey], cases: Sequence[int], report: Report
    ) -> None:
        start, epochs = self._budget.clock(), 0
        with contextlib.closing(engine.runs(keys)) as runs:  # so that Ctrl-C ends worker processes
            for key, measurement in runs:
                self.runs[key] = measurement
                if self._store is not None:
                    self._store.write(key, measurement)
                epochs += max(map(len, measurement.run.history.values()), default=0)
                report(plan, key, measurement.run)
                self._check_failures(plan, cases)
        seconds = self._budget.clock() - start
        self._shortest = min(seconds, self._shortest or seconds)
        if epochs:
            self._budget.learn(seconds, len(keys), epochs)

    def _check_failures(self, plan: Plan, cases: Sequence[int]) -> None:
        """Raises the first error if every case failed with the first seed: then the fault is not in a case."""
        first = [self.runs.get(plan.key(case, plan.seeds[0])) for case in cases]
        failed = [one.run for one in first if one is not None and one.run.outcome == "failed"]
        if len(failed) < len(first) or any(one.run.outcome != "failed" for one in self.runs.values()):
            return
        error, description = failed[0].exception, failed[0].error or ""
        if isinstance(error, UserCodeError):
            raise error
        if error is None:  # raised in another process, or the process died
            message = f"{WHERE}: every case failed, the first: {failures.summary(description)}"
            raise UserCodeError(message) from failures.RemoteTraceback(description)
        raise UserCodeError(f"{WHERE}: every case raised, the first {type(error).__name__}: {error}") from error


def _rename_metric(plan: Plan, measurement: RunMeasurement) -> RunMeasurement:
    """Gives the metric of a stored run its name in this process: Keras numbers the names by the models built before."""
    history = measurement.run.history
    if plan.metric in history or not history:
        return measurement
    name = next((name for name in history if _stem(name) == _stem(plan.metric)), plan.metric)
    history = {plan.metric if key == name else key: values for key, values in history.items()}
    return dataclasses.replace(measurement, run=dataclasses.replace(measurement.run, history=history))


def _stem(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


@contextlib.contextmanager
def _reports(total: int, count: int, verbose: str | int) -> Iterator[Report]:
    """Reports each run: as a step of a bar, as a line, or not at all."""
    lines = verbose == 1 and not isinstance(verbose, str)
    with progress(WHERE, total, 0 if lines else verbose) as bar:
        bar.reach(count)

        def report(plan: Plan, key: RunKey, run: TrainingRun) -> None:
            nonlocal count
            count += 1
            bar.step()
            if lines:
                name, result = plan.cases[key.case].name, _result(plan, run)
                sys.stderr.write(f"[{count}/{total}] {name}, seed {key.seed}: {result} ({run.seconds:.1f} s)\n")

        yield report


def _result(plan: Plan, run: TrainingRun) -> str:
    if run.outcome == "finished":
        return f"{plan.metric} {run.history[plan.metric][-1]:.4g}"
    return run.outcome if run.error is None else f"{run.outcome}, {failures.summary(run.error)}"
