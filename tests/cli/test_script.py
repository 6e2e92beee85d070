"""What holds for every command: help at once, exit codes, one JSON document, nothing of the frameworks on the screen."""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import subprocess
import sys
import time

import pytest

import keras_lr as klr
from keras_lr_cli import main
from tests.processes import hearing_interrupts

pytestmark = pytest.mark.once

COMMANDS = ("demo", "find", "batch-size", "compare", "schedule", "store", "doctor")
COSINE = "(Constant(1.0, '55%') >> Cosine(1.0, 0.0, '40%')).warmup('5%')"
RUN = ("--steps-per-epoch", "100", "--epochs", "10")


@pytest.mark.parametrize(
    "words",
    [("--version",), *[(*command, "--help") for command in ((), *[(name,) for name in COMMANDS], ("store", "check"))]],
    ids=str,
)
def test_help_and_version_import_neither_a_framework_nor_keras(words):
    code = (
        "import sys, keras_lr_cli.main\n"
        f"sys.argv = ['keras-lr', *{words!r}]\n"
        "try:\n    keras_lr_cli.main.main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'keras_lr', 'keras', 'tensorflow', 'jax', 'torch', 'numpy', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ("Usage" if "--help" in words else klr.__version__) in process.stdout
    assert process.stderr == "[]\n"


def declarations():
    return {
        info.callback.__name__: info.callback
        for info in (*main.app.registered_commands, *main.stores.registered_commands)
    }


@pytest.mark.parametrize("command", declarations())
def test_every_command_and_option_has_a_help_text(command):
    callback = declarations()[command]
    assert callback.__doc__
    for parameter in inspect.signature(callback, eval_str=True).parameters.values():
        (declared,) = parameter.annotation.__metadata__
        assert declared.help, parameter.name


@pytest.mark.parametrize("command", sorted(set(declarations()) - {"doctor"}))
def test_every_option_reaches_a_parameter(command):
    callback = declarations()[command]
    module, _, name = inspect.getclosurevars(callback).nonlocals["function"].rpartition(".")
    run = getattr(importlib.import_module(f"keras_lr_cli.commands.{module}"), name)
    declared = set(inspect.signature(callback).parameters) - {"backend", "as_json"}
    parameters = inspect.signature(run).parameters.values()
    named = {parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
    rest = declared - named
    assert named <= declared
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        assert rest <= set(inspect.signature(getattr(klr, command)).parameters)
    else:
        assert not rest


def test_options_of_find_have_the_defaults_of_the_function():
    ours = inspect.signature(main.find).parameters
    for name, parameter in inspect.signature(klr.find).parameters.items():
        if name in (
            "epochs",
            "steps_per_epoch",
            "min_lr",
            "max_lr",
            "steps",
            "repeats",
            "ramp",
            "sprint_steps",
            "group",
            "seed",
        ):
            assert ours[name].default == parameter.default, name


def test_version(quick):
    ran = quick("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"keras-lr {klr.__version__}\n", "")


@pytest.mark.parametrize(
    "words",
    [("nosuch",), ("find",), ("find", "a:b"), ("schedule", "1", "--epochs", "0"), ("doctor", "--backend", "caffe")],
    ids=str,
)
def test_bad_usage_is_2(quick, words):
    ran = quick(*words)
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_no_command_shows_the_help(quick):
    ran = quick()
    assert "Usage" in ran.out + ran.err
    assert "doctor" in ran.out + ran.err


def test_schedule_for_people(quick, folder):
    ran = quick("schedule", COSINE, *RUN)
    assert ran.code == 0, ran.err
    assert ran.err == ""
    for word in ("Constant(1.0, '55%')", "start", "25 %", "50 %", "75 %", "end", "highest", "lowest", "0.0196"):
        assert word in ran.out
    assert sorted(path.name for path in folder.iterdir()) == ["parts.py", "train.py"]


def test_schedule_as_json(quick):
    ran = quick("schedule", COSINE, *RUN, "--json")
    assert (ran.code, ran.err) == (0, "")
    document = ran.document
    assert document["total_steps"] == document["steps"][-1] == 1000
    bound = ((klr.Constant(1.0, "55%") >> klr.Cosine(1.0, 0.0, "40%")).warmup("5%")).bind(
        steps_per_epoch=100, epochs=10
    )
    assert document["rates"] == bound.evaluate(document["steps"]).tolist()
    assert (document["highest"], document["lowest"]) == (1.0, 0.0)
    assert document["area"] == pytest.approx(sum(klr.schedules.text.parse(document["schedule"]).evaluate(range(1000))))
    assert document["findings"] == []


def test_schedule_of_a_long_run_gives_few_points(quick):
    document = quick("schedule", "Cosine(1.0, 0.0, 1000000)", "--json").document
    assert len(document["steps"]) == 2001
    assert document["steps"][-1] == 1_000_000


def test_schedule_saves_a_picture(quick, folder):
    ran = quick("schedule", COSINE, *RUN, "--plot", "s.png")
    assert (ran.code, ran.err) == (0, "")
    assert (folder / "s.png").read_bytes().startswith(b"\x89PNG")
    assert "Saved s.png" in ran.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("Constant(0.1",), "this is not a Python expression"),
        (("__import__('os')",), "__import__ is not allowed"),
        (
            (COSINE,),
            "its lengths have units, and the length of the run is unknown. Pass --steps-per-epoch 100 --epochs 10.",
        ),
        (("Constant(0.1)",), "it has no end, and the length of the run is unknown."),
        (("Cosine(1.0, 0.0, '500ex')", *RUN), "a length in examples needs the batch size"),
        (
            ("Cosine(1.0, 0.0, 5)", "--plot", "no/s.png"),
            "schedule(plot='no/s.png'): the folder no does not exist. Create it first.",
        ),
        (("Cosine(1.0, 0.0, 5)", "--plot", "s.doc"), "plot must end in .png, .svg, .pdf. Write s.png."),
    ],
)
def test_schedule_of_bad_arguments_is_2(quick, words, message):
    ran = quick("schedule", *words)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_an_error_as_json_is_one_document_too(quick):
    ran = quick("schedule", "Cosine", "--json")
    assert ran.code == 2
    assert ran.document["exit_code"] == 2
    assert "Cosine needs its arguments" in ran.document["error"]


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_interrupted_is_130(script, folder):
    (folder / "slow.py").write_text(
        "import time\n\n\ndef build():\n    open('begun', 'w').close()\n    time.sleep(120)\n"
    )
    (folder / "slow.py").write_text((folder / "slow.py").read_text() + "\n\ndef load():\n    return build()\n")
    command = [str(script), "find", "slow.py:build", "--data", "slow.py:load"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with hearing_interrupts():
        process = subprocess.Popen(command, cwd=folder, **pipes)
    deadline = time.monotonic() + 100
    while not (folder / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
