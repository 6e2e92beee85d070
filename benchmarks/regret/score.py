"""Scores each finder's answers: prints the tables of the benchmark from the trainings and answers on file.

    python benchmarks/regret/score.py [--answers answers.json] [--json]

`scores.py` has the arithmetic, `tables.py` the tables, `targets.py` the comparison with the targets.
"""

import argparse
import json
import pathlib

from scores import STORES
from scores import truths as truths
from tables import HALVES, MAIN, of_finders, of_intervals, of_pairs, read
from targets import of_targets


def tables(records):
    """Returns all tables by title, without the empty ones."""
    benchmark = read(records)
    titled = {"Must reach, on the held-out pairs": of_targets(benchmark)}
    for group in MAIN:
        for half in HALVES:
            titled[f"{group.capitalize()} pairs, {half}, mean / worst pair"] = of_finders(benchmark, group, half)
    titled["The stated 90 % interval of `find`"] = of_intervals(benchmark)
    for group, finder in MAIN.items():
        titled[f"Each {group} pair, `{finder}`"] = of_pairs(benchmark, group)
    return {title: rows for title, rows in titled.items() if rows}


def lines_of(rows):
    """Yields the lines of a table as text."""
    head = dict(zip(rows[0], rows[0], strict=True))
    widths = {name: max(len(row.get(name, "")) for row in [head, *rows]) for name in head}
    for row in [head, *rows]:
        yield "  ".join(row.get(name, "").ljust(width) for name, width in widths.items()).rstrip()


def main():
    """Prints the tables as text or as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=pathlib.Path, default=STORES / "answers.json")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    arguments = parser.parse_args()
    document = tables(json.loads(arguments.answers.read_text()))
    if arguments.json:
        print(json.dumps(document))
        return
    for title, rows in document.items():
        print(f"\n{title}\n")
        print(*lines_of(rows), sep="\n")


if __name__ == "__main__":
    main()
