"""Parameter: what a family needs to know of one of its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# 1 / sqrt(phi) is the coefficient of variation (gamma), the extra coefficient of variation (negative binomial) or the
# relative spread (beta). InverseGamma(0.4, 0.3) on phi makes it about half-normal(0, 1), with room near 0: brms'
# default for such shapes since version 2.20, after the Stan prior choice recommendations.
SHAPE_PRIOR = "InverseGamma(alpha=0.4, beta=0.3)"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a family.

    Attributes
    ----------
    name : str
        ``mu`` for the location, which effects report; ``sigma``, ``phi``, ``nu``.
    links : tuple of str
        Valid links of its linear predictor; the first is the default.
    support : {"real", "positive", "unit"}
        Where its values lie.
    prior : str
        The default prior of a constant on its own scale, as text; ``{scale}`` is replaced by the sd of the response.
        Empty for a location: it has a linear predictor.
    of_response : bool
        Whether it is in the unit of the response: a response in other units has it in those.
    """

    name: str
    links: tuple[str, ...]
    support: Literal["real", "positive", "unit"]
    prior: str = ""
    of_response: bool = False


SIGMA = Parameter("sigma", ("log", "identity"), "positive", "HalfStudentT(nu=3, sigma={scale})", of_response=True)
PHI = Parameter("phi", ("log", "identity"), "positive", SHAPE_PRIOR)
# Juarez & Steel (2010), as brms and rstanarm
NU = Parameter("nu", ("log", "identity"), "positive", "Gamma(alpha=2, beta=0.1)")
