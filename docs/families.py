"""The page of all families, written from their records: names, parameters, formulas, and how averages are computed.

    python docs/families.py

writes ``docs/families.md`` anew; a test compares it with what this module writes. The rule of an average is not read
from anywhere: each family gets a small model with random effects, and the rule that runs is the one that is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from bayes_glmm.effects import expect as rules
from bayes_glmm.effects import integrate, shares
from bayes_glmm.errors import SpecError
from bayes_glmm.families import FAMILIES, LINKS, Family, Functional
from bayes_glmm.foreign import FAMILY_SYNONYMS
from bayes_glmm.names import LOCATION
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.predictive import fixed_predictor
from bayes_glmm.spec import ModelSpec

PAGE = Path(__file__).parent / "families.md"
PACKAGES = ("brms", "glmmTMB", "Bambi")
CATEGORIES = ("1", "2", "3")
CLOSED, LINE, PLANE, REFUSED = "closed form", "one-dimensional", "two-dimensional", "refused"
_SUPPORTS = {"real": "any number", "positive": "above 0", "unit": "in (0, 1)"}
_VALUES = {  # of three rows of a response of each kind, with parameters inside their supports
    "positive": (0.5, 1.0, 2.0),
    "fraction": (0.2, 0.5, 0.7),
    "closed_fraction": (0.0, 0.5, 1.0),
    "ordered": (1, 2, 3),
    "unordered": (1, 2, 3),
}
_AUXILIARY = {"real": 0.3, "positive": 1.5, "unit": 0.3}


def page() -> str:
    """Return the text of the page."""
    return "\n".join([*records(), *averages(), ""])


def records() -> list[str]:
    """Lines of the tables of what the records have."""
    return [_HEAD, *_names(_every()), _DEFINED, *_formulas(_every())]


def averages() -> list[str]:
    """Lines of the table of averages."""
    return [_AVERAGED, *_averages(_every())]


def _every() -> list[Family]:
    return [_with_categories(family) for family in FAMILIES.values()]


def _with_categories(family: Family) -> Family:
    return family.with_categories(CATEGORIES) if family.with_categories else family


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _header(*titles: str) -> list[str]:
    return [_row(*titles), f"|{'---|' * len(titles)}"]


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _names(families: Sequence[Family]) -> Iterator[str]:
    yield from _header("family", "response", *PACKAGES, "other accepted spellings")
    for family in families:
        there = [_elsewhere(family.elsewhere.get(package, "")) for package in PACKAGES]
        shown = {_plain(text.split(";")[0]) for text in family.elsewhere.values()} | {_plain(family.name)}
        spelled = [_code(name) for name, known in FAMILY_SYNONYMS.items() if known == family.name and name not in shown]
        yield _row(_code(family.name), family.response.support_text, *there, ", ".join(spelled))


def _elsewhere(text: str) -> str:
    """``nbinom2; theta = phi`` with the name as code."""
    name, _, meaning = text.partition("; ")
    name, with_, terms = name.partition(" with ")
    shown = f"{_code(name)}{with_}{terms}"
    return f"{shown} ({meaning})" if meaning else shown


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace(".", "")


def _formulas(families: Sequence[Family]) -> Iterator[str]:
    yield from _header("family", "parameters and their links", "mean", "variance", "also")
    for family in families:
        yield _row(_code(family.name), _parameters(family), *_moments(family), "; ".join(_further(family)))


def _parameters(family: Family) -> str:
    if family.shared_formula:
        return f"log odds of each category against the first: {', '.join(family.links)}"
    shown = [one for one in family.parameters if one.name not in family.steps]
    texts = [f"`{one.name}` {_SUPPORTS[one.support]}: {', '.join(one.links)}" for one in shown]
    if family.thresholds:
        texts = [f"eta: {', '.join(family.links)}", "`threshold_1`, `threshold_2`, ...: constants"]
    return "; ".join(texts)


def _moments(family: Family) -> tuple[str, str]:
    if family.response.nominal:
        return "none", "none"
    if family.categories:
        return "sum of k P(y = k), on request", "that of the positions k"
    variance = family.formulas.get("variance", "")
    return _code(family.formulas.get("mean", LOCATION)), _code(variance) or "a sum, no formula"


def _further(family: Family) -> Iterator[str]:
    if record := family.thresholds:
        event, given = (text.format(y="y") for text in (record.event, record.condition))
        difference = "eta - threshold_k" if record.rising else "threshold_k - eta"
        yield f"`P({event}{' | ' if given else ''}{given}) = h({difference})`"
    if family.response.nominal:
        yield "`log(P(y = k) / P(y = 1)) = eta_k`"
    for name, left in (
        ("density", "P(y)"),
        ("p0", "P(y = 0)"),
        ("p1", "P(y = 1)"),
        ("correlation", "correlation of two trials"),
    ):
        if name in family.formulas:
            yield f"{left}: `{family.formulas[name]}`"


def _averages(families: Sequence[Family]) -> Iterator[str]:
    yield from _header("family", "part", "effects of the location", "of another parameter", "of both, correlated")
    for family in families:
        for part in _parts(family):
            own = _by_link(family, part)
            alone = _by_parameter(family, part, "y ~ 1", "(1 | g)")
            both = _by_parameter(family, part, "y ~ 1 + (1 |i| g)", "(1 |i| g)")
            yield _row(_code(family.name), part, own, alone, both)


def _parts(family: Family) -> tuple[str, ...]:
    """Parts that are not a parameter itself."""
    named = {parameter.name for parameter in family.parameters}
    return (*family.by_category, *(name for name in family.parts if name not in named))


def _functional(family: Family, part: str) -> Functional:
    return next(one for one in family.by_category[part] if one) if part in family.by_category else family.parts[part]


def _by_link(family: Family, part: str) -> str:
    """The rule under each link of the location, links of one rule together."""
    if LOCATION not in _functional(family, part).reads and not family.shared_formula:
        return "no effect"
    found: dict[str, list[str]] = {}
    for link in family.links:
        found.setdefault(_rule(family, part, ("y ~ 1 + (1 | g)",), link), []).append(link)
    return next(iter(found)) if len(found) == 1 else "; ".join(f"{rule}: {', '.join(by)}" for rule, by in found.items())


def _by_parameter(family: Family, part: str, location: str, effects: str) -> str:
    """The rule with effects of each further parameter that the part reads, by name."""
    reads = () if family.shared_formula else _functional(family, part).reads
    found: dict[str, list[str]] = {}
    for parameter in family.parameters[1:]:
        if parameter.name in reads and parameter.links:
            formulas = (location, f"{parameter.name} ~ 1 + {effects}")
            found.setdefault(_rule(family, part, formulas), []).append(_code(parameter.name))
    return "; ".join(f"{rule}: {', '.join(by)}" for rule, by in found.items())


def _rule(family: Family, part: str, formulas: tuple[str, ...], link: str | None = None) -> str:
    """The rule that an average runs, in words."""
    posterior = _posterior(family.name, formulas, link)
    functional = _functional(posterior.spec.family, part)
    predictors = posterior.design.predictors
    eta = {name: fixed_predictor(posterior, predictors, parameter=name) for name in predictors.parameters}
    used: list[str] = []

    def watch(stack: ExitStack, module: Any, name: str, rule: str) -> None:
        original = getattr(module, name)

        def watched(*arguments: Any) -> Any:
            used.append(rule)
            return original(*arguments)

        stack.enter_context(patch.object(module, name, watched))

    with ExitStack() as stack:
        watch(stack, integrate, "trapezoid", LINE)
        watch(stack, rules, "expectation", LINE)
        for name in ("_by_line", "average_by_odds"):
            watch(stack, shares, name, LINE)
        for name in ("plane_expectation", "_by_pair", "average_of_categories"):
            watch(stack, rules, name, PLANE)
        try:
            rules.expect(posterior, functional, predictors, eta)
        except SpecError:
            return REFUSED
    return next((rule for rule in (PLANE, LINE) if rule in used), CLOSED)


@cache
def _posterior(name: str, formulas: tuple[str, ...], link: str | None) -> Posterior:
    """One draw of a model of three rows in as many groups."""
    family = _with_categories(FAMILIES[name])
    kind = family.response
    counts = (0, 1, 0) if kind.events else (kind.first, kind.first + 1, kind.first + 2)
    data = pd.DataFrame({"y": _VALUES.get(kind.name, counts), "n": 3, "g": [*"abc"]})
    first = f"p({formulas[0].replace('y', 'y, n)', 1)}" if kind.trials else formulas[0]
    spec = ModelSpec.from_formula([first, *formulas[1:]], family.name, link)
    predicted = list(spec.of(CATEGORIES if family.categories else ()).predicted)
    effects = sum("(" in text for text in formulas) if len(formulas) > 1 else len(predicted)
    further = {name: [0.1] for name in predicted[1:]}
    constants = {one.name: _AUXILIARY[one.support] for one in family.parameters[1:] if one.name not in further}
    return posterior_at(spec, data, [0.4], {"g": 0.04 * np.eye(effects) + 0.01}, constants, further=further)


_HEAD = """# Families at a glance

This page is written from the records of the families by `python docs/families.py`.
[Families and links](reference/families.md) explains what they are for. A name of another package is an accepted
spelling of `family=`, unless `ziformula` is part of it; what a parameter is called there follows in parentheses.
Case, `_`, `.` and `-` do not matter.

## Names
"""
_DEFINED = """
## Parameters, means and variances

The first link is the default. Means and variances are conditional on the random effects, and of one trial where there
are trials. In formulas, `mean`, `p0` and `p1` are the entries of the same row; `h` is the inverse of the link.
"""


def _links_of(kind: str) -> str:
    of_kind = {
        CLOSED: [name for name, link in LINKS.items() if link.averaged is not None],
        LINE: [name for name, link in LINKS.items() if link.averaged is None and link.has_average],
        REFUSED: [name for name, link in LINKS.items() if not link.has_average],
    }
    return ", ".join(f"`{name}`" for name in of_kind[kind])


_AVERAGED = f"""
## Population averages

How each part is averaged over normal random effects. `{CLOSED}`: a formula. `{LINE}`: the
[trapezoidal rule](mathematics.md#population-averaged-means) over one predictor, also several such rules.
`{PLANE}`: rules over two predictors together; those of more than three categories without an order
take the points of a Sobol sequence. `{REFUSED}`: the average does not exist, or is not supported, and an error gives
the reason. Where no link is named, the links are the default ones or all links have the same rule.

A part that is a parameter itself, such as `part="sigma"`, has the average of its link: a closed form under
{_links_of(CLOSED)}; one-dimensional under {_links_of(LINE)}; none under {_links_of(REFUSED)}.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
