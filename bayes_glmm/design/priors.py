r"""Default priors scaled from the data, and the person's own in their place.

Let s be the scale of the linear predictor: 1 for links other than identity (the logit, log and probit scales carry
their own units), the standard deviation of y for the identity link.

====================  ==========================================  ==================================================
parameter             default                                     why
====================  ==========================================  ==================================================
coefficient of x_j    Normal(0, 2.5 s / sd(x_j))                  one sd of x_j moves eta by a few units at most;
                                                                  Gelman et al. (2008), rstanarm, Bambi
intercept             Normal(g(mean of y), sqrt((2.5 s)^2         2.5 s around the middle of the data, carried from
                      + sum_j (2.5 s mean(x_j) / sd(x_j))^2))     x = mean(x) to x = 0; Bambi
sd of effect of z_k   HalfStudentT(3, 2.5 s / sd(z_k))            keeps mass near 0 and a tail for large group
                                                                  differences; brms, Gelman (2006)
correlations          LKJ(2)                                      leans gently away from +-1; Lewandowski et al. (2009)
sigma                 HalfStudentT(3, sd(y))                      brms
phi, nu               InverseGamma(0.4, 0.3), Gamma(2, 0.1)       see ``families.continuous``
====================  ==========================================  ==================================================

sd(x_j) is replaced by 1 for the intercept and for constant columns. Columns that are 0/1 are scaled like all others.
Every prior can be seen (``model.priors``) and overridden by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_glmm.design.design import Design, RandomBlock
from bayes_glmm.design.start import check_start
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.spec import ModelSpec, Prior


@dataclass(frozen=True)
class Priors:
    """One prior a parameter, as the model will have them.

    Attributes
    ----------
    entries : dict of str to Prior
        Keys ``"beta[x]"``, ``"sd_g[x]"``, ``"corr_g"``, ``"sigma"``.
    given : frozenset of str
        Keys that the person set.
    """

    entries: dict[str, Prior]
    given: frozenset[str]

    def __getitem__(self, parameter: str) -> Prior:
        return self.entries[parameter]

    @property
    def table(self) -> pd.DataFrame:
        """One row a parameter: its prior as text, and whether it is the default."""
        return pd.DataFrame(
            {
                "parameter": list(self.entries),
                "prior": [str(prior) for prior in self.entries.values()],
                "source": ["given" if name in self.given else "default" for name in self.entries],
            }
        )

    def __str__(self) -> str:
        return self.table.to_string(index=False)


def resolve_priors(spec: ModelSpec, design: Design) -> Priors:
    """Defaults from the design, overridden by what the specification sets; the most particular name wins.

    Raises
    ------
    SpecError
        If a prior is set for a name that the model does not have (the message lists the names it has), and if the
        response has no density near the middle of the priors.
    """
    defaults = dict(_defaults(spec, design))
    addresses = {parameter: _addresses(parameter) for parameter in defaults}
    valid = list(dict.fromkeys(name for names in addresses.values() for name in names))
    for name in spec.priors:
        if name not in valid:
            raise SpecError(f"The model has no parameter {name!r} to set a prior for.", advice=choices(name, valid))
    entries, given = {}, set()
    for parameter, default in defaults.items():
        chosen = next((spec.priors[name] for name in addresses[parameter] if name in spec.priors), None)
        entries[parameter] = chosen or default
        if chosen is not None:
            given.add(parameter)
    check_start(spec, design, entries)
    return Priors(entries, frozenset(given))


def _addresses(parameter: str) -> list[str]:
    """Names under which a prior can be set for a parameter, most particular first."""
    kind, _, inside = parameter.partition("[")
    if kind == "beta":
        coefficient = inside[:-1]
        return [coefficient, parameter] if coefficient == "Intercept" else [coefficient, parameter, "beta"]
    if kind.startswith("sd_"):
        return [parameter, kind, "sd"]
    if kind.startswith("corr_"):
        return [parameter, "corr"]
    return [parameter]


def _defaults(spec: ModelSpec, design: Design) -> Iterator[tuple[str, Prior]]:
    scale = _predictor_scale(spec, design)
    slopes = {name: 2.5 * scale / _spread(column) for name, column in zip(design.coefficients, design.X.T, strict=True)}
    for j, name in enumerate(design.coefficients):
        if name == "Intercept":
            carried = [slopes[other] * design.X[:, k].mean() for k, other in enumerate(design.coefficients) if k != j]
            width = float(np.hypot(2.5 * scale, np.linalg.norm(carried)))
            yield f"beta[{name}]", _prior("Normal", mu=middle(spec, design), sigma=width)
        else:
            yield f"beta[{name}]", _prior("Normal", mu=0.0, sigma=slopes[name])
    for block in design.blocks:
        yield from _block_defaults(block, scale)
    spread = float(np.std(design.y)) or 1.0
    for name, text in spec.family.auxiliary.items():
        yield name, Prior.parse(text.format(scale=f"{spread:.4g}"))


def _block_defaults(block: RandomBlock, scale: float) -> Iterator[tuple[str, Prior]]:
    for k, effect in enumerate(block.effects):
        yield (
            f"sd_{block.group}[{effect}]",
            _prior("HalfStudentT", nu=3, sigma=2.5 * scale / _spread(block.values[:, k])),
        )
    if block.correlated:
        yield f"corr_{block.group}", Prior("LKJ", keyword=(("eta", 2),))


def _prior(distribution: str, **arguments: float) -> Prior:
    rounded = tuple((name, float(f"{value:.4g}")) for name, value in arguments.items())
    return Prior(distribution, keyword=rounded)


def _predictor_scale(spec: ModelSpec, design: Design) -> float:
    """S of the module's docstring."""
    if spec.link_name != "identity" or spec.link.range != "real" or spec.family.response in ("binary", "successes"):
        return 1.0
    return float(np.std(design.y)) or 1.0


def middle(spec: ModelSpec, design: Design) -> float:
    """g(mean of y), the mean kept inside the support, less the mean offset."""
    if design.trials is not None:
        mean = float((design.y.sum() + 0.5) / (design.trials.sum() + 1.0))
    else:
        mean = float(design.y.mean())
    with np.errstate(all="ignore"):
        middle = float(spec.link.forward(mean, NUMPY))
    return (middle if np.isfinite(middle) else 0.0) - float(design.offset.mean())


def _spread(column: np.ndarray) -> float:
    """The sd of a column; 1 for a constant one."""
    spread = float(np.std(column))
    return spread if spread > 1e-12 * max(1.0, float(np.abs(column).max(initial=0.0))) else 1.0
