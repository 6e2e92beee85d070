"""Runs trained by one compiled program are the runs that `fit` makes: the same orders, dropout, losses and metrics."""

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr import backends
from keras_lr.comparison.execution.grouping import ProgramInputs
from keras_lr.comparison.planning.plan import build_plan
from keras_lr.engines.programs.population import Members, SeedStart, train_alone, train_together

L = keras.layers
on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="the program is JAX's")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(72, 8)).astype("float32"), RNG.integers(0, 3, 72)
WORDS = RNG.integers(0, 20, (72, 6))
IMAGES = RNG.normal(size=(72, 6, 6, 1)).astype("float32")
RATES = [0.1, 0.01, 0.001]
UNEVEN = {"batch_size": 20}  # of 57 examples: another program for the last batch of an epoch


def compiled(inputs, outputs, optimizer="sgd", **kwargs):
    model = keras.Model(inputs, outputs)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **kwargs)
    return model


def dense(optimizer="sgd"):
    inputs = L.Input([8])
    hidden = L.Dropout(0.3)(L.BatchNormalization()(L.Dense(16, "relu")(inputs)))
    return compiled(inputs, L.Dense(3, "softmax")(hidden), optimizer)


def recurrent():
    inputs = L.Input([6], dtype="int32")
    return compiled(inputs, L.Dense(3, "softmax")(L.GRU(8)(L.Embedding(20, 4)(inputs))))


def attention():
    inputs = L.Input([6], dtype="int32")
    words = L.Embedding(20, 8)(inputs)
    mixed = L.LayerNormalization()(words + L.MultiHeadAttention(2, 4, dropout=0.1)(words, words))
    return compiled(inputs, L.Dense(3, "softmax")(L.GlobalAveragePooling1D()(mixed)), "adam")


def convolution():
    inputs = L.Input([6, 6, 1])
    return compiled(inputs, L.Dense(3, "softmax")(L.Flatten()(L.Conv2D(4, 3, activation="relu")(inputs))), "adam")


MODELS = {"dense": (dense, X), "recurrent": (recurrent, WORDS), "attention": (attention, WORDS)}
MODELS["convolution"] = (convolution, IMAGES)
OPTIMIZERS = ["sgd", "adam", "adamw", "rmsprop", "adagrad", "lion"]


def run_compare(build, x, engine, **arguments):
    arguments = {"learning_rates": RATES, "seeds": 2, "epochs": 3, "batch_size": 19, "verbose": 0} | arguments
    arguments = {"validation_split": 0.2} | arguments
    return klr.compare(build, x, Y, engine=engine, **arguments)


def assert_alike(found, expected, rel=2e-5):
    """Equal names, and figures equal but for the rounding of float32 over some updates."""
    for case, other in zip(found.cases, expected.cases, strict=True):
        assert case.learning_rates == other.learning_rates
        for run, plain in zip(case.runs, other.runs, strict=True):
            assert (run.seed, run.outcome, list(run.history)) == (plain.seed, plain.outcome, list(plain.history))
            for name, values in run.history.items():
                assert values == pytest.approx(plain.history[name], rel=rel, abs=1e-7), (case.name, name)


@on_jax
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("batches", [{}, pytest.param(UNEVEN, id="uneven", marks=pytest.mark.slow)])
def test_each_run_is_that_of_fit(name, batches):
    build, x = MODELS[name]
    arguments = {
        "learning_rates": [0.01, 0.001],
        **({"seeds": 2, **UNEVEN} if name == "dense" else {"seeds": 1, **batches}),
    }
    found = run_compare(build, x, "population", **arguments)
    assert found.engine == "population"
    assert_alike(found, run_compare(build, x, "sequential", **arguments))


def members_of(build, x, rates, epochs=10):
    """The members of a plan, and a maker of programs."""
    data = {"x": x, "y": Y, "sample_weight": None, "class_weight": None}
    data |= {"validation_data": None, "validation_split": 0.0}
    named = {"learning_rates": rates, "schedules": None, "optimizers": None, "seeds": [1, 2], "epochs": epochs}
    plan = build_plan(build, data, **named, batch_size=16, metric="loss", mode="auto")
    inputs = ProgramInputs(plan, build)
    (group,) = inputs.groups([plan.key(case, seed) for case in range(len(rates)) for seed in (1, 2)])
    return inputs.members(group), backends.programs(
        inputs.model_for(group), inputs.train, inputs.validation, inputs.batch_size
    )


def one_ulp_away(members):
    """The members, each with its first weight moved to the next float."""
    starts = []
    for start in members.starts:
        first = start.trainable[0].copy()
        first.flat[0] = np.nextafter(first.flat[0], np.float32(np.inf))
        starts.append(type(start)([first, *start.trainable[1:]], start.non_trainable, start.orders))
    return type(members)(tuple(starts), members.rates, members.epochs)


@on_jax
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_together_is_alone_at_every_update(optimizer):
    """Within 1e-5 for 50 updates, or where the run is chaotic within ten times what one ulp makes of it."""
    members, make = members_of(lambda: dense(optimizer), X, RATES)
    one_by_one = make(False)
    together, alone = train_together(make(True), members), train_alone(one_by_one, members)
    moved = train_alone(one_by_one, one_ulp_away(members))
    for seed, case in np.ndindex(2, len(RATES)):
        one, own, other = (np.array(found[seed][case].losses) for found in (together, alone, moved))
        assert len(one) == 50
        drift = np.maximum.accumulate(np.abs(other / own - 1.0))
        assert (np.abs(one / own - 1.0) <= np.maximum(1e-5, 10.0 * drift)).all()


@on_jax
def test_the_raw_loss_is_that_of_the_update():
    """With a rate too small to matter, it is the loss of the batch under the first weights."""
    build = MODELS["recurrent"][0]
    members, make = members_of(build, WORDS, [1e-12], epochs=1)
    loss = keras.losses.SparseCategoricalCrossentropy()
    for start, (member,) in zip(members.starts, train_together(make(True), members), strict=True):
        model = build()
        for variable, value in zip(model.trainable_variables, start.trainable, strict=True):
            variable.assign(value)
        rows = [start.orders[0][first : first + 16] for first in range(0, 72, 16)]
        assert member.losses == pytest.approx([float(loss(Y[r], model(WORDS[r]))) for r in rows], rel=1e-5)


@on_jax
def test_schedules_units_and_several_optimizers():
    arguments = {
        "learning_rates": [0.1, 0.01],
        "schedules": {
            "cosine": klr.Cosine(1.0, 0.0, "100%"),
            "keras": keras.optimizers.schedules.PolynomialDecay(1, 9),
        },
        "optimizers": {"sgd": keras.optimizers.SGD(momentum=0.9), "adam": keras.optimizers.Adam()},
        "seeds": 1,
    }
    found = run_compare(dense, X, "population", **arguments)
    assert len(found.cases) == 8
    assert_alike(found, run_compare(dense, X, "sequential", **arguments), rel=2e-4)


@on_jax
def test_a_momentum_that_follows_the_rate():
    cycle, coupled = klr.OneCycle(0.1, 9), klr.optimizers.Coupled(0.95, 0.85)
    optimizers = {"one": klr.optimizers.SGD(cycle, coupled), "other": klr.optimizers.SGD(0.1 * cycle, coupled)}
    arguments = {"learning_rates": None, "optimizers": optimizers}
    found = run_compare(dense, X, "population", **arguments)
    assert_alike(found, run_compare(dense, X, "sequential", **arguments), rel=2e-4)


A = keras.optimizers
FLOATS = {
    "adam": [A.Adam(0.01, beta_1=0.5), A.Adam(0.02, beta_2=0.9), A.Adam(0.03, epsilon=0.1)],
    "adamw": [A.AdamW(0.01, weight_decay=0.1), A.AdamW(0.02, weight_decay=0.3), A.AdamW(0.02, beta_1=0.7)],
    "sgd": [A.SGD(0.1, momentum=0.5), A.SGD(0.1, momentum=0.9), A.SGD(0.05, momentum=0.8, nesterov=False)],
    "rmsprop": [A.RMSprop(0.01, rho=0.5, momentum=0.1), A.RMSprop(0.01, momentum=0.5), A.RMSprop(0.01, momentum=0.9)],
    "lion": [A.Lion(0.01, beta_1=0.5), A.Lion(0.01, beta_2=0.5), A.Lion(0.001)],
}


def groups_of(optimizers, x=X):
    """The groups of runs that share a program."""
    data = {"x": x, "y": Y, "sample_weight": None, "class_weight": None}
    data |= {"validation_data": None, "validation_split": 0.0}
    named = {"learning_rates": None, "schedules": None, "seeds": [1], "epochs": 1}
    plan = build_plan(dense, data, optimizers=optimizers, **named, batch_size=16, metric="loss", mode="auto")
    return list(ProgramInputs(plan, dense).groups([plan.key(case, 1) for case in range(len(plan.cases))]))


@on_jax
@pytest.mark.parametrize("name", FLOATS)
def test_members_differ_in_floats_of_the_optimizer(name):
    """One program for all of them makes the runs that each makes alone."""
    optimizers = {str(place): one for place, one in enumerate(FLOATS[name])}
    assert len(groups_of(optimizers)) == 1
    found = run_compare(dense, X, "population", learning_rates=None, optimizers=optimizers)
    for case, own in zip(found.cases, FLOATS[name], strict=True):
        alone = run_compare(dense, X, "population", learning_rates=None, optimizers={case.name: own}, seeds=1)
        assert case.runs[0].history["loss"] == pytest.approx(alone.cases[0].runs[0].history["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (A.SGD(0.1), A.SGD(0.1, momentum=0.9)),
        (A.Adam(0.1), A.Adam(0.1, weight_decay=0.1)),
        (A.Adam(0.1), A.Adam(0.1, amsgrad=True)),
        (A.Adam(0.1, clipnorm=1.0), A.Adam(0.1, clipnorm=2.0)),
        (A.Adam(0.1), A.Lion(0.1)),
    ],
)
def test_what_the_update_decides_by_is_grouped_apart(one, other):
    assert [group.settings for group in groups_of({"one": one, "other": other})] == [{}, {}]


@on_jax
def test_weights_of_examples_and_classes_accumulation_and_validation_data():
    def build():
        return dense(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))

    weights = np.linspace(0.5, 1.5, 72).astype("float32")
    held_out = {"validation_split": 0.0, "validation_data": (X[:30], Y[:30])}
    for more in ({"sample_weight": weights, "metric": "val_accuracy"}, {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}):
        arguments = {**held_out, **more, **UNEVEN, "learning_rates": None}
        assert_alike(run_compare(build, X, "population", **arguments), run_compare(build, X, "sequential", **arguments))


@on_jax
def test_too_little_memory_for_all_makes_several_groups(monkeypatch):
    plain = run_compare(dense, X, "population", epochs=2)
    program = "keras_lr.backends.jax.program.Program"
    monkeypatch.setattr(f"{program}.slower_together", lambda *args: False)
    for members, said in [(4, "as many at a time as the memory has room for"), (1, "the memory has room for one")]:
        monkeypatch.setattr(f"{program}.bytes_of", lambda *args: 1_000)
        monkeypatch.setattr(f"{program}.room", lambda *args, free=4_000 * members: free)
        monkeypatch.setattr(f"{program}.seconds", lambda self, *args: 1e-9 if self.together else 1.0)
        found = run_compare(dense, X, "population", epochs=2)
        assert said in found.engine_reason
        assert_alike(found, plain)


@pytest.mark.once
@pytest.mark.parametrize(
    ("most", "shapes"), [(6, [[(2, 3)]]), (4, [[(2, 2), (2, 1)]]), (1, [[(1, 1)] * 3] * 2), (0, [[(1, 1)] * 3] * 2)]
)
def test_groups_are_few_and_nearly_equal(most, shapes):
    start = SeedStart([], [], np.zeros((1, 1)))
    groups = Members((start, start), np.zeros((3, 5)), 1).groups(most)
    assert [[group.shape for group in row] for row in groups] == shapes


@on_jax
def test_a_run_that_diverges_leaves_the_others_as_they_are():
    found = run_compare(dense, X, "population", learning_rates=[1e38, 0.01])
    assert [case.diverged for case in found.cases] == [2, 0]
    alone = run_compare(dense, X, "population", learning_rates=[0.01])
    assert_alike(alone, run_compare(dense, X, "sequential", learning_rates=[0.01]))
    for run in found.cases[0].runs:
        assert len(run.history["loss"]) == run.diverged_at[0] + 1
    assert found.cases[1].mean == pytest.approx(alone.cases[0].mean, rel=1e-5)


@on_jax
def test_chance_is_left_as_it_was():
    keras.utils.set_random_seed(3)
    expected = np.random.random(), keras.random.normal([2])
    keras.utils.set_random_seed(3)
    run_compare(dense, X, "population")
    assert np.random.random() == expected[0]
    assert np.array_equal(keras.random.normal([2]), expected[1])


class OwnStep(keras.Model):
    def train_step(self, *args):
        return super().train_step(*args)


@on_jax
def test_what_cannot_share_a_program_is_trained_by_fit_and_says_why():
    def own_step():
        inputs = L.Input([8])
        model = OwnStep(inputs, L.Dense(3, "softmax")(inputs))
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    found = run_compare(own_step, X, "auto", learning_rates=[0.1], epochs=1)
    assert (found.engine, "OwnStep has its own train_step" in found.engine_reason) == ("sequential", True)
    with pytest.raises(
        klr.ArgumentError, match=r"compare\(engine='population'\): the runs can't share a program: OwnStep"
    ):
        run_compare(own_step, X, "population", learning_rates=[0.1])

    layers = {"a": klr.PerLayer(keras.optimizers.SGD(0.05), {"bias": 0.0})}
    found = run_compare(dense, X, "auto", learning_rates=None, optimizers=layers, epochs=1)
    assert "a rate for each group of layers" in found.engine_reason

    def eager():
        inputs = L.Input([8])
        model = keras.Model(inputs, L.Dense(3, "softmax")(inputs))
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        return model

    found = run_compare(eager, X, "auto", learning_rates=[0.1, 0.2], seeds=1, epochs=1)
    assert "run_eagerly=True" in found.engine_reason


@pytest.mark.once
def test_an_unknown_engine_is_refused():
    with pytest.raises(klr.ArgumentError, match=r"compare\(engine='warp'\)"):
        run_compare(dense, X, "warp")
