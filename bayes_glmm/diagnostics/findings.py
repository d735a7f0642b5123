"""What is known before sampling, as part of the verdict: an answer that rests on the prior needs a look."""

from __future__ import annotations

import pandas as pd

from bayes_glmm.design import findings
from bayes_glmm.diagnostics.check import Check, Skipped
from bayes_glmm.diagnostics.marginal_posterior import GIVEN, is_given
from bayes_glmm.posterior import Posterior

SOURCE = (
    "Albert & Anderson (1984), Biometrika 71, 1-10, on separation; Gelman & Hill (2007), section 12.9, on few levels"
)


def check_findings(posterior: Posterior) -> Check | Skipped:
    """Do findings concern the verdict? Never fails: the draws are right, and part of the answer rests on the prior.

    Findings of weight "note" are in the evidence with the value 0.
    """
    if is_given(posterior):
        return Skipped("findings", "Findings", GIVEN)
    known = sorted(findings(posterior.spec, posterior.design), key=lambda found: found.weight != "look")
    weighty = [found for found in known if found.weight == "look"]
    return Check(
        "findings", "Findings", "look" if weighty else "pass", len(weighty), 0, "below",
        finding=", ".join(dict.fromkeys(found.name for found in known)) or "none",
        evidence=pd.DataFrame({
            "finding": [f"{found.name} [{found.where}]" for found in known],
            "value": [float(found.weight == "look") for found in known],
            "what": [found.what for found in known],
        }),
        advice=tuple(f"{found.what} {found.advice}" for found in weighty),
        source=SOURCE,
    )  # fmt: skip
