"""`find_batch_size`: the largest batch that fits into memory, and the size beyond which larger batches gain little."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_lr.backends.arrays import Chunk
from keras_lr.backends.protocols import Stepper
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.engines import failures
from keras_lr.engines.borrowed.borrow import borrow
from keras_lr.engines.borrowed.gradients import squared_norms
from keras_lr.finder.measuring.batches import Arrays, batches
from keras_lr.finder.measuring.prechecks import check_model
from keras_lr.report.progress import progress

SMALL, LARGE, DRAWS = 16, 128, 32  # examples of a small and a large batch for the noise scale, and number of pairs
_WHERE = "find_batch_size"


@dataclasses.dataclass(frozen=True)
class BatchSize:
    """The largest batch that fits, and the noise of the gradient.

    Attributes:
        batch_size: The largest size whose update fits into memory, or None.
        noise_scale: The gradient noise scale in examples, or None. Far below it, twice the batch needs almost half of the
            updates; far above it, almost as many. It holds for the present weights, and grows in training.
        reason: The measurement in a sentence or two.
        tried: The sizes that fit.
    """

    batch_size: int | None
    noise_scale: float | None
    reason: str
    tried: tuple[int, ...] = ()


def find_batch_size(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    smallest: int = 32,
    largest: int | None = None,
    seed: int = 0,
    verbose: str | int = "auto",
) -> BatchSize:
    """Doubles the batch until memory or data end, measures the noise of the gradient, and restores the model.

    The noise scale is S / |G|^2: S is the variance of the gradient of one example, G the true gradient. Both come from the
    gradients of small and large batches: E|G_B|^2 = |G|^2 + S / B. A layer that mixes the examples of a batch, such as
    batch normalization, adds a bias.

    Args:
        model: A compiled model. It need not be built.
        x: Arrays, or a list, tuple or dict of them.
        y: Targets.
        sample_weight: A weight per example.
        class_weight: A weight per class index.
        smallest: The first size.
        largest: The largest size. Default: the number of examples.
        seed: Seed for the draws of examples; global random state is not used.
        verbose: 0 for silence, 1 for a progress bar, "auto" for a bar on a terminal.

    Returns:
        A `BatchSize`.

    Raises:
        ArgumentError: The data are not arrays, or an argument is invalid.

    Example:
        >>> import keras, numpy as np, keras_lr as klr
        >>> model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x = np.random.default_rng(0).normal(size=(256, 3))
        >>> found = klr.find_batch_size(model, x, x @ [1.0, -2.0, 0.5])
        >>> found.batch_size, found.tried
        (256, (32, 64, 128, 256))

    References:
        McCandlish et al. 2018, an empirical model of large-batch training, appendix A. https://arxiv.org/abs/1812.06162
    """
    check_model(_WHERE, model)
    smallest, seed = checks.whole(_WHERE, smallest=smallest), checks.whole(_WHERE, 0, seed=seed)
    size = None if y is None else 1  # unused, but the check refuses it for a dataset
    source = batches(_WHERE, x, y, sample_weight=sample_weight, class_weight=class_weight, batch_size=size)
    if not isinstance(source, Arrays):
        repair = "Pass the data as arrays, which give batches of any size"
        raise ArgumentError(_WHERE, "x is a dataset, which brings its own batches", repair, x=x)
    last = source.count if largest is None else checks.whole(_WHERE, smallest, largest=largest)
    if smallest > source.count:
        rule = f"smallest is more than the {source.count} examples"
        raise ArgumentError(_WHERE, rule, "Pass a smaller one", smallest=smallest)
    sizes = [smallest]
    while 2 * sizes[-1] <= min(last, source.count):
        sizes.append(2 * sizes[-1])
    order = np.random.default_rng(seed)
    with (
        progress(_WHERE, len(sizes) + DRAWS, verbose, "Finding the batch size") as bar,
        borrow(model, lambda: source.at(np.arange(smallest))) as stepper,
    ):
        noise = noise_scale(_pairs(model, source, order, bar))
        count, failure = _fitting(stepper, source, sizes, bar)
    if failure is None:
        end = f"the data has {source.count} examples" if last >= source.count else f"largest is {last}"
        limit = f"All sizes up to {sizes[-1]} fit; {end}."
    else:
        batch = f"An update on {sizes[count]} examples" if count else "The smallest batch"
        limit = f"{batch} ran {failure.rstrip('.')}."
    return BatchSize(sizes[count - 1] if count else None, noise, f"{limit} {_advice(noise)}", tuple(sizes[:count]))


def noise_scale(pairs: Sequence[tuple[int, float, int, float]]) -> float | None:
    """Returns S / |G|^2 from squared lengths of gradients.

    Args:
        pairs: For each draw the small batch's size and squared length, and the large one's.

    Returns:
        Examples; None if the true gradient is indistinguishable from 0.

    Example:
        >>> round(noise_scale([(10, 3.0, 100, 1.2)]), 6)
        20.0
    """
    if not pairs:
        return None
    small, short, large, long = (float(np.mean(column)) for column in zip(*pairs, strict=True))
    true = (large * long - small * short) / (large - small)
    variance = (short - long) / (1.0 / small - 1.0 / large)
    return max(variance, 0.0) / true if true > 0.0 and math.isfinite(variance) else None


def _advice(noise: float | None) -> str:
    if noise is None:
        return "The gradient is indistinguishable from its noise."
    scale = f"The noise scale of the gradient is {noise:.2g} examples"
    return f"{scale}: beyond a few times that, larger batches save few updates."


def _pairs(model: Any, source: Arrays, order: np.random.Generator, bar: Any) -> list[tuple[int, float, int, float]]:
    """Measures squared lengths of gradients. Each small batch is part of its large one, which reduces the scatter."""
    large = min(LARGE, source.count)
    small = min(SMALL, large // 2)
    pairs: list[tuple[int, float, int, float]] = []
    if small < 1:
        return pairs
    with squared_norms(model) as length:
        for _ in range(DRAWS):
            rows = order.permutation(source.count)[:large]
            short, long = length(source.at(rows[:small])), length(source.at(rows))
            pairs.append((small, short, large, long))
            bar.step()
    return pairs


def _fitting(stepper: Stepper, source: Arrays, sizes: list[int], bar: Any) -> tuple[int, str | None]:
    """Returns how many of the sizes fit, and the error of the first that doesn't."""
    for count, size in enumerate(sizes):
        stepper.reset()
        try:
            stepper.updates(Chunk.repeated(source.at(np.arange(size)), 1), np.zeros(1))
        except Exception as error:
            failure = failures.summary(failures.describe(error))
            if not failure.startswith(failures.OUT_OF_MEMORY):
                raise
            failures.release_memory(error)
            return count, failure
        bar.step()
    return len(sizes), None
