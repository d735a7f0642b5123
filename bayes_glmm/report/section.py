"""Section: one part of the report, a title and a function from a posterior, and checks of it, to HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup


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
        ``(Posterior, *Checks) -> HTML``. It builds HTML with :mod:`bayes_glmm.report.html`, which escapes what comes
        from the data. The report leaves out a section without HTML.
    checks : tuple of str
        The groups of checks that ``render`` takes after the posterior; made once for the whole report.
    takes : tuple of str
        Further arguments of ``render``, by keyword: ``answers`` (what was asked) and ``comparisons`` (default
        comparisons that are already made).
    """

    title: str
    anchor: str
    render: Callable[..., Markup]
    checks: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
