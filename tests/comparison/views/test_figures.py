"""The numbers in the pictures, the tables and the page of a comparison."""

import math

import pytest

from keras_lr.comparison.result import Comparison
from keras_lr.comparison.views.figures import figure_of
from keras_lr.comparison.views.heatmap import CROSS, heatmap_of
from keras_lr.comparison.views.page import code_to_repeat, page_of
from keras_lr.core.errors import ArgumentError, KerasLRError
from keras_lr.report.figure import GREY
from tests.comparison.results import case, result

pytestmark = pytest.mark.once

GRID = [
    case("lr 10", [None, None, None], learning_rate=10.0),
    case("lr 1", [2.0, None, 2.2], learning_rate=1.0),
    case("lr 0.1", [0.5, 0.6, 0.7], learning_rate=0.1),
    case("lr 0.01", [1.0, 1.2, 1.1], learning_rate=0.01),
]


def test_curves_are_means_over_seeds():
    left, _ = figure_of(result(GRID)).panels
    assert [line.label for line in left.lines] == ["lr 0.1", "lr 0.01", "lr 1 (1 of 3 diverged)"]
    assert left.lines[0].x == (1, 2, 3)
    assert left.lines[0].y == pytest.approx((2.6, 1.6, 0.6))
    assert left.bands[0].low[-1] == pytest.approx(0.6 - 4.30265272974946 * 0.1 / math.sqrt(3))
    assert (left.x_label, left.y_label) == ("Epoch", "val_loss")
    assert left.title == "Mean of 3 seeds, 95 % t-interval"


def test_scores_stand_over_their_rates():
    _, right = figure_of(result(GRID)).panels
    scored = [points for points in right.points if points.marker == "o"]
    assert [(points.x, points.y) for points in scored] == [
        ([0.1], [pytest.approx(0.6)]),
        ([0.01], [pytest.approx(1.1)]),
        ([1.0], [pytest.approx(2.1)]),
    ]
    assert scored[0].high[0] == pytest.approx(0.6 + 4.30265272974946 * 0.1 / math.sqrt(3))
    assert right.lines[0].x == [0.01, 0.1, 1.0]
    assert (right.x_scale, right.x_label) == ("log", "Learning rate (log scale)")
    assert right.y_label == "val_loss after 3 epochs"


def test_the_best_is_a_star_and_diverged_runs_are_crosses_at_the_edge():
    _, right = figure_of(result(GRID)).panels
    (star,) = [points for points in right.points if points.marker == "*"]
    assert (star.x, star.y, star.label) == ([0.1], [pytest.approx(0.6)], "best, 0.60 (0.35 to 0.85)")
    (crosses,) = [points for points in right.points if points.marker == "x"]
    assert sorted(crosses.x) == [1.0, 10.0]
    assert crosses.y == [right.y_limits[1]] * 2
    assert crosses.label == "diverged, 4 runs in 2 cases"


def test_a_loss_that_blew_up_is_above_the_picture():
    cases = [case(f"lr {rate:g}", [score], learning_rate=rate) for rate, score in [(0.1, 0.5), (1, 0.6), (10, 1e6)]]
    left, right = figure_of(result(cases)).panels
    assert [line.label for line in left.lines] == ["lr 0.1", "lr 1"]
    (far,) = [points for points in right.points if points.marker == "^"]
    assert (far.x, far.y, far.label) == ([10], [right.y_limits[1]], "far above, 1000000 or more")
    assert right.y_limits[1] < 1.0
    seeds = [
        case(f"lr {rate:g}", [low, 1.2 * low], learning_rate=rate) for rate, low in [(0.1, 0.5), (1, 0.6), (10, 1e6)]
    ]
    assert [band.color for band in figure_of(result(seeds)).panels[0].bands] == [0, 1]


def test_optimizers_with_a_grid_each_have_a_colour_each():
    cases = [
        case(f"{name}, lr {rate:g}", [rate, rate + 0.1], learning_rate=rate, optimizer=name)
        for name in ("sgd", "adam")
        for rate in (0.1, 0.2)
    ]
    left, right = figure_of(result(cases)).panels
    assert [(line.label, line.color) for line in left.lines if not line.faint] == [
        ("sgd, lr 0.1", 0),
        ("adam, lr 0.1", 1),
    ]
    sgd, adam = [points for points in right.points if points.marker == "o"]
    assert sgd.color == 0 and adam.color == 1
    assert sgd.x[0] < 0.1 < adam.x[0]
    assert sgd.x[0] * adam.x[0] == pytest.approx(0.01)
    assert [line.color for line in right.lines] == [0, 1]


def test_cases_without_rates_stand_side_by_side():
    cases = [case(name, [score], optimizer=name, learning_rate=0.1) for name, score in [("sgd", 2.0), ("adam", 1.0)]]
    _, right = figure_of(result(cases)).panels
    assert right.x_names == ("adam", "sgd")
    assert [(points.x, points.y) for points in right.points if points.marker == "o"] == [([0.0], [1.0]), ([1.0], [2.0])]
    assert right.x_scale == "linear"


def test_the_eighth_case_is_grey():
    cases = [case(f"lr {rate}", [float(rate)], learning_rate=float(rate)) for rate in range(1, 11)]
    left, _ = figure_of(result(cases)).panels
    assert [line.color for line in left.lines] == [0, 1, 2, 3, 4, 5, 6, GREY, GREY, GREY]
    assert [line.label for line in left.lines[7:]] == ["the others", None, None]


def test_nothing_finished_is_drawn_too(tmp_path):
    empty = result([case("lr 1", [None], learning_rate=1.0), case("lr 2", [None], learning_rate=2.0)])
    assert figure_of(empty).panels[1].title == "Every run diverged"
    empty.plot(tmp_path / "a.png")
    empty.report(tmp_path / "a.html")
    assert "diverged in epoch 1 at update 3" in (tmp_path / "a.html").read_text()


def test_the_table_is_sorted_and_says_the_verdict():
    table = result(GRID).table()
    assert table["case"].tolist() == ["lr 0.1", "lr 0.01", "lr 1", "lr 10"]
    assert table["verdict"].tolist() == ["best", "worse", "worse", "diverged"]
    assert table["diverged"].tolist() == [0, 0, 1, 3]
    assert table["p_best"].sum() == pytest.approx(1.0)
    assert table["p_best"].tolist()[2:] == [0.0, 0.0]
    assert table["mean"].tolist()[:3] == pytest.approx([0.6, 1.1, 2.1])
    assert math.isnan(table["mean"].tolist()[3])


def test_those_not_told_from_the_best_are_shaded_up_to_half_way():
    close = [case("lr 0.1", [1.0, 1.2], learning_rate=0.1), case("lr 1", [1.2, 1.1], learning_rate=1.0)]
    _, right = figure_of(result([*close, case("lr 10", [9.0, 9.0], learning_rate=10.0)])).panels
    (mark,) = right.marks
    assert (mark.x, mark.end) == pytest.approx((10**-1.5, 10**0.5))
    assert (mark.color, mark.label) == (GREY, "indistinguishable from the best")
    assert figure_of(result(GRID)).panels[1].marks == ()
    apart = [case("a", [1.0, 2.0]), case("b", [1.5, 1.6]), case("c", [9.0, 9.0])]
    (mark,) = figure_of(result(apart)).panels[1].marks
    assert (mark.x, mark.end) == (-0.5, 1.5)


def test_shaded_stretches_of_several_optimizers_are_beside_each_other():
    cases = [
        case(f"{name}, lr {rate:g}", [score, score + wide], learning_rate=rate, optimizer=name)
        for name, rate, score, wide in [
            ("a", 0.1, 1.0, 0.2),
            ("a", 1.0, 9.0, 0),
            ("b", 0.1, 9.1, 0),
            ("b", 1.0, 1.2, 0),
        ]
    ]
    _, right = figure_of(result(cases)).panels
    assert [mark.label for mark in right.marks] == ["indistinguishable from the best", None]
    for mark, name in zip(right.marks, ("a", "b"), strict=True):
        (points,) = [points for points in right.points if points.marker == "o" and points.color == "ab".index(name)]
        assert any(math.sqrt(mark.x * mark.end) == pytest.approx(x) for x in points.x)


HEAT = [
    case(f"{name}, lr {rate:g}", scores, learning_rate=rate, optimizer=name)
    for name, rate, scores in [
        ("adam", 0.1, [0.5, 0.6]),
        ("adam", 1.0, [None, None]),
        ("sgd", 0.1, [2.0, None]),
        ("sgd", 1.0, [0.5, 0.7]),
        ("sgd", 10.0, [1e9, 1e9]),
    ]
]


def test_a_heat_map_has_a_cell_a_rate_and_optimizer(tmp_path):
    (panel,) = heatmap_of(result(HEAT)).panels
    assert panel.x_names == ("0.1", "1", "10")
    assert panel.cells.names == ("adam", "sgd")
    assert panel.cells.values == [[pytest.approx(0.55), None, None], [2.0, pytest.approx(0.6), 1e9]]
    assert panel.cells.texts == [["0.55", CROSS, ""], [f"2\n{CROSS}", "0.6", "1e+09"]]
    assert panel.cells.limits == pytest.approx((0.55, 2.0))  # what blew up has the last colour
    assert (panel.cells.best, panel.cells.framed, panel.cells.darkest) == ((0, 0), [(1, 1)], "low")
    assert panel.x_label == f"Learning rate ({CROSS}: runs diverged)"
    result(HEAT).plot(tmp_path / "a.png", kind="heatmap")
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert page_of(result(HEAT)).count("<svg") == 2


def test_a_heat_map_of_accuracies_and_of_nothing():
    panel = heatmap_of(
        result(
            [case(one.name, [0.5], learning_rate=one.learning_rate, optimizer=one.optimizer_name) for one in HEAT],
            mode="max",
        )
    ).panels[0]
    assert (panel.cells.darkest, panel.x_label) == ("high", "Learning rate")
    lost = [case(one.name, [None], learning_rate=one.learning_rate, optimizer=one.optimizer_name) for one in HEAT]
    result(lost).plot(kind="heatmap")
    assert heatmap_of(result(GRID)) is None
    with pytest.raises(ArgumentError, match=r"plot\(kind='heatmap'\): a heat map needs two rates or more, and two"):
        result(GRID).plot(kind="heatmap")
    with pytest.raises(ArgumentError, match=r"plot\(kind='bars'\): kind must be one of 'curves', 'heatmap'"):
        result(GRID).plot(kind="bars")


def test_sixty_long_runs_are_a_small_page():
    cases = [case(f"lr {rate}", [1.0 + 0.01 * rate], learning_rate=float(rate), epochs=500) for rate in range(1, 61)]
    text = page_of(result(cases, epochs=500))
    assert len(text.encode()) < 500_000
    assert "<script" not in text and "src=" not in text


def test_the_page_has_code_that_trains_the_best_again():
    code = code_to_repeat(result(GRID), result(GRID).best)
    assert (
        "import keras_lr\noptimizer = keras.optimizers.SGD(0.1)\nresult = keras_lr.compare(\n    build_model,\n" in code
    )
    assert "optimizers={'lr 0.1': optimizer},\n    seeds=[0, 1, 2],\n    epochs=3,\n    batch_size=None," in code
    assert "The best case again" in page_of(result(GRID))
    assert "Learning rates" in page_of(result(GRID))
    empty = result([case("a", [None])])
    assert "The best case again" not in page_of(empty)


def test_curves_as_a_table():
    rows = result(GRID).curves()
    assert rows.columns.tolist() == ["case", "epoch", "mean", "low", "high"]
    assert rows[rows.case == "lr 0.1"]["mean"].tolist() == pytest.approx([2.6, 1.6, 0.6])
    assert result(GRID).curves("learning_rate")["mean"].unique().tolist() == [0.1]
    with pytest.raises(
        ArgumentError, match=r"curves\(metric='loss'\): no run has logged it\. Pass one of learning_rate, val_loss\."
    ):
        result(GRID).curves("loss")


def test_saved_and_loaded_it_is_the_same(tmp_path):
    before = result(GRID)
    before.save(tmp_path / "a.json")
    assert Comparison.load(tmp_path / "a.json") == before
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(KerasLRError, match=r"Comparison\.load: .* is not a saved Comparison"):
        Comparison.load(tmp_path / "b.json")


def test_the_page_has_what_is_needed_to_do_it_again():
    text = page_of(result(GRID, warnings=["Look <here>."]))
    for words in ("As measured.", "Look &lt;here&gt;.", "<svg", "keras.optimizers.SGD(0.1)", "0, 1, 2", "1 of 3"):
        assert words in text
    assert "http-equiv" not in text


def test_printed_it_is_a_table():
    text = str(result(GRID))
    assert text.startswith("As measured.\n\ncase")
    assert "lr 0.1   0.60  0.35 to 0.85" in text
    assert repr(result(GRID)) == "<Comparison of 4 cases x 3 seeds by 'val_loss', best: 'lr 0.1'>"
    assert repr(result(GRID).best) == "<Case 'lr 0.1': mean=0.60, interval=(0.35, 0.85), diverged=0>"
    assert "<svg" in result(GRID)._repr_html_()
