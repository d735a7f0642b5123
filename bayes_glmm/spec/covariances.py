"""Random terms with a covariance of their own, as glmmTMB and lme4 write them: ``cs(0 + f | g)``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.numerics.covariance import COVARIANCES
from bayes_glmm.spec.splitting import is_call, split
from bayes_glmm.spec.terms import RandomTerm

UNSTRUCTURED = {"us": True, "diag": False}  # other ways to write (x | g) and (x || g)
_CALL = re.compile(r"(?P<name>[^\W\d]\w*)\s*(?=\()")
_ONE_SD = re.compile(r"hom\s*=\s*(?P<value>TRUE|FALSE|T|F|True|False)$")


@dataclass(frozen=True)
class Named:
    """A random term and the name of its covariance.

    Attributes
    ----------
    name : str
        An entry of :data:`~bayes_glmm.numerics.covariance.COVARIANCES`, ``"us"`` or ``"diag"``.
    term : str
        In brackets: ``"(0 + f | g)"``.
    """

    name: str
    term: str

    def of(self, term: RandomTerm) -> RandomTerm:
        """The term with this covariance.

        Raises
        ------
        SpecError
            For ``||`` or a shared name, which say of correlations what the covariance says.
        """
        if term.shared or not term.correlated:
            raise SpecError(
                f"The covariance {self.name!r} has its own correlations: ||, |i| and 'correlated' say nothing in it.",
                f"{self.name}{term}",
                f"Write {self.name}({term.effects} | {term.group}).",
            )
        if self.name in UNSTRUCTURED:
            return replace(term, correlated=UNSTRUCTURED[self.name])
        return replace(term, covariance=self.name)


def with_covariance(term: str) -> Named | None:
    """Read a term such as ``cs(0 + f | g)``; None for one that is something else.

    Raises
    ------
    SpecError
        For an argument that the covariance does not have.
    """
    match = _CALL.match(term)
    if not match or not is_call(term) or match["name"] not in COVARIANCES | UNSTRUCTURED:
        return None
    name, (inside, *arguments) = match["name"], split(term[match.end() + 1 : -1], ",")
    if len(split(inside, "|")) == 1:
        return None
    for argument in arguments:
        name = _with_argument(name, argument.strip(), term)
    return Named(name, f"({inside.strip()})")


def covariance_named(name: object, term: RandomTerm) -> Named:
    """The covariance of a random term given in parts.

    Raises
    ------
    SpecError
        If there is none of that name.
    """
    if not isinstance(name, str) or name not in COVARIANCES | UNSTRUCTURED:
        raise SpecError(
            f"There is no covariance {name!r}.", str(term), choices(str(name), [*UNSTRUCTURED, *COVARIANCES])
        )
    return Named(name, f"({term.effects} | {term.group})")


def _with_argument(name: str, argument: str, term: str) -> str:
    """The covariance that an argument asks for: ``hom = TRUE``, one standard deviation for all effects (lme4)."""
    match = _ONE_SD.match(argument)
    record = COVARIANCES.get(name)
    if match is None or record is None:
        raise SpecError(
            f"The covariance {name!r} has no argument {argument!r}.",
            term,
            f"Write {name}(0 + f | g)." + (" hom=TRUE asks for one sd of all effects." if record else ""),
        )
    if match["value"].startswith("T") == record.one_sd:
        return name
    if not record.other:
        raise SpecError(f"The covariance {name!r} has one sd.", term, "Leave the argument out.")
    return record.other
