"""Families and links: the tables ``FAMILIES`` and ``LINKS``, and the look-ups that explain a wrong name."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families.check import check_family as check_family
from bayes_glmm.families.closed_unit import ORDERED_BETA, ZERO_ONE_INFLATED_BETA
from bayes_glmm.families.continuous import GAUSSIAN, STUDENT_T
from bayes_glmm.families.counts import COM_POISSON, GEOMETRIC, NEGATIVE_BINOMIAL, NEGATIVE_BINOMIAL_1, POISSON
from bayes_glmm.families.family import Family as Family
from bayes_glmm.families.free_thresholds import ACAT, CRATIO, SRATIO
from bayes_glmm.families.functional import CATEGORY as CATEGORY
from bayes_glmm.families.functional import Functional as Functional
from bayes_glmm.families.functional import product as product
from bayes_glmm.families.functional import quotient as quotient
from bayes_glmm.families.functional import times as times
from bayes_glmm.families.kind import BINARY as BINARY
from bayes_glmm.families.kind import CLOSED_FRACTION as CLOSED_FRACTION
from bayes_glmm.families.kind import COUNT as COUNT
from bayes_glmm.families.kind import FRACTION as FRACTION
from bayes_glmm.families.kind import NONNEGATIVE as NONNEGATIVE
from bayes_glmm.families.kind import POSITIVE as POSITIVE
from bayes_glmm.families.kind import POSITIVE_COUNT as POSITIVE_COUNT
from bayes_glmm.families.kind import REAL as REAL
from bayes_glmm.families.kind import SUCCESSES as SUCCESSES
from bayes_glmm.families.kind import ResponseKind as ResponseKind
from bayes_glmm.families.link import LINKS as LINKS
from bayes_glmm.families.link import Link as Link
from bayes_glmm.families.link import get_link as get_link
from bayes_glmm.families.located import Located as Located
from bayes_glmm.families.ordered import CUMULATIVE
from bayes_glmm.families.own import check_record
from bayes_glmm.families.parameter import DISC as DISC
from bayes_glmm.families.parameter import Parameter as Parameter
from bayes_glmm.families.patterns import FLEXIBLE as FLEXIBLE
from bayes_glmm.families.patterns import PATTERNS as PATTERNS
from bayes_glmm.families.patterns import Pattern as Pattern
from bayes_glmm.families.positive import EXPONENTIAL, GAMMA, INVERSE_GAUSSIAN, LOGNORMAL, WEIBULL
from bayes_glmm.families.proportions import BERNOULLI, BETA, BETA_BINOMIAL, BINOMIAL
from bayes_glmm.families.response import Response as Response
from bayes_glmm.families.semicontinuous import HURDLE_GAMMA, HURDLE_LOGNORMAL
from bayes_glmm.families.thresholds import Form as Form
from bayes_glmm.families.thresholds import Thresholds as Thresholds
from bayes_glmm.families.truncated import (
    TRUNCATED_NEGATIVE_BINOMIAL,
    TRUNCATED_NEGATIVE_BINOMIAL_1,
    TRUNCATED_POISSON,
)
from bayes_glmm.families.unordered import CATEGORICAL
from bayes_glmm.families.value import Value as Value
from bayes_glmm.families.zeros import (
    HURDLE_NEGATIVE_BINOMIAL,
    HURDLE_POISSON,
    ZERO_INFLATED_BETA_BINOMIAL,
    ZERO_INFLATED_BINOMIAL,
    ZERO_INFLATED_NEGATIVE_BINOMIAL,
    ZERO_INFLATED_NEGATIVE_BINOMIAL_1,
    ZERO_INFLATED_POISSON,
)
from bayes_glmm.foreign import family_advice, family_synonym
from bayes_glmm.names import SPECIFIC

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        GAUSSIAN,
        STUDENT_T,
        GAMMA,
        LOGNORMAL,
        WEIBULL,
        EXPONENTIAL,
        INVERSE_GAUSSIAN,
        HURDLE_GAMMA,
        HURDLE_LOGNORMAL,
        BERNOULLI,
        BINOMIAL,
        BETA_BINOMIAL,
        BETA,
        ZERO_ONE_INFLATED_BETA,
        ORDERED_BETA,
        POISSON,
        NEGATIVE_BINOMIAL,
        NEGATIVE_BINOMIAL_1,
        GEOMETRIC,
        COM_POISSON,
        ZERO_INFLATED_POISSON,
        ZERO_INFLATED_NEGATIVE_BINOMIAL,
        ZERO_INFLATED_NEGATIVE_BINOMIAL_1,
        HURDLE_POISSON,
        HURDLE_NEGATIVE_BINOMIAL,
        TRUNCATED_POISSON,
        TRUNCATED_NEGATIVE_BINOMIAL,
        TRUNCATED_NEGATIVE_BINOMIAL_1,
        ZERO_INFLATED_BINOMIAL,
        ZERO_INFLATED_BETA_BINOMIAL,
        CUMULATIVE,
        SRATIO,
        CRATIO,
        ACAT,
        CATEGORICAL,
    )
}
"""Of categories with the fewest that there can be."""


def get_family(name: str) -> Family:
    """The family of that name, or of another package's name for it: ``nbinom``, ``Gamma``, ``normal``.

    Raises
    ------
    SpecError
        If there is none; the message says what to write for a family of R, brms or Bambi, or lists those there are.
    """
    known = name if name in FAMILIES else family_synonym(str(name))
    if known not in FAMILIES:
        # most letters must agree: a beta-binomial is no misspelt binomial
        advice = family_advice(str(name), FAMILIES) or choices(name, FAMILIES, alike=0.8)
        own = "A family of your own is a bg.Family, and given in Python: family=my_family."
        raise SpecError(f"There is no family {name!r}.", advice=f"{advice} {own}")
    return FAMILIES[known]


def pattern_of(family: Family, thresholds: str | None) -> str:
    """The name of a pattern of thresholds that was asked for; flexible where none was.

    Raises
    ------
    SpecError
        For an unknown pattern, and for a family without thresholds.
    """
    if thresholds is None:
        return FLEXIBLE
    if not isinstance(thresholds, str) or thresholds not in PATTERNS:
        raise SpecError(f"There is no pattern of thresholds {thresholds!r}.", "thresholds", choices("", PATTERNS))
    if family.with_form is None and thresholds != FLEXIBLE:
        which = choices("", [one.name for one in FAMILIES.values() if one.with_form])
        raise SpecError(f"The {family.name} family has no thresholds.", f"thresholds {thresholds!r}", which)
    return thresholds


def in_form(family: Family, thresholds: str, predicted: Collection[str], specific: bool = False) -> Family:
    """A family of ordered categories with that pattern, a discrimination where it has a formula, and specific effects.

    Other families are as they were.
    """
    if family.with_form is None or family.thresholds is None:
        return family
    form = replace(family.thresholds.form, pattern=thresholds, disc=DISC.name in predicted, specific=specific)
    return family.with_form(form)


def own_family(family: Family) -> Family | None:
    """A user's own family, checked; None for one of the package, which goes by its name.

    Raises
    ------
    SpecError
        If the name is taken, or the record is not valid: see :func:`check_family`.
    """
    if FAMILIES.get(family.name) is family:
        return None
    known = family.name if family.name in FAMILIES else family_synonym(str(family.name))
    if known in FAMILIES:
        raise SpecError(
            f"The name of a family is taken: {family.name!r} is the package's {known}.", advice="Give it another name."
        )
    check_record(family)
    return family


def family_of_key(key: str) -> Family:
    """The family of a :attr:`Family.key`."""
    found = re.fullmatch(r"([a-z_]+?)(\d*)((?:_[a-z]+)*)", key)
    if key in FAMILIES or found is None or not found[2]:
        return FAMILIES[key]
    name, categories, words = found[1], int(found[2]), found[3].split("_")[1:]
    record = FAMILIES[name]
    if record.with_form is None:
        return record.with_categories(tuple(str(k) for k in range(1, categories + 1)))  # type: ignore[misc]
    pattern = next((word for word in words if word in PATTERNS), FLEXIBLE)
    return record.with_form(Form(categories, pattern, DISC.name in words, SPECIFIC in words))


def link_of(family: Family, parameter: str, link: str | None = None) -> Link:
    """A link that a parameter of a family takes, the first if none is named.

    Raises
    ------
    SpecError
        For an unknown link, or one that the parameter does not take.
    """
    links = next(one.links for one in family.parameters if one.name == parameter)
    chosen = get_link(link or links[0])
    if chosen.name not in links:
        of = "" if parameter == family.location.name else f" of {parameter}"
        raise SpecError(
            f"The {family.name} family does not take the link {chosen.name!r}{of}.", advice=choices("", links)
        )
    return chosen
