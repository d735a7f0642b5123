"""The documentation site: it builds without a warning, loads nothing from elsewhere, and has every public name."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bayes_glmm as bg
from bayes_glmm import _HOME, _PACKAGES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))  # the page of what is not there
    for page in pages:
        assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*', page.read_text(encoding="utf-8")), page
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_formulas_are_mathml(site: Path) -> None:
    text = (site / "mathematics.html").read_text(encoding="utf-8")
    assert text.count("<math") > 80
    assert "arithmatex" not in text
    assert "\\" not in re.sub(r"<code.*?</code>|<script.*?</script>", "", text, flags=re.DOTALL)


def test_docstrings_are_links_and_not_roles(site: Path) -> None:
    for page in (site / "reference").glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r":(func|class|meth|attr|mod):", text), page
    assert 'href="#bayes_glmm.effects.predict"' in (site / "reference" / "effects.html").read_text(encoding="utf-8")


def test_code_and_hooks_stay_out_of_the_site(site: Path) -> None:
    assert not list(site.rglob("*.py"))


def test_figures_are_small_and_shown() -> None:
    shown = {
        name for page in DOCS.rglob("*.md") for name in re.findall(r"figures/([\w.-]+)\)", page.read_text("utf-8"))
    }
    figures = {path.name: path.stat().st_size for path in (DOCS / "figures").iterdir()}
    assert shown == set(figures)
    assert max(figures.values()) < 150_000


def test_the_reference_has_every_public_name() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    documented = {id(_found(path)) for path in re.findall(r"^(?::::|###) (bayes_glmm[\w.]+)", text, re.MULTILINE)}
    public = {f"bayes_glmm.{name}": getattr(bg, name) for name in _HOME}
    for package in _PACKAGES:
        public |= {
            f"bayes_glmm.{package}.{name}": _found(f"bayes_glmm.{package}.{name}") for name in _exported(package)
        }
    assert len(public) > 80
    assert [] == [name for name, value in public.items() if id(value) not in documented], "add these to docs/reference"


def _found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _exported(package: str) -> list[str]:
    """What a package hands out: names imported as themselves, and what it defines, without a leading underscore."""
    names: list[str] = []
    source = Path(str(importlib.import_module(f"bayes_glmm.{package}").__file__))
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        match node:
            case ast.ImportFrom():
                names += [alias.name for alias in node.names if alias.name == alias.asname]
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.append(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
    return [name for name in names if not name.startswith("_")]
