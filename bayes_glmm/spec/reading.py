"""The parts of a model as they are given, read and checked: the name of a family, random terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import Family
from bayes_glmm.spec.covariances import covariance_named
from bayes_glmm.spec.formula import Formula
from bayes_glmm.spec.several import check_text
from bayes_glmm.spec.terms import RandomTerm


def family_name(family: Any) -> str:
    """The name of a family that is given by its name, or as a record of the package."""
    if not isinstance(family, str | Family | None):
        raise SpecError(
            f"The family of a model is text or a bayes_glmm.Family, not {type(family).__name__}.",
            advice="Write family='poisson'.",
        )
    return family.name if isinstance(family, Family) else family  # type: ignore[return-value]  # None has no family


def check_no_clash(family: Family, formula: Formula, formulas: Mapping[str, Formula]) -> None:
    """No parameter of a user's own family has the name of a variable of the draws that the data name."""
    groups = {term.group for one in (formula, *formulas.values()) for term in one.random}
    for name in family.auxiliary:
        if name in groups | {formula.response.strip("`")}:
            raise SpecError(
                f"{name!r} is a parameter of the family {family.name!r}, and a column that the formula names.",
                str(formula),
                "Rename one of them.",
            )


def check_residual(
    family: Family,
    formula: Formula,
    formulas: Mapping[str, Formula],
    of_categories: Mapping[str, Formula],
    links: Mapping[str, str],
) -> None:
    """Check that residuals may be correlated: those of a response on the real line, under the identity link.

    Raises
    ------
    SpecError
    """
    for name, one in {**formulas, **of_categories}.items():
        if one.residual is not None:
            raise SpecError(
                f"The predictor of {name} has no residuals to correlate.",
                str(one.residual),
                "Write the term in the formula of the response.",
            )
    term = formula.residual
    if term is None:
        return
    if family.with_residual is None:
        raise SpecError(
            f"{term.name}() correlates residuals, which a {family.name} response does not have here.",
            str(term),
            f"Use family='gaussian', or latent effects in the linear predictor: {term.effects}.",
        )
    if (link := links[family.location.name]) != "identity":
        raise SpecError(
            f"{term.name}() needs the identity link, not {link!r}.", str(term), f"Latent effects are {term.effects}."
        )
    beside = [name for name in ("cens", "trunc", "frequency") if getattr(formula, name) is not None]
    if beside:
        what = {"cens": "censored", "trunc": "truncated", "frequency": "merged"}[beside[0]]
        raise SpecError(
            f"Rows with correlated residuals cannot be {what}.",
            str(formula),
            f"Leave the term out, or use {term.effects}.",
        )


def random_term(mapping: Mapping[str, Any]) -> RandomTerm:
    """Return the random term of a mapping, as a config gives it."""
    known = ("effects", "group", "correlated", "shared", "covariance")
    if not isinstance(mapping, Mapping):
        raise SpecError(f"A random term is a {type(mapping).__name__}.", str(mapping), f"Give {', '.join(known)}.")
    for key in mapping:
        if key not in known:
            raise SpecError(f"A random term has no {key!r}.", str(dict(mapping)), choices(key, known))
    if missing := [key for key in known[:2] if key not in mapping]:
        raise SpecError(f"A random term needs {missing[0]!r}.", str(dict(mapping)))
    if not isinstance(mapping.get("correlated", True), bool):
        raise SpecError("'correlated' of a random term is true or false.", str(dict(mapping)))
    shared, covariance = mapping.get("shared"), mapping.get("covariance")
    check_text("shared name of a random term", shared)
    term = RandomTerm(str(mapping["effects"]), str(mapping["group"]), bool(mapping.get("correlated", True)), shared)
    return term if covariance is None else covariance_named(covariance, term).of(term)
