"""Let functions of a posterior take a fit as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Protocol, runtime_checkable

from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import Posterior


@runtime_checkable
class HasPosterior(Protocol):
    """A fit: an object with a posterior."""

    @property
    def posterior(self) -> Posterior:
        """Draws and what belongs to them."""
        ...


def takes_fit[**P, R](
    function: Callable[Concatenate[Posterior, P], R],
) -> Callable[Concatenate[Posterior | HasPosterior, P], R]:
    """Return the function with a first argument that may be a fit or its posterior; help shows its own signature.

    Raises
    ------
    SpecError
        When the result is called with anything else.

    Examples
    --------
    >>> @takes_fit
    ... def rows(posterior: Posterior) -> int:
    ...     return len(posterior.design.y)
    >>> rows("text")
    Traceback (most recent call last):
    bayes_glmm.errors.SpecError: rows() needs a fit, not a str. Give what model.fit() or bg.load() returns.
    """

    @wraps(function)
    def of_either(posterior: Posterior | HasPosterior, /, *arguments: P.args, **options: P.kwargs) -> R:
        found = posterior if isinstance(posterior, Posterior) else getattr(posterior, "posterior", None)
        if not isinstance(found, Posterior):
            raise SpecError(
                f"{function.__name__}() needs a fit, not a {type(posterior).__name__}.",
                advice="Give what model.fit() or bg.load() returns.",
            )
        return function(found, *arguments, **options)

    return of_either
