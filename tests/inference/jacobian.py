"""A compiled density against the plain PyMC model: log p(x) = log p(point) + log |d point / d x|, by differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayes_glmm.design import Design, Problem
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.model import build_model
from tests.model.test_log_density import log_density

Point = tuple[dict[str, np.ndarray], np.ndarray]


def of_groups(design: Design, draw: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """The random part of a point as the PyMC model has it, by name, and its coordinates."""
    values: dict[str, np.ndarray] = {}
    flat = []
    for block in design.blocks:
        g, L = block.group, draw[f"L_{block.group}"]
        sd = np.sqrt(np.diagonal(L @ L.T))
        values |= {f"sd_{g}": sd, f"z_{g}": draw[f"z_{g}"]}
        values |= {f"sd_{g}[{effect}]": one for effect, one in zip(block.effects, sd, strict=True)}
        flat += [sd[list(block.own_sds)], draw[f"z_{g}"].ravel()]
        if (form := block.forms[-1]) is not None:
            run = block.runs[-1]
            share = form.place((L @ L.T / np.outer(sd, sd))[run, run][form.nearest])
            values |= {f"unit_rho_{g}": share, f"unit_rho_{g}_{block.effects[run.start]}": share}
            flat.append(np.array([share]))
        elif block.correlated:  # of two effects: the density of the factor is one of the correlation
            values[f"chol_{g}"] = L / sd[:, None]
            flat.append(L[1:, 0] / sd[1:])
    return values, flat


def gaps(moved: Callable[[Problem, Density, np.ndarray], Point], canonical: Problem, density: Density) -> np.ndarray:
    """Log p(x) - log p of the PyMC model - log |d point / d x| at three points, the last by differences of order 4.

    The constants of LKJ(2) and of Beta(2, 2) are left out: for two effects 3 / 4 (1 - rho^2), 6 p (1 - p) of a place.
    """
    plain, found = build_model(canonical), []
    formed = [any(block.forms) for block in canonical.design.blocks if block.correlated]
    left_out = sum(-np.log(6.0) if one else np.log(4.0 / 3.0) for one in formed)
    for seed in range(3):
        x = density.start + 0.3 * np.random.default_rng(seed).normal(size=len(density.start))
        values, at = moved(canonical, density, x)
        assert len(at) == len(x)
        h, columns = 1e-3, []
        for along in h * np.eye(len(x)):
            near, far = (
                moved(canonical, density, x + k * along)[1] - moved(canonical, density, x - k * along)[1]
                for k in (1, 2)
            )
            columns.append((8.0 * near - far) / (12.0 * h))
        expected = log_density(plain, {one.name: values[one.name] for one in plain.free_RVs})
        found.append(density(x)[0] - expected - left_out - np.linalg.slogdet(np.array(columns))[1])
    return np.array(found)
