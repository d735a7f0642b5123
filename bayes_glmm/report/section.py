"""Section: one part of the report, a title and a function from a posterior to HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from bayes_glmm.posterior import Posterior


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes
    ----------
    title : str
        The heading.
    anchor : str
        Its id in the page.
    render : function
        ``Posterior -> HTML``. It builds HTML with :mod:`bayes_glmm.report.html`, which escapes what comes from the
        data.
    """

    title: str
    anchor: str
    render: Callable[[Posterior], Markup]
