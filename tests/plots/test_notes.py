"""What figures say where someone points: the text for what is drawn there, and nothing changed in the picture."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import bayes_glmm as bg
from bayes_glmm.plots.notes import MOST, Note, annotate, notes_of
from bayes_glmm.plots.panels import Panel, draw_panels
from bayes_glmm.plots.style import compose
from tests.report.page import case


def at(notes: list[Note], x: float, y: float) -> list[str]:
    """What is said at a point of the figure."""
    return [note.text for note in notes if note.left <= x <= note.right and note.bottom <= y <= note.top]


def place(axes: Any, x: float, y: float) -> tuple[float, float]:
    """Where a point of the data lies, as shares of the figure."""
    across, up = axes.figure.transFigure.inverted().transform(axes.transData.transform((x, y)))
    return float(across), float(up)


def test_each_dot_and_each_name_says_its_row() -> None:
    names = [f"row {i}" for i in range(7)]
    values = np.random.default_rng(0).normal(size=(7, 3)).cumsum(axis=1)
    readings = {"conditional": values, "population-averaged": values / 2}
    figure = draw_panels([Panel("left", "", readings), Panel("right", "", readings)], names, "rows")
    notes = notes_of(figure)
    assert 14 == len(notes)
    for axes, title in zip(figure.axes, ("left", "right"), strict=True):
        for i, name in enumerate(names):
            [text] = at(notes, *place(axes, values[i, 0], 6 - i + 0.17))
            assert text.split("\n")[0] == f"{name}, {title}"
            assert [line.split(" ")[0] for line in text.split("\n")[1:]] == ["population-averaged", "conditional"]
            assert f"{values[i, 0]:.3g}".replace("-", "−") in text
    height = place(figure.axes[0], 0.0, 4.0)[1]
    assert "row 2, left" in at(notes, 0.001, height)[0], "names belong to their rows"


def test_parts_do_not_overlap_and_fill_the_axes() -> None:
    def plot(figure: Any) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.plot([1, 10, 1000], [1, 2, 3])
        annotate(axes, "column", ["a", "b", "c"], np.array([1.0, 10.0, 1000.0]))

    figure = compose(plot, height=3.0)
    notes = notes_of(figure)
    box = figure.axes[0].get_position()
    assert ["a", "b", "c"] == [note.text for note in notes]
    assert (notes[0].left, notes[-1].right) == pytest.approx((box.x0, box.x1))
    assert [note.right for note in notes[:-1]] == pytest.approx([note.left for note in notes[1:]])
    assert at(notes, *place(figure.axes[0], 30.0, 2.0)) == ["b"]  # the middle of 10 and 1000 is 100 on this axis
    assert at(notes, *place(figure.axes[0], 150.0, 2.0)) == ["c"]


def test_points_say_what_is_near_them() -> None:
    def plot(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], ".")
        annotate(axes, "point", ["low", "high"], np.array([[0.0, 0.0], [1.0, 1.0]]))

    figure = compose(plot, height=3.0)
    notes = notes_of(figure)
    for text, value in (("low", 0.0), ("high", 1.0)):
        assert [text] == at(notes, *place(figure.axes[0], value, value))
    assert not at(notes, *place(figure.axes[0], 0.5, 0.5))
    width, height = figure.get_size_inches()
    assert (notes[0].right - notes[0].left) * width == pytest.approx((notes[0].top - notes[0].bottom) * height)


def test_of_many_levels_some_say_their_name_all_over_the_range() -> None:
    names = [f"level {i}" for i in range(1850)]
    values = np.repeat(np.arange(1850.0), 3).reshape(-1, 3)
    notes = notes_of(draw_panels([Panel("", "u", {"conditional (this group)": values})], names, "g"))
    assert MOST == len(notes)
    assert (notes[0].text.split("\n")[0], notes[-1].text.split("\n")[0]) == ("level 0", "level 1849")
    assert notes[99].text.split("\n")[0] == f"level {round(99 * 1849 / 199)}"


def test_curves_say_both_readings_at_each_value() -> None:
    figure = bg.plots.curves(case("poisson"), "x")
    table = bg.effects.predict(case("poisson"), case("poisson").design.data.head(1)).table
    assert {"population-averaged", "conditional (u = 0)"} == set(table["effect"])
    for note in notes_of(figure):
        name, *lines = note.text.split("\n")
        assert name.startswith("x = ")
        assert [line.rpartition(" [")[0].rpartition(" ")[0] for line in lines] == [
            "population-averaged",
            "conditional (u = 0)",
        ]


def test_a_picture_is_the_same_with_and_without() -> None:
    def picture(says: bool) -> bytes:
        def plot(figure: Any) -> None:
            axes = figure.subplots()
            axes.plot([0, 1], [0, 1])
            if says:
                annotate(axes, "row", ["far", "away $x_1$"], np.array([-50.0, 80.0]))

        buffer = io.BytesIO()
        compose(plot, height=2.0).savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    assert picture(says=True) == picture(says=False)


def test_a_figure_without_notes_has_none() -> None:
    def plot(figure: Any) -> None:
        figure.subplots().plot([0, 1])

    assert notes_of(compose(plot, height=2.0)) == []
