"""Runs of a Ray cluster are the same as local ones, and none is lost with a worker or a node. Slow tests."""

import os
import re
import signal
import sys
import threading
import time

import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.measured import RunKey
from keras_lr.engines.workers import heartbeat
from tests.comparison.execution import faults
from tests.comparison.stored import stored

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.skipif(sys.platform != "linux", reason="it kills processes"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # Ray forks, and JAX warns of it
]
X, Y = faults.X, faults.Y
SHORT = {"learning_rates": [0.1, 0.01], "seeds": 2, "epochs": 2, "batch_size": 10, "metric": "loss", "verbose": 0}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Only the test's own cluster, which needs no token."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield
    import ray

    assert not ray.is_initialized()


@pytest.fixture
def cluster():
    """Two nodes; the driver is on one of them."""
    from ray.cluster_utils import Cluster

    two_nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    two_nodes.other = two_nodes.add_node(num_cpus=1)
    yield two_nodes
    two_nodes.shutdown()


def slowly():
    time.sleep(0.5)
    return faults.build_model()


def test_a_cluster_of_this_machine_is_started_and_ended(tmp_path):
    """One run kills its process once, one hangs in every try, and the others equal local runs."""
    os.environ |= {heartbeat.VARIABLE: "5", faults.FOLDER: str(tmp_path)}
    try:
        rates = [faults.KILLED, faults.STOPPED, 1e38, 0.1]
        arguments = SHORT | {"learning_rates": rates, "seeds": 1}
        before = signal.getsignal(signal.SIGTERM)
        there = klr.compare(faults.build_model, X, Y, engine="ray", workers=2, store=tmp_path / "r.sqlite", **arguments)
        assert signal.getsignal(signal.SIGTERM) == before
        here = klr.compare(faults.build_model, X, Y, engine="sequential", **arguments)
    finally:
        del os.environ[heartbeat.VARIABLE], os.environ[faults.FOLDER]
    assert [case.runs[0].outcome for case in there.cases] == ["finished", "failed", "diverged", "finished"]
    # the last report of a run that stops itself at once may be of an earlier update
    assert re.fullmatch(r"no progress for \d+ s at update [0-3], in each of 2 tries", there.cases[1].runs[0].error)
    assert (tmp_path / "killed").exists()
    for case in (0, 3):
        one, other = (found.cases[case].runs[0].history for found in (here, there))
        assert np.allclose(one["loss"], other["loss"], rtol=1e-5)  # the same updates in float32
    assert there.engine == "ray"
    assert there.engine_reason.startswith(
        "The runs are trained one by one, on a Ray cluster of this machine of 1 node and "
    )
    assert sorted(key for key, _ in stored(tmp_path / "r.sqlite")) == [RunKey(0, case, 0) for case in range(4)]


def test_a_node_that_is_removed_costs_no_run(cluster, monkeypatch, tmp_path):
    """The user's cluster stays."""
    import ray

    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    store, removed = tmp_path / "runs.sqlite", []

    def remove():
        while not (store.exists() and len(stored(store)) >= 2):
            time.sleep(0.1)
        cluster.remove_node(cluster.other, allow_graceful=False)
        removed.append(len(stored(store)))

    thread = threading.Thread(target=remove, daemon=True)
    thread.start()
    arguments = SHORT | {"learning_rates": [0.1, 0.05, 0.01], "seeds": 4}
    found = klr.compare(slowly, X, Y, engine="ray", store=store, **arguments)
    thread.join()
    assert removed and 2 <= removed[0] < 12
    assert "of 2 nodes and 2 cores, 1 for each" in found.engine_reason
    assert sorted(key for key, _ in stored(store)) == [RunKey(0, case, seed) for case in range(3) for seed in range(4)]
    assert [run.outcome for case in found.cases for run in case.runs] == ["finished"] * 12
    ray.init(cluster.address, log_to_driver=False)
    try:
        end = time.monotonic() + 120.0  # Ray notices a lost node only after some health checks
        while sum(node["Alive"] for node in ray.nodes()) > 1 and time.monotonic() < end:
            time.sleep(0.2)
        assert sum(node["Alive"] for node in ray.nodes()) == 1
    finally:
        ray.shutdown()
