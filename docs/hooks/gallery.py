"""The page of the gallery: a part for each config, with the report and the answer where ``docs/gallery.py`` made them.

``extra.gallery`` of ``mkdocs.yml`` names the folder. Without a run the page has question, formula and command alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mkdocs.structure.files import File, Files

from bayes_glmm.effects import ESTIMANDS
from bayes_glmm.effects.columns import columns_of_table
from bayes_glmm.runs.config import read_config
from bayes_glmm.runs.schema import Config
from bayes_glmm.runs.show import side_by_side
from bayes_glmm.spec import ModelSpec

PAGE, PLACE = "gallery.md", "<!-- reports -->"
_SHOWN = ("difference", "odds_ratio")  # of the ways to compare two means
_MOST = 6  # rows of an answer


def on_files(files: Files, config: Any) -> Files:
    """Put reports, pictures and comparisons among the files of the site; called by mkdocs."""
    folder = _folder(config)
    found = {f"{run.name}.html": run / "report.html" for run in _runs(folder)}
    found |= {path.name: path for kind in ("pictures", "comparisons") for path in sorted((folder / kind).glob("*.*"))}
    for name, path in found.items():
        files.append(File.generated(config, f"gallery/{name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """The page with a part for each config; called by mkdocs."""
    if page.file.src_uri != PAGE:
        return markdown
    folder, there = _folder(config), {file.src_uri for file in files}
    parts = [_part(path, folder, there) for path in sorted(Path(config.docs_dir, "..", "configs").glob("*.yaml"))]
    return markdown.replace(PLACE, "\n\n".join([*parts, *_comparisons(folder)]))


def _folder(config: Any) -> Path:
    return Path(config.config_file_path).parent / config.extra["gallery"]


def _runs(folder: Path) -> list[Path]:
    return sorted(report.parent for report in folder.glob("runs/*/report.html"))


def _part(path: Path, folder: Path, there: set[str]) -> str:
    """What a config asks; what its run answers, where there is one."""
    config, name = read_config(path)[0], path.stem
    lines = [f"## {config.title} {{ #{name} }}", f"*{_question(path)}*", f"{_formulas(config)}, {_family(config)}"]
    report, picture, command = f"gallery/{name}.html", f"gallery/{name}.png", f"`bayes-glmm run configs/{path.name}`"
    if report not in there:
        return "\n\n".join([*lines, f"Made by {command}."])
    record = json.loads((folder / "runs" / name / "run.json").read_text(encoding="utf-8"))
    if picture in there:
        lines.append(f"[![The top of the report]({picture}){{ .report }}]({report})")
    lines += [*_answer(folder / "runs" / name), f"[Report]({report}): {record['verdict']}. Made by {command}."]
    return "\n\n".join(lines)


def _question(path: Path) -> str:
    """The comment that a config begins with, up to an empty one."""
    lines = [line.removeprefix("#").strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return " ".join(lines[: lines.index("")])


def _formulas(config: Config) -> str:
    """The formula of each parameter that has one."""
    spec = ModelSpec.from_dict(config.model.model_dump(exclude_none=True))
    return ", ".join(f"`{formula}`" for formula in spec.predicted.values())


def _family(config: Config) -> str:
    return config.model.family + (f" with {config.model.link} link" if config.model.link else "")


def _answer(run: Path) -> list[str]:
    """The first question of the config, population-averaged and conditional side by side."""
    config, _ = read_config(run / "config.yaml")
    if not config.effects:
        return []
    table = pd.read_csv(run / "tables" / f"{config.effects[0].name}.csv")
    columns = columns_of_table(table)
    if columns.estimand is not None:
        table = table[table[columns.estimand].isin(_SHOWN)]
        table[columns.estimand] = [ESTIMANDS[name].title for name in table[columns.estimand]]
    labels = [name for name in columns.all_labels if name != columns.effect]
    what = {"compare": "compared", "slopes": "slope", "predict": "predicted"}[config.effects[0].kind]
    table[what] = table[labels].astype(str).agg(", ".join, axis=1)  # one column, as there is little room
    return [_markdown(side_by_side(table, [what]).head(_MOST)), "Posterior medians and 95 % intervals."]


def _markdown(frame: pd.DataFrame) -> str:
    rows = [list(frame.columns), ["---"] * frame.shape[1], *frame.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows)


def _comparisons(folder: Path) -> list[str]:
    found = sorted((folder / "comparisons").glob("*.html"))
    links = [f"- [{' and '.join(path.stem.split('--'))}](gallery/{path.name})" for path in found]
    return ["## Runs of the same data side by side", "\n".join(links)] if links else []
