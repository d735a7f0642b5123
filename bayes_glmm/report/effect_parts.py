"""Comparisons, slopes and predictions as sentences, a figure and a table: what the sections on effects share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from bayes_glmm.effects import ESTIMANDS
from bayes_glmm.plots.panels import Panel, draw_panels
from bayes_glmm.plots.style import is_averaged, settings
from bayes_glmm.plots.style import number as plain
from bayes_glmm.plots.tables import panel_of
from bayes_glmm.report.figures import saved
from bayes_glmm.report.html import certainty, interval, number, paragraph
from bayes_glmm.report.html import table as html_table
from bayes_glmm.report.words import POINTS, Scale, change

SENTENCES = 8  # more are left to the table
ROWS = 300  # of the table: a grid can have many thousands
_SHOWN = ["estimate", "lower", "upper"]


@dataclass(frozen=True)
class EffectRows:
    """A table of comparisons, slopes or predictions in two parts, so that columns of the data keep their names.

    Attributes
    ----------
    ours : DataFrame
        ``effect`` (the reading), ``estimate``, ``lower``, ``upper``, further numbers; of comparisons and slopes also
        ``variable``, of comparisons ``contrast`` and ``estimand``; of categories ``category``, as it is written.
    data : DataFrame
        Columns of the data: where each estimate holds. The same rows.
    """

    ours: pd.DataFrame
    data: pd.DataFrame

    def __getitem__(self, chosen: pd.Series | np.ndarray) -> EffectRows:
        return EffectRows(self.ours[chosen].reset_index(drop=True), self.data[chosen].reset_index(drop=True))

    @property
    def estimands(self) -> tuple[str | None, ...]:
        """The estimands to draw: differences and odds ratios of probabilities, else ratios, else differences."""
        if "estimand" not in self.ours:
            return (None,)
        found = set(self.ours["estimand"])
        if "odds_ratio" in found:
            return ("difference", "odds_ratio")
        return ("ratio",) if "ratio" in found else ("difference",)


def effect_rows(table: pd.DataFrame, compared: bool) -> EffectRows:
    """Read a table by its order: labels, the estimand, the reading, then numbers from ``estimate`` on.

    Parameters
    ----------
    table : DataFrame
        Of ``compare``, ``slopes`` or ``predict``.
    compared : bool
        Whether the first labels are a variable and perhaps its contrast.
    """
    names = [str(name) for name in table.columns]
    start = max(i for i, name in enumerate(names) if name.rstrip("_") == "estimate")
    ours = {name.rstrip("_"): i for i, name in enumerate(names) if i >= start}
    ours["effect"] = start - 1
    labels = list(range(start - 1))
    if compared and labels and names[labels[-1]].rstrip("_") == "estimand":
        ours["estimand"] = labels.pop()
    if compared:
        ours["variable"] = labels.pop(0)
    if "estimand" in ours:
        ours["contrast"] = labels.pop(0)
    frame = pd.DataFrame({name: table.iloc[:, i].to_numpy() for name, i in ours.items()})
    return EffectRows(frame, table.iloc[:, labels].reset_index(drop=True))


def of_categories(rows: EffectRows, scale: Scale) -> EffectRows:
    """The rows with categories of the response, the last column of their labels, as the scale writes them."""
    if not scale.category:
        return rows
    written = [scale.category.format(name) for name in rows.data.iloc[:, -1]]
    return EffectRows(rows.ours.assign(category=written), rows.data.iloc[:, :-1])


def one_reading_each(rows: EffectRows) -> EffectRows:
    """The rows without readings that equal the first one, as under the identity link."""
    readings = rows.ours["effect"]
    numbers = {reading: rows.ours.loc[readings == reading, _SHOWN].to_numpy(float) for reading in readings.unique()}
    first, *others = numbers
    same = [name for name in others if np.allclose(numbers[name], numbers[first], rtol=1e-9, atol=0.0, equal_nan=True)]
    return rows[~readings.isin(same)]


def sentences(rows: EffectRows, scale: Scale) -> Markup:
    """Differences or slopes in words, one list item per contrast and condition, within it one per category."""
    rows = rows[rows.ours["estimand"] == "difference"] if "estimand" in rows.ours else rows
    by_category = "category" in rows.ours
    items: dict[str, list[dict[str, Any]]] = {}
    for key, record in zip(_names(rows, by_category=False)[0], _records(rows), strict=True):
        items.setdefault(key, []).append(record)
    each = _categories if by_category else _sentence
    shown = list(items)[: max(1, 2 * SENTENCES // rows.ours["category"].nunique()) if by_category else SENTENCES]
    more = len(items) - len(shown)
    rest = paragraph("The table below has {n} more.", kind="note", n=more) if more else Markup("")
    listed = Markup("").join(Markup("<li>{}</li>").format(each(items[key], scale)) for key in shown)
    return Markup("<ul>{}</ul>").format(listed) + rest


def _records(rows: EffectRows) -> list[dict[str, Any]]:
    """Each row in our names, with ``where`` it holds."""
    where = list(map(settings, rows.data.to_dict("records")))
    return [
        {str(name): value for name, value in record.items()}
        for record in rows.ours.assign(where=where).to_dict("records")
    ]


def _sentence(readings: Sequence[Mapping[str, Any]], scale: Scale) -> Markup:
    """A contrast in words, reading by reading."""
    first = readings[0]
    return Markup("{}: {}.").format(_lead(first), _said(readings, scale, f"the {_trend_of(first)}{scale.mean} is "))


def _categories(readings: Sequence[Mapping[str, Any]], scale: Scale) -> Markup:
    """A contrast in words, category by category."""
    first = readings[0]
    items: dict[str, list[Mapping[str, Any]]] = {}
    for record in readings:
        items.setdefault(record["category"], []).append(record)
    each = [Markup("<li>{}: {}.</li>").format(name, _said(found, scale, "")) for name, found in items.items()]
    return Markup("{}: the {}{} is").format(_lead(first), _trend_of(first), scale.mean) + Markup("<ul>{}</ul>").format(
        Markup("").join(each)
    )


def _lead(record: Mapping[str, Any]) -> Markup:
    """What is compared, and where."""
    lead = _contrast(record) if "contrast" in record else f"per unit of {record['variable']}"
    return Markup("<strong>{}</strong>{}").format(lead, f" ({record['where']})" if record["where"] else "")


def _trend_of(record: Mapping[str, Any]) -> str:
    """The name of a trend over ordered values; empty for a difference."""
    return f"{record['contrast']} trend of the " if "contrast" in record and " vs " not in record["contrast"] else ""


def _said(readings: Sequence[Mapping[str, Any]], scale: Scale, subject: str) -> Markup:
    """The change by each reading, the first with its subject and the probability of its direction."""
    parts = [
        Markup("{}, {}{}").format(
            _marked(str(row["effect"])),
            "" if position else subject,
            _trend(row, scale) if _trend_of(row) else _change(row, scale, "" if position else _certain(row)),
        )
        for position, row in enumerate(readings)
    ]
    return Markup("; ").join(parts)


def _change(row: Mapping[str, Any], scale: Scale, more: str) -> str:
    estimate, lower, upper = (float(row[name]) for name in _SHOWN)
    return change(estimate, lower, upper, scale, more).replace(" %", "\u00a0%")


def _certain(row: Mapping[str, Any]) -> str:
    side = "higher" if row["estimate"] > 0 else "lower"
    return f"; probability that it is {side}: {certainty(float(row['probability']))}" if row["estimate"] else ""


def _trend(row: Mapping[str, Any], scale: Scale) -> Markup:
    """A weighted sum, which has a sign and no direction."""
    middle, low, high = (float(row[name]) * scale.factor for name in _SHOWN)
    unit = f" {scale.unit}" if scale.unit else ""
    return Markup("{}{} (95\u00a0% interval {})").format(number(middle), unit, interval(low, high))


def _look(reading: str) -> str:
    """The class of a reading, which decides its colour."""
    return "averaged" if is_averaged(reading) else "conditional" if reading.startswith("conditional") else ""


def _marked(reading: str) -> Markup:
    """The label of a reading in its colour."""
    look = _look(reading)
    return Markup('<span class="{}">{}</span>').format(look, reading) if look else Markup("{}").format(reading)


def effects_figure(rows: EffectRows, scale: Scale) -> bytes:
    """Return the SVG of estimates with intervals: a panel per estimand, or one panel of slopes or predictions."""
    names, common = _names(rows)
    order = list(dict.fromkeys(names))
    panels = []
    for estimand in rows.estimands:
        table = rows.ours.assign(row=names)
        panels.append(
            _panel(table if estimand is None else table[table["estimand"] == estimand], order, estimand, scale)
        )
    return saved(draw_panels(panels, order, common))


def _panel(table: pd.DataFrame, names: Sequence[str], estimand: str | None, scale: Scale) -> Panel:
    if estimand is not None:
        return panel_of(table, names, estimand_title(estimand, scale), scale.mean)
    if "variable" in table:
        return panel_of(table, names, "average slope", f"{scale.mean} per unit")
    return replace(panel_of(table, names, "", scale.mean), null=None)


def figure_words(rows: EffectRows, scale: Scale) -> str:
    """What a figure shows, for its alternative text."""
    slope = "average slope" if "variable" in rows.ours else scale.mean
    what = [slope if estimand is None else estimand_title(estimand, scale) for estimand in rows.estimands]
    readings = sorted(rows.ours["effect"].unique(), key=lambda reading: not is_averaged(reading))
    return f"{' and '.join(what)}, {' and '.join(readings)}, with 95 % intervals; numbers in the table below."


def estimand_title(estimand: str, scale: Scale) -> str:
    """The name of an estimand: of probabilities where the mean is one."""
    title = ESTIMANDS[estimand].title.partition(",")[0]
    return title.replace("means", "probabilities") if scale.unit == POINTS else title


def _names(rows: EffectRows, by_category: bool = True) -> tuple[list[str], str]:
    """A name per row, the same for its estimands and readings alone; and what all rows have in common.

    Names are numbered where different rows have the same one, such as the values 1 and "1" of a column.
    """
    where = [settings(record) for record in rows.data.drop(columns="n", errors="ignore").to_dict("records")]
    if by_category and "category" in rows.ours:
        pairs = zip(where, rows.ours["category"], strict=True)
        where = [", ".join(filter(None, pair)) for pair in pairs]
    contrasts = [_contrast(record) for record in rows.ours.to_dict("records")]
    common = contrasts[0] if any(where) and len(set(contrasts)) == 1 else ""
    names = (
        where
        if common or not contrasts[0]
        else [", ".join(filter(None, pair)) for pair in zip(contrasts, where, strict=True)]
    )
    known: dict[str, list[str]] = {}
    result = []
    for name, contrast, record in zip(names, contrasts, rows.data.to_dict("records"), strict=True):
        alike, key = known.setdefault(name, []), repr((contrast, record))
        if key not in alike:
            alike.append(key)
        result.append(name if key == alike[0] else f"{name} ({alike.index(key) + 1})")
    return result, common


def _contrast(record: Any) -> str:
    """The variable and, of comparisons, what is compared; empty for predictions."""
    if "contrast" in record:
        return f"{record['variable']}: {record['contrast']}"
    return str(record.get("variable", ""))


def effects_table(rows: EffectRows) -> Markup:
    """All estimates, readings beside each other, population-averaged first."""
    ours = rows.ours
    readings = sorted(ours["effect"].unique(), key=lambda reading: not is_averaged(reading))
    first = rows[ours["effect"] == readings[0]]
    columns: list[tuple[Any, Sequence[Any]]] = []
    if "variable" in ours and (ours["variable"].nunique() > 1 or ("contrast" not in ours and not rows.data.shape[1])):
        columns.append(("variable", first.ours["variable"].tolist()))
    if "contrast" in ours:
        columns.append(("contrast", first.ours["contrast"].tolist()))
    columns += [(str(name), [plain(value) for value in first.data[name]]) for name in first.data]
    if "category" in ours:
        columns.append(("category", first.ours["category"].tolist()))
    if "estimand" in ours:
        columns.append(("estimand", [name.replace("_", " ") for name in first.ours["estimand"]]))
    for reading in readings:
        part = ours[ours["effect"] == reading]
        columns.append((_marked(reading), part["estimate"].tolist()))
        bounds = zip(part["lower"], part["upper"], strict=True)
        columns.append(("95 % interval", [interval(low, high) for low, high in bounds]))
    total = len(first.data)
    note = "Shown: the first {n} of {total} rows."
    rest = paragraph(note, kind="note", n=ROWS, total=f"{total:,}") if total > ROWS else Markup("")
    return html_table([(name, cells[:ROWS]) for name, cells in columns]) + rest
