"""Effects that differ between the thresholds of ordered categories, as brms writes them: ``cs(x)``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bayes_glmm.errors import SpecError
from bayes_glmm.families import FAMILIES, FLEXIBLE, Family
from bayes_glmm.names import SPECIFIC
from bayes_glmm.spec.splitting import is_call, split

if TYPE_CHECKING:
    from bayes_glmm.spec.formula import Formula

_CALL = re.compile(rf"{SPECIFIC}\s*(?=\()")
BOTH_USES = "cs(x) has a coefficient of x per threshold; cs(0 + f | g) is a covariance of the effects of g."


def specific_effects(term: str, sign: str = "+") -> str | None:
    """Return what is in ``cs()``; None for a term that is something else, a covariance among them.

    Raises
    ------
    SpecError
        If there is nothing in it, or an argument beside it, and if it is subtracted.
    """
    match = _CALL.match(term)
    if not match or not is_call(term):
        return None
    inside = term[match.end() + 1 : -1].strip()
    if len(split(inside, "|")) > 1:
        return None
    if sign == "-" or not inside or len(split(inside, ",")) > 1:
        raise SpecError(
            "Effects that differ between thresholds are a term of their own, with fixed effects inside.",
            term if sign == "+" else f"- {term}",
            f"Write + cs(x), or cs(a + b) for several. {BOTH_USES}",
        )
    return inside


def check_specific(family: Family, pattern: str, formula: Formula, formulas: Mapping[str, Formula]) -> None:
    """Check that effects may differ between thresholds where a formula has such effects.

    Raises
    ------
    SpecError
        For a family without thresholds or with thresholds in order, tied thresholds, and formulas of other parameters.
    """
    for name, one in formulas.items():
        if one.specific:
            raise SpecError(
                f"Effects on {name} cannot differ between thresholds.",
                str(one),
                f"Write {name} ~ {one.specific}, or cs() in the formula of the response. {BOTH_USES}",
            )
    if not formula.specific:
        return
    with_cs = [one.name for one in FAMILIES.values() if one.thresholds and not one.thresholds.ordered]
    families = " or ".join(f"family={name!r}" for name in with_cs)
    if family.thresholds is None:
        raise SpecError(
            f"The {family.name} family has no thresholds between which effects could differ.",
            f"cs({formula.specific})",
            f"Write {formula.specific}, or use {families} for ordered categories. {BOTH_USES}",
        )
    if family.thresholds.ordered:
        raise SpecError(
            f"Under {family.name}, effects cannot differ between thresholds: P(y ≤ k) would cross P(y ≤ k + 1), where "
            "probabilities are negative.",
            f"cs({formula.specific})",
            f"Use {families}, or write {formula.specific}. {BOTH_USES}",
        )
    if pattern != FLEXIBLE:
        raise SpecError(
            f"Thresholds that are {pattern} at one value of {formula.specific} are not at another, where cs() moves "
            "each by its own amount.",
            f"cs({formula.specific}), thresholds {pattern!r}",
            f"Leave out thresholds={pattern!r}, or cs().",
        )
