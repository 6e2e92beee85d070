"""The comparisons of docs/compare.md, made for real: their pictures, tables and sentences. Part of `make docs`."""

import pathlib
import re

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_lr as klr

DOCS = pathlib.Path(__file__).parent
IMAGES = DOCS / "images" / "compare"
COLUMNS = ["case", "mean", "low", "high", "p_best", "diverged", "verdict"]


def build_model():
    layers = [keras.layers.Dense(64, "relu"), keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.layers.Input([64]), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def told(result, rows):
    """What a comparison says, as Markdown."""
    table = result.table()[COLUMNS].head(rows)
    cells = [
        [f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in table.itertuples(index=False)
    ]
    lines = ["| " + " | ".join(row) + " |" for row in [COLUMNS, ["---"] * len(COLUMNS), *cells]]
    engine = re.sub(r"[\d.]+ ms", "... ms", result.engine_reason)  # the times are of one machine
    return "\n".join([result.reason, "", *lines, "", *result.warnings, f"Engine: {result.engine}. {engine}"])


def main():
    IMAGES.mkdir(parents=True, exist_ok=True)
    x, y = load_digits(return_X_y=True)
    arguments = {"x": (x / 16.0).astype("float32"), "y": y, "validation_split": 0.2, "epochs": 10, "verbose": 0}
    rates = klr.compare(build_model, learning_rates=list(np.geomspace(1e-5, 1.0, 32).round(7)), seeds=5, **arguments)
    rates.plot(IMAGES / "rates.png")
    several = ["adam", "rmsprop", "adagrad", "sgd"]
    optimizers = klr.compare(
        build_model, optimizers=several, learning_rates=[1.0, 0.1, 0.01, 0.001, 1e-4], seeds=3, **arguments
    )
    optimizers.plot(IMAGES / "optimizers.png")
    optimizers.plot(IMAGES / "heatmap.png", kind="heatmap")
    page = DOCS / "compare.md"
    text = page.read_text()
    for name, result in {"rates": rates, "optimizers": optimizers}.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = text[: text.index(start)] + f"{start}\n\n{told(result, 8)}\n\n" + text[text.index(end) :]
    page.write_text(text)


if __name__ == "__main__":
    main()
