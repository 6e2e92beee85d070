"""`find_batch_size`: the largest batch that fits, and the batch size beyond which larger ones gain little."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_lr.backends.arrays import Chunk
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.engines import failures
from keras_lr.engines.borrowed.borrow import borrow
from keras_lr.engines.borrowed.gradients import squared_norms
from keras_lr.finder.find import check_model
from keras_lr.finder.measuring.batches import Arrays, batches
from keras_lr.report.progress import progress

SMALL, LARGE, DRAWS = 16, 128, 32  # examples of the two batches of the noise scale, and how many pairs are drawn


@dataclasses.dataclass(frozen=True)
class BatchSize:
    """What fits, and what is worth it.

    Attributes:
        batch_size: The largest size tried whose update fitted into memory, or None.
        noise_scale: The gradient noise scale in examples, or None. Below it twice the batch needs almost half of the
            updates, far above it almost as many. It is that of the weights as they are, and grows in training.
        reason: What was measured.
        tried: The sizes that fitted.
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
    """Doubles the batch until memory or data end, and measures the noise of the gradient. The model stays as it is.

    The noise scale is S / |G|^2, the variance of the gradient of one example over the squared length of the true one, from
    the lengths of the gradients of small and large batches: E|G_B|^2 = |G|^2 + S / B. A layer that mixes the examples of
    a batch, such as batch normalization, adds a bias.

    Args:
        model: A compiled model. It need not be built.
        x: Arrays, or a list, tuple or dict of them.
        y: Targets.
        sample_weight: A weight per example.
        class_weight: A weight per class index.
        smallest: The first size.
        largest: The last size. Default: as many as there are examples.
        seed: Of the examples drawn.
        verbose: 0 for silence, 1 for a progress bar, "auto" for a bar on a terminal.

    Returns:
        A `BatchSize`.

    Raises:
        ArgumentError: The data are not arrays, or an argument breaks a rule.

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
    check_model("find_batch_size", model)
    smallest, seed = checks.whole("find_batch_size", smallest=smallest), checks.whole("find_batch_size", 0, seed=seed)
    size = None if y is None else 1  # of no use here, but a dataset must not be given one
    source = batches(x, y, sample_weight=sample_weight, class_weight=class_weight, batch_size=size)
    if not isinstance(source, Arrays):
        repair = "Pass the data as arrays: a batch of any size has to be made of them"
        raise ArgumentError("find_batch_size", "x is a dataset, which brings its own batches", repair, x=x)
    last = source.count if largest is None else checks.whole("find_batch_size", smallest, largest=largest)
    if smallest > source.count:
        rule = f"smallest is more than the {source.count} examples"
        raise ArgumentError("find_batch_size", rule, "Pass a smaller one", smallest=smallest)
    sizes = _sizes(smallest, min(last, source.count))
    order = np.random.default_rng(seed)
    with (
        progress("Finding the batch size", len(sizes) + DRAWS, verbose) as bar,
        borrow(model, lambda: source.at(np.arange(smallest))) as stepper,
    ):
        pairs = _pairs(model, source, order, bar)
        tried, trouble = _fitting(stepper, source, sizes, bar)
    return _told(tried, trouble, last, source.count, noise_scale(pairs))


def noise_scale(pairs: Sequence[tuple[int, float, int, float]]) -> float | None:
    """S / |G|^2 from squared lengths of gradients.

    Args:
        pairs: For each draw the small batch's size and squared length, and the large one's.

    Returns:
        Examples; None where the true gradient can't be told from 0.

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


def _sizes(smallest: int, largest: int) -> list[int]:
    sizes = [smallest]
    while 2 * sizes[-1] <= largest:
        sizes.append(2 * sizes[-1])
    return sizes


def _pairs(model: Any, source: Arrays, order: np.random.Generator, bar: Any) -> list[tuple[int, float, int, float]]:
    """Squared lengths of the gradients of small and large batches, the one in the other, which scatters less."""
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


def _fitting(stepper: Any, source: Arrays, sizes: list[int], bar: Any) -> tuple[tuple[int, ...], str | None]:
    """The sizes whose update fits, and what the first that doesn't fit raised."""
    tried: list[int] = []
    for size in sizes:
        batch = source.at(np.arange(size))
        stepper.reset()
        try:
            stepper.updates(Chunk.repeated(batch, 1), np.zeros(1))
        except Exception as error:
            said = failures.summary(failures.describe(error))
            if not said.startswith(failures.OUT_OF_MEMORY):
                raise
            failures.release_memory(error)
            return tuple(tried), said
        tried.append(size)
        bar.step()
    return tuple(tried), None


def _told(tried: tuple[int, ...], trouble: str | None, last: int, count: int, noise: float | None) -> BatchSize:
    if trouble is not None:
        said = f"An update on {2 * tried[-1]} examples ran {trouble}" if tried else f"The smallest batch ran {trouble}"
    else:
        said = f"All sizes up to {tried[-1]} fit; " + (
            f"the data has {count} examples" if last >= count else f"largest is {last}"
        )
    worth = (
        "The gradient is not told from its noise."
        if noise is None
        else f"The noise scale of the gradient is {noise:.2g} examples: beyond a few times that, larger batches save few updates."
    )
    return BatchSize(tried[-1] if tried else None, noise, f"{said.rstrip('.')}. {worth}", tried)
