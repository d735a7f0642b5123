"""README and site as their readers use them: the code runs and prints what is shown, configs hold, commands parse."""

from __future__ import annotations

import inspect
import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.main import get_command

import bayes_glmm as bg
from bayes_glmm.families import FAMILIES
from bayes_glmm.inference import Settings
from bayes_glmm.runs.cli import app
from bayes_glmm.runs.run import check
from bayes_glmm.runs.schema import SECTIONS
from docs.pages import Block, blocks_of, run

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
CONFIG = ROOT / "docs" / "reference" / "config.md"
TUTORIALS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
HOW_TO = ROOT / "docs" / "how-to"
# with NUTS and as many draws as they say
SAMPLED = [
    README,
    *TUTORIALS,
    HOW_TO / "compare.md",
    HOW_TO / "ordered-categories.md",
    HOW_TO / "rank-groups.md",
    HOW_TO / "response-terms.md",
    HOW_TO / "unordered-categories.md",
]
SHORT = [page for page in PAGES if page not in SAMPLED and any(b.language == "python" for b in blocks_of(page))]
NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?")
CHECKED = re.compile(r"^ +(pass|look|fail|-) +(.+?)(?:  .*)?$")


def by_name(page: Path) -> str:
    return page.relative_to(ROOT).with_suffix("").as_posix()


def blocks(language: str, *pages: Path) -> list[Block]:
    return [block for page in pages or PAGES for block in blocks_of(page) if block.language == language]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a page may write reports, runs and figures."""
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits without a sampler: draws of the same posterior by importance resampling, in tenths of a second."""
    signature, names = inspect.signature(bg.GLMM.fit), {field.name for field in fields(Settings)}

    def fit(model: bg.GLMM, *arguments: Any, **options: Any) -> bg.Fit:
        given = signature.bind(model, *arguments, **options).arguments
        Settings(**{name: value for name, value in given.items() if name in names})  # refuses what cannot be
        return bg.Fit(bg.approx.laplace_posterior(model, draws=400))

    monkeypatch.setattr(bg.GLMM, "fit", fit)


@pytest.mark.parametrize("page", SHORT, ids=by_name)
def test_short_pages_run_and_print_what_they_show(page: Path, workplace: Path, resampled: None) -> None:
    for block, printed in run(page):
        if block.output is not None:
            assert_alike(block.output, printed, 2e-3)  # of approximations and priors: nothing random


@pytest.mark.slow
@pytest.mark.parametrize("page", SAMPLED, ids=by_name)
def test_sampled_pages_run_and_print_what_they_show(page: Path, workplace: Path) -> None:
    for block, printed in run(page):
        if block.output is not None:
            assert_alike(block.output, printed, 0.05)
    shown = set(re.findall(r"\.\./figures/([\w-]+\.png)", page.read_text(encoding="utf-8")))
    assert shown == {path.name for path in workplace.glob("*.png")}


def assert_alike(shown: str, printed: str, tolerance: float) -> None:
    """The same text, with numbers that may differ as draws of another machine do.

    Under a header of estimates with intervals, estimates by a twentieth of the interval and its ends by an eighth: some
    four times what 400 effective draws differ by. Elsewhere whole numbers are the same and others differ by
    ``tolerance``, relative above 1. Of checks, title and verdict.
    """
    columns: list[str] = []
    assert len(shown.splitlines()) == len(printed.splitlines()), printed
    for one, other in zip(shown.splitlines(), printed.splitlines(), strict=True):
        if judged := CHECKED.match(one):
            again = CHECKED.match(other)
            assert again is not None, other
            assert judged.groups() == again.groups()
            continue
        assert NUMBER.sub("#", one).split() == NUMBER.sub("#", other).split(), f"{one}\n{other}"
        words = one.split()
        of_draws = next((name for name in ("estimate", "median") if {name, "lower", "upper"} <= set(words)), None)
        columns = words[words.index(of_draws) :] if of_draws else columns
        texts, again_texts = NUMBER.findall(one), NUMBER.findall(other)
        for text, again_text, allowed in zip(texts, again_texts, _allowed(texts, columns, tolerance), strict=True):
            assert _number(text) == pytest.approx(_number(again_text), rel=0.0, abs=allowed + 1e-9), f"{one}\n{other}"


def _allowed(texts: list[str], columns: list[str], tolerance: float) -> list[float]:
    """By how much each number of a line may differ."""
    allowed = [tolerance * max(1.0, abs(_number(text))) if re.search(r"[.e]", text) else 0.0 for text in texts]
    if columns and len(texts) >= len(columns):
        lower, upper = (_number(texts[columns.index(name) - len(columns)]) for name in ("lower", "upper"))
        wide = upper - lower
        others = {"estimate": wide / 20, "median": wide / 20, "mcse": wide / 20, "probability": 0.03}
        allowed[-len(columns) :] = [others.get(name, wide / 8) for name in columns]
    return allowed


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def test_numbers_that_differ_are_told() -> None:
    shown = "coefficient estimate mcse lower upper\n          x     0.50 0.01  0.30  0.70\n"
    assert_alike(shown, shown.replace("0.50", "0.51"), 0.05)
    for wrong in (shown.replace("0.50", "0.53"), shown.replace("x", "z"), shown + "more\n"):
        with pytest.raises(AssertionError):
            assert_alike(shown, wrong, 0.05)
    with pytest.raises(AssertionError):
        assert_alike("1,850 people\n", "1,851 people\n", 0.05)


@pytest.mark.parametrize(
    ("tutorial", "row", "factor"),
    [
        ("abortion", "person sd Intercept", 1),
        ("abortion", "poor vs any difference population-averaged", 100),
        ("abortion", "female vs male difference population-averaged", 100),
        ("hospital", "DID sd Intercept", 1),
        ("hospital", "Age x + 10 vs x difference population-averaged", 100),
        ("hospital", "Married 1 vs 0 difference population-averaged", 100),
    ],
)
def test_the_sentence_for_the_paper_has_the_numbers_of_the_tables(tutorial: str, row: str, factor: int) -> None:
    text = (ROOT / "docs" / "tutorial" / f"{tutorial}.md").read_text(encoding="utf-8")
    sentence = " ".join(line.removeprefix("> ") for line in text.splitlines() if line.startswith("> "))
    (numbers,) = {line.split(row)[1] for line in (" ".join(line.split()) for line in text.splitlines()) if row in line}
    estimate, _, low, high = (factor * float(text) for text in numbers.split()[:4])
    if estimate < -0.5:  # "fell by"
        estimate, low, high = -estimate, -high, -low
    for shown in (f" {round(estimate, 1) + 0.0:.1f} ", f"{low:.1f} to {high:.1f}"):  # no "-0.0"
        assert shown in sentence


def test_blocks_are_in_languages_that_are_tested() -> None:
    languages = {block.language for page in PAGES for block in blocks_of(page)}
    assert languages <= {"python", "yaml", "sh", "r"}, "r is shown beside, and runs nowhere here"


def test_python_blocks_are_python() -> None:
    assert len(blocks("python")) > 40
    for block in blocks("python"):
        compile(block.code, str(block.page), "exec")


def test_the_two_commands_are_named() -> None:
    for page in (README, ROOT / "docs" / "index.md"):
        commands = "\n".join(block.code for block in blocks("sh", page))
        assert "uv run bayes-glmm run configs/" in commands, "the main job, on an example"
        assert "uv run pytest" in commands, "the tests"


def test_commands_parse() -> None:
    commands = getattr(get_command(app), "commands")  # noqa: B009 - typer's own class has them
    lines = [
        line.removeprefix("pip install uv && uv run ") for block in blocks("sh") for line in block.code.splitlines()
    ]
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        assert program in {"bayes-glmm", "mkdocs", "pytest", "python"}, line
        assert program != "python" or (ROOT / arguments[0]).is_file(), line
        if program == "bayes-glmm":
            context = commands[arguments[0]].make_context(arguments[0], arguments[1:])  # raises for what cannot be
            config = context.params.get("config")
            assert config is None or (ROOT / config).is_file(), line
    assert {shlex.split(line)[1] for line in lines if line.startswith("bayes-glmm")} == set(commands)


def test_configs_hold(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    columns = {"drug": rng.integers(0, 2, 60), "age": rng.normal(50.0, 9.0, 60), "clinic": np.arange(60) % 6}
    pain = np.resize(["none", "mild", "severe"], 60)
    data = pd.DataFrame({"cured": rng.integers(0, 5, 60), "treated": 5, "pain": pain, **columns})
    data.to_csv(tmp_path / "trial.csv", index=False)
    for block in blocks("yaml"):
        (tmp_path / "config.yaml").write_text(block.code, encoding="utf-8")
        assert check(tmp_path / "config.yaml").design.blocks, block


def test_the_tables_name_every_family_link_and_command() -> None:
    for page in (README, ROOT / "docs" / "reference" / "families.md"):
        rows = re.findall(r"^\| (\w.*?) \| (.*?) \|", page.read_text(encoding="utf-8").replace("`", ""), re.MULTILINE)
        named = {name: links for names, links in rows for name in re.sub(r" \(.*?\)", "", names).split(", ")}
        assert {name: ", ".join(family.links) for name, family in FAMILIES.items()} == {
            name: links for name, links in named.items() if name in FAMILIES
        }
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert commands == set(re.findall(r"^\| `bayes-glmm (\w+)", README.read_text(encoding="utf-8"), re.MULTILINE))
    assert commands == set(
        re.findall(r"^\| `(\w+)` \|", CONFIG.read_text("utf-8").split("## Commands")[1], re.MULTILINE)
    )


def test_the_table_of_the_config_has_every_key_and_its_default() -> None:
    rows = dict(re.findall(r"^\| `([\w.]+)` \| .* \|(.*)\|$", CONFIG.read_text(encoding="utf-8"), re.MULTILINE))
    fields = {
        ".".join((*section, key)): field.default
        for section, model in SECTIONS.items()
        for key, field in model.model_fields.items()
        if key not in ("data", "model", "sampler", "outputs")
    }
    assert set(fields) == set(rows)
    plain = {key: value for key, value in fields.items() if isinstance(value, bool | int | float | str)}
    assert plain.pop("sampler.cores") == 0, "as many as the machine has"
    assert {key: str(value).lower() for key, value in plain.items()} == {key: rows[key].strip(" `") for key in plain}
