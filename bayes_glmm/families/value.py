"""Value: a parameter of a family at its linear predictor, or a constant, in whichever form a density needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bayes_glmm.families.link import LINKS, Link
from bayes_glmm.numerics.functions import Functions


@dataclass(frozen=True)
class Value:
    """A parameter theta = h(eta) of a family.

    Attributes
    ----------
    eta : array
        The linear predictor, any shape.
    link : Link
    f : Functions
        The namespace ``eta`` lives in.
    """

    eta: Any
    link: Link
    f: Functions

    @property
    def value(self) -> Any:
        """h(eta)."""
        return self.link.inverse(self.eta, self.f)

    @property
    def logit(self) -> Any:
        """logit(theta), accurate where theta rounds to 0 or 1.

        Links onto other ranges (log, identity under a binomial) have no such form and go through theta.
        """
        if self.link.logit_mean is not None:
            return self.link.logit_mean(self.eta, self.f)
        return self.f.log(self.value) - self.f.log1p(-self.value)

    @property
    def complement(self) -> Any:
        """1 - theta, accurate where theta rounds to 1."""
        return self.f.expit(-self.logit)

    @property
    def log(self) -> Any:
        """log(theta), exact for the log link."""
        return self.eta if self.link.name == "log" else self.f.log(self.value)


At = Mapping[str, Value]
"""The value of each parameter of a family, by name."""


def constant(value: Any, f: Functions) -> Value:
    """The value of a parameter that is known on its own scale."""
    return Value(value, LINKS["identity"], f)
