"""Whether the draws and the model can be used: the checks and the findings, before any result."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bayes_glmm.design import Finding, findings
from bayes_glmm.diagnostics import Checks
from bayes_glmm.diagnostics.check import number_text
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.html import badge, bullets, details, heading, paragraph, table

_TITLES = {
    "convergence": ("Sampling", {"fit to use": "fit to use", "look": "look", "do not use": "do not use"}),
    "predictive": ("Model", {"fit to use": "fits", "look": "look", "do not use": "does not fit"}),
}


def render_verdict(posterior: Posterior, *groups: Checks) -> Markup:
    """The verdict in a sentence and what to do, the findings about the design, then all checks, group by group."""
    parts = [*(_banner(checks) for checks in groups), _findings(findings(posterior.spec, posterior.design))]
    for checks in groups:
        parts.append(details(f"The {len(checks.checks)} checks: {checks.group}", checks_table(checks)))
    return Markup("").join(parts)


def _banner(checks: Checks) -> Markup:
    what, words = _TITLES[checks.group]
    missed = bullets(
        f"{item.title} {number_text(item.value)} ({item.threshold_text}); {item.finding}" for item in checks.not_passed
    )
    advice = heading("What to do") + bullets(checks.advice) if checks.advice else Markup("")
    mark = badge(checks.verdict, words[checks.verdict])
    body = paragraph("<strong>{what}</strong> {mark} {sentence}", what=what, mark=mark, sentence=checks.meaning)
    return Markup('<div class="banner {}">{}{}{}</div>').format(
        checks.verdict.replace(" ", "-"), body, missed if checks.not_passed else Markup(""), advice
    )


def _findings(found: Sequence[Finding]) -> Markup:
    """What is known about the data and the formula without the draws."""
    if not found:
        return Markup("")
    items = Markup("").join(Markup("<li>{} {}</li>").format(each.what, each.advice) for each in found)
    body = paragraph("<strong>Data and formula</strong> {mark}", mark=badge("look", "findings"))
    return Markup('<div class="banner look">{}<ul>{}</ul></div>').format(body, items)


def checks_table(checks: Checks) -> Markup:
    """One row per check, and the sources of the thresholds."""
    done, skipped = checks.checks, checks.skipped
    none = [""] * len(skipped)
    sources = dict.fromkeys(source for item in done for source in item.source.split("; "))
    return table(
        {
            "check": [*(item.title for item in done), *(item.title for item in skipped)],
            "verdict": [*(badge(item.verdict) for item in done), *none],
            "value": [*(number_text(item.value) for item in done), *none],
            "threshold": [*(item.threshold_text for item in done), *none],
            "finding": [*(item.finding for item in done), *(item.reason for item in skipped)],
        }.items()
    ) + paragraph("Thresholds after: {sources}.", kind="note", sources="; ".join(sources))
