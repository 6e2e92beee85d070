"""Comparisons made by hand: the scores are given, nothing is trained."""

import dataclasses
import math

from keras_lr.comparison.case import Case, Run
from keras_lr.comparison.result import Comparison
from keras_lr.comparison.statistics import verdict


def case(name, scores, *, learning_rate=None, optimizer="SGD", schedule=None, epochs=3):
    """A case whose runs reach the given scores; None diverged. The loss falls to the score by 1 an epoch."""
    runs = tuple(
        Run(
            seed=seed,
            outcome="finished" if score is not None else "diverged",
            score=score,
            history={"val_loss": curve(score, epochs), "learning_rate": (0.1,) * epochs},
            diverged_at=None if score is not None else (0, 2),
        )
        for seed, score in enumerate(scores)
    )
    known = [score for score in scores if score is not None]
    mean, spread = verdict.mean(known), verdict.interval(known)
    config = {"class_name": optimizer, "config": {"learning_rate": learning_rate}}
    code = f"optimizer = keras.optimizers.{optimizer}({learning_rate})"
    return Case(name, learning_rate, config, schedule, code, mean, spread, None, None, (0.1,), runs, optimizer)


def curve(score, epochs):
    return (math.nan,) if score is None else tuple(score + epochs - 1 - epoch for epoch in range(epochs))


def result(cases, *, mode="min", epochs=3, warnings=()):
    """The comparison of such cases."""
    decision = verdict.decide([one.scores for one in cases], mode)
    cases = [dataclasses.replace(one, p_best=chance) for one, chance in zip(cases, decision.chances, strict=True)]
    return Comparison(
        metric="val_loss",
        mode=mode,
        cases=tuple(cases),
        best_name=None if decision.best is None else cases[decision.best].name,
        alike=tuple(cases[place].name for place in decision.indistinguishable),
        reason="As measured.",
        warnings=tuple(warnings),
        seeds=tuple(range(len(cases[0].runs))),
        epochs=epochs,
        batch_size=None,
        template="build_model",
        engine="sequential",
        engine_reason="One after the other.",
        versions={"keras": "3"},
    )
