"""A report of hostile names: as a browser reads it, it holds our elements, and the names are text and nothing else."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.posterior import posterior_at
from bayes_glmm.report import render
from bayes_glmm.report.figures import forest, traces
from bayes_glmm.spec import ModelSpec
from tests.hostile.cases import within
from tests.report.page import Page, check_page, rendered

LEVELS = [  # those of a factor first: they are named in the text
    "<script>alert('x')</script>",
    '" onload="x',
    "]]></style><b>",
    "a--><!--b",
    "&lt;i&gt;",
    "</td></table></section>",
    "{{ 7*7 }} {x} {0} %s",
    r"$\frac{a}{b$ \undefined{x} _a^b",
    "\x1b[31m\x07\x0b￾",
    "é\u0301 \u202e\u200b 日本 😀",
    "line\nbreak\ttab",
    "",
    "a" * 300,
    "javascript:alert(1)",
]
X, F, G, Y = "<img src=x onerror=alert(1)> $x_1$", 'f"><svg onload=alert(1)>', "g{{7*7}}&amp;<b>\\", "y<script>'"
TITLE = 'T <script>alert(1)</script> {{7*7}} \x1b $x$ " onclick="x'


@pytest.fixture(scope="module")
def page() -> Page:
    """The report of a binary response; title, columns, levels and the event are all hostile."""
    rng = np.random.default_rng(1)
    rows = 4 * len(LEVELS)
    data = pd.DataFrame(
        {
            Y: np.where(np.arange(rows) % 3 == 0, "</p><script>", "no $a$"),
            X: rng.normal(size=rows),
            F: np.resize(LEVELS[:3], rows),
            G: np.repeat(LEVELS, 4),
        }
    )
    spec = ModelSpec.from_formula(f"`{Y}` ~ `{X}` + `{F}` + (1 | `{G}`)", "bernoulli")
    posterior = posterior_at(spec, data, 0.1 * rng.normal(size=(60, 4)), {G: np.eye(1) * rng.gamma(9, 0.1, (60, 1, 1))})
    with within(120):
        return check_page(render(posterior, title=TITLE))


@pytest.fixture(scope="module")
def harmless() -> Page:
    """The report of a model of the same form with names of letters."""
    return check_page(rendered("bernoulli"))


def test_elements_and_attributes_are_those_of_a_harmless_report(page: Page, harmless: Page) -> None:
    assert {tag for tag, _ in harmless.tags} == {tag for tag, _ in page.tags}
    found, expected = ({name for _, attributes in p.tags for name in attributes} for p in (page, harmless))
    assert expected == found
    classes, known = ({a["class"] for _, a in p.tags if "class" in a} for p in (page, harmless))
    assert classes <= known | {"banner look", "banner do-not-use", "banner fit-to-use", "badge look", "badge pass"}
    assert all(attributes["href"].startswith("#") for attributes in page.all("a"))


def test_names_are_text(page: Page) -> None:
    text = " ".join(page.text)
    for name in (X, F, G, TITLE, *LEVELS[:3]):
        assert name in text
    assert not re.search(r"(?<![\d.,])49(?![\d.,])", text), "computed, and no digits of another number"


def test_alternative_texts_and_values_hold_names_as_they_are(page: Page) -> None:
    alternatives = " ".join(svg["aria-label"] for svg in page.all("svg"))
    for name in (X, F, Y):
        assert name in alternatives
    svg = " ".join(re.findall(r"<svg.*?</svg>", page.source, re.DOTALL))
    titles = [element.text or "" for element in ElementTree.fromstring(f"<a>{svg}</a>").iter("title")]
    for name in (X, F, *LEVELS[:3]):
        assert any(name in title for title in titles)


def test_figures_are_xml_that_draws_and_does_nothing_else(page: Page) -> None:
    figures = re.findall(r"<svg.*?</svg>", page.source, re.DOTALL)
    assert len(figures) > 5
    assert len(figures) == len(page.all("svg"))
    for svg in figures:
        elements = list(ElementTree.fromstring(svg).iter())
        assert {element.tag for element in elements} <= {
            "svg", "g", "path", "defs", "use", "rect", "clipPath", "image", "title",
        }  # fmt: skip
        names = {name for element in elements for name in element.attrib}
        assert not [name for name in names if name.startswith("on") or ":" in name or name == "style"]
        links = [element.attrib["href"] for element in elements if "href" in element.attrib]
        assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)


@pytest.mark.parametrize("name", ["$x$", r"$\frac{", "\\", "%", "_", "{", "a\nb", "😀"])
@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
def test_names_that_matplotlib_would_read_do_not_break_figures(name: str) -> None:
    numbers = {"estimate": [0.5], "lower": [0.2], "upper": [0.9], "estimand": "ratio", "effect": "conditional"}
    ElementTree.fromstring(forest(pd.DataFrame({"row": [name]} | numbers), name))
    ElementTree.fromstring(traces([name], np.random.default_rng(0).normal(size=(1, 2, 60))))
