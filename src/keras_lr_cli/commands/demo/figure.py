"""The figure of a training, as plain data: loss, accuracy, and the learning rate of every update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_lr.report.figure import Figure, Line, Panel


def training_figure(history: Mapping[str, Sequence[float]], learning_rates: Sequence[float]) -> Figure:
    """Returns three panels, for `report.draw`: loss and accuracy in the history of `fit`, and the rate of every update."""
    loss = _over_epochs(history, "loss", "Loss", ".2g", scale="log")
    accuracy = _over_epochs(history, "accuracy", "Accuracy", ".1%")
    rates = Panel(
        title=f"Learning rate of every update, {max(learning_rates):.2g} at its peak",
        x_label="Step (updates)",
        y_label="Learning rate",
        lines=(Line(list(range(len(learning_rates))), list(learning_rates), color=2),),
    )
    return Figure((loss, accuracy, rates))


def _over_epochs(
    history: Mapping[str, Sequence[float]], name: str, title: str, form: str, scale: str = "linear"
) -> Panel:
    epochs = list(range(1, len(history[name]) + 1))
    lines = (
        Line(epochs, list(history[name]), label="training", color=0),
        Line(epochs, list(history[f"val_{name}"]), label="validation", color=1),
    )
    last = f"validation {history[f'val_{name}'][-1]:{form}} at the end"
    return Panel(title=f"{title}, {last}", x_label="Epoch", y_label=title, y_scale=scale, lines=lines)
