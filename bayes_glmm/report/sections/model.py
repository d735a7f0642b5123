"""The model: equations with their priors, the specification, versions, seed and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from markupsafe import Markup

from bayes_glmm.design.notation import equations
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.html import code, heading, paragraph, table


def render_model(posterior: Posterior) -> Markup:
    """Equations, where the priors come from, and provenance."""
    lines = "\n".join(equations(posterior.spec, posterior.design, posterior.priors))
    given = sorted(posterior.priors.given)
    source = f"Given priors: {', '.join(given)}. The other priors are" if given else "All priors are"
    parts = [
        paragraph("<code>{spec}</code>", spec=posterior.spec),
        code(lines),
        paragraph("{source} defaults, scaled from the data.", source=source),
        heading("Specification"),
        code(yaml.safe_dump(posterior.spec.to_dict(), sort_keys=False, allow_unicode=True)),
    ]
    if posterior.provenance:
        rows = dict(_flat(posterior.provenance))
        parts += [heading("How it was computed"), table({"setting": list(rows), "value": list(rows.values())}.items())]
    return Markup("").join(parts)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}: ")
        else:
            yield f"{prefix}{key}", str(value)
