"""What the command line prints: the verdict, the answers, both kinds of coefficients side by side, the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bayes_glmm.design import findings
from bayes_glmm.design.notation import equations
from bayes_glmm.diagnostics.check import number_text
from bayes_glmm.effects.columns import columns_of_table, in_our_names
from bayes_glmm.runs.compare import Comparison, table_title
from bayes_glmm.runs.job import Job
from bayes_glmm.runs.run import RunResult
from bayes_glmm.runs.tables import SIDE_BY_SIDE, interval_text

LONGEST_WORD = 20  # letters of a heading that stay together
ROWS = 30  # of an answer's table; a grid can have thousands


def show_result(console: Console, result: RunResult) -> None:
    """A finished run: its verdict, the answers to its questions, the coefficients, where the files are."""
    from bayes_glmm.report.words import summary_of  # the report takes a second to import

    console.print(result.checks)
    if result.predictive.not_passed:
        console.print(Text("Could the model have made the data?", "bold"))
        console.print(result.predictive)
    else:
        console.print(Text("Data that the model replicates look like the data observed.\n"))
    summaries = []
    for name, answer in result.answers.items():
        table = answer.estimates.table
        columns = columns_of_table(table)
        wide = side_by_side(table, [label for label in columns.all_labels if label != columns.effect])
        console.print(_table(wide.head(ROWS), answer.question))
        for note in answer.estimates.notes:
            console.print(Text(note))
        if len(wide) > ROWS:
            console.print(Text(f"The first {ROWS} of {len(wide)} rows; tables/{name}.csv has all.", "dim"))
        console.print()
        summaries.append(summary_of(answer.estimates))
    tables = result.tables
    found = tables[SIDE_BY_SIDE] if SIDE_BY_SIDE in tables else tables["coefficients"]
    wide = side_by_side(found, [label for label in ("predictor", "coefficient") if label in found])
    console.print(_table(wide, f"Coefficients ({result.posterior.spec.scale_name} scale)"))
    summaries = list(dict.fromkeys(summaries)) or ["Estimates and 95% intervals."]
    console.print(Text(f"\n{' '.join(summaries)} Population-averaged: random effects averaged out.", "dim"))
    console.print()
    if result.report is not None:
        console.print(Text(f"Report:  {result.report}"))
    console.print(Text(f"Folder:  {result.folder}"))


def show_job(console: Console, job: Job) -> None:
    """A config that holds: the model in equations, its priors, the data in a line, what to know before sampling."""
    console.print(Text(job.title, "bold"))
    console.print(Text("\n".join(equations(job.spec, job.design, job.priors))), soft_wrap=True)
    console.print()
    console.print(_table(job.priors.table, "Priors"))
    groups = ", ".join(f"{len(block.levels)} levels of {block.group}" for block in job.design.blocks)
    dropped = f", {job.design.dropped} rows with missing values left out" if job.design.dropped else ""
    if without := len(job.design.unanswered):
        dropped += f" ({without} of them without a response alone)"
    console.print(Text(f"{len(job.design.y)} rows{f', {groups}' if groups else ''}{dropped}. The config is valid."))
    show_findings(console, job)


def show_findings(console: Console, job: Job) -> None:
    """What to know before sampling."""
    for found in findings(job.spec, job.design):
        console.print(Text.assemble(("\nNote: ", "bold yellow"), str(found)))


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Runs side by side: verdicts, leave-one-out, effects."""
    console.print(_table(comparison.runs, "Verdicts"))
    console.print()
    for unit, ranked in comparison.loo.items():
        console.print(_table(ranked.map(_short), f"Leave-one-out by {unit}"))
        console.print()
    console.print(Text(comparison.loo_note, "dim" if comparison.loo else "yellow"))
    for name, table in comparison.effects.items():
        console.print()
        console.print(_table(table, table_title(name)))
    console.print("\nPosterior median and 95% interval; – where a run has no such estimate.", style="dim")


def show_sweep(console: Console, outcomes: pd.DataFrame, file: Path) -> None:
    """The outcomes of a sweep, and where they are written."""
    shown = outcomes[["config", "verdict"]].assign(
        seconds=outcomes["seconds"].map(lambda value: "" if pd.isna(value) else f"{value:.1f}"),
        where=outcomes["message"].where(outcomes["message"] != "", outcomes["folder"]),
    )
    console.print(_table(shown.rename(columns={"where": "folder, or what went wrong"}), "Runs"))
    console.print(Text(f"\nTable:  {file}"))


def show_datasets(console: Console, datasets: pd.DataFrame) -> None:
    """The data sets that come with the package."""
    console.print(_table(datasets, "Data sets"))
    console.print("bayes-glmm data NAME prints one as CSV.", style="dim")


def side_by_side(table: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Estimates with one column an effect: ``estimate [lower, upper]``.

    Examples
    --------
    >>> rows = {"coefficient": ["x", "x"], "effect": ["conditional", "population-averaged"]}
    >>> numbers = {"estimate": [1.0, 0.6], "lower": [0.5, 0.3], "upper": [1.5, 0.9]}
    >>> side_by_side(pd.DataFrame(rows | numbers), ["coefficient"]).iloc[0].tolist()
    ['x', '1 [0.5, 1.5]', '0.6 [0.3, 0.9]']
    """
    ours = in_our_names(table)
    texts = [interval_text(*row) for row in ours[["estimate", "lower", "upper"]].itertuples(index=False)]
    keys = table[labels].astype(str).where(table[labels].notna(), "")
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for key, effect, text in zip(keys.to_numpy(), ours["effect"], texts, strict=True):
        cells.setdefault(tuple(key), {}).setdefault(effect, text)
    wide = pd.DataFrame(list(cells.values()), columns=list(dict.fromkeys(ours["effect"])))
    return pd.concat([pd.DataFrame(list(cells), columns=labels), wide], axis=1)


def _short(value: Any) -> str:
    return number_text(value) if isinstance(value, float) else str(value)


def _table(frame: pd.DataFrame, title: str) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in frame.columns:
        word = min(max(map(len, str(column).split()), default=0), LONGEST_WORD)
        # folded, so that no value is cut short
        table.add_column(Text(str(column)), header_style="dim", overflow="fold", min_width=word)
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(str(value)) for value in row))
    return table
