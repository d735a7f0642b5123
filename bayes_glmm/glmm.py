"""The face: ``GLMM`` states a model for data, ``Fit`` holds its posterior. Every method is one call downward."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from bayes_glmm import effects, notebook
from bayes_glmm.design import Design, Finding, Priors, Problem, build_design, findings, resolve_priors
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Family
from bayes_glmm.posterior import Posterior, load_posterior
from bayes_glmm.predictive import log_likelihood, replicate
from bayes_glmm.spec import ModelSpec, Prior
from bayes_glmm.summaries import IntervalKind

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr
    from distributed import Client

    from bayes_glmm.approx import CrossCheck
    from bayes_glmm.diagnostics import Checks
    from bayes_glmm.report import Description


class GLMM:
    """A generalized linear mixed model for a data set; immutable.

    Parameters
    ----------
    formula : str, list of str or ModelSpec
        In lme4's notation: ``"y ~ x + (1 + x | g)"``. In a list, formulas of further parameters of the family follow
        that of the response: ``["y ~ x + (1 |i| g)", "sigma ~ z + (1 |i| g)"]``; effects with the same name between
        two bars are correlated. Beside the response stands what is known of it, after a bar: ``trials(n)``,
        ``rate(t)``, ``se(s)``, ``weights(w, precision)``, ``weights(w, frequency)``, ``weights(w, sampling)``,
        ``cens(c, y2)``, ``trunc(lb, ub)``. A ModelSpec brings its own family, link and priors.
    data : DataFrame
        Of pandas, or a table that exports Arrow columns, such as those of polars, pyarrow and DuckDB.
    family : str or Family
        A name in ``bayes_glmm.FAMILIES``: ``gaussian``, ``bernoulli``, ``poisson``, ``negative_binomial``,
        ``lognormal``, ``zero_inflated_poisson``, ``cumulative`` for ordered categories, ``categorical`` for others, and
        more. Or a :class:`Family` of your own: see :func:`bayes_glmm.families.check_family`.
    link : str or mapping of parameter to str, optional
        A link of the family; its usual one by default. Of further parameters by name: ``{"zi": "probit"}``.
    priors : mapping of str to str or Prior, optional
        Priors by name, such as ``{"beta": "Normal(0, 1)", "sd_g": "Exponential(1)"}``; see :attr:`priors`.
    missing : {"error", "drop"}
        What to do with rows that have missing values in used columns. Of those left out, the fit's
        ``missing_responses`` predicts the ones that miss the response alone.
    formulas : mapping of str to str, optional
        Right-hand sides of further parameters, another way to write the list: ``{"zi": "z + (1 | g)"}``.
    thresholds : {"flexible", "equidistant", "symmetric"}, optional
        The pattern of the thresholds of ordered categories; flexible by default.
    reference : str or number, optional
        Of categories without an order the one that others are compared with; the first by default.

    Attributes
    ----------
    spec : ModelSpec
    design : Design
    priors : Priors
        One a parameter; print it, or take its ``table``.

    Raises
    ------
    SpecError
        For a formula, family, link or prior that cannot be.
    DataError
        For data that do not fit the model.

    Examples
    --------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"y": [0, 1, 3, 2], "g": ["a", "a", "b", "b"]})
    >>> GLMM("y ~ (1 | g)", data, family="poisson").design.block("g").levels
    ('a', 'b')
    """

    spec: ModelSpec
    design: Design
    priors: Priors

    def __init__(
        self,
        formula: str | Sequence[str] | ModelSpec,
        data: pd.DataFrame,
        family: str | Family | None = None,
        link: str | Mapping[str, str] | None = None,
        priors: Mapping[str, str | Prior] | None = None,
        missing: Literal["error", "drop"] = "error",
        formulas: Mapping[str, str] | None = None,
        thresholds: str | None = None,
        reference: str | int | None = None,
    ) -> None:
        if isinstance(formula, ModelSpec):
            if family or link or priors or formulas or thresholds or reference is not None:
                raise SpecError("A ModelSpec brings its own family, link and priors.", advice="Give them once.")
            self.spec = formula
        else:
            family = family or "gaussian"
            self.spec = ModelSpec.from_formula(formula, family, link, priors, formulas, thresholds, reference)
        self.design = build_design(self.spec, data, missing)
        self.spec = self.spec.of(self.design.categories, self.design.occasions)
        self.priors = resolve_priors(self.spec, self.design)

    @cached_property
    def problem(self) -> Problem:
        """Specification, design and priors in one record."""
        return Problem(self.spec, self.design, self.priors)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What to know before sampling: separation, levels with one row, columns on very different scales."""
        return findings(self.spec, self.design)

    @cached_property
    def pymc(self) -> pm.Model:
        """The plain PyMC model: yours to graph, extend and sample."""
        from bayes_glmm.model import build_model

        return build_model(self.problem)

    def prior_predictive(self, draws: int = 500, seed: int = 0) -> xr.DataTree:
        """Draws from the prior and of responses under it: groups ``prior`` and ``prior_predictive``."""
        import pymc as pm

        with warnings.catch_warnings():
            # of draws that Python makes
            warnings.filterwarnings("ignore", "Numba will use object mode", UserWarning)
            return pm.sample_prior_predictive(draws, model=self.pymc, random_seed=seed)

    def fit(
        self,
        draws: int = 1000,
        tune: int | None = None,
        chains: int = 4,
        seed: int | None = None,
        engine: str = "nutpie",
        coordinates: str = "auto",
        target_accept: float = 0.8,
        max_treedepth: int = 10,
        cores: int = 0,
        progress: bool = True,
        client: Client | None = None,
    ) -> Fit:
        """Draw from the posterior with NUTS.

        Parameters
        ----------
        draws, chains
            Draws kept of each chain, and how many chains.
        tune : int, optional
            Warm-up draws of each chain; without, as many as the coordinates need.
        seed : int, optional
            The same seed on the same machine gives the same draws; without one, a fresh seed is drawn and recorded.
        engine : {"nutpie", "pymc", "numpyro"}
        coordinates : {"auto", "plain", "whitened", "integrated"}
            What the sampler moves in; the posterior is the same in all.
        target_accept, max_treedepth, cores, progress
            See :class:`bayes_glmm.inference.Settings`.
        client : distributed.Client, optional
            A dask cluster on whose workers to draw the chains, one task each; the draws are the same.

        Returns
        -------
        Fit

        Raises
        ------
        SpecError
            For settings or priors that cannot be.
        SamplingError
            If the engine is not installed, or the cluster is lost.
        """
        from bayes_glmm.inference import Settings, sample

        seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
        settings = Settings(
            draws=draws,
            tune=tune,
            chains=chains,
            seed=seed,
            engine=engine,
            coordinates=coordinates,
            target_accept=target_accept,
            max_treedepth=max_treedepth,
            cores=cores,
            progress=progress,
        )
        return Fit(sample(self.problem, settings, client=client))

    def __str__(self) -> str:
        from bayes_glmm.design.notation import equations

        return "\n".join([*equations(self.spec, self.design, self.priors), *_notes(self.findings)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return notebook.preformatted(self)


@dataclass(frozen=True)
class Fit(effects.EffectMethods):
    """A model with its posterior.

    Attributes
    ----------
    posterior : Posterior
        The record that every function of ``effects``, ``diagnostics`` and ``report`` takes.
    """

    posterior: Posterior

    def _ask(self, question: Callable[..., effects.Estimates], *arguments: Any, **options: Any) -> effects.Estimates:
        # draws of very large sds overflow under a log link: estimates are medians and stand it, or are missing
        with np.errstate(over="ignore", invalid="ignore"):
            return question(self.posterior, *arguments, **options)

    @property
    def idata(self) -> xr.DataTree:
        """The ArviZ DataTree."""
        return self.posterior.draws

    @property
    def spec(self) -> ModelSpec:
        """What was asked for."""
        return self.posterior.spec

    @property
    def design(self) -> Design:
        """The data in the model's terms."""
        return self.posterior.design

    def summary(
        self, *, level: float = 0.95, interval: IntervalKind = "eti", random_effects: bool = False
    ) -> pd.DataFrame:
        """Median, interval, ESS and R-hat of each parameter; see :func:`bayes_glmm.diagnostics.summary`."""
        from bayes_glmm.diagnostics import summary

        return summary(self.posterior, level, interval, random_effects)

    def ranef(
        self, group: str | None = None, *, level: float = 0.95, interval: IntervalKind = "eti"
    ) -> effects.Estimates:
        """Random effects of levels; see :func:`bayes_glmm.effects.ranef`."""
        return self._ask(effects.ranef, group, level=level, interval=interval)

    def ranks(
        self,
        group: str | None = None,
        term: str | None = None,
        *,
        worst: float = 0.1,
        first: Literal["highest", "lowest"] = "highest",
        level: float = 0.95,
        interval: IntervalKind = "eti",
    ) -> effects.Estimates:
        """Ranks of levels by a random effect; see :func:`bayes_glmm.effects.ranks`."""
        return self._ask(effects.ranks, group, term, worst=worst, first=first, level=level, interval=interval)

    def check(self, group: str = "convergence") -> Checks:
        """Check the draws (``"convergence"``) or the model (``"predictive"``, ``"loo"``, ``"sensitivity"``).

        The result is false in ``if`` where a check fails.
        """
        from bayes_glmm.diagnostics import check

        return self._convergence if group == "convergence" else check(self.posterior, group)

    @cached_property
    def _convergence(self) -> Checks:
        """The verdict on the draws, which looks for modes: seconds."""
        from bayes_glmm.diagnostics import check

        return check(self.posterior, "convergence")

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What was known before sampling; those that concern the verdict are part of :meth:`check`."""
        return findings(self.spec, self.design)

    def cross_check(self) -> CrossCheck:
        """The same quantities by Laplace, adaptive quadrature, PQL and GEE, and where and why they differ."""
        from bayes_glmm.approx import cross_check

        return cross_check(self.posterior)

    def with_log_likelihood(self) -> Fit:
        """Add the group ``log_likelihood``: rows times draws numbers."""
        return self._with("log_likelihood", log_likelihood(self.posterior).to_dataset())

    def with_posterior_predictive(self, draws: int = 500, seed: int = 0) -> Fit:
        """Add the group ``posterior_predictive``: ``draws`` replicated data sets, evenly spread over the chains."""
        import xarray as xr

        values = replicate(self.posterior, draws, seed)[None]
        group = xr.Dataset({self.design.response_variable: (("chain", "draw", "row"), values)})
        return self._with("posterior_predictive", group)

    def _with(self, name: str, group: xr.Dataset) -> Fit:
        import xarray as xr

        groups = {key: node.to_dataset() for key, node in self.idata.children.items()} | {name: group}
        return Fit(replace(self.posterior, draws=xr.DataTree.from_dict(groups)))

    def describe(self) -> Description:
        """Methods and results in sentences for a paper, from the default comparisons of all variables."""
        from bayes_glmm.report import describe

        return describe(self.posterior, self.check())

    def report(self, path: str | Path, title: str | None = None) -> Path:
        """Write the report, one HTML file."""
        from bayes_glmm.report import render

        render(self.posterior, path, title=title)
        return Path(path)

    def save(self, folder: str | Path) -> Path:
        """Write the posterior into a folder; :func:`bayes_glmm.load` reads it."""
        return self.posterior.save(folder)

    def __str__(self) -> str:
        notes = _notes(found for found in self.findings if found.weight == "note")
        table = self.summary().to_string(float_format=lambda value: f"{value:.4g}")
        return "\n".join([f"{self.spec}\n\n{table}\n\n{self.check()}", *notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        notes = [found for found in self.findings if found.weight == "note"]
        summary = self.summary().rename_axis("parameter").reset_index()
        parts = [notebook.paragraph(self.spec), notebook.table(summary), self.check()._repr_html_()]
        return "\n".join([*parts, notebook.items(notes)])


def _notes(found: Iterable[Finding]) -> list[str]:
    """Findings as lines of text, below a heading; none without findings."""
    lines = [textwrap.fill(str(finding), 110, initial_indent="  - ", subsequent_indent="    ") for finding in found]
    return ["", "Findings", *lines] if lines else []


def load(folder: str | Path, family: Family | None = None) -> Fit:
    """Read a saved fit.

    Parameters
    ----------
    folder : str or Path
    family : Family, optional
        The family of a model with a family of your own: files have its name, and no code.

    Raises
    ------
    DataError
        If the folder does not hold one; if its family is missing, or another than the one given.
    """
    return Fit(load_posterior(folder, family))
