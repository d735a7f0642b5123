"""Integrated coordinates: NUTS over (beta, sd, auxiliary) alone; the random effects integrated out, then drawn.

For one grouping factor with one effect a group, p(y_j | beta, sd) is int prod_i p(y_ij | eta_ij + sd z_ij t) phi(t) dt,
one-dimensional, whichever predictor the effect enters. The trapezoidal rule on a fixed grid t_k converges exponentially
for such integrands (Trefethen & Weideman 2014), and groups with the same rows need it once
(:mod:`~bayes_glmm.design.patterns`). The posterior of the parameters is that of the plain model, without its funnel and
without the ridge between the intercept and the mean of the effects.

Afterwards each t_j is drawn from its conditional: a grid t_k = (k + v) step with v uniform on (0, 1), then a node with
probability proportional to its integrand. As the sum over the nodes is the integral whatever v is, the draw has the
density of the conditional to the accuracy of the rule.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from bayes_glmm.design import Design
from bayes_glmm.design.patterns import Patterns, find_patterns, more_kinds
from bayes_glmm.design.scale import located, middle_of, spread, weights
from bayes_glmm.design.thresholds import starting_steps
from bayes_glmm.families.observed import log_observed
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY, Functions
from bayes_glmm.numerics.spread import evenly_spread
from bayes_glmm.spec import ModelSpec

REACH = 8.0  # the grid runs from -8 to 8: phi(8) = 5e-15
FEW_CELLS = 2_000  # of a gradient that costs next to nothing
MOST_CELLS = 200_000  # patterns x slots x nodes: a gradient took 6-14 ms (bernoulli) or 1 ms (poisson) on one core

_SHIFT = 1e-2  # of the predictor, for derivatives
_PRIOR_INFORMATION = 0.25  # beside a group's own, so that groups without any have a finite value


@dataclass(frozen=True)
class Integral:
    """What the integral needs: the model, its patterns and the number of nodes."""

    spec: ModelSpec
    design: Design
    patterns: Patterns
    nodes: int

    @property
    def grid(self) -> np.ndarray:
        """The nodes [node]."""
        return np.linspace(-REACH, REACH, self.nodes)

    @property
    def step(self) -> float:
        """Distance between nodes."""
        return 2.0 * REACH / (self.nodes - 1)

    @property
    def cells(self) -> int:
        """Likelihood terms of one evaluation."""
        return self.patterns.rows.size * self.nodes

    @property
    def entered(self) -> str:
        """The parameter whose predictor the effect enters."""
        return _entered(self.design)

    @property
    def cheap(self) -> bool:
        """Whether a gradient costs at most a few times the plain model's, or a tenth of a millisecond.

        Measured for bernoulli models on one core: 2.4 times at 3 cells a row, 0.08 ms at 2,000 cells. What the better
        mixing is worth, ``benchmarks/coordinates.py`` measures. Models with several predictors, categories or constants
        that are not positive have the first rule alone: by it pairs of answers from 1,000 and 1,500 people gave 3 and
        90 times as many effective draws a second as whitened coordinates, while at 1,000 cells these gave more.
        """
        fewest = FEW_CELLS if _has_values(self.spec, self.entered) and self._one_predictor else 0
        return self.cells <= max(fewest, 3 * len(self.design.y))

    @property
    def _one_predictor(self) -> bool:
        """Whether the location has the only predictor, and constants are positive."""
        return not self.spec.formulas and all(one.support == "positive" for one in self.spec.auxiliary.values())

    def log_integrand(
        self, fixed: Mapping[str, Any], sd: Any, grid: Any, auxiliary: dict[str, Any], f: Functions
    ) -> Any:
        """The log of p(y_j | t) phi(t) [..., pattern, node].

        Parameters
        ----------
        fixed : mapping of parameter to array [..., kind, 1]
            offset + X beta of the distinct rows.
        sd : array broadcasting to [..., 1, 1]
        grid : array [..., 1, node]
        auxiliary : dict of arrays broadcasting to [..., 1, 1]
        f : Functions
        """
        design, rows = self.design, self.patterns.distinct
        values = design.blocks[0].values[rows]
        at = self.spec.at({**fixed, self.entered: fixed[self.entered] + sd * values * grid}, auxiliary, f)
        log_density = log_observed(self.spec.family, design.observed[rows][:, None], at, f)
        of_rows = log_density[..., self.patterns.kind, :]
        by_pattern = (self.patterns.used[:, :, None] * of_rows).sum(axis=-2)
        return by_pattern - 0.5 * grid**2 - 0.5 * math.log(2.0 * math.pi)


def integral_for(spec: ModelSpec, design: Design) -> Integral | None:
    """The integral of a model, or None where it has more than one effect a group, correlated rows or too many nodes.

    With poles of the integrand at distance d from the real axis and a conditional of sd s, the rule's error for a step
    a is about exp(-2 pi d / a) and exp(-2 pi^2 s^2 / a^2): the nodes follow from the smaller of d / 3.5 and s, for the
    most informative group and the largest plausible sd of the effects. The error itself is measured at the draws.
    """
    one = len(design.blocks) == 1 and len(design.blocks[0].effects) == 1
    if not one or design.residual is not None or not spec.defined_everywhere:
        return None
    narrowest, largest_sd = _scales(spec, design)
    step = min(0.5, min(narrowest, spec.link_of(_entered(design)).strip / 3.5) / largest_sd)
    nodes = 2 * math.ceil(REACH / step) + 1
    if more_kinds(design, MOST_CELLS // nodes):
        return None
    integral = Integral(spec, design, find_patterns(design), nodes)
    return integral if integral.cells <= MOST_CELLS else None


def log_likelihood(integral: Integral, posterior: xr.Dataset, draws: np.ndarray) -> np.ndarray:
    """The log of p(y | beta, sd, auxiliary) at some draws, chains stacked [draw]."""
    terms = _terms(integral, _stacked(integral, posterior), draws, np.tile(integral.grid, (len(draws), 1)))
    by_pattern = special.logsumexp(terms, axis=-1) + math.log(integral.step)
    return by_pattern @ integral.patterns.count


def quadrature_error(integral: Integral, posterior: xr.Dataset, draws: int = 50) -> float:
    """Largest change of the log likelihood, at draws of the posterior, when the nodes are doubled.

    A constant shift would be harmless; so what is measured is the change less its mean.
    """
    chosen = evenly_spread(posterior.sizes["chain"] * posterior.sizes["draw"], draws)
    finer = replace(integral, nodes=2 * integral.nodes - 1)
    change = log_likelihood(finer, posterior, chosen) - log_likelihood(integral, posterior, chosen)
    return float(np.abs(change - change.mean()).max())


def draw_effects(integral: Integral, posterior: xr.Dataset, seed: int) -> xr.Dataset:
    """Add ``z_g`` and ``u_g``, drawn from their conditionals given each draw of the parameters.

    Groups of one pattern share the shift v of the grid within a draw, on a grid ``fineness`` times as fine: their
    effects are independent but for that shift, far below the width of a conditional.
    """
    (block,) = integral.design.blocks
    patterns, stacked = integral.patterns, _stacked(integral, posterior)
    fineness = 4 if len(patterns.rows) < len(block.levels) else 1
    nodes = fineness * (integral.nodes - 1)
    rng = np.random.default_rng(seed)
    total = len(stacked["sd"])
    z = np.empty((total, len(block.levels)))
    size = max(1, int(4e6 / (patterns.rows.size * nodes)))
    for start in range(0, total, size):
        draws = np.arange(start, min(start + size, total))
        shift = rng.random((len(draws), 1))
        grid = -REACH + (np.arange(nodes) + shift) * (2.0 * REACH / nodes)
        terms = _terms(integral, stacked, draws, grid)
        weights = np.cumsum(np.exp(terms - terms.max(axis=-1, keepdims=True)), axis=-1)
        cumulative = weights / weights[..., -1:]
        z[draws] = _choose(cumulative, grid, patterns.of_level, rng)
    u = z * stacked["sd"][:, None]
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], len(block.levels), 1)
    dims = ("chain", "draw", block.level_dim, block.effect_dim)
    drawn = {f"z_{block.group}": (dims, z.reshape(shape)), f"u_{block.group}": (dims, u.reshape(shape))}
    return posterior.assign(drawn).assign_coords({block.level_dim: list(block.levels)})


def _choose(cumulative: np.ndarray, grid: np.ndarray, of_level: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A node for every level, by inversion [draw, level]."""
    draws, count, nodes = cumulative.shape
    chosen = np.empty((draws, len(of_level)))
    for pattern in range(count):
        levels = np.flatnonzero(of_level == pattern)
        # all draws in one search: the d-th distribution function is moved to (d, d + 1)
        table = (cumulative[:, pattern] + np.arange(draws)[:, None]).ravel()
        wanted = rng.random((draws, len(levels))) + np.arange(draws)[:, None]
        position = np.searchsorted(table, wanted.ravel()).reshape(wanted.shape) - nodes * np.arange(draws)[:, None]
        chosen[:, levels] = np.take_along_axis(grid, np.clip(position, 0, nodes - 1), axis=1)
    return chosen


def _terms(integral: Integral, stacked: dict[str, Any], draws: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The log integrand at some draws and their own grids [draw, pattern, node]."""
    rows, wide = integral.patterns.distinct, (slice(None), None, None)
    fixed = {
        one.parameter: (one.offset[rows] + stacked[one.variable][draws] @ one.X[rows].T)[..., None]
        for one in integral.design.predictors.fixed
    }
    auxiliary = {name: stacked[name][draws][wide] for name in integral.spec.auxiliary}
    return integral.log_integrand(fixed, stacked["sd"][draws][wide], grid[:, None, :], auxiliary, NUMPY)


def _stacked(integral: Integral, posterior: xr.Dataset) -> dict[str, np.ndarray]:
    """Parameters, chain and draw stacked: coefficients [draw, coefficient], ``sd [draw]``, auxiliary ones [draw]."""

    def stacked(name: str) -> np.ndarray:
        values = posterior[name].transpose("chain", "draw", ...).to_numpy()
        return values.reshape(-1, *values.shape[2:])

    sd = stacked(f"sd_{integral.design.blocks[0].group}")[:, 0]
    beta = {
        one.variable: stacked(one.variable) if one.coefficients else np.empty((len(sd), 0))
        for one in integral.design.predictors.fixed
    }
    return {**beta, "sd": sd} | {name: stacked(name) for name in integral.spec.auxiliary}


def _entered(design: Design) -> str:
    return design.blocks[0].parameters[0]


def _scales(spec: ModelSpec, design: Design) -> tuple[float, float]:
    """The sd of the effect of the most informative group, and a sd of the effects above any plausible one.

    The first follows from the curvature of the groups' likelihoods at shrunken data. The second is five times the
    spread of the groups' own values of the predictor: the means of their shrunken data, or a step of Newton's method.
    """
    eta, block = _typical_predictors(spec, design), design.blocks[0]
    entered, values = _entered(design), block.values[:, 0]
    constants = _typical_constants(spec, design)

    def log_density(shift: float) -> np.ndarray:
        at = spec.at({**eta, entered: eta[entered] + shift}, constants, NUMPY)
        return np.asarray(log_observed(spec.family, design.observed, at, NUMPY))

    with np.errstate(all="ignore"):
        high, middle, low = log_density(_SHIFT), log_density(0.0), log_density(-_SHIFT)
        slope, curvature = (high - low) / (2.0 * _SHIFT), -(high - 2.0 * middle + low) / _SHIFT**2
    slope, curvature = (np.where(np.isfinite(one), one, 0.0) for one in (slope, curvature))
    information = np.bincount(block.index, np.maximum(curvature, 0.0) * values**2)
    if _has_values(spec, entered):
        scale = float(np.sqrt(np.mean(values**2))) or 1.0
        own = np.bincount(block.index, eta[entered] - design.offset) / np.bincount(block.index) / scale
    else:
        own = np.bincount(block.index, slope * values) / (information + _PRIOR_INFORMATION)
    return 1.0 / math.sqrt(max(float(information.max()), 1e-8)), 5.0 * max(float(np.std(own)), 0.2)


def _has_values(spec: ModelSpec, parameter: str) -> bool:
    """Whether each response, by the link, is a value of the predictor: it is of a mean, not of categories."""
    return parameter == LOCATION and not spec.categories


def _typical_predictors(spec: ModelSpec, design: Design) -> dict[str, np.ndarray]:
    """That of the location follows the shrunken response, where it has values; the others are at their middle."""
    found = {}
    for one in design.predictors.fixed:
        known = _has_values(spec, one.parameter)
        middle = 0.0 if known else middle_of(spec, design, one.parameter)
        found[one.parameter] = _shrunken_predictor(spec, design) if known else one.offset + middle
    return found


def _shrunken_predictor(spec: ModelSpec, design: Design) -> np.ndarray:
    """The link of the response pulled towards its mean, so that it is finite [row]."""
    rows, n = located(spec, design), weights(design)
    with np.errstate(all="ignore"):
        y = design.y if spec.family.located is None else spec.family.located.values(design.y)
        eta = spec.link.forward((y + 0.5 * rows.mean) / (n + 0.5), NUMPY)
    return np.where(np.isfinite(eta), eta, 0.0)


def _typical_constants(spec: ModelSpec, design: Design) -> dict[str, float]:
    """Values at which the curvature is taken: the residual sd as the sd of y, shapes as large as data can tell."""
    of_response = 0.5 * spread(spec, design)
    of_others = {"positive": 10.0, "unit": 0.1, "real": 0.0}
    found = {
        name: of_response if parameter.of_response else of_others[parameter.support]
        for name, parameter in spec.auxiliary.items()
    }
    return found | starting_steps(spec, design)
