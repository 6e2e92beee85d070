"""Runs every benchmark, each backend in a separate process, and writes the tables into docs/benchmarks.md.

python benchmarks/run.py [regret | speed]
"""

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
MARKS = {  # make bench writes between them
    "regret": ("<!-- regret: measured by make bench -->", "<!-- end of regret -->"),
    "speed": ("<!-- measured by make bench -->", "<!-- end -->"),
}
RUNS = 5


def output_of(script, backend, *arguments):
    """Runs a benchmark in a separate process, and returns the JSON document that it prints last."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    run = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    return json.loads(run.stdout.splitlines()[-1])


def rows_of(script, backend):
    """Runs a benchmark of speed, and returns its rows."""
    return output_of(script, backend)["rows"]


def regret():
    """Runs `find` on every pair again, and scores it and the other finders by the stored trainings."""
    with tempfile.TemporaryDirectory() as folder:
        answers = str(pathlib.Path(folder) / "answers.json")
        output_of("regret/answers.py", "jax", "--out", answers)
        tables = output_of("regret/score.py", "jax", "--answers", answers, "--json")
    lines = []
    for title, rows in tables.items():
        lines += [f"{title}:", "", *table(rows), ""]
    return lines


def range_tests(backend):
    """Milliseconds per update of each way, and their ratios to `find`; on TensorFlow, those of torch-lr-finder too."""
    rows = rows_of("range_test.py", backend)
    peers = ROOT / ".venv" / "peers" / "bin" / "python"
    if backend == "tensorflow" and peers.exists():
        command = [str(peers), str(ROOT / "benchmarks" / "range_test.py"), "--peer"]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        for row, theirs in zip(rows, json.loads(run.stdout.splitlines()[-1])["rows"], strict=True):
            row.update(theirs)
    for row in rows:
        ways = {way: value for way, value in row.items() if way not in ("model", "find")}
        row.update({f"ratio {way} / find": value / row["find"] for way, value in ways.items()})
    return rows


def default_calls(backend):
    """Seconds of `klr.find(model, x, y)` in a new process, and of a second call on the same model: the best of three each."""
    rows = []
    for arguments in ((), ("128",), ("transformer",)):
        several = [output_of("default_call.py", backend, *arguments)["rows"][0] for _ in range(3)]
        second = min(several, key=lambda row: row["second call"])
        row = {name: second[name] for name in ("model", "batch_size", "seconds", "second call", "its updates")}
        row["seconds"] = min(row["seconds"] for row in several)
        rows.append(
            {"backend": backend, **row, "ratio second call / its updates": row["second call"] / row["its updates"]}
        )
    return rows


def seconds(*command):
    """The shortest time of a command in several runs, on JAX, which starts fastest."""
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


def imports():
    """Seconds that `import keras_lr` adds to `import keras` in the same process."""
    code = "import time, keras; start = time.perf_counter(); import keras_lr; print(time.perf_counter() - start)"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
        for _ in range(RUNS)
    ]
    return min(float(run.stdout) for run in runs)


def speed():
    script = str(pathlib.Path(sys.executable).parent / "keras-lr")
    names = ["keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy"]
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in names
        if importlib.util.find_spec(name.split("-")[0]) and is_installed(name)
    )
    lines = [
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}.",
        "",
    ]
    lines += [
        f"`import keras_lr` adds {1000 * imports():.0f} ms to `import keras`; `keras-lr --help` takes {seconds(script, '--help'):.2f} s.",
        "",
    ]
    backends = [backend for backend in ("tensorflow", "jax", "torch") if importlib.util.find_spec(backend)]
    calls = [row for backend in backends for row in default_calls(backend)]
    lines += [
        "Seconds of `klr.find(model, x, y)`, compilation included: an MLP on 60,000 rows of 784, and a transformer of four",
        "layers, 64 wide, on texts of 16 characters. A second call on the same model compiles nothing:",
        "",
        "",
    ]
    lines += [*table(calls), ""]
    for backend in backends:
        rows = range_tests(backend)
        lines += [
            f"Milliseconds per update of a range test on {backend}, and the ratios of the others to find:",
            "",
            *table(rows),
            "",
        ]
        rows = rows_of("updates.py", backend)
        lines += [f"Milliseconds per update on {backend}:", "", *table(rows), ""]
        rows = rows_of("schedule_cost.py", backend)
        lines += [
            f"Milliseconds per update in `fit` on {backend}, with a float and with a schedule of ten parts:",
            "",
            *table(rows),
            "",
        ]
    for backend in ("tensorflow", "jax", "torch"):
        if importlib.util.find_spec(backend) is None:
            continue
        rows = rows_of("many_runs.py", backend)
        lines += [f"Many runs from a script on {backend}, against a loop of its `fit`:", "", *table(rows), ""]
    if importlib.util.find_spec("keras_tuner"):
        rows = rows_of("tuners.py", "tensorflow")
        lines += ["Twelve rates with two seeds on TensorFlow, by `compare` and by others:", "", *table(rows), ""]
    lines += [
        "Writing runs into a store, one transaction each, and reading them:",
        "",
        *table(rows_of("store_speed.py", "jax")),
        "",
        "The report of many long runs:",
        "",
        *table(rows_of("report_speed.py", "jax")),
        "",
    ]
    return lines


def table(rows):
    """Formats rows of named values as the lines of a Markdown table."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    for row in rows:
        cells = [
            str(value) if isinstance(value, (str, int)) else f"{value:.{3 if 'ratio' in name else 2}f}"
            for name, value in row.items()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def is_installed(name):
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def main(parts):
    for part in parts:
        start, end = MARKS[part]
        lines = "\n".join([start, "", *(regret() if part == "regret" else speed()), end])
        text = PAGE.read_text()
        PAGE.write_text(text[: text.index(start)] + lines + text[text.index(end) + len(end) :])
        print(lines)


if __name__ == "__main__":
    main(sys.argv[1:] or list(MARKS))
