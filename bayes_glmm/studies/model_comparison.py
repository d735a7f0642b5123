"""Models of the same data side by side: leave-one-out, weights, and estimates averaged over the models.

Leave-one-out ranks models of the *same* response in the *same* rows; of others it would rank data. By row it asks about
new rows of known groups; by group, with the random effects integrated out, about new groups. Differences of elpd and
their standard errors are ArviZ's (Vehtari, Gelman & Gabry 2017, Statistics and Computing 27, 1413-1432), weights those
of stacking (Yao et al. 2018, Bayesian Analysis 13, 917-1007).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_glmm import notebook
from bayes_glmm.diagnostics import LOO, loo_by_group, loo_by_row
from bayes_glmm.diagnostics.group_likelihood import level_blocks
from bayes_glmm.diagnostics.loo_groups import why_not
from bayes_glmm.effects.columns import columns_of_table
from bayes_glmm.effects.estimands import ESTIMANDS
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.errors import DataError, SpecError, choices
from bayes_glmm.glmm import Fit
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import Interval, IntervalKind

FAILING = "k too large"


@dataclass(frozen=True)
class ModelComparison:
    """Models compared by leave-one-out.

    Attributes
    ----------
    table : DataFrame
        One row per model, best first: ``model``, ``elpd`` (expected log predictive density; higher is better), ``se``,
        ``elpd_diff`` (its elpd less the best model's), ``dse`` (standard error of that difference), ``p``
        (effective number of parameters), ``weight`` (of stacking), and ``k too large``, the number of items whose elpd
        is not to be trusted.
    loos : mapping of str to LOO
        By model.
    """

    table: pd.DataFrame
    loos: Mapping[str, LOO]

    @property
    def by(self) -> str | None:
        """The grouping factor whose levels are left out; None for rows."""
        return next(iter(self.loos.values())).by

    @property
    def weights(self) -> dict[str, float]:
        """Stacking weights by model; they add up to 1."""
        return dict(zip(self.table["model"], self.table["weight"].astype(float), strict=True))

    def average(
        self,
        estimates: Mapping[str, Estimates],
        *,
        level: float = 0.95,
        interval: IntervalKind = "eti",
        seed: int = 0,
    ) -> Estimates:
        """Average the answers of the models to one question by their stacking weights.

        Each draw of the average is a draw of one of the models, chosen with the probability of its weight: intervals
        have the uncertainty within models and between them.

        Parameters
        ----------
        estimates : mapping of str to Estimates
            The same question to each model with a weight, such as
            ``{name: fit.compare("x") for name, fit in fits.items()}``.
        level : float
            Posterior probability of the intervals, between 0 and 1.
        interval : {"eti", "hdi"}
            Equal-tailed, or the shortest (highest density).
        seed : int
            Of the choice of models.

        Raises
        ------
        SpecError
            If a model is missing, or the answers have different rows or numbers of draws.
        """
        names = list(self.loos)
        if missing := [name for name in names if name not in estimates]:
            raise SpecError(f"There are no estimates of the model {missing[0]!r}.", advice="Give those of each model.")
        # a model without a column of the others has no label for it
        own = {name: columns_of_table(estimates[name].table).all_labels for name in names}
        most = max(names, key=lambda name: len(own[name]))
        first, columns = estimates[most], columns_of_table(estimates[most].table)
        labels = first.table[list(own[most])]
        for name in names:
            other, shared = estimates[name], [label for label in own[name] if label in own[most]]
            if other.draws.shape != first.draws.shape or not labels[shared].equals(other.table[shared]):
                raise SpecError(
                    f"The estimates of {name!r} have other rows or draws than those of {most!r}.",
                    advice="Ask the same question of all models, fitted with the same number of draws.",
                )
        stacked = np.stack([estimates[name].draws.to_numpy() for name in names])  # model, chain, draw, estimate
        shares = np.array([self.weights[name] for name in names])
        chosen = np.random.default_rng(seed).choice(len(names), size=stacked.shape[1:3], p=shares / shares.sum())
        draws = np.take_along_axis(stacked, chosen[None, :, :, None], axis=0)[0]
        null = None
        if columns.estimand is not None:
            null = np.array([ESTIMANDS[name].null for name in labels[columns.estimand]])
        text = ", ".join(f"{name} {share:.2f}" for name, share in zip(names, shares, strict=True))
        what = f"{first.description.partition(' Posterior ')[0]} Averaged over models by stacking weights: {text}."
        asked = Interval(level, interval)
        return tidy(draws.reshape(-1, draws.shape[2]), labels, asked, draws.shape[:2], what, null)

    @property
    def notes(self) -> tuple[str, ...]:
        """The meaning of the table, and whether some of it is not to be trusted."""
        what = f"new levels of {self.by}" if self.by else "new rows of known groups"
        meaning = (
            f"Expected log predictive density (elpd) of {what}, best model first. A difference within two standard "
            "errors (dse) decides nothing."
        )
        failing = int(self.table[FAILING].sum())
        doubt = (
            f"{failing} leave-one-out densities are not to be trusted: bg.refit_bad(fit, comparison.loos[name]) refits "
            "without each of them; bg.kfold refits by parts."
        )
        return (meaning, doubt) if failing else (meaning,)

    def __str__(self) -> str:
        meaning, *doubt = self.notes
        return "\n".join([meaning, self.table.to_string(index=False, float_format="{:.2f}".format), *doubt])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        meaning, *doubt = map(notebook.paragraph, self.notes)
        return "\n".join([meaning, notebook.table(self.table), *doubt])


def compare_models(fits: Mapping[str, Fit], by: str | None = None) -> ModelComparison:
    """Compare models of the same data by leave-one-out.

    Parameters
    ----------
    fits : mapping of str to Fit
        Two or more, by the name that the table shows.
    by : str, optional
        A grouping factor of all models whose levels are left out, with their random effects integrated out: how well
        does each predict *new* groups? By default rows: how well does each predict new rows of known groups?

    Returns
    -------
    ModelComparison

    Raises
    ------
    SpecError
        If there are fewer than two models, or one of them lacks the grouping factor.
    DataError
        If the models have different responses or rows, or their densities cannot be compared.
    """
    if not isinstance(fits, Mapping) or len(fits) < 2:
        raise SpecError("A comparison takes two models or more, by name.", advice='Write {"a": fit_a, "b": fit_b}.')
    posteriors = {str(name): fit.posterior for name, fit in fits.items()}
    (first, one), *others = posteriors.items()
    for name, other in others:
        if reason := not_comparable(one, other):
            raise DataError(f"{first} and {name} cannot be compared by leave-one-out: {reason}")
    if by is None:
        return ranked({name: loo_by_row(posterior) for name, posterior in posteriors.items()})
    shared = shared_groups(list(posteriors.values()))
    if by not in shared:
        raise SpecError(
            f"Levels of {by!r} cannot be left out of all models.",
            advice=choices(by, shared) if shared else "The models share no grouping factor whose levels can be.",
        )
    return ranked({name: loo_by_group(posterior, by) for name, posterior in posteriors.items()})


def ranked(loos: Mapping[str, LOO]) -> ModelComparison:
    """Return models by their elpd, best first, with differences and stacking weights."""
    from arviz_stats import compare as compare_elpd

    table = compare_elpd({name: loo.to_arviz() for name, loo in loos.items()}, round_to="none")
    table = table[["elpd", "se", "elpd_diff", "dse", "p", "weight"]].rename_axis("model").reset_index()
    return ModelComparison(table.assign(**{FAILING: [len(loos[name].failing) for name in table["model"]]}), loos)


def not_comparable(one: Posterior, other: Posterior) -> str:
    """Return why leave-one-out would not compare like with like, as a sentence; an empty text if it does."""
    a, b = one.design, other.design
    if a.response != b.response:
        return f"the responses differ: {a.response}, {b.response}."
    if not np.array_equal(a.y, b.y):
        return "they use different rows of the data. Leave the same rows out of both."
    if one.spec.family.discrete != other.spec.family.discrete or _masses(one) != _masses(other):
        return f"one has probabilities, the other densities ({one.spec.family_name}, {other.spec.family_name})."
    return ""


def shared_groups(posteriors: list[Posterior]) -> list[str]:
    """Return grouping factors of all models that put the same rows together and whose levels can be left out."""
    of_models = [{block.group: block for block in level_blocks(posterior.design)} for posterior in posteriors]
    first, *others = of_models
    same = [
        group
        for group, block in first.items()
        if all(group in blocks and np.array_equal(blocks[group].index, block.index) for blocks in others)
    ]
    return [
        group
        for group in same
        if not any(why_not(one, blocks[group]) for one, blocks in zip(posteriors, of_models, strict=True))
    ]


def _masses(posterior: Posterior) -> tuple[float, ...]:
    """The values that have a probability beside a density."""
    return posterior.spec.family.response.masses
