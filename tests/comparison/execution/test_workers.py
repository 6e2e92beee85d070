"""Runs in several processes: the same as in one, and none is lost if a process dies, hangs or runs out of memory."""

import importlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import time

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.execution import engines, transport, workers
from keras_lr.comparison.execution.executor import Executor
from keras_lr.comparison.measured import RunKey
from keras_lr.comparison.planning.budget import Budget
from keras_lr.comparison.planning.cost import Cost
from keras_lr.comparison.planning.plan import build_plan
from keras_lr.engines.workers import heartbeat
from tests.comparison.execution import faults
from tests.comparison.stored import stored
from tests.processes import hearing_interrupts

X, Y = faults.X, faults.Y
SHORT = {"learning_rates": [0.1, 0.01], "seeds": 2, "epochs": 2, "batch_size": 10, "metric": "loss", "verbose": 0}
STOPS_AT = faults.CALL if keras.backend.backend() == "tensorflow" else faults.CALL - 1  # elsewhere a call builds
linux = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc and stops processes")


def build_net():
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.2)])
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse", metrics=["mae"])
    return model


def plan_of(build_model=build_net, x=X, y=Y, **changed):
    data = {"x": x, "y": y, "sample_weight": None, "class_weight": None, "validation_data": None}
    data["validation_split"] = 0.0
    cases = {"learning_rates": None, "schedules": None, "optimizers": None} | changed
    return build_plan(build_model, data, seeds=1, epochs=1, batch_size=None, metric="loss", mode="auto", **cases)


# What travels


def send(plan, folder):
    transport.pack(plan).save(folder)
    return transport.load(folder).unpack()


def test_a_plan_travels_with_its_cases(tmp_path):
    optimizers = {"adam": keras.optimizers.Adam(klr.Linear(1.0, 0.0, "50%")), "sgd": keras.optimizers.SGD(momentum=0.9)}
    schedules = {
        "cosine": klr.Cosine(1.0, 0.0, "100%"),
        "own": klr.from_keras(keras.optimizers.schedules.CosineDecay(1.0, 9)),
    }
    plan = plan_of(optimizers=optimizers, schedules=schedules, learning_rates=[0.1, 0.01])
    again = send(plan, tmp_path)
    assert [case.name for case in again.cases] == [case.name for case in plan.cases]
    for case, other in zip(again.cases, plan.cases, strict=True):
        template = build_net().optimizer
        one, two = (each.optimizer_for(template).get_config() for each in (case, other))
        one.pop("name"), two.pop("name")
        assert repr(one) == repr(two)
    assert again.build_model().count_params() == build_net().count_params()
    assert again.build_model.__globals__ is not build_net.__globals__  # by its code, not by its name


def test_large_arrays_are_shared_and_equal(tmp_path):
    x = np.random.default_rng(0).normal(size=(6000, 3)).astype("float32")
    again = send(plan_of(x=x, y=x[:, 0]), tmp_path)
    assert np.array_equal(again.data["x"], x)
    assert len(list(tmp_path.glob("*.npy"))) == 1  # the labels are small
    assert isinstance(again.data["x"].base, np.memmap)
    again.data["x"][0] = 7.0  # of this process alone
    assert np.array_equal(np.load(tmp_path / "0.npy"), x)


@keras.saving.register_keras_serializable("tests")
class Halved(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.5 / (1.0 + keras.ops.cast(step, "float32"))

    def get_config(self):
        return {}


def test_settings_travel(tmp_path):
    before = keras.config.floatx(), keras.config.epsilon(), keras.config.dtype_policy().name
    try:
        keras.config.set_epsilon(1e-5)
        keras.config.set_dtype_policy("mixed_bfloat16")
        transport.pack(plan_of(schedules={"halved": Halved()})).save(tmp_path)
        keras.config.set_epsilon(before[1])
        keras.config.set_dtype_policy(before[2])
        again = transport.load(tmp_path).unpack()
        assert (keras.config.epsilon(), keras.config.dtype_policy().name) == (1e-5, "mixed_bfloat16")
        assert type(again.cases[0].schedule).__name__ == "Halved"
    finally:
        keras.config.set_epsilon(before[1])
        keras.config.set_dtype_policy(before[2])
        keras.saving.register_keras_serializable("tests")(Halved)


def test_what_is_registered_travels_by_its_code(tmp_path, monkeypatch):
    """No other process may be able to import its file."""
    (tmp_path / "only_here.py").write_text("def twice(x):\n    return 2 * x\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        module = importlib.import_module("only_here")
    keras.saving.register_keras_serializable("tests")(module.twice)
    objects = keras.saving.get_custom_objects()
    try:
        transport.pack(plan_of()).save(tmp_path)
        del sys.modules["only_here"], objects["tests>twice"]
        transport.load(tmp_path).unpack()
        assert objects["tests>twice"](21) == 42
    finally:
        sys.modules.pop("only_here", None)
        objects.pop("tests>twice", None)


class Locked:
    """Has an attribute that can't be pickled."""

    def __init__(self):
        import threading

        self.lock = threading.Lock()

    def __call__(self):
        return build_net()


@pytest.mark.once
def test_what_cannot_travel_is_refused_with_the_reason():
    reason = r"build_model \(Locked\) can't be copied: TypeError: cannot pickle"
    with pytest.raises(
        klr.ArgumentError, match=rf"compare\(workers=2\): other processes can't train the runs: {reason}"
    ):
        klr.compare(Locked(), X, Y, workers=2, engine="sequential", **SHORT)
    result = klr.compare(Locked(), X, Y, workers=2, **{**SHORT, "seeds": 1, "epochs": 1})
    assert result.engine == "sequential"
    start = "The runs are trained one after the other in this process: other processes can't train them, as build_model"
    assert result.engine_reason.startswith(start)


@pytest.mark.once
def test_a_dataset_that_cannot_be_copied_is_named():
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(10)
    with pytest.raises(transport.PackError, match=r"^x \(_BatchDataset\) can't be copied"):
        transport.pack(plan_of(x=data, y=None))


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 0}, "compare(workers=0): workers must be a whole number of at least 1. Pass 1 or more."),
        ({"workers": 1.5}, "compare(workers=1.5): workers must be a whole number of at least 1. Pass 1 or more."),
        (
            {"workers": 2, "engine": "population"},
            "compare(workers=2): engine='population' is one program, which uses every core by itself. "
            "Pass workers=1, or engine='sequential'.",
        ),
        ({"engine": "warp"}, "compare(engine='warp'): engine must be one of "),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(klr.ArgumentError) as caught:
        klr.compare(build_net, X, Y, **SHORT, **arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.once
def test_a_limit_that_is_no_number(monkeypatch):
    monkeypatch.setenv(heartbeat.VARIABLE, "soon")
    with pytest.raises(
        klr.ArgumentError, match=r"compare\(KERAS_LR_HANG_SECONDS='soon'\): it must be a number of seconds"
    ):
        klr.compare(build_net, X, Y, **SHORT)


@pytest.mark.once
def test_ray_that_is_missing_is_named_with_its_line(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(klr.MissingExtraError, match=r'needs ray, .* Run: pip install "keras-lr\[ray\]"'):
        workers.check_workers("ray", 1)


@pytest.mark.once
def test_a_model_that_is_not_new_is_refused_before_it_travels():
    model = build_net()
    with pytest.raises(klr.ArgumentError, match="build_model returned the same model twice"):
        klr.compare(lambda: model, X, Y, workers=2, **SHORT)


@pytest.mark.once
def test_a_budget_gives_several_processes_whole_seeds_at_once():
    """One process gets a run at a time."""
    plan = plan_of(learning_rates=[0.1, 0.01])
    budget = Budget(100.0, clock=lambda: 0.0)
    budget.estimate(Cost(10.0, 10.0, 0.0))  # 20 seconds a run
    missing = [plan.key(case, seed) for seed in range(4) for case in range(2)]
    several = workers.RemoteEngine(transport.pack(plan), "sequential", 2)
    alone = engines.SequentialEngine(plan, build_net, "")
    assert [Executor(None, budget, 0)._affordable(plan, engine, missing, 2) for engine in (several, alone)] == [4, 1]


# In this process


class Sleeping(keras.utils.PyDataset):
    """Its second batch never arrives."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == 1:
            time.sleep(60)
        return X[:10], Y[:10]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no alarm to interrupt with")
def test_a_loss_that_sleeps_is_interrupted_and_the_others_go_on(monkeypatch):
    monkeypatch.setenv(heartbeat.VARIABLE, "1")
    monkeypatch.setattr(faults, "DRIVER", 0)
    before = signal.getsignal(signal.SIGALRM)
    result = klr.compare(
        faults.build_model, X, Y, engine="sequential", **SHORT | {"learning_rates": [faults.STUCK, 0.1], "seeds": 1}
    )
    stuck, good = (case.runs[0] for case in result.cases)
    assert (stuck.outcome, good.outcome) == ("failed", "finished")
    assert re.fullmatch(rf"no progress for [12] s at update {STOPS_AT}, in each of 2 tries", stuck.error)
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="there the data is read in TensorFlow's own thread")
def test_a_data_source_that_sleeps_is_interrupted(monkeypatch):
    monkeypatch.setenv(heartbeat.VARIABLE, "1")
    monkeypatch.setattr(heartbeat, "TRIES", 1)
    arguments = {**SHORT, "batch_size": None, "learning_rates": [0.1], "seeds": 1}
    with pytest.raises(klr.UserCodeError, match=r"every case failed, the first: no progress for \d s"):
        klr.compare(faults.build_model, Sleeping(), engine="sequential", **arguments)


# In others


def same_runs(one, other):
    for case, again in zip(one.cases, other.cases, strict=True):
        assert case.learning_rates == again.learning_rates
        for run, twin in zip(case.runs, again.runs, strict=True):
            assert run.outcome == twin.outcome
            assert run.history.keys() == twin.history.keys()
            for name, values in run.history.items():
                # the same updates in float32; a machine whose threads share an operation differently may round otherwise
                assert np.allclose(values, twin.history[name], rtol=1e-5, equal_nan=True), (case.name, name)


@pytest.mark.slow
@linux
def test_runs_of_other_processes_are_those_of_this_one(tmp_path, monkeypatch):
    """With all that travels, and into one store: it starts here and ends in other processes."""
    arguments = SHORT | {
        "optimizers": {"adam": keras.optimizers.Adam(klr.Linear(1.0, 0.0, "50%")), "sgd": keras.optimizers.SGD(0.1)},
        "schedules": {"cosine": klr.Cosine(1.0, 0.0, "100%")},
        "seeds": 1,
        "validation_split": 0.25,
        "metric": "val_mae",
    }
    here = klr.compare(build_net, X, Y, engine="sequential", store=tmp_path / "here.sqlite", **arguments)
    there = klr.compare(build_net, X, Y, workers=2, store=tmp_path / "there.sqlite", **arguments)
    same_runs(here, there)
    threads = max(1, len(os.sched_getaffinity(0)) // 2)
    words = "1 thread" if threads == 1 else f"{threads} threads"
    assert there.engine == "sequential"
    assert there.engine_reason == f"The runs are trained one by one, in 2 processes of {words} each, as requested."
    monkeypatch.setattr(workers.RemoteEngine, "_pool", None)  # every run is in the store, so that no process is started
    resumed = klr.compare(build_net, X, Y, workers=2, store=tmp_path / "here.sqlite", **arguments)
    same_runs(here, resumed)


@pytest.mark.slow
@linux
def test_every_fault_at_once(tmp_path, monkeypatch):
    """The first three rates diverge, one kills its process once, two hang, one runs out of memory: the others finish."""
    monkeypatch.setenv(heartbeat.VARIABLE, "5")
    monkeypatch.setenv(faults.FOLDER, str(tmp_path))
    rates = [1e38, 1e37, 1e36, faults.KILLED, faults.STOPPED, faults.STUCK, faults.NO_MEMORY, 0.1, 0.01]
    store = tmp_path / "runs.sqlite"
    arguments = SHORT | {"learning_rates": rates, "seeds": 1}
    before = children()  # a process with JAX may wait for the next call
    result = klr.compare(faults.build_model, X, Y, workers=2, store=store, **arguments)
    outcomes = [case.runs[0].outcome for case in result.cases]
    assert outcomes == [*["diverged"] * 3, "finished", "failed", "failed", "failed", "finished", "finished"]
    errors = [case.runs[0].error for case in result.cases]
    for case in (4, 5):
        assert re.fullmatch(rf"no progress for \d+ s at update {STOPS_AT}, in each of 2 tries", errors[case])
    assert errors[6].startswith("out of memory: ") and "_fill_memory" in errors[6]
    assert (tmp_path / "killed").exists()
    assert sorted(key for key, _ in stored(store)) == [RunKey(0, case, 0) for case in range(9)]
    assert set(children()) <= set(before)
    alone = klr.compare(
        faults.build_model, X, Y, engine="sequential", **SHORT | {"learning_rates": [faults.KILLED], "seeds": 1}
    )
    assert np.allclose(alone.cases[0].runs[0].history["loss"], result.cases[3].runs[0].history["loss"], rtol=1e-5)


def children(of=None):
    """The worker processes that loky started below a process."""
    result = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            command = (process / "cmdline").read_text()
        except OSError:
            continue
        if int(parent) == (of or os.getpid()) and "popen_loky_posix" in command:
            result.append(int(process.name))
    return result


TRAIN = """
import keras, numpy as np, time
print("run")

def build_model():
    time.sleep(0.3)
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model

def load_data():
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    return x, x.sum(axis=1)
"""
LINE = ["compare", "train.py:build_model", "--data", "train.py:load_data", "--workers", "2", "--store", "runs.sqlite"]
LINE += ["--learning-rates", "0.1,0.05,0.02,0.01", "--seeds", "4", "--metric", "loss"]


def start_comparison(folder):
    """A comparison of the command line in a process group of its own, once its first runs are stored; and its workers."""
    (folder / "train.py").write_text(TRAIN)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-m", "keras_lr_cli.main", *LINE]
    with hearing_interrupts():
        driver = subprocess.Popen(command, cwd=folder, start_new_session=True, **pipes)
    until(lambda: (folder / "runs.sqlite").exists() and driver.poll() is None and count_runs(folder) >= 2)
    return driver, children(driver.pid)


def count_runs(folder):
    try:
        return len(stored(folder / "runs.sqlite"))
    except Exception:  # the table is not there yet
        return 0


def until(true, seconds=240):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def alive(process):
    return pathlib.Path(f"/proc/{process}").exists()


@pytest.mark.once
@pytest.mark.slow
@linux
def test_interrupts_and_kills_of_the_command_line_end_its_workers_and_lose_no_run(tmp_path):
    driver, workers = start_comparison(tmp_path)
    assert len(workers) == 2
    os.killpg(driver.pid, signal.SIGINT)
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 130, err
    assert err.rstrip().endswith("interrupted")
    assert out == "run\n"  # by the driver alone: the workers don't run the file
    until(lambda: not any(map(alive, workers)), 20)
    before = count_runs(tmp_path)
    assert 2 <= before < 16

    driver, workers = start_comparison(tmp_path)
    until(lambda: count_runs(tmp_path) > before)
    driver.kill()
    driver.communicate(timeout=60)
    until(lambda: not any(map(alive, workers)), 60)
    process = subprocess.run(
        [sys.executable, "-m", "keras_lr_cli.main", *LINE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert sorted(key for key, _ in stored(tmp_path / "runs.sqlite")) == [
        RunKey(0, c, s) for c in range(4) for s in range(4)
    ]


SCRIPT = """
import os
os.environ["KERAS_BACKEND"] = {backend!r}
import keras, numpy as np, keras_lr as klr

class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return 2.0 * inputs

def build():
    model = keras.Sequential([keras.layers.Input([3]), Doubled(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model

print("begun")
x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
result = klr.compare(build, x, x.sum(axis=1), workers=2, learning_rates=[0.1, 0.01], metric="loss", verbose=0)
print(result.engine, result.best.name)
"""


@pytest.mark.slow
def test_a_script_without_a_guard_is_not_run_again(tmp_path):
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT.format(backend=keras.backend.backend())))
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    process = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert process.stdout == "begun\nsequential lr 0.1\n", process.stderr
