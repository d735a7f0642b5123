"""Links: g(mu) = eta. One record a link; a new link is one entry in ``LINKS``.

``range`` says where the inverse lands, which decides the stable forms a link owes: links onto (0, 1) carry
``logit_mean``. To be averaged over Gaussian random effects a link has a closed form (``averaged``), or tells how wide
the strip around the real axis is in which its inverse is analytic (``strip``), from which the step of the quadrature
follows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.numerics.functions import Function, Functions, log_normal_cdf

Range = Literal["real", "positive", "unit", "nonzero"]


@dataclass(frozen=True)
class Link:
    r"""A link g with mu = h(eta), h the inverse of g.

    Attributes
    ----------
    name : str
        As written in a formula call or a config.
    range : {"real", "positive", "unit", "nonzero"}
        Where h lands for real eta.
    forward, inverse, derivative : function
        ``(mu, f) -> eta``, ``(eta, f) -> mu``, ``(eta, f) -> dmu/deta``; ``f`` is a namespace of
        :mod:`bayes_glmm.numerics.functions`.
    logit_mean : function, optional
        ``(eta, f) -> logit(mu)``, stable where mu rounds to 0 or 1; for links onto (0, 1).
    averaged : function, optional
        ``(eta, variance, f) -> E[h(eta + u)]``, u ~ N(0, variance), exact; None where no closed form exists.
    strip : float
        Half-width of the strip around the real axis in which h is analytic and bounded; 0 where
        E[h(eta + u)] does not exist.
    """

    name: str
    range: Range
    forward: Function
    inverse: Function
    derivative: Function
    logit_mean: Function | None = None
    averaged: Function | None = None
    strip: float = math.inf

    @property
    def has_average(self) -> bool:
        """Whether E[h(eta + u)] exists."""
        return self.averaged is not None or self.strip > 0.0


def _probit_forward(mu: Any, f: Functions) -> Any:
    return -math.sqrt(2.0) * f.erfcinv(2.0 * mu)


def _probit_inverse(eta: Any, f: Functions) -> Any:
    return 0.5 * f.erfc(-eta * math.sqrt(0.5))


def _cloglog_logit(eta: Any, f: Functions) -> Any:
    # logit(1 - exp(-e^eta)) = log(exp(e^eta) - 1) = e^eta + log(1 - exp(-e^eta))
    rate = f.exp(eta)
    return rate + f.log(-f.expm1(-rate))


LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link(
            "identity",
            range="real",
            forward=lambda mu, f: mu,
            inverse=lambda eta, f: eta,
            derivative=lambda eta, f: 0.0 * eta + 1.0,
            averaged=lambda eta, variance, f: eta + 0.0 * variance,
        ),
        Link(
            "log",
            range="positive",
            forward=lambda mu, f: f.log(mu),
            inverse=lambda eta, f: f.exp(eta),
            derivative=lambda eta, f: f.exp(eta),
            averaged=lambda eta, variance, f: f.exp(eta + 0.5 * variance),
        ),
        Link(
            "logit",
            range="unit",
            forward=lambda mu, f: f.log(mu) - f.log1p(-mu),
            inverse=lambda eta, f: f.expit(eta),
            derivative=lambda eta, f: f.expit(eta) * f.expit(-eta),
            logit_mean=lambda eta, f: eta,
            strip=math.pi,
        ),
        Link(
            "probit",
            range="unit",
            forward=_probit_forward,
            inverse=_probit_inverse,
            derivative=lambda eta, f: f.exp(-0.5 * eta * eta) / math.sqrt(2.0 * math.pi),
            logit_mean=lambda eta, f: log_normal_cdf(eta, f) - log_normal_cdf(-eta, f),
            averaged=lambda eta, variance, f: _probit_inverse(eta / f.sqrt(1.0 + variance), f),
        ),
        Link(
            "cloglog",
            range="unit",
            forward=lambda mu, f: f.log(-f.log1p(-mu)),
            inverse=lambda eta, f: -f.expm1(-f.exp(eta)),
            derivative=lambda eta, f: f.exp(eta - f.exp(eta)),
            logit_mean=_cloglog_logit,
            strip=math.pi / 2.0,
        ),
        Link(
            "cauchit",
            range="unit",
            forward=lambda mu, f: -1.0 / f.tan(math.pi * mu),
            # arctan2(1, -eta) / pi keeps its relative accuracy in the lower tail, 1/2 + arctan(eta) / pi does not
            inverse=lambda eta, f: f.arctan2(1.0, -eta) / math.pi,
            derivative=lambda eta, f: 1.0 / (math.pi * (1.0 + eta * eta)),
            logit_mean=lambda eta, f: f.log(f.arctan2(1.0, -eta)) - f.log(f.arctan2(1.0, eta)),
            strip=1.0,
        ),
        Link(
            "inverse",
            range="nonzero",
            forward=lambda mu, f: 1.0 / mu,
            inverse=lambda eta, f: 1.0 / eta,
            derivative=lambda eta, f: -1.0 / (eta * eta),
            strip=0.0,
        ),
        Link(
            "sqrt",
            range="positive",
            forward=lambda mu, f: f.sqrt(mu),
            inverse=lambda eta, f: eta * eta,
            derivative=lambda eta, f: 2.0 * eta,
            averaged=lambda eta, variance, f: eta * eta + variance,
        ),
    )
}


def get_link(name: str) -> Link:
    """The link of that name.

    Raises
    ------
    SpecError
        If there is none; the message lists those there are.
    """
    if name not in LINKS:
        raise SpecError(f"There is no link {name!r}.", advice=choices(name, LINKS))
    return LINKS[name]
