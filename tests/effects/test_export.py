"""Tables of estimates in other formats: the same numbers and labels come back."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.effects.export import markdown, number
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.errors import GLMMError, SpecError
from bayes_glmm.summaries import Interval


@pytest.fixture
def estimates() -> Estimates:
    draws = np.random.default_rng(1).normal([0.0123, -45.6, 1.2e7], [0.001, 2.0, 1e5], size=(400, 3))
    labels = pd.DataFrame({"contrast": ["a|b & c", "50 % vs x_1", "<b>d</b>"], "estimand": "difference"})
    return tidy(draws, labels, Interval(), (4, 100), "Means, $5 each.", null=0.0)


def assert_rows(estimates: Estimates, rows: list[list[str]]) -> None:
    table = estimates.table
    assert rows[0] == list(table.columns)
    assert [row[0] for row in rows[1:]] == table["contrast"].tolist()
    for name in ("estimate", "lower", "upper", "probability"):
        column = [float(row[rows[0].index(name)]) for row in rows[1:]]
        np.testing.assert_allclose(column, table[name], rtol=0.0051)


def test_markdown_has_the_table(estimates: Estimates) -> None:
    lines = estimates.to_markdown().splitlines()
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert_rows(estimates, [cells[0], *cells[2:]])
    assert cells[1] == [":--", ":--"] + ["--:"] * 5


def test_latex_has_the_table(estimates: Estimates) -> None:
    text = estimates.to_latex()
    body = [line for line in text.splitlines() if line.endswith(r" \\")]
    cells = [re.split(r"(?<!\\) & ", line.removesuffix(r" \\")) for line in body]
    plain = [[re.sub(r"\\([&%$#_{}])", r"\1", cell) for cell in row] for row in cells]
    assert_rows(estimates, plain)
    assert r"\caption{Means, \$5 each." in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def test_html_has_the_table_and_no_markup_of_labels(estimates: Estimates) -> None:
    class Cells(HTMLParser):
        rows: list[list[str]]

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag in ("table", "caption", "thead", "tbody", "tr", "th", "td")
            if tag == "tr":
                self.rows.append([])
            if tag in ("th", "td"):
                self.rows[-1].append("")

        def handle_data(self, data: str) -> None:
            if self.rows and self.rows[-1] and data.strip():
                self.rows[-1][-1] += data

    parser = Cells()
    parser.rows = []
    parser.feed(estimates.to_html())
    assert_rows(estimates, parser.rows)


def test_excel_has_numbers_in_full(estimates: Estimates, tmp_path: Path) -> None:
    if find_spec("openpyxl") is None:
        with pytest.raises(GLMMError, match="openpyxl"):
            estimates.to_excel(tmp_path / "table.xlsx")
        return
    path = estimates.to_excel(tmp_path / "table.xlsx")
    pd.testing.assert_frame_equal(pd.read_excel(path), estimates.table, check_dtype=False)


def test_tidy_columns_are_those_of_broom(estimates: Estimates) -> None:
    table = estimates.to_tidy()
    names = ["contrast", "estimand", "estimate", "std_error", "conf_low", "conf_high", "p_direction"]
    assert list(table.columns) == names
    np.testing.assert_allclose(table["std_error"], estimates.draws.to_numpy().reshape(400, 3).std(axis=0, ddof=1))
    np.testing.assert_array_equal(table["conf_low"], estimates.table["lower"])


def test_draws_are_selected_by_label(estimates: Estimates) -> None:
    one = estimates.draws.sel(contrast="50 % vs x_1")
    np.testing.assert_array_equal(one.to_numpy().ravel(), estimates.draws.sel(estimate=1).to_numpy().ravel())
    with pytest.raises(KeyError):
        estimates.draws.sel(contrast="other")


@pytest.mark.parametrize("value", [0.0, 1.0, 9.996, 99.95, 123456.0, 999999.4, 1e6, 1.5e-5, 9e-6, -3.2e-300, np.inf])
@pytest.mark.parametrize("digits", [1, 3, 6])
def test_numbers_are_right_to_their_digits(value: float, digits: int) -> None:
    assert float(number(value, digits)) == pytest.approx(value, rel=0.51 * 10.0 ** (1 - digits))


@pytest.mark.parametrize("digits", [0, 16, 2.5, True, "3"])
def test_digits_are_a_whole_number(digits: object) -> None:
    with pytest.raises(SpecError, match="digits must be a whole number"):
        markdown(pd.DataFrame({"estimate": [1.0]}), digits)  # type: ignore[arg-type]
