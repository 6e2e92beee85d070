"""The range tests and trainings of docs/find.md, made for real: their pictures and sentences. Part of `make docs`.

`python docs/find.py long slow` makes only these parts again.
"""

import pathlib
import sys
import tempfile
import textwrap

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_lr as klr
from keras_lr.finder.deciding.other_finders import RULES
from keras_lr.report.draw import draw
from keras_lr.report.figure import Figure, Line, Panel
from keras_lr.report.text import rate as number

DOCS = pathlib.Path(__file__).parent
EXAMPLES = DOCS.parent / "examples" / "find"
IMAGES = DOCS / "images" / "find"
BATCH = 64
PARTS = 20  # of a long training: the loss curve has a point for each
sys.path.insert(0, str(EXAMPLES))

import fine_tuning  # noqa: E402  the examples are beside the documentation
import text_data  # noqa: E402


def build_model(optimizer, head="glorot_uniform"):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax", kernel_initializer=head)]
    model = keras.Sequential([keras.layers.Input([64]), *layers])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def build_transformer():
    keras.utils.set_random_seed(0)
    model = text_data.transformer()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def build_slow_starter():
    """A deep network with small weights, which stands still at first."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(32, "tanh", kernel_initializer=small(0.043)) for _ in range(3)]
    head = keras.layers.Dense(10, "softmax", kernel_initializer=small(0.043))
    model = keras.Sequential([keras.layers.Input([64]), *layers, head])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def small(deviation):
    return keras.initializers.RandomNormal(stddev=deviation)


def shifted(x, y, rows):
    """Returns digits at random places of a larger image, so that hardly any row comes twice."""
    chance = np.random.default_rng(0)
    chosen = chance.integers(0, len(x), rows)
    down, right = chance.integers(0, 5, (2, rows))
    wide = np.pad(x.reshape(-1, 8, 8), ((0, 0), (2, 2), (2, 2)))
    pixels = np.arange(8)
    images = wide[chosen[:, None, None], (down[:, None] + pixels)[:, :, None], (right[:, None] + pixels)[:, None, :]]
    return images.reshape(rows, 64), y[chosen]


def loss_curves(build, x, y, batch_size, found):
    """Trains at the answer, at half of it and at twice; returns the picture. Each row is new to the model when it comes."""
    lines, size = [], len(x) // PARTS
    for color, (name, factor) in enumerate({"the answer": 1.0, "half of it": 0.5, "twice": 2.0}.items()):
        model, losses = build(), []
        model.optimizer.learning_rate = factor * found.learning_rate
        for part in range(PARTS):
            rows = slice(part * size, (part + 1) * size)
            losses += model.fit(x[rows], y[rows], batch_size=batch_size, verbose=0).history["loss"]
        updates = [(part + 0.5) * size / batch_size for part in range(PARTS)]
        label = f"{name}, {number(factor * found.learning_rate)}: {losses[-1]:.3g} at the end"
        lines.append(Line(updates, losses, label, color=color))
    title = f"Trainings of {len(x) // batch_size:,} updates at three rates"
    panel = Panel(title, "Step (updates)", "Loss of new rows (log scale)", y_scale="log", lines=tuple(lines))
    return Figure((panel,))


def shown(name, found):
    """What a result says, as Markdown, with its picture."""
    found.plot(IMAGES / f"{name}.png")
    note = f"\n\n{found.note}" if found.note else ""
    cost = f"Cost: {found.cost.updates} updates."
    return f"![The range test, {name}](images/find/{name}.png)\n\n```\n{found}{note}\n{cost}\n```"


def with_rules(name, found):
    """The same, with the suggestions of other finders."""
    rows = [["rule", "rate"], ["---", "---"]]
    rows += [[rule, number(found.suggest(rule).learning_rate)] for rule in ("consensus", *RULES)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"{shown(name, found)}\n\n{table}"


def with_curves(name, build, x, y, batch_size):
    """The same, with trainings at the answer and beside it."""
    found = klr.find(build(), x, y, batch_size=batch_size, epochs=1, verbose=0)
    draw(loss_curves(build, x, y, batch_size, found), IMAGES / f"{name}_curves.png")
    return f"{shown(name, found)}\n\n![Trainings, {name}](images/find/{name}_curves.png)"


def recipe():
    """The code of the fine-tuning, and what it printed."""
    code = (EXAMPLES / "fine_tuning.py").read_text()
    code = textwrap.dedent(code[code.index("    # the recipe\n") : code.index("    # end of the recipe")])
    code = code.removeprefix("# the recipe\n").rstrip()
    with tempfile.TemporaryDirectory() as folder:
        head, whole, frozen_loss, loss = fine_tuning.main(folder)
    lines = [
        f"The head alone, test loss {frozen_loss:.2g}: {head}",
        f"The whole model, test loss {loss:.2g}: {whole}",
    ]
    return "\n".join(["```python", code, "```", "", "```", *lines, "```"])


def main(*names):
    """Makes the parts of these names again, or all of them."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    x, y = load_digits(return_X_y=True)
    x, order = (x / 16.0).astype("float32"), np.random.default_rng(0)
    some_wrong = np.where(order.random(len(y)) < 0.3, order.integers(0, 10, len(y)), y)
    shuffled = order.permutation(y)
    momentum = keras.optimizers.SGD(0.01, momentum=0.9)
    small_batch, quiet = {"batch_size": 8, "verbose": 0}, {"batch_size": BATCH, "verbose": 0}
    text, _ = text_data.windows(1000 * 32)
    parts = {
        "easy": lambda name: with_rules(name, klr.find(build_model("adam"), x, y, critical=True, **quiet)),
        "hard": lambda name: with_rules(
            name, klr.find(build_model(momentum), x, some_wrong, critical=True, **small_batch)
        ),
        "refused": lambda name: with_rules(name, klr.find(build_model("adam", small(0.02)), x, shuffled, verbose=0)),
        "long": lambda name: with_curves(name, lambda: build_model("adam"), *shifted(x, y, 3000 * BATCH), BATCH),
        "transformer": lambda name: with_curves(name, build_transformer, *text, 32),
        "slow": lambda name: shown(name, klr.find(build_slow_starter(), x, y, epochs=100, **quiet)),
        "fine_tuning": lambda name: recipe(),
    }
    page = DOCS / "find.md"
    for name in names or parts:
        part, content = parts[name](name), page.read_text()
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        page.write_text(content[: content.index(start)] + f"{start}\n\n{part}\n\n" + content[content.index(end) :])


if __name__ == "__main__":
    main(*sys.argv[1:])
