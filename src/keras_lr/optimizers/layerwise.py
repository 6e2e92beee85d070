"""Layer-wise learning-rate decay: the closer a layer is to the output, the faster it learns."""

from __future__ import annotations

import posixpath
import re
from typing import Any

import keras

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError


def layerwise_decay(
    model: Any, factor: float = 0.9, *, pattern: str = "transformer_layer_{}", embeddings: str | None = ".*embedding.*"
) -> dict[str, float]:
    """Returns the factors of layer-wise learning-rate decay, for `PerLayer`.

    factor(d) = factor ** (n - d)  for the layers d = 1..n,  factor(embeddings) = factor ** n.

    Given a model, the layers are those of `model.layers` with trainable weights, in order, with a nested model replaced by
    its layers; the last one has the full rate. All layers whose class is an embedding share the lowest factor. Given a
    number, `pattern` names the layers, counted from 0, below a head with the full rate.

    Args:
        model: A built model, or the number of its layers below the head.
        factor: The factor from a layer to the one below it, above 0 and at most 1.
        pattern: Only for a number: the pattern of a layer, with `{}` for its number. The default is KerasHub's.
        embeddings: Only for a number: the pattern of the embeddings, or None if the model has none.

    Returns:
        A dict of patterns and factors, in the order of the layers.

    Raises:
        ArgumentError: The model is not built, or two of its layers have the same path.

    Example:
        >>> layerwise_decay(2, 0.5, pattern="block_{}", embeddings=None)
        {'block_0': 0.25, 'block_1': 0.5}
        >>> import keras
        >>> model = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(3, name="body"),
        ...                           keras.layers.Dense(1, name="head")], name="model")
        >>> layerwise_decay(model, 0.5)
        {'^model/body': 0.5, '^model/head': 1.0}

    References:
        - Howard, Ruder, 2018, Universal Language Model Fine-tuning for Text Classification, arXiv:1801.06146
        - Clark et al., 2020, ELECTRA, arXiv:2003.10555
    """
    if checks.above_zero("layerwise_decay", factor=factor) > 1.0:
        raise ArgumentError("layerwise_decay", "factor must be at most 1", "Pass a float such as 0.9", factor=factor)
    if not isinstance(model, keras.Model):
        return _numbered(checks.whole("layerwise_decay", model=model), factor, pattern, embeddings)
    layers = _layers(model)
    count = sum(not _embeds(layer) for layer, _ in layers)
    patterns = _patterns([[variable.path for variable in variables] for _, variables in layers])
    factors, depth = [], 0
    for layer, _ in layers:
        depth += not _embeds(layer)
        factors.append(float(factor ** (count if _embeds(layer) else count - depth)))
    return dict(zip(patterns, factors, strict=True))


def _numbered(count: int, factor: float, pattern: str, embeddings: str | None) -> dict[str, float]:
    """The factors of layers that a pattern names by their numbers."""
    if "{}" not in pattern:
        rule, repair = "pattern must have {} in it, for the number of the layer", "Pass a pattern such as 'block_{}'"
        raise ArgumentError("layerwise_decay", rule, repair, pattern=pattern)
    factors = {pattern.replace("{}", str(number)): float(factor ** (count - number)) for number in range(count)}
    return factors if embeddings is None else {**factors, embeddings: float(factor ** (count + 1))}


def _layers(model: Any) -> list[tuple[Any, list[Any]]]:
    """The trainable layers, nested models flattened, each with the variables that no layer before it has."""
    earlier: set[int] = set()
    layers = []
    for layer in _flat(model):
        own = [variable for variable in layer.trainable_variables if id(variable) not in earlier]
        earlier.update(id(variable) for variable in own)
        if own:
            layers.append((layer, own))
    if not layers or not model.built:
        rule, repair = "the model has no trainable weights yet", "Build it first: give it an Input, or call it once"
        raise ArgumentError("layerwise_decay", rule, repair, model=model)
    return layers


def _flat(model: Any) -> list[Any]:
    parts = [_flat(layer) if isinstance(layer, keras.Model) else [layer] for layer in model.layers]
    return [layer for part in parts for layer in part]


def _embeds(layer: Any) -> bool:
    """Whether a layer is Keras's embedding, or its class name ends with "Embedding"."""
    return isinstance(layer, keras.layers.Embedding) or type(layer).__name__.endswith("Embedding")


def _patterns(paths: list[list[str]]) -> list[str]:
    """A pattern for each layer that matches its variables only: their common path if no other variable shares it."""
    every = [path for group in paths for path in group]
    twice = next((path for path in every if every.count(path) > 1), None)
    if twice is not None:
        repair = "Give the layers different names"
        raise ArgumentError("layerwise_decay", f"two variables have the path {twice!r}", repair, model=twice)
    patterns = []
    for group in paths:
        common = posixpath.commonpath([posixpath.dirname(path) for path in group])
        alone = common and sum(path.startswith(common + "/") for path in every) == len(group)
        patterns.append(f"^{re.escape(common)}" if alone else "|".join(f"^{re.escape(path)}$" for path in group))
    return patterns
