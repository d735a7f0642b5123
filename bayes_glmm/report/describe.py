"""Methods and results of a fit in sentences for a paper: each number with its direction, each effect with its owner."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayes_glmm.diagnostics import Checks
from bayes_glmm.effects import Estimates
from bayes_glmm.effects.variance import variance
from bayes_glmm.plots.style import settings
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.answer import Answer
from bayes_glmm.report.comparisons import AVERAGED, VARIABLES, compared, unasked
from bayes_glmm.report.effect_parts import effect_rows, of_categories, one_reading_each
from bayes_glmm.report.html import certainty, number
from bayes_glmm.report.words import Scale, change, listed, scale_of

_PLAIN = {
    "conditional (u = 0)": "at random effects of 0",
    "conditional (this group)": "in the groups of the data",
    "new group": "in a new group",
}
MOST_PRIORS, MOST_CONTRASTS = 8, 12  # more are left to tables
NUTS = "Hoffman & Gelman (2014), Journal of Machine Learning Research 15, 1593-1623"
RHAT = "Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian Analysis 16, 667-718"
PYMC = "Abril-Pla et al. (2023), PeerJ Computer Science 9, e1516"
ARVIZ = "Kumar, Carroll, Hartikainen & Martin (2019), Journal of Open Source Software 4(33), 1143"
LKJ = "Lewandowski, Kurowicka & Joe (2009), Journal of Multivariate Analysis 100, 1989-2001"
PSIS = "Vehtari, Simpson, Gelman, Yao & Gabry (2024), Journal of Machine Learning Research 25(72), 1-58"


@dataclass(frozen=True)
class Description:
    """A fit in words.

    Attributes
    ----------
    methods, results : str
        A paragraph each.
    references : tuple of str
        What ``methods`` rests on.
    """

    methods: str
    results: str
    references: tuple[str, ...]

    def __str__(self) -> str:
        paragraphs = [f"Methods. {self.methods}", f"Results. {self.results}"]
        references = [textwrap.fill(one, 110, subsequent_indent="  ") for one in self.references]
        return "\n\n".join([*(textwrap.fill(text, 110) for text in paragraphs), "\n".join(["References", *references])])

    __repr__ = __str__


def describe(
    posterior: Posterior, checks: Checks, comparisons: Sequence[Estimates] = (), answers: Sequence[Answer] = ()
) -> Description:
    """Describe a fit in sentences for a paper.

    Parameters
    ----------
    posterior : Posterior
    checks : Checks
        Those of convergence.
    comparisons : sequence of Estimates
        Default comparisons that are already made.
    answers : sequence of Answer
        Questions with their estimates, which come before the default comparisons of other variables.
    """
    methods = [_model(posterior), _priors(posterior), _sampling(posterior, checks), _averages(posterior)]
    results = [*_comparisons(posterior, comparisons, answers), *_differences(posterior)]
    nothing = "The model has no variables to compare and no random effects."
    return Description(" ".join(filter(None, methods)), " ".join(results) or nothing, tuple(_references(posterior)))


def _model(posterior: Posterior) -> str:
    spec, design = posterior.spec, posterior.design
    mixed = "mixed " if design.blocks else ""
    rows = f"{len(design.y):,} rows"
    text = (
        f"{design.response.strip('`')} ({rows}) was modelled by a Bayesian generalized linear {mixed}model "
        f"with the {spec.family.title} distribution and the {spec.link_name} link, {_formulas(posterior)}."
    )
    if not design.blocks:
        return text
    groups = [f"{block.group} ({len(block.levels):,} levels; {', '.join(block.effects)})" for block in design.blocks]
    return f"{text} Random effects varied by {listed(groups)}."


def _formulas(posterior: Posterior) -> str:
    written = [str(formula) for formula in posterior.spec.predicted.values()]
    return f"formula{'s' if len(written) > 1 else ''} {listed(written)}"


def _priors(posterior: Posterior) -> str:
    table = posterior.priors.table
    texts = [f"{name} ~ {prior}" for name, prior in zip(table["parameter"], table["prior"], strict=True)]
    given = "given" if posterior.priors.given else "the defaults of bayes_glmm, scaled from the data"
    more = f" and {len(texts) - MOST_PRIORS} more" if len(texts) > MOST_PRIORS else ""
    return f"Priors ({given}): {'; '.join(texts[:MOST_PRIORS])}{more}."


def _sampling(posterior: Posterior, checks: Checks) -> str:
    """A sentence on the sampler, the checks and the verdict."""
    provenance = posterior.provenance
    found = {check.name: check.value for check in checks.checks}
    verdict = f"the verdict was {checks.verdict!r}."
    if "effective_draws" in provenance and "k_hat" in found:
        return (
            "The posterior was approximated by importance resampling around its mode "
            f"({provenance['effective_draws']:,.0f} effective draws, Pareto k {found['k_hat']:.2f}); {verdict}"
        )
    chains, draws = posterior.sample_shape
    numbers = f"{chains} chain{'s' if chains > 1 else ''} of {draws:,} draws"
    if "settings" not in provenance or not {"rhat", "ess_bulk", "ess_tail", "divergences"} <= set(found):
        return f"The posterior is given by {numbers}; {verdict}"
    settings = provenance["settings"]
    engine, tune = settings["engine"], provenance.get("tune", settings["tune"])
    version = provenance.get("versions", {}).get(engine, "")
    warm_up = f" after {tune:,} of warm-up" if tune else ""
    return (
        f"The posterior was sampled by the No-U-Turn sampler ({' '.join(filter(None, (engine, version)))}): {numbers}"
        f"{warm_up}. The largest R-hat was {found['rhat']:.3f}, the smallest bulk and tail effective sample sizes were "
        f"{found['ess_bulk']:,.0f} and {found['ess_tail']:,.0f}, and {found['divergences']:,.0f} of "
        f"{chains * draws:,} transitions diverged; {verdict}"
    )


def _averages(posterior: Posterior) -> str:
    groups = [block.group for block in posterior.design.blocks]
    estimates = "Estimates are posterior medians with 95 % equal-tailed intervals."
    if not groups or not posterior.spec.has_averages:
        return estimates
    return (
        "Population-averaged effects compare predictions averaged over the rows of the data, with the random effects "
        f"of {listed(groups)} integrated out under their estimated distribution. {estimates}"
    )


def _comparisons(posterior: Posterior, comparisons: Sequence[Estimates], answers: Sequence[Answer] = ()) -> list[str]:
    """A sentence per contrast: of the questions that were asked, then of the other variables."""
    asked = [(answer.estimates, scale_of(posterior, answer.part)) for answer in answers if answer.variable]
    others = compared(posterior, unasked(posterior, answers)[:VARIABLES], comparisons)
    asked += [(estimates, scale_of(posterior)) for estimates in others]
    sentences = [sentence for estimates, scale in asked for sentence in _sentences(posterior, estimates, scale)]
    more = len(sentences) - MOST_CONTRASTS
    return sentences[:MOST_CONTRASTS] + ([f"{more} further comparisons are in the tables."] if more > 0 else [])


def _sentences(posterior: Posterior, estimates: Estimates, scale: Scale) -> list[str]:
    """A sentence per contrast or slope of one table."""
    rows = of_categories(effect_rows(estimates.table, compared=True), scale)
    if "estimand" in rows.ours:
        rows = rows[rows.ours["estimand"] == "difference"]
    if not len(rows.ours):
        return []
    rows = one_reading_each(rows)
    records = rows.ours.assign(where=list(map(settings, rows.data.to_dict("records")))).to_dict("records")
    contrasts: dict[str, list[Mapping[Any, Any]]] = {}
    for record in records:
        what = record.get("contrast", "per unit")
        lead = f"For {record['variable']}, {what}{f' ({record["where"]})' if record['where'] else ''}"
        contrasts.setdefault(lead, []).append(record)
    slope = "" if "contrast" in rows.ours else "slope of the "
    return [_sentence(posterior, lead, each, scale, slope) for lead, each in contrasts.items()]


def _sentence(posterior: Posterior, lead: str, readings: Sequence[Mapping[Any, Any]], scale: Scale, slope: str) -> str:
    """A contrast by each reading; of categories, the first reading of each."""
    first, groups = readings[0], [block.group for block in posterior.design.blocks]
    over = f"averaged over {listed(groups) if groups else 'the rows'}"
    whose = {row["effect"]: over if row["effect"] == AVERAGED else _PLAIN.get(row["effect"], "") for row in readings}
    whose = {effect: text or f"by the reading {effect!r}" for effect, text in whose.items()}
    if "category" in first:
        rows = [row for row in readings if row["effect"] == first["effect"]]
        parts = [f"that of {row['category']} was {_change(row, scale, True)}" for row in rows]
        return f"{lead}, {whose[first['effect']]}, by the {slope}{scale.mean}: {'; '.join(parts)}."
    parts = [
        f"{whose[row['effect']]}, {f'the {slope}{scale.mean} was ' if not k else ''}{_change(row, scale, not k)}"
        for k, row in enumerate(readings)
    ]
    return f"{lead}: {'; '.join(parts)}."


def _change(row: Mapping[Any, Any], scale: Scale, with_certainty: bool) -> str:
    side = "higher" if row["estimate"] > 0 else "lower"
    sure = f"; probability that it is {side}: {certainty(float(row['probability']))}" if with_certainty else ""
    return change(float(row["estimate"]), float(row["lower"]), float(row["upper"]), scale, sure)


def _differences(posterior: Posterior) -> list[str]:
    """A sentence on the standard deviation of each effect."""
    if not posterior.design.blocks:
        return []
    table = variance(posterior).table
    own = table["group"].isin([block.group for block in posterior.design.blocks])
    sds = table[own & (table["quantity"] == "sd")]
    ends = sds[["estimate", "lower", "upper"]].to_numpy(float).tolist()
    parts = [
        f"{number(estimate)} for {term} by {group} ({number(lower)} to {number(upper)})"
        for group, term, (estimate, lower, upper) in zip(sds["group"], sds["term"], ends, strict=True)
    ]
    return [f"Standard deviations of the random effects, on the scale of the predictor: {'; '.join(parts)}."]


def _references(posterior: Posterior) -> list[str]:
    sampled = "settings" in posterior.provenance
    correlated = any(block.correlated for block in posterior.design.blocks)
    found = [f"No-U-Turn sampler: {NUTS}." if sampled else f"Importance resampling: {PSIS}."]
    found += [f"R-hat and effective sample sizes: {RHAT}."] if sampled else []
    found += [f"Prior of correlations: {LKJ}."] if correlated else []
    versions = posterior.provenance.get("versions", {})
    software = [f"{name} {versions[name]}" for name in ("bayes-glmm", "pymc", "nutpie", "arviz") if name in versions]
    return [*found, f"PyMC: {PYMC}.", f"ArviZ: {ARVIZ}.", *([f"Software: {', '.join(software)}."] if software else [])]
