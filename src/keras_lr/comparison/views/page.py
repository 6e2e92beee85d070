"""A comparison as a page: the picture, the table, and all that is needed to do it again."""

from __future__ import annotations

from keras_lr.comparison.case import NOT_MADE, Case, Run
from keras_lr.comparison.record import Comparison
from keras_lr.comparison.views import tables
from keras_lr.comparison.views.figures import figure_of
from keras_lr.comparison.views.heatmap import heatmap_of
from keras_lr.engines import failures
from keras_lr.report import html, text
from keras_lr.report.draw import svg

HEADER = ("case", "mean", "95 % interval", "difference to the best", "P(best)", "diverged", "verdict")


def page_of(result: Comparison) -> str:
    """One self-contained HTML page."""
    return html.page(f"Comparison by {result.metric}", [*_sections(result), *_details(result)])


def fragment_of(result: Comparison) -> str:
    """The answer, the picture and the table, for a notebook."""
    return html.fragment(_sections(result))


def row_of(result: Comparison, case: Case) -> list[object]:
    """A row under `HEADER`."""
    return [
        case.name,
        text.measured(case.mean, case.interval),
        text.interval(case.interval),
        _difference(case),
        text.MISSING if case.p_best is None else f"{case.p_best:.2f}",
        _lost(case),
        _verdict(result, case),
    ]


def _lost(case: Case) -> str:
    """How many of the runs diverged, failed and were not made."""
    made = sum(run.outcome not in NOT_MADE for run in case.runs)
    others = {"failed": case.failed, "not run": case.not_run}
    told = [f"{count} {word}" for word, count in others.items() if count]
    return ", ".join([*([f"{case.diverged} of {made}"] if made else []), *told]) or text.MISSING


def _verdict(result: Comparison, case: Case) -> str:
    after = case.dropped_after
    return result.verdict(case) if after is None else f"dropped after the rung of {after} of {result.epochs} epochs"


def _sections(result: Comparison) -> list[html.Section]:
    said = [html.Paragraph(result.reason), *(html.Paragraph(f"Note: {warning}") for warning in result.warnings)]
    described = (
        f"{result.metric} against the epoch, and after the last epoch against the learning rate. {result.reason}"
    )
    table = html.Table(HEADER, [row_of(result, case) for case in result.ranked])
    pictures = [html.Picture(svg(figure_of(result)), described)]
    heatmap = heatmap_of(result)
    if heatmap is not None:
        words = f"{result.metric} as colours, the rates beside each other. {result.reason}"
        pictures.append(html.Picture(svg(heatmap), words))
    return [
        html.Section("", [*said, *pictures]),
        html.Section("Cases, from best to worst", [table]),
        *_rates(result),
    ]


def _rates(result: Comparison) -> list[html.Section]:
    """How far one may go with the rate; nothing where there is no grid of rates."""
    header = ["optimizer", "schedule", "best rate", "largest stable", "smallest unstable", "margin", "sensitivity"]
    rows = [
        [
            found.optimizer,
            found.schedule,
            *map(text.rate, (found.best_rate, found.largest_stable, found.smallest_unstable, found.margin)),
            text.number(found.sensitivity, 3),
        ]
        for found in tables.rates_of(result)
    ]
    said = (
        "A rate is stable when no run diverged, and none ended worse than the smallest rate was after its first epoch. "
        f"Margin: largest stable / best. Sensitivity: how much worse than at its best {result.metric} is, averaged over "
        "decades of rate."
    )
    return [html.Section("Learning rates", [html.Table(header, rows), html.Paragraph(said)])] if rows else []


def again(result: Comparison, case: Case) -> str:
    """Code that trains a case again with the same seeds."""
    arguments = {"seeds": [*result.seeds], "epochs": result.epochs, "batch_size": result.batch_size}
    arguments |= {"metric": result.metric, "mode": result.mode}
    said = "".join(f"    {name}={value!r},\n" for name, value in arguments.items())
    name = result.template.rpartition(".")[2]
    call = f"result = keras_lr.compare(\n    {name if name.isidentifier() else 'build_model'},\n    x, y,  # and the validation data, as before\n"
    return f"import keras_lr\n{case.code}\n{call}    optimizers={{{case.name!r}: optimizer}},\n{said})"


def _details(result: Comparison) -> list[html.Section]:
    codes: list[html.Part] = []
    for case in result.ranked:
        codes += [html.Paragraph(case.name), html.Code(case.code)]
    header = ["case", "seed", "outcome", result.metric, "seconds"]
    runs = [
        [name, run.seed, _outcome(run), run.score, f"{run.seconds:.1f}"]
        for case in result.ranked
        for name, own in [
            *((f"{case.name}, rung of {rung.epochs} epochs", rung.runs) for rung in case.rungs),
            (case.name, case.runs),
        ]
        for run in own
    ]
    seeds = "With `keras.utils.set_random_seed(seed)` before build_model(), these lines make each case's optimizer."
    best = [] if result.best is None else [html.Section("The best case again", [html.Code(again(result, result.best))])]
    return [
        *best,
        html.Section("Code of each case", [html.Paragraph(seeds), *codes]),
        html.Section("Runs", [html.Table(header, runs)]),
        html.Section("Made with", [html.Table(["what", "value"], _settings(result))]),
    ]


def _settings(result: Comparison) -> list[list[object]]:
    rows: list[list[object]] = [
        ["build_model", result.template],
        ["metric", f"{result.metric}, {'smallest' if result.mode == 'min' else 'largest'} is best"],
        ["seeds", ", ".join(str(seed) for seed in result.seeds)],
        ["epochs", str(result.epochs)],
        ["batch size", "as Keras or the dataset has it" if result.batch_size is None else str(result.batch_size)],
        ["pruned", "nothing" if result.prune is None else f"by {result.prune}"],
        ["budget", "no limit" if result.budget_seconds is None else f"{result.budget_seconds:g} s"],
        ["engine", f"{result.engine}. {result.engine_reason}"],
        ["seconds", f"{result.seconds:.1f}"],
    ]
    rows += [[name, version] for name, version in result.versions.items()]
    return rows


def _difference(case: Case) -> str:
    if case.difference is None:
        return text.MISSING
    if case.difference_interval is None:
        return text.number(case.difference)
    return f"{text.measured(case.difference, case.difference_interval)} ({text.interval(case.difference_interval)})"


def _outcome(run: Run) -> str:
    if run.outcome == "failed":
        return f"failed, {failures.summary(run.error or 'without a word')}"
    if run.outcome in NOT_MADE:
        return run.outcome
    if run.diverged_at is None:
        return "finished" if run.counts else "finished, not counted: not all cases have this seed"
    epoch, update = run.diverged_at
    return f"diverged in epoch {epoch + 1}" + ("" if update is None else f" at update {update + 1}")
