"""The report in a browser: pointed at, tapped, stepped through by keys, sorted, printed, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.chromium import FOUND, Browser, browser
from tests.report.page import HOSTILE, rendered

pytestmark = pytest.mark.skipif(FOUND is None, reason="There is no Chromium here to look at the report in.")

LIGHT, DARK = "rgb(255, 255, 255)", "rgb(22, 25, 29)"
GROUND = "getComputedStyle(document.body).backgroundColor"
FIRST = "document.querySelector('.plot')"
TIP = "document.getElementById('tip')"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(rendered("bernoulli"), encoding="utf-8")
    return path


@pytest.fixture
def page(chromium: Browser, report: Path) -> Iterator[Browser]:
    """The report, freshly opened in a light window of 1000 x 900; no error and nothing refused until it is closed."""
    chromium.emulate()
    chromium.open(report)
    chromium.ask("localStorage.clear(); delete document.documentElement.dataset.theme")
    yield chromium
    assert not chromium.problems


def settled(page: Browser, expression: str) -> Any:
    """The value of an expression after the next two frames, when events have been delivered."""
    return page.ask(f"new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r({expression}))))")


def middle(page: Browser, element: str) -> tuple[float, float]:
    """Scroll there, and the middle of an element in the window."""
    page.ask(f"{element}.scrollIntoView({{behavior: 'instant', block: 'center'}})")
    box = settled(page, f"(({element}).getBoundingClientRect().toJSON())")
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def tip(page: Browser) -> str:
    """What the tip says; nothing where it is not to be seen."""
    text, area = settled(page, f"[{TIP}.textContent, {TIP}.offsetWidth * {TIP}.offsetHeight]")
    assert bool(text) == bool(area)
    return text


def test_values_are_read_by_pointing(page: Browser) -> None:
    assert tip(page) == ""
    page.point(*middle(page, f"{FIRST}.querySelectorAll('.mark')[1]"))
    name, averaged, conditional = tip(page).split("\n")
    assert "f: b vs a" in name
    assert re.fullmatch(r"population-averaged \S+ \[\S+, \S+\]", averaged)
    assert conditional.startswith("conditional (u = 0) ")
    page.point(2, 2)
    assert tip(page) == ""


def test_values_are_those_of_the_table(page: Browser) -> None:
    page.point(*middle(page, "document.querySelector('#coefficients .mark')"))
    shown = re.findall(r"(\S+) \[(\S+), (\S+)\]", tip(page))
    row = page.ask("[...document.querySelectorAll('#coefficients tbody tr')[1].cells].map(c => c.textContent)")
    assert row[0] == tip(page).split("\n")[0] == "x"
    for (estimate, low, high), (median, interval) in zip(shown, [(row[1], row[2]), (row[3], row[4])], strict=True):
        expected = [median, *interval.split("\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}")]
        assert [_value(text) for text in expected] == pytest.approx([_value(text) for text in (estimate, low, high)])


def _value(text: str) -> float:
    return float(text.replace("−", "-"))


def test_values_are_read_by_keys(page: Browser) -> None:
    page.ask(f"{FIRST}.focus()")
    said = []
    for key in ("ArrowRight", "ArrowDown", "End", "ArrowRight"):
        page.press(key)
        said.append(tip(page).split("\n")[0])
    assert said == [
        "x: x + 1 vs x, difference of probabilities",
        "f: b vs a, difference of probabilities",
        "f: c vs a, odds ratio",  # the last of the second panel
        "x: x + 1 vs x, difference of probabilities",
    ]
    assert page.ask(f"{TIP}.getAttribute('role')") == "status"  # is spoken when it changes
    page.press("Escape")
    assert tip(page) == ""


def test_every_figure_with_values_is_reached_by_tab_and_has_a_name(page: Browser) -> None:
    figures = page.ask("[...document.querySelectorAll('.plot')].map(p => [p.tabIndex, p.ariaLabel, p.marks.length])")
    assert len(figures) >= 8
    assert all(index == 0 and label and marks for index, label, marks in figures)
    page.ask("[...document.querySelectorAll('#paper .copy')].at(-1).focus()")
    page.ask("document.querySelector('#curves').scrollIntoView()")
    page.press("Tab")
    assert page.ask("document.activeElement.matches('.plot, .scroll')")
    assert page.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_tip_stays_in_the_window(page: Browser) -> None:
    page.emulate(width=400)
    for mark in ("querySelector('.mark')", "querySelector('.mark:last-child')"):
        page.point(*middle(page, f"document.querySelector('#variance .plot').{mark}"))
        box = settled(page, f"{TIP}.getBoundingClientRect().toJSON()")
        assert box["left"] >= 0
        assert box["right"] <= 400
        assert box["top"] >= 0


def test_values_are_read_by_touch(page: Browser) -> None:
    page.command("Emulation.setTouchEmulationEnabled", enabled=True)
    page.tap(*middle(page, f"{FIRST}.querySelectorAll('.mark')[2]"))
    assert "f: c vs a" in tip(page)
    page.tap(*middle(page, "document.querySelector('h1')"))
    assert tip(page) == ""
    page.command("Emulation.setTouchEmulationEnabled", enabled=False)


def test_theme_is_the_systems_until_one_is_chosen_and_then_remembered(page: Browser, report: Path) -> None:
    page.emulate("dark")
    assert page.ask(GROUND) == DARK
    page.emulate("light")
    assert page.ask(GROUND) == LIGHT
    assert page.ask("document.getElementById('theme').textContent") == "Dark page"
    page.click(*middle(page, "document.getElementById('theme')"))
    assert settled(page, GROUND) == DARK
    line = page.ask(f"getComputedStyle({FIRST}.querySelector('[fill=\"var(--averaged)\"]')).fill")
    assert line == "rgb(240, 149, 90)"
    page.open(report)
    assert page.ask(GROUND) == DARK
    page.click(*middle(page, "document.getElementById('theme')"))
    assert settled(page, GROUND) == LIGHT


def test_page_works_where_nothing_can_be_stored(page: Browser, report: Path) -> None:
    refusing = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no'); }})"
    added = page.command("Page.addScriptToEvaluateOnNewDocument", source=refusing)
    page.open(report)
    page.click(*middle(page, "document.getElementById('theme')"))
    assert settled(page, GROUND) == DARK
    page.command("Page.removeScriptToEvaluateOnNewDocument", **added)
    page.open(report)


def test_tables_are_sorted_up_down_and_back(page: Browser) -> None:
    table = "document.querySelector('#cross_check table')"
    column = f"[...{table}.querySelectorAll('tbody tr')].map(r => r.cells[2].textContent)"
    before = page.ask(column)
    found = []
    for state in ("ascending", "descending", None):
        page.click(*middle(page, f"{table}.querySelectorAll('th button')[2]"))
        assert settled(page, f"{table}.querySelectorAll('th')[2].ariaSort") == state
        found.append(page.ask(column))
    numbers = [[_value(text) for text in each if text != "–"] for each in found]
    assert sorted(numbers[0]) == numbers[0]
    assert sorted(numbers[1], reverse=True) == numbers[1]
    assert before == found[2]
    page.ask(f"{table}.querySelector('th button').focus()")
    page.press("Enter")
    assert settled(page, f"{table}.querySelector('th').ariaSort") == "ascending"


def test_a_button_copies_its_paragraph(page: Browser) -> None:
    button = "document.querySelector('#paper .copy')"
    page.ask("window.written = null; navigator.clipboard.writeText = async (text) => { window.written = text; }")
    page.click(*middle(page, button))
    assert settled(page, f"{button}.textContent") == "Copied"
    assert page.ask("window.written") == page.ask("document.querySelector('#paper .copied').textContent")


def test_links_lead_to_sections_and_the_current_one_is_marked(page: Browser) -> None:
    page.ask("document.documentElement.style.scrollBehavior = 'auto'")
    page.ask("document.querySelector('nav a[href=\"#priors\"]').click()")
    assert 0 <= settled(page, "document.querySelector('#priors').getBoundingClientRect().top") < 120
    assert page.ask("[...document.querySelectorAll('nav [aria-current]')].map(a => a.hash)") == ["#priors"]
    assert page.ask("document.querySelector('nav').getBoundingClientRect().top") == 0, "it stays in sight"


def test_what_is_folded_opens(page: Browser) -> None:
    inside = "document.querySelector('#population details table').checkVisibility({contentVisibilityAuto: true})"
    assert not page.ask(inside)
    page.click(*middle(page, "document.querySelector('#population summary')"))
    assert settled(page, inside)


@pytest.mark.parametrize("width", [400, 700, 1000, 1500])
def test_nothing_is_wider_than_the_window(page: Browser, width: int) -> None:
    page.emulate(width=width)
    assert page.ask("document.documentElement.scrollWidth") <= width
    boxes = page.ask("['nav', 'main'].map(s => document.querySelector(s).getBoundingClientRect().toJSON())")
    beside = boxes[0]["right"] <= boxes[1]["left"]
    assert beside == (width == 1500), "sections are listed beside the text where there is room, above it elsewhere"


def test_print_is_light_and_open_and_has_no_controls(page: Browser) -> None:
    page.emulate("dark", media="print")
    text = settled(page, "getComputedStyle(document.querySelector('h1')).color")
    assert text == "rgb(27, 31, 36)"
    for control in ("nav", "#theme", "#tip", ".hint", ".skip"):
        assert page.ask(f"getComputedStyle(document.querySelector('{control}')).display") == "none"
    heights = page.ask("[...document.querySelectorAll('details')].map(d => d.lastElementChild.offsetHeight)")
    assert heights
    assert min(heights) > 0
    figures = page.ask("[...document.querySelectorAll('figure')].map(f => getComputedStyle(f).breakInside)")
    assert {"avoid-page"} == set(figures)
    pages = page.print()
    assert pages.startswith(b"%PDF")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", pages)) <= 30


def test_without_scripts_all_is_there_and_no_control_that_would_do_nothing(page: Browser, report: Path) -> None:
    page.command("Emulation.setScriptExecutionDisabled", value=True)
    page.open(report)
    assert page.ask("[...document.querySelectorAll('#theme, .hint')].filter(e => e.checkVisibility()).length") == 0
    assert page.ask(f"{TIP}.offsetHeight") == 0
    assert "population-averaged" in page.ask(f"{FIRST}.querySelector('.mark title').textContent")
    assert page.ask("document.querySelectorAll('main > section table').length") > 8
    page.command("Emulation.setScriptExecutionDisabled", value=False)
    page.open(report)


def test_no_motion_where_none_is_wanted(page: Browser) -> None:
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.command("Emulation.setEmulatedMedia", features=features)
    assert page.ask("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_scripts_that_are_not_ours_do_not_run(chromium: Browser, report: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.html"
    injected = "<script>document.title = 'theirs'</script><img src=x onerror=\"document.title = 'theirs'\">"
    path.write_text(report.read_text(encoding="utf-8").replace("</main>", f"{injected}</main>"), encoding="utf-8")
    chromium.open(path)
    assert settled(chromium, "document.title") == "A bernoulli model"
    assert len(chromium.problems) >= 2, "the browser says what it refused"
    chromium.problems.clear()


def test_hostile_names_are_read_as_they_are(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(rendered("hostile"), encoding="utf-8")
    chromium.emulate()
    chromium.open(path)
    assert chromium.ask("document.scripts.length") == 1
    chromium.point(*middle(chromium, "document.querySelector('#variance .mark')"))
    assert tip(chromium).startswith(HOSTILE)
    assert chromium.ask(f"{TIP}.children.length") == 0
    assert not chromium.problems
