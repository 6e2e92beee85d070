"""Faults that a store meets: a second driver, files that are none, full disks, crashes and damage."""

import contextlib
import os
import pathlib
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.measured import RunKey
from keras_lr.comparison.store import locks, schema
from keras_lr.comparison.store.store import Store, open_store
from tests.comparison.stored import KEYS, PLAN, RUNS, Stop, made, measured, same, stored

pytestmark = pytest.mark.once
FAILED = RunKey(0, 1, 3)
OLD = pathlib.Path(__file__).parent / "store_version_1.sql"


# One driver


def test_a_second_driver_is_refused(tmp_path):
    path = tmp_path / "runs.sqlite"
    link = tmp_path / "link.sqlite"
    with open_store(path, lambda: PLAN) as store:
        store.write(KEYS[0], RUNS[KEYS[0]])
        link.symlink_to(path)
        for name in (path, link):
            with (
                pytest.raises(klr.StoreError, match=r"another process \(\d+\) is writing it\. Wait until it ends"),
                open_store(name, lambda: PLAN),
            ):
                pass
    with open_store(path, lambda: PLAN) as store:
        assert list(store.runs) == [KEYS[0]]


def test_the_lock_ends_with_a_process_that_is_killed(tmp_path):
    code = (
        "import importlib.util, pathlib, sys, time\n"
        "spec = importlib.util.spec_from_file_location('locks', sys.argv[1])\n"
        "locks = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(locks)\n"
        "with locks.lock(pathlib.Path(sys.argv[2])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    source = locks.__file__
    command = [sys.executable, "-c", code, str(source), str(tmp_path / "runs.sqlite")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(klr.StoreError, match=rf"another process \({other.pid}\) is writing it"),
            open_store(tmp_path / "runs.sqlite", lambda: PLAN),
        ):
            pass
        other.kill()
    with open_store(tmp_path / "runs.sqlite", lambda: PLAN) as store:
        assert store.runs == {}


# Faults


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (3, "compare(store=3): store must be a path. Pass a path such as 'runs.sqlite'."),
        ("", "compare(store=''): store must be a path."),
        (".", "compare(store='.'): it is a folder. Add a file name, such as runs.sqlite."),
        ("no/such/runs.sqlite", "the folder no/such does not exist. Create it first."),
    ],
)
def test_a_path_that_is_none(tmp_path, monkeypatch, store, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(klr.ArgumentError) as caught, open_store(store, lambda: PLAN):
        pass
    assert said in str(caught.value)


def other_program(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")


@pytest.mark.parametrize(
    "make", [other_program, lambda path: path.write_text("case,seed\n" * 500)], ids=["sqlite", "csv"]
)
def test_another_file_is_refused_and_left_alone(tmp_path, make):
    path = tmp_path / "notes"
    make(path)
    before = path.read_bytes()
    with pytest.raises(klr.ArgumentError, match=f"it is not a store.* Run keras-lr store check {path}"):
        Store(path, PLAN)
    assert path.read_bytes() == before


@pytest.mark.parametrize("statement", ["SELECT 1", "PRAGMA journal_mode = WAL"])
def test_a_file_that_was_begun_and_is_empty_becomes_a_store(tmp_path, statement):
    path = tmp_path / "runs.sqlite"
    path.touch()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    assert len(stored(made(path))) == len(KEYS)


def add_a_column(connection):
    connection.execute("ALTER TABLE run ADD COLUMN host TEXT")


def test_a_newer_store_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "runs.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", [*schema.STEPS, add_a_column])
        made(path)
    with pytest.raises(klr.ArgumentError, match=r"a newer keras-lr wrote it \(version 3; this one knows 2\)\. Update"):
        Store(path, PLAN)


def test_an_older_store_is_brought_up_and_goes_on(tmp_path, monkeypatch):
    path = made(tmp_path / "runs.sqlite", KEYS[:5])
    monkeypatch.setattr(schema, "STEPS", [*schema.STEPS, add_a_column])
    made(path, KEYS[5:])
    assert [key for key, _ in stored(path)] == KEYS
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)


def test_a_store_of_the_first_version_is_read(tmp_path):
    """The file was made by version 1 and never again."""
    path = tmp_path / "runs.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD.read_text())
    with contextlib.closing(Store(path, PLAN)) as store:
        assert all(same(store.runs[key], RUNS[key]) for key in KEYS if key != FAILED)


def test_a_crash_between_any_two_statements_leaves_the_run_out_or_in(tmp_path):
    """Each statement in turn is the last one before the process is gone: what it had open is rolled back."""

    class Crashing:
        """A connection that dies before its n-th statement."""

        def __init__(self, own, left):
            self.own, self.left = own, left

        def __getattr__(self, name):
            method = getattr(self.own, name)
            if name not in ("execute", "executemany"):
                return method

            def counted(*arguments):
                if self.left == 0:
                    raise Stop
                self.left -= 1
                return method(*arguments)

            return counted

    for key, keys in ((KEYS[0], KEYS[3:]), (FAILED, [*KEYS[3:], KEYS[0]])):
        for statement in range(20):
            path = made(tmp_path / f"{key.case} {statement}.sqlite", keys)
            before = stored(path)
            store = Store(path, PLAN)
            own = store._connection
            store._connection = Crashing(own, statement)
            try:
                store.write(key, measured(0, 0))
            except Stop:
                own.close()
                assert repr(stored(path)) == repr(before), statement
                continue
            own.close()
            assert same(dict(stored(path))[key], measured(0, 0))
            break
        assert 4 < statement < 19


FULL = """
import resource, sys
import keras_lr as klr
from keras_lr.comparison.store.store import open_store
from tests.comparison.stored import KEYS, PLAN, measured

for limit in (100, 30_000, 200_000, resource.RLIM_INFINITY):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    done = 0
    try:
        with open_store(sys.argv[1], lambda: PLAN) as store:
            for key in KEYS:
                if key not in store.runs:
                    store.write(key, measured(key.case, key.seed, 3000))
                done += 1
    except klr.StoreError as error:
        print(done, error)
    else:
        print(done)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of file sizes")
def test_on_a_full_disk_it_stops_and_goes_on_when_there_is_space(tmp_path):
    path = tmp_path / "runs.sqlite"
    command = [sys.executable, "-c", FULL, str(path)]
    root, environment = OLD.parents[3], {**os.environ, "KERAS_BACKEND": "jax"}
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env=environment)
    *full, whole = ran.stdout.splitlines()
    counts = [int(line.partition(" ")[0]) for line in full]
    assert len(full) == 3 and counts[:2] == [0, 0] and 0 < counts[2] < len(KEYS)
    assert int(whole) == len(KEYS) == len(stored(path))
    for line in full:
        assert f" compare(store='{path}'): it can't be" in line or "the disk gave an error" in line
        assert line.endswith("; the same call then continues where it stopped.")
    assert all(same(one, measured(key.case, key.seed, 3000)) for key, one in stored(path))


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("only root can mount a disk; the test above limits the sizes of files")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path):
    """Stores runs of 3,000 numbers, until all are there or an error says that they can't be."""
    with open_store(path, lambda: PLAN) as store:
        for key in KEYS:
            if key not in store.runs:
                store.write(key, measured(key.case, key.seed, 3000))


def test_on_a_disk_that_is_really_full_it_stops_and_goes_on_when_there_is_space(small_disk):
    path, other = small_disk / "runs.sqlite", small_disk / "other"
    other.write_bytes(bytes(600_000))
    for _ in range(2):
        with pytest.raises(klr.StoreError, match=r"the disk (is full|gave an error).*the same call then continues"):
            fill(path)
        kept = stored(path)
        assert 0 < len(kept) < len(KEYS)
        assert all(same(one, measured(key.case, key.seed, 3000)) for key, one in kept)
    other.unlink()
    fill(path)
    assert [key for key, _ in stored(path)] == KEYS
    assert all(same(one, measured(key.case, key.seed, 3000)) for key, one in stored(path))


def test_on_a_disk_that_cannot_be_written_it_says_so(small_disk):
    path = made(small_disk / "runs.sqlite", KEYS[:4])
    before = path.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for name in ("runs.sqlite", "new.sqlite"):
        with pytest.raises(klr.StoreError, match="it can't be written: Read-only file system. Pass another path"):
            fill(small_disk / name)
    assert path.read_bytes() == before


@pytest.mark.skipif(not pathlib.Path("/proc/self").is_dir(), reason="there is no folder that nobody can write to")
def test_a_folder_that_cannot_be_written():
    with (
        pytest.raises(klr.StoreError, match="it can't be written: .* Pass another path"),
        open_store("/proc/a", lambda: PLAN),
    ):
        pass


def test_a_file_that_cannot_be_written(tmp_path, monkeypatch):
    from keras_lr.comparison.store import store

    path, own = made(tmp_path / "runs.sqlite", KEYS[:1]), store.connect
    monkeypatch.setattr(store, "connect", lambda path: own(path, "ro"))
    with (
        pytest.raises(
            klr.StoreError, match="it can't be written: no permission. Make the file and its folder writable"
        ),
        contextlib.closing(Store(path, PLAN)) as kept,
    ):
        kept.write(KEYS[1], RUNS[KEYS[1]])
    assert len(stored(path)) == 1


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bytes_are_noticed_or_harmless(tmp_path, seed):
    """Where the file is still taken for whole, every run in it is as it was written."""
    whole = made(tmp_path / "whole.sqlite").read_bytes()
    rng, refused = np.random.default_rng(seed), 0
    path = tmp_path / "runs.sqlite"
    for _ in range(60):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        try:
            with contextlib.closing(Store(path, PLAN)) as store:
                assert all(same(one, RUNS[key]) for key, one in store.runs.items())
        except klr.ArgumentError as error:
            refused += 1
            assert f"keras-lr store check {path}" in str(error)
        for one in tmp_path.glob("runs.sqlite*"):
            one.unlink()
    assert refused > 3


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.95])
def test_a_file_that_was_cut_off_is_refused(tmp_path, share):
    path = made(tmp_path / "runs.sqlite")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(
        klr.ArgumentError, match=f"it is not a store, or it is damaged. Run keras-lr store check {path}"
    ):
        Store(path, PLAN)
