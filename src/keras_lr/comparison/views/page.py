"""The HTML page of a comparison: figure, table, and everything needed to repeat it."""

from __future__ import annotations

from keras_lr.comparison.case import HEADER, NOT_EXECUTED, Case, Run
from keras_lr.comparison.record import ComparisonRecord
from keras_lr.comparison.views import tables
from keras_lr.comparison.views.figures import figure_of
from keras_lr.comparison.views.heatmap import heatmap_of
from keras_lr.engines import failures
from keras_lr.report import html, text
from keras_lr.report.draw import svg


def page_of(result: ComparisonRecord) -> str:
    """Returns a self-contained HTML page."""
    return html.page(f"Comparison by {result.metric}", [*_sections(result), *_details(result)])


def fragment_of(result: ComparisonRecord) -> str:
    """Returns the verdict, the figure and the table as HTML, for a notebook."""
    return html.fragment(_sections(result))


def _sections(result: ComparisonRecord) -> list[html.Section]:
    answer = [html.Paragraph(result.reason), *(html.Paragraph(f"Note: {warning}") for warning in result.warnings)]
    axes = "against the epoch, and after the last epoch against the learning rate"
    description = f"{result.metric} {axes}. {result.reason}"
    table = html.DataTable(HEADER, [row.texts for row in result.rows])
    pictures = [html.Picture(svg(figure_of(result)), description)]
    heatmap = heatmap_of(result)
    if heatmap is not None:
        description = f"{result.metric} as colours, a column for each rate. {result.reason}"
        pictures.append(html.Picture(svg(heatmap), description))
    cases = html.Section("Cases, from best to worst", [table])
    return [html.Section("", [*answer, *pictures]), cases, *_rate_sections(result)]


def _rate_sections(result: ComparisonRecord) -> list[html.Section]:
    """Returns a section with the stable rates; none without a grid of rates."""
    header = ["optimizer", "schedule", "best rate", "largest stable", "smallest unstable", "margin", "sensitivity"]
    rows = [
        [
            row.optimizer,
            row.schedule,
            *map(text.rate, (row.best_rate, row.largest_stable, row.smallest_unstable, row.margin)),
            text.number(row.sensitivity, 3),
        ]
        for row in tables.rate_statistics(result)
    ]
    legend = (
        "A rate is stable if no run diverged, and none ended worse than the smallest rate was after its first epoch. "
        f"Margin: largest stable / best. Sensitivity: the mean excess of {result.metric} over its best, averaged over "
        "decades of rate."
    )
    return [html.Section("Learning rates", [html.DataTable(header, rows), html.Paragraph(legend)])] if rows else []


def code_to_repeat(result: ComparisonRecord, case: Case) -> str:
    """Returns Python that trains a case again with the same seeds."""
    arguments = {"seeds": [*result.seeds], "epochs": result.epochs, "batch_size": result.batch_size}
    arguments |= {"metric": result.metric, "mode": result.mode}
    name = result.template.rpartition(".")[2]
    lines = [
        "import keras_lr",
        case.code,
        "result = keras_lr.compare(",
        f"    {name if name.isidentifier() else 'build_model'},",
        "    x, y,  # and the validation data, as before",
        f"    optimizers={{{case.name!r}: optimizer}},",
        *(f"    {name}={value!r}," for name, value in arguments.items()),
        ")",
    ]
    return "\n".join(lines)


def _details(result: ComparisonRecord) -> list[html.Section]:
    codes = [part for case in result.ranked for part in (html.Paragraph(case.name), html.Code(case.code))]
    header = ["case", "seed", "outcome", result.metric, "seconds"]
    runs: list[list[object]] = []
    for case in result.ranked:
        rungs = [(f"{case.name}, rung of {rung.epochs} epochs", rung.runs) for rung in case.rungs]
        for name, own in [*rungs, (case.name, case.runs)]:
            runs += [[name, run.seed, _outcome(run), run.score, f"{run.seconds:.1f}"] for run in own]
    seeds = "With `keras.utils.set_random_seed(seed)` before build_model(), these lines build each case's optimizer."
    best = [] if result.best is None else [html.Code(code_to_repeat(result, result.best))]
    return [
        *([html.Section("The best case again", best)] if best else []),
        html.Section("Code of each case", [html.Paragraph(seeds), *codes]),
        html.Section("Runs", [html.DataTable(header, runs)]),
        html.Section("Settings and versions", [html.DataTable(["what", "value"], _settings(result))]),
    ]


def _settings(result: ComparisonRecord) -> list[tuple[str, str]]:
    return [
        ("build_model", result.template),
        ("metric", f"{result.metric}, {'smallest' if result.mode == 'min' else 'largest'} is best"),
        ("seeds", ", ".join(str(seed) for seed in result.seeds)),
        ("epochs", str(result.epochs)),
        ("batch size", "the default of Keras or the dataset" if result.batch_size is None else str(result.batch_size)),
        ("pruned", "nothing" if result.prune is None else f"by {result.prune}"),
        ("budget", "no limit" if result.budget_seconds is None else f"{result.budget_seconds:g} s"),
        ("engine", f"{result.engine}. {result.engine_reason}"),
        ("seconds", f"{result.seconds:.1f}"),
        *result.versions.items(),
    ]


def _outcome(run: Run) -> str:
    if run.outcome == "failed":
        return f"failed, {failures.summary(run.error or 'without a message')}"
    if run.outcome in NOT_EXECUTED:
        return run.outcome
    if run.diverged_at is None:
        return "finished" if run.counts else "finished, not counted: not all cases have this seed"
    epoch, update = run.diverged_at
    return f"diverged in epoch {epoch + 1}" + ("" if update is None else f" at update {update + 1}")
