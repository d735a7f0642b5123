"""The documentation site: it builds without a warning, loads nothing from elsewhere, and has every public name."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm import _HOME, _PACKAGES
from bayes_glmm.runs.config import read_config
from bayes_glmm.runs.tables import interval_text
from docs.gallery import build, find_browser

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def built(folder: Path, gallery: Path) -> Path:
    """The site in a folder, with the gallery that is in another."""
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "GALLERY": str(gallery)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def check_closed(site: Path) -> None:
    """No page and no sheet loads anything from elsewhere."""
    for page in site.rglob("*.html"):
        assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*', page.read_text(encoding="utf-8")), page
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("gallery"))


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    assert len(list(site.rglob("*.html"))) > len(list(DOCS.rglob("*.md")))  # the page of what is not there
    check_closed(site)


def test_the_search_needs_no_server(site: Path) -> None:
    """Where a page is a file, Material reads the index as a script, and searches in a frame in place of a worker."""
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert json.loads(index.removeprefix("var __index = "))["docs"]
    for page in site.rglob("*.html"):
        (script,) = re.findall(r'<script src="([^"]*iframe-worker[^"]*)"', page.read_text(encoding="utf-8"))
        assert (page.parent / script).is_file() or page.name == "404.html"  # which only a server shows


@pytest.mark.slow
def test_a_browser_finds_a_word_in_files(site: Path, tmp_path: Path) -> None:
    if (browser := find_browser()) is None:
        pytest.skip("No Chromium is installed.")
    options = ["--headless", "--disable-gpu", "--no-sandbox", f"--user-data-dir={tmp_path}"]
    url = f"{(site / 'index.html').as_uri()}?q=trapezoidal"
    command = [browser, *options, "--virtual-time-budget=10000", "--dump-dom", url]
    page = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    (found,) = re.findall(r"(\d+) matching documents", page)
    assert int(found) >= 2
    assert re.search(r'href="[^"]*mathematics\.html[^"]*" class="md-search-result__link"', page)


def test_the_gallery_has_every_config_before_anything_is_sampled(site: Path) -> None:
    text = unescape((site / "gallery.html").read_text(encoding="utf-8"))
    configs = sorted((ROOT / "configs").glob("*.yaml"))
    assert len(configs) == text.count("bayes-glmm run configs/")
    for path in configs:
        config, _ = read_config(path)
        formulas = config.model.formula
        written = formulas if isinstance(formulas, list) else [formulas]
        for shown in (config.title, *written, f"bayes-glmm run configs/{path.name}"):
            assert str(shown) in text


@pytest.mark.slow
def test_the_gallery_has_reports_answers_and_links_that_lead_somewhere(tmp_path: Path) -> None:
    quickest = [ROOT / "configs" / f"{name}.yaml" for name in ("seeds", "seeds_additive")]
    build(quickest, tmp_path / "gallery", workers=1)
    site = built(tmp_path / "site", tmp_path / "gallery")
    check_closed(site)
    text = (site / "gallery.html").read_text(encoding="utf-8")
    links = {link for link in re.findall(r'(?:href|src)="([^"#?]+)', text) if link.startswith("gallery/")}
    pictures = set() if find_browser() is None else {"gallery/seeds.png", "gallery/seeds_additive.png"}
    reports = {"gallery/seeds.html", "gallery/seeds_additive.html"}
    assert {*reports, *pictures, "gallery/seeds--seeds_additive.html"} == links
    for link in re.findall(r'(?:href|src)="([^"#?]+)', text):
        assert (site / link).is_file(), link
    for path, run in zip(quickest, ("seeds", "seeds_additive"), strict=True):
        assert (site / "gallery" / f"{run}.html").read_bytes() == _report(tmp_path, run).read_bytes()
        assert str(read_config(path)[0].title) in (site / "gallery" / f"{run}.html").read_text(encoding="utf-8")
    table = pd.read_csv(tmp_path / "gallery" / "runs" / "seeds_additive" / "tables" / "compare_extract_by_seed.csv")
    answers = table[table["estimand"] == "odds_ratio"]
    assert {"population-averaged", "conditional (u = 0)"} == set(answers["effect"])
    for numbers in answers[["estimate", "lower", "upper"]].to_numpy():
        assert f"<td>{interval_text(*numbers)}</td>" in text
    before = _report(tmp_path, "seeds").stat().st_mtime_ns
    build(quickest, tmp_path / "gallery", workers=1)
    assert before == _report(tmp_path, "seeds").stat().st_mtime_ns, "what is finished is kept"


def _report(folder: Path, run: str) -> Path:
    return folder / "gallery" / "runs" / run / "report.html"


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
