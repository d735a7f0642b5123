"""The structure of the report is that of the stored outlines; headings are in order, colours can be read."""

from __future__ import annotations

import difflib
import itertools
import re
from importlib import resources

import pytest

from bayes_glmm.plots.style import AVERAGED, CONDITIONAL, INK, QUIET
from bayes_glmm.report.svg import DATA, THEME
from tests.report.outline import GOLDEN, outline
from tests.report.page import POSTERIORS, Page, rendered

STYLE = resources.files("bayes_glmm.report").joinpath("style.css").read_text(encoding="utf-8")
COLOURS = {name: pair for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", STYLE)}
TEXT = [  # colour of text, and what it stands on
    *((text, ground) for text in ("text", "soft", "conditional", "averaged") for ground in ("ground", "panel")),
    *((text, f"{verdict}-ground") for verdict in ("good", "look", "bad") for text in ("text", "conditional")),
    *(("on-badge", verdict) for verdict in ("good", "look", "bad")),
    ("ground", "text"),  # the tip
]
SHAPES = [(name, "ground") for name in sorted(set(THEME.values()) - {"line", "ground"})]  # lines of a grid are faint


@pytest.mark.parametrize("name", POSTERIORS)
def test_structure_is_the_stored_one(name: str) -> None:
    stored = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    found = outline(rendered(name))
    difference = "\n".join(difflib.unified_diff(stored.splitlines(), found.splitlines(), "stored", "found", "", "", 1))
    assert not difference, f"If this is meant: python -m tests.report.outline\n{difference}"


def test_outlines_tell_structures_apart() -> None:
    assert len({outline(rendered(name)) for name in POSTERIORS}) == len(POSTERIORS)


@pytest.mark.parametrize("name", POSTERIORS)
def test_headings_are_in_order_below_one_title(name: str) -> None:
    page = Page(rendered(name))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels))
    assert [1, 1, 1] == [len(page.all(landmark)) for landmark in ("header", "nav", "main")]
    assert all(cell.get("scope") == "col" for cell in page.all("th"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("over", "under", "least"), [(*pair, 4.5) for pair in TEXT] + [(*pair, 3.0) for pair in SHAPES]
)
def test_contrast_is_that_of_accessible_pages(theme: str, over: str, under: str, least: float) -> None:
    at = ["light", "dark"].index(theme)
    lighter, darker = sorted((luminance(COLOURS[over][at]), luminance(COLOURS[under][at])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= least


def test_contrast_of_black_on_white_is_21() -> None:
    assert (luminance("#ffffff") + 0.05) / (luminance("#000000") + 0.05) == pytest.approx(21.0)
    assert luminance("#808080") == pytest.approx(0.2159, abs=1e-4)  # the middle grey of sRGB


def test_colours_come_from_the_theme_alone() -> None:
    rules = STYLE.partition("}")[2]
    assert not re.findall(r"#[0-9a-f]{3,8}\b(?! \{)", rules)
    assert set(re.findall(r"var\(--([\w-]+)\)", rules)) <= set(COLOURS)
    assert set(THEME.values()) <= set(COLOURS)
    for name in POSTERIORS:
        assert not re.findall("|".join((CONDITIONAL, AVERAGED, INK, QUIET, DATA)), rendered(name), re.IGNORECASE)


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2, of ``#rrggbb``."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
