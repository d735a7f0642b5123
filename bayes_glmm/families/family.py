"""What a family is: a record of plain functions. Entries live in ``continuous``, ``counts`` and ``proportions``.

A family never sees a design or a model. It gets the conditional mean as a :class:`Mean` (the linear predictor with its
link, from which it takes whichever form is stable), its own auxiliary parameters by name, and says what the response
may look like, how it varies, how likely it is, and how it is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from bayes_glmm.families.link import Link
from bayes_glmm.numerics.functions import Functions

Response = Literal["real", "positive", "binary", "successes", "count", "fraction"]


@dataclass(frozen=True)
class Mean:
    """The conditional mean mu = h(eta), in the form that a density needs.

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
    def mu(self) -> Any:
        """h(eta)."""
        return self.link.inverse(self.eta, self.f)

    @property
    def logit(self) -> Any:
        """logit(mu), accurate where mu rounds to 0 or 1.

        Links onto other ranges (log, identity under a binomial) have no such form and go through mu.
        """
        if self.link.logit_mean is not None:
            return self.link.logit_mean(self.eta, self.f)
        return self.f.log(self.mu) - self.f.log1p(-self.mu)

    @property
    def log(self) -> Any:
        """log(mu), exact for the log link."""
        return self.eta if self.link.name == "log" else self.f.log(self.mu)


@dataclass(frozen=True)
class Family:
    r"""A distribution of the response given its conditional mean.

    Attributes
    ----------
    name : str
        As written in a call or a config.
    title : str
        Its name in prose.
    symbol : str
        The distribution in LaTeX, with ``\mu_i`` for the mean of row i.
    links : tuple of str
        Valid links; the first is the default.
    response : {"real", "positive", "binary", "successes", "count", "fraction"}
        What the response is, which decides how it is read and pictured.
    support : function
        ``(y, trials) -> bool array [row]``, True where a row cannot be.
    support_text : str
        The support in words, for messages.
    variance : function
        ``(mu, aux) -> Var(y | u)``; of one trial where there are trials.
    log_density : function
        ``(y, mean, aux, trials, f) -> log p(y | u)`` with all constants, row by row.
    draw : function
        ``(rng, mean, aux, trials) -> y``; NumPy, broadcasting.
    likelihood : function
        ``(pm, name, mean, aux, trials, observed, dims) -> random variable``; ``pm`` is the PyMC module.
    auxiliary : mapping
        Each further parameter to its default prior as text; ``{scale}`` stands for the sd of the response.
    """

    name: str
    title: str
    symbol: str
    links: tuple[str, ...]
    response: Response
    support: Callable[[np.ndarray, np.ndarray | None], np.ndarray]
    support_text: str
    variance: Callable[[Any, Mapping[str, Any]], Any]
    log_density: Callable[..., Any]
    draw: Callable[..., np.ndarray]
    likelihood: Callable[..., Any]
    auxiliary: Mapping[str, str] = field(default_factory=dict)

    @property
    def discrete(self) -> bool:
        """Whether the response takes separate values."""
        return self.response in ("binary", "successes", "count")
