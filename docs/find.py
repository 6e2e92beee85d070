"""The range tests of docs/find.md, made for real: their pictures and sentences. Part of `make docs`."""

import pathlib

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_lr as klr
from keras_lr.finder.deciding.other_finders import RULES
from keras_lr.report.text import rate as number

DOCS = pathlib.Path(__file__).parent
IMAGES = DOCS / "images" / "find"


def build_model(optimizer):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.layers.Input([64]), *layers])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def told(name, found):
    """What a result says, as Markdown, with its picture."""
    rows = [["rule", "rate"], ["---", "---"]]
    rows += [[rule, number(found.suggest(rule).learning_rate)] for rule in ("consensus", *RULES)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"![The range test, {name}](images/find/{name}.png)\n\n```\n{found}\n```\n\n{table}"


def main():
    IMAGES.mkdir(parents=True, exist_ok=True)
    x, y = load_digits(return_X_y=True)
    x, order = (x / 16.0).astype("float32"), np.random.default_rng(0)
    some_wrong = np.where(order.random(len(y)) < 0.3, order.integers(0, 10, len(y)), y)
    momentum = keras.optimizers.SGD(0.01, momentum=0.9)
    results = {
        "easy": klr.find(build_model("adam"), x, y, batch_size=64, critical=True, verbose=0),
        "hard": klr.find(build_model(momentum), x, some_wrong, batch_size=8, critical=True, verbose=0),
        "refused": klr.find(build_model("adam"), x, order.permutation(y), batch_size=8, steps=60, verbose=0),
    }
    page = DOCS / "find.md"
    text = page.read_text()
    for name, found in results.items():
        found.plot(IMAGES / f"{name}.png")
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = text[: text.index(start)] + f"{start}\n\n{told(name, found)}\n\n" + text[text.index(end) :]
    page.write_text(text)


if __name__ == "__main__":
    main()
