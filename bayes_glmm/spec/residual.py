"""Terms of a formula that correlate the residuals of one level, as brms writes them: ``ar(week, gr = id)``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bayes_glmm.errors import SpecError
from bayes_glmm.numerics.residual import RESIDUALS, ResidualForm
from bayes_glmm.spec.splitting import is_call, is_column, split

_CALL = re.compile(r"(?P<name>[^\W\d]\w*)\s*(?=\()")
_OTHERS = ("ma", "arma", "sar", "car", "fcor")  # of brms, which are not there
_ARGUMENTS = ("time", "gr", "p", "cov")
_TRUE = ("TRUE", "T", "True", "true")
_EXAMPLES = {"ar": "ar(week, gr = id)", "cosy": "cosy(gr = id)", "unstr": "unstr(week, gr = id)"}


@dataclass(frozen=True)
class ResidualTerm:
    """A correlation of the residuals of one level.

    Attributes
    ----------
    name : str
        An entry of :data:`~bayes_glmm.numerics.residual.RESIDUALS`.
    time : str or None
        The column of occasions.
    group : str
        The grouping factor: a column, or columns joined by ``:``.

    Examples
    --------
    >>> print(ResidualTerm("ar", "week", "id"))
    ar(week, gr = id)
    """

    name: str
    time: str | None
    group: str

    @property
    def form(self) -> ResidualForm:
        """The entry itself."""
        return RESIDUALS[self.name]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that make up the grouping factor."""
        return tuple(part.strip().strip("`") for part in self.group.split(":"))

    @property
    def occasion(self) -> tuple[str, ...]:
        """The column of occasions, where there is one."""
        return () if self.time is None else (self.time.strip("`"),)

    @property
    def effects(self) -> str:
        """The spelling for responses without residuals: an effect of each occasion."""
        return self.form.effects.format(time=self.time, group=self.group)

    def __str__(self) -> str:
        return f"{self.name}({'' if self.time is None else f'{self.time}, '}gr = {self.group})"


def residual_term(term: str) -> ResidualTerm | None:
    """Read a term such as ``ar(week, gr = id)``; None for one that is something else.

    Raises
    ------
    SpecError
        For arguments that are not supported, and terms without a grouping factor.
    """
    match = _CALL.match(term)
    if not match or not is_call(term):
        return None
    name, parts = match["name"], [part.strip() for part in split(term[match.end() + 1 : -1], ",")]
    if name in _OTHERS and any(re.match(r"gr\s*=", part) for part in parts):
        raise SpecError(
            f"There is no correlation of residuals {name!r}.", term, f"Write {', '.join(_EXAMPLES.values())}."
        )
    if name not in RESIDUALS or any(len(split(part, "|")) > 1 for part in parts):
        return None
    found = _arguments(term, name, parts)
    _check_order(term, found.get("p", "1"))
    if found.get("cov", "TRUE") not in _TRUE:
        raise SpecError(
            "Residuals are stationary from the first row on, as with cov = TRUE.", term, "Leave the argument out."
        )
    if "gr" not in found:
        raise SpecError(f"{name}() needs the levels whose rows are correlated.", term, f"Write {_EXAMPLES[name]}.")
    if RESIDUALS[name].needs_time and "time" not in found:
        raise SpecError(f"{name}() needs the column of occasions.", term, f"Write {_EXAMPLES[name]}.")
    if not all(is_column(one.strip()) for one in found["gr"].split(":")):
        raise SpecError(
            f"The group {found['gr']!r} is not a column, nor columns joined by ':'.", term, "Make it a column first."
        )
    if "time" in found and not is_column(found["time"]):
        raise SpecError(f"The occasions {found['time']!r} are not a column.", term, "Make them a column first.")
    return ResidualTerm(name, found.get("time"), ":".join(one.strip() for one in found["gr"].split(":")))


def _arguments(term: str, name: str, parts: list[str]) -> dict[str, str]:
    """The arguments by name; brms's order is time, gr, p and cov."""
    found: dict[str, str] = {}
    places = iter(_ARGUMENTS)
    for part in parts:
        named = re.match(r"(?P<name>\w+)\s*=(?!=)\s*(?P<value>.+)$", part, re.DOTALL)
        key = named["name"] if named else next(places, "")
        value = named["value"].strip() if named else part
        known = _ARGUMENTS if name == "ar" else _ARGUMENTS[:2]
        if key not in known or key in found or not value:
            raise SpecError(f"{name}() has no argument {part!r}.", term, f"Write {_EXAMPLES[name]}.")
        if value not in ("NA", "None"):
            found[key] = value
    return found


def _check_order(term: str, p: str) -> None:
    if p.removesuffix("L") != "1":
        raise SpecError(
            f"An autoregression of order {p} is not supported.",
            term,
            "Write p = 1 or leave it out; unstr(time, gr = id) leaves correlations free.",
        )
