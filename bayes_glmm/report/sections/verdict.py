"""Whether to believe what follows: the checks, before any result."""

from __future__ import annotations

from markupsafe import Markup

from bayes_glmm.diagnostics import Checks, check
from bayes_glmm.diagnostics.check import number_text
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.html import badge, bullets, details, heading, paragraph, table

_SENTENCES = {
    "convergence": {
        "fit to use": "The chains agree and are long enough: the numbers below can be used.",
        "look": "The numbers below can be used with care: some checks of the chains miss their threshold.",
        "do not use": "Do not use the numbers below: the chains have not found the posterior distribution.",
    },
    "predictive": {
        "fit to use": "Data that the model replicates look like the data observed.",
        "look": "In some respect, the data observed are unusual for the model.",
        "do not use": "The model does not describe the data: intervals and probabilities below depend on it.",
    },
}

_LENGTH = {"ess_bulk", "ess_tail", "mcse"}  # checks of whether there are draws enough, not of whether they are right
_TOO_SHORT = "Do not use the numbers below yet: the chains are too short for them."
_TITLES = {
    "convergence": ("Sampling", {"fit to use": "fit to use", "look": "look", "do not use": "do not use"}),
    "predictive": ("Model", {"fit to use": "fits", "look": "look", "do not use": "does not fit"}),
}


def render_verdict(posterior: Posterior) -> Markup:
    """The verdict in a sentence, then both groups of checks, then what to do."""
    groups = {name: check(posterior, name) for name in ("convergence", "predictive")}
    parts = [_banner(name, checks) for name, checks in groups.items()]
    for name, checks in groups.items():
        parts.append(details(f"The {len(checks.checks)} checks: {name}", checks_table(checks)))
    return Markup("").join(parts)


def _banner(name: str, checks: Checks) -> Markup:
    sentence = _SENTENCES[name][checks.verdict]
    if name == "convergence" and {item.name for item in checks.not_passed if item.verdict == "fail"} <= _LENGTH:
        sentence = _TOO_SHORT if checks.verdict == "do not use" else sentence
    if not checks.checks:
        sentence = "Nothing could be checked: these draws were given, not sampled."
    what, words = _TITLES[name]
    missed = bullets(
        f"{item.title} {number_text(item.value)} ({item.threshold_text}); {item.finding}" for item in checks.not_passed
    )
    advice = heading("What to do") + bullets(checks.advice) if checks.advice else Markup("")
    mark = badge(checks.verdict, words[checks.verdict])
    body = paragraph("<strong>{what}</strong> {mark} {sentence}", what=what, mark=mark, sentence=sentence)
    return Markup('<div class="banner {}">{}{}{}</div>').format(
        checks.verdict.replace(" ", "-"), body, missed if checks.not_passed else Markup(""), advice
    )


def checks_table(checks: Checks) -> Markup:
    """One row a check."""
    done, skipped = checks.checks, checks.skipped
    none = [""] * len(skipped)
    return table(
        {
            "check": [*(item.title for item in done), *(item.title for item in skipped)],
            "verdict": [*(badge(item.verdict) for item in done), *none],
            "value": [*(number_text(item.value) for item in done), *none],
            "threshold": [*(item.threshold_text for item in done), *none],
            "finding": [*(item.finding for item in done), *(item.reason for item in skipped)],
            "source of the threshold": [*(item.source for item in done), *none],
        }
    )
