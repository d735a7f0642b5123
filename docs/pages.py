"""The pages' own code, run as a reader would run it: for the tests, and to refresh what pages show.

    python docs/pages.py docs/tutorial/abortion.md

runs the Python blocks of a page from top to bottom, writes what each prints into the ``text`` block that follows it,
and puts the figures it saves into ``docs/figures``.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
_FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes
    ----------
    page : Path
    language : str
    code : str
    line : int
        Number of the first line of the code.
    output : str or None
        The ``text`` block that follows, with nothing between: what the code prints.
    """

    page: Path
    language: str
    code: str
    line: int
    output: str | None


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, but for outputs."""
    text = page.read_text(encoding="utf-8")
    found = list(_FENCE.finditer(text))
    blocks = []
    for k, match in enumerate(found):
        if match["language"] == "text":
            continue
        after = found[k + 1] if k + 1 < len(found) else None
        follows = after is not None and after["language"] == "text" and not text[match.end() : after.start()].strip()
        output = after["code"] if after is not None and follows else None
        line = text.count("\n", 0, match.start("code")) + 1
        blocks.append(Block(page, match["language"], match["code"], line, output))
    return blocks


def run(page: Path) -> Iterator[tuple[Block, str]]:
    """Run the Python blocks of a page in the working directory; each with what a console would show."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(page):
        if block.language == "python":
            yield block, _printed(block, namespace)


def _printed(block: Block, namespace: dict[str, Any]) -> str:
    tree = ast.parse(block.code, str(block.page))
    ast.increment_lineno(tree, block.line - 1)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, str(block.page), "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), str(block.page), "eval"), namespace)
            if value is not None:
                print(repr(value))
    return "".join(f"{line.rstrip()}\n" for line in printed.getvalue().splitlines())


def refresh(page: Path) -> None:
    """Write outputs and figures of a page anew."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["savefig.dpi"] = 130
    page = page.resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        outputs = {block.line: printed for block, printed in run(page)}
        for figure in Path(folder).glob("*.png"):
            _shrink(figure, DOCS / "figures" / figure.name)
    text = page.read_text(encoding="utf-8")
    for block in reversed(blocks_of(page)):
        if block.output is not None and block.line in outputs:
            start = text.index(f"```text\n{block.output}```", _offset(text, block.line)) + len("```text\n")
            text = text[:start] + outputs[block.line] + text[start + len(block.output) :]
    page.write_text(text, encoding="utf-8")


def _offset(text: str, line: int) -> int:
    return sum(len(each) for each in text.splitlines(keepends=True)[: line - 1])


def _shrink(figure: Path, target: Path) -> None:
    """As few bytes as a picture of lines needs: 128 colours."""
    from PIL import Image

    Image.open(figure).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    for name in sys.argv[1:]:
        refresh(Path(name))
