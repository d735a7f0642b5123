"""One random-effects term as written: ``(effects | group)``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RandomTerm:
    """Effects that vary by group.

    Attributes
    ----------
    effects : str
        The part before the bar, as a formula without response: ``"1 + x"``.
    group : str
        The grouping factor: a column, or columns joined by ``:``.
    correlated : bool
        Whether the effects of one group are correlated, ``(x | g)``, or independent, ``(x || g)``.
    shared : str or None
        The name between two bars, ``(x |i| g)``: effects of terms with the same name and group are correlated, those of
        other parameters' formulas too.
    covariance : str or None
        How they covary where correlations follow a form, ``cs(0 + f | g)``: an entry of
        :data:`~bayes_glmm.numerics.covariance.COVARIANCES`.

    Examples
    --------
    >>> print(RandomTerm("1 + x", "g", correlated=False), RandomTerm("0 + f", "g", covariance="cs"))
    (1 + x || g) cs(0 + f | g)
    """

    effects: str
    group: str
    correlated: bool = True
    shared: str | None = None
    covariance: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that make up the grouping factor."""
        return tuple(part.strip().strip("`") for part in self.group.split(":"))

    def __str__(self) -> str:
        bar = f"|{self.shared}|" if self.shared else "|" if self.correlated else "||"
        return f"{self.covariance or ''}({self.effects} {bar} {self.group})"
