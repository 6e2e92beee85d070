"""Where the runs of a group are trained on TensorFlow and PyTorch: in this process, or on JAX in one of its own."""

from __future__ import annotations

from keras_lr import backends
from keras_lr.comparison.execution.grouping import Group, Workshop
from keras_lr.engines.programs.equivalence import describe
from keras_lr.engines.programs.jax_process import JaxProcess, Job, ProgramResult, root_cause
from keras_lr.engines.programs.loop import Loop

PROCESS = 3.0  # seconds, roughly: to start a process with JAX and to compile for it
SHORT_ONE = "one short run takes less time than starting a process with JAX"
SHORT = "{} short runs take less time than starting a process with JAX"


class There:
    """Groups trained in a process of its own, which is started at once and is ready when the first group is."""

    def __init__(self) -> None:
        self._worker: JaxProcess | None = None
        try:
            self._worker = JaxProcess()
        except (OSError, ImportError, RuntimeError) as error:  # a machine that lets no process talk to another
            self._against = f"no process with JAX could be started: {type(error).__name__}: {error}"

    def __call__(self, shop: Workshop, group: Group, slowest: float | None = None) -> ProgramResult:
        """Trains a group.

        Args:
            shop: The arrays and the models.
            group: The runs.
            slowest: The seconds for an update from which on it is not to be trained there; None: train it.
        """
        if self._worker is None:
            return ProgramResult(None, self._against)
        try:
            described = describe(shop.traced(group))
        except Exception as error:  # a layer, a loss or a metric of the user's own, which can be made here alone
            return ProgramResult(None, f"the model can't be handed to a JAX process: {type(error).__name__}: {error}")
        job = Job(described, shop.train, shop.validation, shop.batch_size, shop.members(group), slowest)
        done = self._worker.train(job)
        return (
            done
            if done.members is None
            else ProgramResult(done.members, f"{done.reason} It runs in a process of its own.")
        )


class Nearest:
    """Groups trained where it takes less time, by a measurement: a few updates here, and where these are many, there.

    Args:
        against: Why no process with JAX can serve, or None.
        long: Whether the runs are so long, at a guess, that the process is started before anything is measured.
    """

    def __init__(self, against: str | None, long: bool) -> None:
        self._against = against
        self._there = There() if long and against is None else None
        self.here = True  # whether every group so far was trained in this process

    def __call__(self, shop: Workshop, group: Group) -> ProgramResult:
        """Trains a group."""
        loop, fault = None, ""
        members, model = shop.members(group), shop.traced(group)
        try:
            make = backends.programs(model, shop.train, shop.validation, shop.batch_size)
            loop = Loop(make, members, PROCESS)
        except Exception as error:  # whatever it is, `fit` can train the model
            fault = f", nor can a program be made here: {root_cause(error)}"
        why = self._against or (SHORT if len(members) > 1 else SHORT_ONE).format(len(members))
        if self._against is None and (loop is None or loop.seconds > PROCESS):
            self._there = self._there or There()
            done = self._there(shop, group, None if loop is None else loop.seconds / loop.updates)
            if done.members is not None:
                self.here = False
                return done
            why = done.reason
        if loop is None:
            return ProgramResult(None, why + fault)
        try:
            return ProgramResult(*loop.train(why))
        except Exception as error:  # a step that keeps no loss, or too little memory
            return ProgramResult(None, f"{why}, nor can a program be made here: {root_cause(error)}")
