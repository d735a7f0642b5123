"""Figures as parts of a page: drawn as in the file, with ids of their own, and parts to point at where they belong."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from bayes_glmm.report.figures import forest
from bayes_glmm.report.html import figure
from bayes_glmm.report.svg import inline

NUMBERS = {"lower": [0.2, 1.0], "upper": [0.9, 3.0], "estimand": "ratio", "effect": "conditional"}
TABLE = pd.DataFrame({"row": ["first & <b>", "second \x0b--> !"], "estimate": [0.5, 2.0]} | NUMBERS)


@pytest.fixture(scope="module")
def svg() -> bytes:
    return forest(TABLE, "ratio")


def dots(root: ElementTree.Element) -> list[tuple[float, float]]:
    """Where markers in the colour of the reading are drawn."""
    uses = [element.attrib for element in root.iter() if element.tag.endswith("use") and "x" in element.attrib]
    filled = [use for use in uses if re.search(r"#0072b2|--conditional", use.get("style", "") + use.get("fill", ""))]
    return sorted({(float(use["x"]), float(use["y"])) for use in filled}, key=lambda place: place[1])


def test_parts_lie_over_what_they_say(svg: bytes) -> None:
    root = ElementTree.fromstring(svg)
    marks = [element for element in root.iter() if element.get("class") == "mark"]
    assert 2 == len(marks)
    places = [place for place in dots(root) if place[1] > 20]  # the legend's dot is above
    for mark, (x, y), name in zip(marks, places, ("first & <b>", "second --> !"), strict=True):
        left, top, width, height = (float(mark.attrib[key]) for key in ("x", "y", "width", "height"))
        assert left < x < left + width
        assert top < y < top + height
        assert (mark[0].text or "").startswith(name + "\n")


def test_page_has_the_shapes_of_the_file(svg: bytes) -> None:
    before, after = ElementTree.fromstring(svg), ElementTree.fromstring(inline(svg, "alt"))
    kinds = ("path", "use", "rect", "clipPath")
    count = {kind: sum(element.tag.endswith(kind) for element in before.iter()) for kind in kinds}
    assert count == {kind: sum(element.tag == kind for element in after.iter()) for kind in kinds}
    assert dots(before) == dots(after)


def test_references_are_within_the_figure_and_ids_of_two_figures_differ(svg: bytes) -> None:
    found = []
    for alt in ("one", "another"):
        text = inline(svg, alt)
        ids = set(re.findall(r'\bid="([^"]+)"', text))
        assert ids == set(re.findall(r'(?:href="|url\()#([^")]+)', text))
        found.append(ids)
    assert found[0]
    assert not found[0] & found[1]


def test_nothing_is_left_of_the_file_around_the_figure(svg: bytes) -> None:
    assert b"first &amp;" in svg
    assert b"<metadata>" in svg
    text = inline(svg, 'a "quoted" & <b>alternative')
    assert not re.search(r"<!--|<\?|<!DOCTYPE|metadata|<style|style=|xmlns|xlink|\x0b", text)
    assert text.startswith("<svg ")
    assert 'aria-label="a &quot;quoted&quot; &amp; &lt;b&gt;alternative"' in text


def test_captions_and_labels_are_escaped(svg: bytes) -> None:
    text = figure(svg, "alt", "a <script> caption")
    assert "<script" not in text
    assert "a &lt;script&gt; caption" in text
