"""Methods and results in sentences, to copy into a paper."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bayes_glmm.diagnostics import Checks
from bayes_glmm.effects import Estimates
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.answer import Answer
from bayes_glmm.report.describe import describe
from bayes_glmm.report.html import copied, heading, paragraph

_NOTE = (
    "Written from the model and its estimates: check that the words fit your question. <code>fit.describe()</code> "
    "returns the default comparisons in the same words."
)


def render_paper(
    posterior: Posterior, checks: Checks, answers: Sequence[Answer] = (), comparisons: Sequence[Estimates] = ()
) -> Markup:
    """A paragraph of methods, one of results, and the references, each with a button that copies it."""
    found = describe(posterior, checks, comparisons, answers)
    parts = {"Methods": found.methods, "Results": found.results, "References": "\n".join(found.references)}
    body = [heading(title) + copied(text) for title, text in parts.items()]
    return Markup("").join([paragraph(_NOTE, kind="note"), *body])
