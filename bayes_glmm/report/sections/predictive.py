"""The data beside data that the fitted model replicates."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from bayes_glmm.design.recensor import UNKNOWN, censoring_limits
from bayes_glmm.diagnostics import Checks, check
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.html import badge, figure, heading, interval, paragraph, table
from bayes_glmm.report.loo_figures import pareto_figure
from bayes_glmm.report.predictive_figures import predictive_figure
from bayes_glmm.report.residual_figures import calibration_figure, residual_figure
from bayes_glmm.report.sections.verdict import checks_table

LOO_VALUES = 20_000_000  # rows times draws; above, leaving out takes longer than a reader waits
# of checks that were not skipped
_PICTURES = {"pit": residual_figure, "calibration": calibration_figure}
_MISSED = ("loo", "loo_groups")  # of checks that did not pass


def render_predictive(posterior: Posterior, checks: Checks) -> Markup:
    """A picture, the statistics, and leave-one-out."""
    comparable = censoring_limits(posterior.design) is not None
    picture = (
        figure(*predictive_figure(posterior)) if comparable else paragraph("{reason}", reason=UNKNOWN, kind="note")
    )
    rows = [(item, row) for item in checks.checks for row in item.evidence.to_dict("records")]
    columns = {
        "statistic": [item.title for item, _ in rows],
        "of": [row["statistic"] for _, row in rows],
        "observed": [row["observed"] for _, row in rows],
        "replicated (95 %)": [interval(row["lower"], row["upper"]) for _, row in rows],
        "P(replicated > observed)": [f"{row['p']:.3f}" for _, row in rows],
        "verdict": [badge(item.verdict) for item, _ in rows],
    }
    among_many = " The verdict on the shares of categories allows for their number."
    explained = paragraph(
        "Each statistic of the data beside the same statistic of replicated data. Group means are replicated with new "
        "groups from N(0, G), the other statistics with the estimated groups. A probability near 0 or 1 means that the "
        "model rarely produces such a statistic." + among_many * bool(posterior.spec.family.categories),
        kind="note",
    )
    return picture + table(columns.items()) + explained + _loo(posterior)


def _loo(posterior: Posterior) -> Markup:
    size = int(np.prod(posterior.sample_shape)) * len(posterior.design.y)
    if size > LOO_VALUES:
        return paragraph(
            'The report omits leave-one-out for data of this size; <code>fit.check("loo")</code> computes it.'
        )
    found = check(posterior, "loo")
    if not found.checks:
        return Markup("")
    return (
        heading("Leaving out rows and groups")
        + checks_table(found)
        + paragraph(
            "How well each row, and each group, is predicted from the rest, by Pareto-smoothed importance sampling. By "
            "row, the other rows of its group are known: new rows of <em>known</em> groups. By group, random effects "
            "are averaged out: <em>new</em> groups.",
            kind="note",
        )
        + Markup("").join(paragraph("{advice}", advice=advice) for advice in found.advice)
        + Markup("").join(figure(*pareto_figure(item)) for item in found.not_passed if item.name in _MISSED)
        + Markup("").join(figure(*_PICTURES[item.name](posterior)) for item in found.checks if item.name in _PICTURES)
    )
