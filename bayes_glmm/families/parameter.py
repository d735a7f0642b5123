"""Parameter: what a family needs to know of one of its parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

# 1 / sqrt(phi) is the coefficient of variation (gamma), the extra coefficient of variation (negative binomial) or the
# relative spread (beta). InverseGamma(0.4, 0.3) on phi makes it about half-normal(0, 1), with room near 0: brms'
# default for such shapes since version 2.20, after the Stan prior choice recommendations.
SHAPE_PRIOR = "InverseGamma(alpha=0.4, beta=0.3)"
# 1 / shape of a Weibull, about its coefficient of variation, is exponential with mean 1
WEIBULL_PRIOR = "InverseGamma(alpha=1, beta=1)"
# of the shape of an inverse Gaussian, which has the unit of the response: the squared coefficient of variation is
# mean / shape. A half-Cauchy, as tails that fall as a power leave both small and large shapes to the data.
INVERSE_GAUSSIAN_PRIOR = "HalfCauchy(beta={scale})"


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
    title : str
        Its name in prose.
    of_response : bool
        Whether it is in the unit of the response, or of its logarithm where the location is in that: a response in
        other units has it in those.
    middle : float
        The median of the prior of a constant, for a response whose sd is 1: where the predictor of a formula has its
        default prior about.
    reach : float
        Prior sd of a canonical coefficient of its predictor.
    intercept : str
        The default prior of its predictor at the centre of the columns; Normal(middle, reach) where it is empty.
    sd : float
        Scale of the HalfStudentT(3) prior of the sds of its random effects.
    anchored : bool
        Whether the intercept of its predictor is 0, and not estimated. Such a parameter exists only with a formula.
    threshold : int
        Of ordered categories: the threshold, counted from 1, whose own effects its predictor has; 0 of others.
    """

    name: str
    links: tuple[str, ...]
    support: Literal["real", "positive", "unit"]
    prior: str = ""
    title: str = ""
    of_response: bool = False
    middle: float = 0.0
    reach: float = 1.0
    intercept: str = ""
    sd: float = 0.5
    anchored: bool = False
    threshold: int = 0


SIGMA = Parameter(
    "sigma",
    ("log",),
    "positive",
    "HalfStudentT(nu=3, sigma={scale})",
    title="residual scale (sigma)",
    of_response=True,
    middle=0.7648923284,
)
PHI = Parameter("phi", ("log",), "positive", SHAPE_PRIOR, middle=2.0678511360)
# 1 / (1 + phi), the correlation of two trials, is about uniform. SHAPE_PRIOR leaves 4 % above 1,000 and 0.02 % above
# 1e9: where the binomial fits, chains take long ways out there and back.
PRECISION = Parameter("phi", ("log",), "positive", "InverseGamma(alpha=1, beta=1)", middle=1.4426950409)
# Var(y) = mu (1 + phi): 0 is the Poisson
EXCESS = Parameter("phi", ("log",), "positive", "HalfStudentT(nu=3, sigma=2.5)", middle=1.9122308210)
# about the variance as a multiple of the mean: 1 is the Poisson
DISPERSION = Parameter("phi", ("log",), "positive", "LogNormal(mu=0, sigma=1)", middle=1.0)
# flat on the scale of the probability
ZI = Parameter(
    "zi",
    ("logit", "probit", "cloglog", "cauchit"),
    "unit",
    "Beta(alpha=1, beta=1)",
    title="probability of an excess zero (zi)",
    middle=0.5,
    reach=1.5,
    intercept="Logistic(mu=0, s=1)",
    sd=1.5,
)
HU = replace(ZI, name="hu", title="probability of a zero (hu)")
ZOI = replace(ZI, name="zoi", title="probability of 0 or 1 (zoi)")
COI = replace(ZI, name="coi", title="probability of 1, given 0 or 1 (coi)")
# Juarez & Steel (2010), as brms and rstanarm
NU = Parameter("nu", ("log",), "positive", "Gamma(alpha=2, beta=0.1)", middle=16.7834699002)
SHAPE = Parameter("shape", ("log",), "positive", WEIBULL_PRIOR, middle=1.4426950409)
SHAPE_OF_RESPONSE = Parameter(
    "shape", ("log",), "positive", INVERSE_GAUSSIAN_PRIOR, of_response=True, middle=1.0, reach=1.5
)
DISC = Parameter("disc", ("log",), "positive", title="discrimination (disc)", middle=1.0, reach=0.5, anchored=True)
"""The discrimination of ordered categories, a factor of threshold - eta. It exists only with a formula, and has no
intercept: one would rescale thresholds and coefficients together, and leave the model as it is."""
