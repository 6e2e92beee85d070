"""Runs of a model from any backend, trained by a JAX process: what travels, what does not, and who notices."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures.process import BrokenProcessPool

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.execution import placement
from keras_lr.engines.programs import equivalence, jax_process

L = keras.layers
pytestmark = pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX trains the runs in the process itself")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 8)).astype("float32"), RNG.integers(0, 3, 60)


def build(*more, loss="sparse_categorical_crossentropy", metrics=("accuracy",)):
    model = keras.Sequential(
        [L.Input([8]), L.Dense(8, "relu"), L.BatchNormalization(), L.Dropout(0.2), *more, L.Dense(3)]
    )
    model.add(L.Softmax())
    model.compile("adam", loss, metrics=list(metrics))
    return model


def run_compare(make=build, engine="population", **arguments):
    arguments = {"learning_rates": [0.01, 1e-9], "seeds": 2, "epochs": 2, "batch_size": 20, "verbose": 0} | arguments
    return klr.compare(make, X, Y, engine=engine, validation_split=0.2, **arguments)


@pytest.fixture(scope="module")
def found():
    return run_compare()


def test_the_weights_are_those_of_this_backend(found):
    """At a rate too small to matter, the validation loss is that of the model as it was built here."""
    assert found.engine == "population"
    assert "It runs in a process of its own." in found.engine_reason
    for run in found.cases[1].runs:
        keras.utils.set_random_seed(run.seed)
        model = build()
        model.fit(X[:48], Y[:48], batch_size=20, epochs=0, verbose=0)
        loss = keras.losses.SparseCategoricalCrossentropy()(Y[48:], model(X[48:], training=False))
        expected = float(keras.ops.convert_to_numpy(loss))
        assert run.history["val_loss"][0] == pytest.approx(
            expected, rel=0.02
        )  # the moving averages have moved a little


def test_it_has_what_a_run_of_fit_has(found):
    plain = run_compare(engine="sequential", epochs=1, seeds=1)
    assert list(found.cases[0].runs[0].history) == list(plain.cases[0].runs[0].history)
    assert found.cases[0].learning_rates == (0.01,) * 6
    assert found.cases[0].mean < found.cases[1].mean
    assert found.cases[0].code == plain.cases[0].code


def test_it_is_the_same_again(found):
    """But for the rounding: together or one by one, whichever was faster."""
    again = run_compare()
    for case, other in zip(again.cases, found.cases, strict=True):
        assert [run.score for run in case.runs] == pytest.approx([run.score for run in other.runs], rel=1e-4)


class Doubled(L.Layer):
    def call(self, inputs):
        return 2.0 * inputs


@pytest.mark.parametrize(
    ("make", "named"),
    [(lambda: build(Doubled()), "Doubled"), (lambda: build(L.Lambda(lambda x: 2.0 * x)), "Lambda")],
    ids=["layer", "lambda"],
)
def test_what_is_the_users_own_stays_here(make, named, monkeypatch):
    """The reason names it, and the runs are trained in this process."""
    with pytest.raises(klr.ArgumentError, match=rf"the runs can't share a program: .*{named}"):
        run_compare(make)
    monkeypatch.setattr(placement, "PROCESS", 0.0)
    found = run_compare(make, engine="auto", learning_rates=[0.01, 0.001], seeds=1, epochs=1)
    assert (found.engine, named in found.engine_reason) == ("sequential", True)


def test_few_short_runs_are_made_here(monkeypatch):
    monkeypatch.setattr(placement, "PROCESS", 1e9)  # however slow this process is at the moment
    found = run_compare(engine="auto", epochs=1)
    assert found.engine == "sequential"
    assert "4 short runs take less time" in found.engine_reason


def test_without_jax_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("keras_lr.comparison.execution.engines.available", lambda: False)
    with pytest.raises(klr.ArgumentError, match=r"pip install 'keras-lr\[jax\]'"):
        run_compare()


def test_where_no_process_can_be_started_the_runs_are_made_here(monkeypatch):
    def refused(self):
        raise OSError("no semaphores")

    monkeypatch.setattr(jax_process.JaxProcess, "_start", refused)
    with pytest.raises(klr.ArgumentError, match="no process with JAX could be started: OSError: no semaphores"):
        run_compare()
    monkeypatch.setattr(placement, "PROCESS", 0.0)
    found = run_compare(engine="auto", learning_rates=[0.01, 0.001], seeds=1, epochs=1)
    assert (found.engine, "no semaphores" in found.engine_reason) == ("sequential", True)


def test_the_probe_tells_models_apart():
    """A model that differs a little is found out by its loss after a few updates."""
    keras.utils.set_random_seed(0)
    model = build()
    text, values = (
        equivalence.describe(model),
        [np.asarray(keras.ops.convert_to_numpy(v)) for v in model.trainable_variables],
    )
    rest = [np.asarray(keras.ops.convert_to_numpy(v)) for v in model.non_trainable_variables]
    batch = (X[:20], Y[:20])
    own = equivalence.reference_losses(text, values, rest, batch, True)
    assert equivalence.agree(own, equivalence.reference_losses(text, values, rest, batch, True))
    other = equivalence.reference_losses(text.replace('"relu"', '"leaky_relu"'), values, rest, batch, True)
    assert not equivalence.agree(own, other)
    assert own[1] != own[0]


def test_the_worker_is_kept_for_the_next_call():
    first, second = jax_process.JaxProcess(), jax_process.JaxProcess()
    assert first._executor is second._executor


def test_a_store_goes_on_with_the_engine_that_began_it(tmp_path):
    """The orders of the data are another engine's own."""
    begun = run_compare(engine="sequential", store=tmp_path / "runs.sqlite", epochs=1, seeds=1)
    with pytest.raises(klr.ArgumentError, match="engine is 'sequential' there and 'population' here"):
        run_compare(store=tmp_path / "runs.sqlite", epochs=1, seeds=1)
    assert run_compare(engine="sequential", store=tmp_path / "runs.sqlite", epochs=1, seeds=1) == begun


def test_runs_of_a_program_are_kept(found, tmp_path):
    first = run_compare(store=tmp_path / "runs.sqlite")
    again = run_compare(store=tmp_path / "runs.sqlite")
    assert (again, again.engine_reason) == (first, "Every run was in the store.")
    assert first.best.name == found.best.name


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(found):
    process = jax_process.JaxProcess()._executor.submit(os.getpid).result()
    killer = threading.Timer(0.5, os.kill, (process, signal.SIGKILL))
    killer.start()
    again = run_compare()
    killer.join()
    assert again.engine == "population"
    assert jax_process.JaxProcess()._executor.submit(os.getpid).result() != process
    for case, other in zip(again.cases, found.cases, strict=True):
        assert case.mean == pytest.approx(other.mean, rel=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="it takes a signal to stop a process")
def test_a_worker_that_stands_still_is_ended_and_given_up(monkeypatch):
    """Each process with JAX is really stopped in the midst of its updates."""
    monkeypatch.setenv("KERAS_LR_HANG_SECONDS", "8")
    stopped = []
    plain = jax_process.Heartbeat

    class Watched(plain):
        @property
        def progress(self):
            found, process = super().progress, int(self.numbers[3])
            if found[1] > 0 and process not in stopped:
                stopped.append(process)
                os.kill(process, signal.SIGSTOP)
            return found

    monkeypatch.setattr(jax_process, "Heartbeat", Watched)
    with pytest.raises(
        klr.ArgumentError, match=r"with JAX made no progress for \d+ s at update \d+, in the last of 2 tries"
    ):
        run_compare(epochs=20_000)
    assert len(stopped) == 2
    for process in stopped:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_worker_that_is_killed_again_and_again_is_given_up(monkeypatch):
    def killed(*args):
        raise BrokenProcessPool

    monkeypatch.setattr(jax_process.JaxProcess, "_train", killed)
    with pytest.raises(klr.ArgumentError, match="the process with JAX was killed 2 times"):
        run_compare()


SCRIPT = """
import os
os.environ["KERAS_BACKEND"] = {backend!r}
import keras, numpy as np, keras_lr as klr

def build():
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model

print("begun")
x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
result = klr.compare(build, x, x.sum(axis=1), engine="population", learning_rates=[0.1, 0.01], metric="loss", verbose=0)
print(result.engine, keras.backend.backend(), result.best.name)
"""


@pytest.mark.slow
def test_a_script_without_a_guard_is_not_run_again(tmp_path):
    """In the style of the tutorial: no `if __name__ == "__main__"`, and a backend that the script itself sets."""
    backend = keras.backend.backend()
    (tmp_path / "script.py").write_text(SCRIPT.format(backend=backend))
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    command = [sys.executable, "script.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert ran.stdout == f"begun\npopulation {backend} lr 0.1\n", ran.stderr
