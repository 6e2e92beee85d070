"""Measures how long the record of many long runs takes to build, to draw and to write as a page. Prints one JSON document.

It has 250 rates with 4 seeds and 500 epochs each: 1,000 runs of 500 points. The curves are synthetic; no model is trained.
"""

import dataclasses
import json
import pathlib
import tempfile
import time

import numpy as np

from keras_lr.comparison.case import Case, Run
from keras_lr.comparison.result import Comparison
from keras_lr.comparison.statistics import verdict

RATES, SEEDS, POINTS = 250, 4, 500


def case(rate, chance):
    runs = []
    for seed in range(SEEDS):
        floor = 0.1 + 0.05 * (np.log10(rate) + 2) ** 2 + 0.01 * chance.random()
        curve = floor + np.exp(-np.arange(POINTS) / 50) + 0.01 * chance.random(POINTS)
        history = {"loss": tuple((curve - 0.01).tolist()), "val_loss": tuple(curve.tolist())}
        history["learning_rate"] = (rate,) * POINTS
        runs.append(Run(seed, "finished", history["val_loss"][-1], history))
    scores = [run.score for run in runs]
    config, code = {"class_name": "SGD", "config": {"learning_rate": rate}}, f"optimizer = keras.optimizers.SGD({rate})"
    mean, interval = verdict.mean(scores), verdict.interval(scores)
    return Case(f"lr {rate:.3g}", rate, config, None, code, mean, interval, None, None, (rate,), tuple(runs), "SGD")


def record():
    chance = np.random.default_rng(0)
    cases = [case(float(rate), chance) for rate in np.geomspace(1e-4, 1.0, RATES)]
    decision = verdict.decide([one.scores for one in cases], "min")
    cases = [dataclasses.replace(one, p_best=chance) for one, chance in zip(cases, decision.chances, strict=True)]
    return Comparison(
        metric="val_loss",
        mode="min",
        cases=tuple(cases),
        best_name=cases[decision.best].name,
        alike=tuple(cases[place].name for place in decision.indistinguishable),
        reason="The curves are synthetic.",
        warnings=(),
        seeds=tuple(range(SEEDS)),
        epochs=POINTS,
        batch_size=None,
        template="build_model",
        engine="sequential",
        engine_reason="No model was trained.",
        versions={},
    )


def main():
    start = time.perf_counter()
    result = record()
    middle = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "report.html"
        result.report(path)
        row = {"runs": RATES * SEEDS, "points a run": POINTS, "record made and judged, s": middle - start}
        row |= {"report, s": time.perf_counter() - middle, "page, MB": path.stat().st_size / 1e6}
    print(json.dumps({"rows": [row]}))


if __name__ == "__main__":
    main()
