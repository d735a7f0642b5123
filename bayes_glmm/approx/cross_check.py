"""A posterior beside the answers of other methods: estimates of the same things, and in words where they differ.

The methods share nothing with the sampler but the design: Laplace and quadrature maximise an integrated likelihood
without priors, PQL avoids the integral, GEE models the population-averaged mean alone. ``METHODS`` is the table; a new
method is one row of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm import notebook
from bayes_glmm.approx.aghq import aghq
from bayes_glmm.approx.boundary import SINGULAR
from bayes_glmm.approx.gee import gee
from bayes_glmm.approx.laplace import laplace
from bayes_glmm.approx.pql import pql
from bayes_glmm.approx.result import ApproxFit, Model
from bayes_glmm.design import RandomBlock
from bayes_glmm.design.patterns import find_patterns
from bayes_glmm.effects import coefficients, marginal_coefficients
from bayes_glmm.effects.coefficients import CONDITIONAL, POPULATION_AVERAGED
from bayes_glmm.errors import GLMMError, SpecError
from bayes_glmm.likelihood import likelihood_of
from bayes_glmm.likelihood.quadrature import check_quadrature
from bayes_glmm.names import effect as effect_name
from bayes_glmm.posterior import Posterior

POSTERIOR = "posterior"
AGREE = 0.5  # posterior sds
SHARE = 0.05  # of a standard deviation: less is not worth a sentence
DRAWS = 200  # simulated for the population-averaged coefficients of an approximation
LARGEST = 1_000_000  # cells: a fit that evaluated 213,000 (8,525 rows, 25 nodes) took 1.4 s of one core
NODES = {1: 25, 2: 11, 3: 7}  # of quadrature, by the effects a level
MORE = 4  # times as many where they are too few


@dataclass(frozen=True)
class Method:
    """A way to estimate a model.

    Attributes
    ----------
    name : str
    title : str
        Its full name, for readers of a report.
    function : function
        ``model -> ApproxFit``.
    cells : function
        ``model -> int``: how many densities of rows one evaluation of its likelihood takes.
    averaged : bool
        Whether its coefficients are population-averaged.
    """

    name: str
    title: str
    function: Callable[[Model], ApproxFit]
    cells: Callable[[Model], int]
    averaged: bool = False


def _rows(model: Model) -> int:
    """A search for modes takes rows several times; effects beside the largest factor's make a dense matrix."""
    sizes = sorted(len(block.levels) * len(block.effects) for block in model.design.blocks)
    return 8 * len(model.design.y) + sum(sizes[:-1]) ** 2


def _nodes(model: Model) -> int:
    return NODES.get(max((len(block.effects) for block in model.design.blocks), default=1), NODES[3])


def _quadrature_cells(model: Model) -> int:
    blocks = model.design.blocks
    check_quadrature(likelihood_of(model.spec, model.design), _nodes(model))
    rows = int(find_patterns(model.design).used.sum()) if len(blocks) == 1 else len(model.design.y)
    rows *= len(model.design.predictors.fixed)  # each has a derivative of its own
    return rows * _nodes(model) ** sum(len(block.effects) for block in blocks)


def _quadrature(model: Model) -> ApproxFit:
    """With more nodes where the usual ones are too few."""
    fit, more = aghq(model, nodes=_nodes(model)), MORE * _nodes(model)
    dimensions = max((len(block.effects) for block in model.design.blocks), default=1)
    if fit.messages and _quadrature_cells(model) * MORE**dimensions <= LARGEST:
        return aghq(model, nodes=more)
    return fit


METHODS: tuple[Method, ...] = (
    Method("Laplace", "maximum likelihood by the Laplace approximation", function=laplace, cells=_rows),
    Method("AGHQ", "maximum likelihood by adaptive quadrature (AGHQ)", function=_quadrature, cells=_quadrature_cells),
    Method("PQL", "penalised quasi-likelihood (PQL)", function=pql, cells=_rows),
    Method(
        "GEE",
        "generalised estimating equations (GEE) for the population-averaged model",
        function=gee,
        cells=lambda model: 4 * len(model.design.y),
        averaged=True,
    ),
)


@dataclass(frozen=True)
class CrossCheck:
    """A posterior and other methods, side by side.

    Attributes
    ----------
    table : DataFrame
        One row a method and quantity: ``method``, ``effect`` ("conditional", "population-averaged", "sd of g"),
        ``parameter``, ``estimate``, ``sd`` (posterior sd, standard error; NaN where there is none), ``lower`` and
        ``upper`` (95 %).
    methods : DataFrame
        One row a method: ``method``, ``log_likelihood`` (random effects integrated out), ``seconds``, ``note``: why it
        gives no numbers, or what it says of them.
    sentences : tuple of str
        Where they differ and why.
    """

    table: pd.DataFrame
    methods: pd.DataFrame
    sentences: tuple[str, ...]

    @property
    def used(self) -> tuple[Method, ...]:
        """The methods that gave estimates."""
        return tuple(method for method in METHODS if method.name in set(self.table["method"]))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the methods without estimates; ``methods`` has the reasons."""
        return tuple(name for name in self.methods["method"] if name not in set(self.table["method"]))

    def wide(self) -> pd.DataFrame:
        """One row a quantity, one column a method."""
        order = self.table[["effect", "parameter"]].drop_duplicates()
        wide = self.table.pivot(index=["effect", "parameter"], columns="method", values="estimate")
        names = [name for name in self.methods["method"] if name in wide]
        return wide.loc[list(order.itertuples(index=False, name=None)), names].reset_index()

    def __str__(self) -> str:
        tables = [self.wide(), self.methods]
        text = [table.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4g}") for table in tables]
        return "\n\n".join([*text, "\n".join(self.sentences)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        tables = map(notebook.table, (self.wide(), self.methods))
        return "\n".join([*tables, *map(notebook.paragraph, self.sentences)])


def cross_check(posterior: Posterior) -> CrossCheck:
    """The posterior beside Laplace, adaptive quadrature, PQL and GEE of the same model.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    CrossCheck
        A method that cannot do the model, or would take longer than about ten seconds, is there with its reason.
    """
    fits: dict[str, ApproxFit] = {}
    notes: dict[str, str] = {}
    for method in METHODS:
        answer = _attempt(method, posterior)
        if isinstance(answer, str):
            notes[method.name] = answer
        else:
            fits[method.name], notes[method.name] = answer, " ".join(answer.messages)
    tables = {POSTERIOR: _of_posterior(posterior)}
    tables |= {m.name: _of_fit(fits[m.name], m.averaged) for m in METHODS if m.name in fits}
    table = pd.concat([part.assign(method=name) for name, part in tables.items()], ignore_index=True)
    table = table[["method", "effect", "parameter", "estimate", "sd", "lower", "upper"]]
    methods = pd.DataFrame(
        {
            "method": [POSTERIOR, *notes],
            "log_likelihood": [np.nan, *(fits[n].log_likelihood if n in fits else np.nan for n in notes)],
            "seconds": [
                posterior.provenance.get("seconds", np.nan),
                *(fits[n].seconds if n in fits else np.nan for n in notes),
            ],
            "note": ["", *notes.values()],
        }
    )
    return CrossCheck(table, methods, _sentences(posterior, table, fits))


def _attempt(method: Method, model: Model) -> ApproxFit | str:
    """The fit, or why there is none."""
    try:
        if method.cells(model) > LARGEST:
            return "Left out: it would take longer than about 10 s."
        fit = method.function(model)
    except GLMMError as error:
        return str(error)
    except np.linalg.LinAlgError:
        return "The search failed: a matrix is singular."
    return fit if fit.converged else " ".join(fit.messages)


def _of_posterior(posterior: Posterior) -> pd.DataFrame:
    parts = [_coefficients(posterior)]
    for block in posterior.design.blocks:
        sd = np.sqrt(np.diagonal(posterior.G(block.group), axis1=1, axis2=2))
        low, high = np.quantile(sd, [0.025, 0.975], axis=0)
        columns = {"estimate": np.median(sd, axis=0), "sd": sd.std(axis=0), "lower": low, "upper": high}
        parts.append(pd.DataFrame({"effect": f"sd of {block.group}", "parameter": block.effects} | columns))
    return pd.concat(parts, ignore_index=True)


def _of_fit(fit: ApproxFit, averaged: bool) -> pd.DataFrame:
    found = fit.coefficients_with_errors
    half = 1.96 * found["sd"]
    effect = POPULATION_AVERAGED if averaged else CONDITIONAL
    parts = [found.assign(effect=effect, lower=found["estimate"] - half, upper=found["estimate"] + half)]
    if not averaged:
        fewer = replace(fit, draws=DRAWS)
        marginal = _coefficients(fewer.posterior)
        if POPULATION_AVERAGED in set(marginal["effect"]):
            marginal["estimate"] = _coefficients(fewer.point)["estimate"]
            parts.append(marginal[marginal["effect"] == POPULATION_AVERAGED])
        parts += [
            pd.DataFrame({"effect": f"sd of {b.group}", "parameter": b.effects, "estimate": fit.sd(b.group)})
            for b in fit.design.blocks
        ]
    return pd.concat(parts, ignore_index=True)


def _coefficients(posterior: Posterior) -> pd.DataFrame:
    """Conditional ones and, where they exist, population-averaged ones."""
    names = {"coefficient": "parameter"}
    if not posterior.design.coefficients:
        return pd.DataFrame(columns=["effect", "parameter", "estimate", "sd", "lower", "upper"])
    try:
        found = marginal_coefficients(posterior)
    except SpecError:
        found = coefficients(posterior)
    table = found.table.assign(sd=found.draws.to_numpy().reshape(-1, len(found.table)).std(axis=0))
    table = table.rename(columns=names).drop(columns=["probability", "mcse"])
    location = posterior.design.predictors.location.parameter
    table["parameter"] = [effect_name(location, name) for name in table["parameter"]]
    return pd.concat([table, *_further(posterior)], ignore_index=True)


def _further(posterior: Posterior) -> Iterator[pd.DataFrame]:
    """The coefficients of further parameters, which are conditional."""
    for one in posterior.design.predictors.fixed[1:]:
        draws = posterior.coefficients(one.parameter)
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        columns = {"estimate": np.median(draws, axis=0), "sd": draws.std(axis=0), "lower": low, "upper": high}
        terms = [effect_name(one.parameter, name) for name in one.coefficients]
        yield pd.DataFrame({"effect": CONDITIONAL, "parameter": terms} | columns)


def _sentences(posterior: Posterior, table: pd.DataFrame, fits: Mapping[str, ApproxFit]) -> tuple[str, ...]:
    """What the numbers say."""
    wide = table.pivot(index=["effect", "parameter"], columns="method", values="estimate")
    ours = table[table["method"] == POSTERIOR].set_index(["effect", "parameter"])["sd"].reindex(wide.index)
    known = ours > 0
    distance = wide[known].sub(wide.loc[known, POSTERIOR], axis=0).div(ours[known], axis=0)
    sentences = _agreement(wide, distance, list(fits))
    for block in posterior.design.blocks:
        sentences += _of_spreads(posterior, block, wide)
    exact = "AGHQ" in fits and not fits["AGHQ"].messages
    if exact and (distance["AGHQ"].abs() > AGREE).any():
        sentences.append(
            "AGHQ has no error of integration here: where it differs from the posterior, it is by the priors, and as a "
            "maximum differs from a median."
        )
    if any(method.averaged for method in METHODS if method.name in fits):
        sentences.append("GEE estimates population-averaged coefficients alone: compare it with those of the others.")
    return tuple(sentences)


def _of_spreads(posterior: Posterior, block: RandomBlock, wide: pd.DataFrame) -> list[str]:
    """How far the standard deviations of Laplace and PQL are from those of quadrature, and why."""
    if "AGHQ" not in wide:
        return []
    binary = posterior.spec.family.response.events
    rows = len(block.index) if posterior.design.trials is None else posterior.design.trials.sum()
    few = f"about {rows / len(block.levels):.2g} {'binary responses' if binary else 'rows'} a level of {block.group}"
    why = {
        "Laplace": f"{few} leave the random effects far from Gaussian, as Laplace supposes them",
        "PQL": f"with {few} it is biased towards 0"
        if binary
        else "it takes the response as Gaussian around its working mean",
    }
    sentences = []
    for name in [name for name in why if name in wide]:
        found = wide.loc[[(f"sd of {block.group}", effect) for effect in block.effects]]
        change = (found[name] / found["AGHQ"].where(found["AGHQ"] > SINGULAR) - 1.0).dropna()
        if len(change) and change.abs().max() > SHARE:
            at: Any = change.abs().idxmax()
            side = "below" if change[at] < 0 else "above"
            sentences.append(
                f"The standard deviation of {at[1]} by {block.group} is {found.loc[at, name]:.3g} by {name}, "
                f"{abs(change[at]):.0%} {side} that by AGHQ, {found.loc[at, 'AGHQ']:.3g}: {why[name]}."
            )
    return sentences


def _agreement(wide: pd.DataFrame, distance: pd.DataFrame, methods: list[str]) -> list[str]:
    """Which methods agree, and of the others where they differ most."""
    agree, differ = [], []
    for name in methods:
        off = distance[name].dropna()
        if off.empty:
            continue
        worst: Any = off.abs().idxmax()
        if abs(off[worst]) <= AGREE:
            agree.append(name)
        else:
            differ.append(
                f"{name} differs from the posterior most in {worst[1]} ({worst[0]}): {wide.loc[worst, name]:.3g} "
                f"against {wide.loc[worst, POSTERIOR]:.3g}, {abs(off[worst]):.2g} posterior sds."
            )
    if agree:
        verb = "agrees" if len(agree) == 1 else "agree"
        differ.insert(0, f"{listed(agree)} {verb} with the posterior: all estimates within {AGREE:g} posterior sds.")
    return differ


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    Examples
    --------
    >>> listed(["Laplace", "PQL", "GEE"])
    'Laplace, PQL and GEE'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
