"""Makes the pictures of the documentation from real runs: `make docs`."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
PICTURES = ["lr_finder.png", "learning_rate_comparison.png", "training.png"]
SHAPE = "(Constant(1.0, '55%') >> Cosine(1.0, 0.0, '40%')).warmup('5%')"


def main():
    IMAGES.mkdir(exist_ok=True)
    script = str(pathlib.Path(sys.executable).parent / "keras-lr")
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([script, "demo", "--output", folder], env=environment, check=True)
        for name in PICTURES:
            shutil.copy(pathlib.Path(folder) / name, IMAGES / name)
    for page in ("schedules.py", "find.py", "compare.py"):
        subprocess.run([sys.executable, str(ROOT / "docs" / page)], env=environment, check=True)
    bind = ["--steps-per-epoch", "100", "--epochs", "10"]
    subprocess.run(
        [script, "schedule", SHAPE, *bind, "--plot", str(IMAGES / "schedule.png")], env=environment, check=True
    )


if __name__ == "__main__":
    main()
