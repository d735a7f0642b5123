"""The structure of a page as text: what a reader steers by, without the numbers, which depend on the platform.

Outlines of some reports are kept in ``golden/``. Where a change of the report is meant, write them anew with
``python -m tests.report.outline`` and read the difference before you commit it.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from tests.report.page import POSTERIORS, rendered

GOLDEN = Path(__file__).parent / "golden"
_NUMBER = re.compile(r"[-−]?\d+(,\d{3})*(\.\d+)?([eE][-−+]?\d+)?|[-−]?\b(inf|nan)\b")
_BLOCKS = {"h1", "h2", "h3", "summary", "figcaption", "button", "th", "a", "title"}  # whose text is shown


def outline(page: str) -> str:
    """One line each landmark, heading, link, figure, caption, table and thing to open; indented as they are nested."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return "\n".join(reader.lines) + "\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.depth = 0
        self.inside = ""
        self.words: list[str] = []
        self.cells: list[str] = []
        self.notes = 0

    def say(self, kind: str, text: str) -> None:
        self.lines.append(("  " * self.depth + f"{kind}: " + _NUMBER.sub("#", " ".join(text.split()))).rstrip(" :"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        match tag:
            case "header" | "nav" | "main" | "section" | "details":
                name = attributes.get("aria-label") or attributes.get("id", "")
                self.say(tag, name)
                self.depth += 1
            case "svg":
                self.say("figure", attributes["aria-label"])
                self.notes = 0
            case "thead":
                self.cells = []
            case "a":
                self.inside = attributes["href"]
        if tag in _BLOCKS:
            self.words = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        text = "".join(self.words)
        match tag:
            case "header" | "nav" | "main" | "section" | "details":
                self.depth -= 1
            case "h1" | "h2" | "h3" | "summary" | "button":
                self.say(tag, text)
            case "figcaption":
                self.say("caption", text)
            case "a":
                self.say("link", f"{text} -> {self.inside}")
            case "th":
                self.cells.append(text)
            case "thead":
                self.say("table", " | ".join(self.cells))
            case "title" if self.depth:  # a value of a figure; the first stands for all
                if not self.notes:
                    self.say("- values, as", " / ".join(text.splitlines()))
                self.notes += 1


def main() -> None:
    """Write all outlines anew."""
    GOLDEN.mkdir(exist_ok=True)
    for name in POSTERIORS:
        (GOLDEN / f"{name}.txt").write_text(outline(rendered(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
