"""What a family is: a record of plain functions. Entries live in ``continuous``, ``counts`` and ``proportions``.

A family never sees a design or a model. It gets its parameters by name, each a :class:`Value` (a linear predictor with
its link, or a constant, from which it takes whichever form is stable), and says what the response may look like, how
it varies, how likely it is, and how it is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from bayes_glmm.families.functional import MEAN, Functional, of_parameter
from bayes_glmm.families.kind import ResponseKind
from bayes_glmm.families.link import LINKS, Link
from bayes_glmm.families.located import Located
from bayes_glmm.families.parameter import Parameter
from bayes_glmm.families.response import Response
from bayes_glmm.families.thresholds import Form, Thresholds
from bayes_glmm.families.value import At, Value, constant
from bayes_glmm.numerics.functions import NUMPY, Functions

_MASSES = {0.0: "zero", 1.0: "one"}  # names of parts


@dataclass(frozen=True)
class Family:
    """A distribution of the response given its parameters.

    Attributes
    ----------
    name : str
        As written in a call or a config.
    title : str
        Its name in prose.
    parameters : tuple of Parameter
        The location comes first: it is what effects report, and the conditional mean of one trial.
    response : ResponseKind
        What the response is: its support, and where its mean lies.
    variance : function
        ``(at) -> Var(y | u)``; of one trial where there are trials. ``at`` has the value of each parameter by name.
        :meth:`variance_of_rows` has that of all trials of a row.
    log_density : function
        ``(y, at, f) -> log p(y | u)`` with all constants, row by row; ``y`` is a :class:`Response`, ``f`` the
        namespace that the values live in.
    log_cumulative_hazard : function, optional
        ``(y, at, f) -> log(-log P(Y > y | u))``, from which the probabilities of both tails and of intervals follow:
        :mod:`bayes_glmm.numerics.tails`. What censored and truncated responses need.
    draw : function
        ``(rng, y, at) -> values``; NumPy, broadcasting. Reads the trials of ``y`` and not its values.
    distribution : function, optional
        ``(pm, name, y, at, dims) -> random variable``; ``pm`` is the PyMC module. Without one the model in PyMC has a
        distribution made of ``log_density`` and ``draw``.
    correlation : function, optional
        ``(at) -> correlation given u of two trials of a row``. Without one they are independent.
    mean : Functional
        Its mean, of one trial where there are trials; the location unless another is given.
    further : tuple of Functional
        What else can be asked of the response, beside its mean, its parameters and the shares of single values: a
        median. One of the same name replaces those.
    located : Located, optional
        What of the response the location is the mean of, where that is not the response itself: its logarithm.
    with_categories : function, optional
        ``(labels) -> Family``, of a family of categories.
    with_form : function, optional
        ``(form) -> Family``, of a family of ordered categories: with another pattern of thresholds, or with a
        discrimination.
    with_residual : function, optional
        ``(name, occasions) -> Family``, of a family whose residuals may be correlated: an entry of
        :data:`~bayes_glmm.numerics.residual.RESIDUALS`.
    residual : tuple of str
        The constants that a correlation of residuals is made of.
    categories : int
        How many categories the response has; 0 of numbers.
    by_category : mapping of str to tuple of Functional or None
        What can be asked of each category, in their order, by name; None where it is known.
    thresholds : Thresholds, optional
        Those of ordered categories.
    score : function, optional
        ``(scores) -> Functional``, of ordered categories: the mean of scores, one per category in their order.
    shared_formula : bool
        Whether each parameter has the formula of the response.
    correlated_priors : float
        The correlation of the default priors of a coefficient of two parameters with the same columns; 0.5 where they
        are contrasts with a reference.
    equation : str
        The distribution as the printed model writes it, with ``{trials}`` and ``{categories}`` where it has some; its
        title where this is empty.
    formulas : mapping of str to str
        What it computes, for readers: "variance", "mean" where that is not mu, "p0" and "p1", the probabilities of 0
        and 1, and "correlation" of two trials; of its parameters and of formulas before it.
    elsewhere : mapping of str to str
        Its name in brms, glmmTMB and Bambi, with what its parameters are there after a semicolon.
    wider : str
        What to try for responses that vary more than the family allows.
    narrower : str
        What to try for responses that vary less.
    limits : mapping of str to str
        The family that it becomes as one of its parameters grows without bound.
    limits_at_zero : mapping of str to str
        The family that it becomes as one of its parameters goes to 0.
    """

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    response: ResponseKind
    variance: Callable[..., Any]
    log_density: Callable[..., Any]
    draw: Callable[..., np.ndarray]
    distribution: Callable[..., Any] | None = None
    log_cumulative_hazard: Callable[..., Any] | None = None
    correlation: Callable[..., Any] | None = None
    mean: Functional = MEAN
    further: tuple[Functional, ...] = ()
    located: Located | None = None
    with_categories: Callable[[tuple[str, ...]], Family] | None = None
    with_form: Callable[[Form], Family] | None = None
    with_residual: Callable[[str, int], Family] | None = None
    residual: tuple[str, ...] = ()
    categories: int = 0
    by_category: Mapping[str, tuple[Functional | None, ...]] = field(default_factory=dict)
    thresholds: Thresholds | None = None
    score: Callable[[tuple[float, ...]], Functional] | None = None
    shared_formula: bool = False
    correlated_priors: float = 0.0
    equation: str = ""
    formulas: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    wider: str = ""
    narrower: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)
    limits_at_zero: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name, with the number of categories and the form of thresholds: what tables of compiled code go by."""
        return f"{self.name}{self.thresholds.form.suffix if self.thresholds else self.categories or ''}"

    @property
    def steps(self) -> tuple[str, ...]:
        """The parameters that are distances between thresholds of ordered categories, each once."""
        return tuple(dict.fromkeys(self.thresholds.steps)) if self.thresholds else ()

    @property
    def inner(self) -> tuple[str, ...]:
        """The constants that people read in another form: distances of thresholds, places of correlations."""
        return (*self.steps, *self.residual)

    @property
    def numbered(self) -> Family:
        """The same with numbers for the labels of its categories: what compiled code is made of."""
        labels = tuple(str(k) for k in range(1, self.categories + 1))
        return self.with_categories(labels) if self.with_categories and labels else self

    @property
    def location(self) -> Parameter:
        """The parameter that the formula of the response predicts."""
        return self.parameters[0]

    @property
    def links(self) -> tuple[str, ...]:
        """Valid links of the location; the first is the default."""
        return self.location.links

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name."""
        return next(one for one in self.parameters if one.name == name)

    @property
    def auxiliary(self) -> dict[str, Parameter]:
        """The further parameters by name: constants, but where they have a formula of their own."""
        return {parameter.name: parameter for parameter in self.parameters[1:]}

    @property
    def mean_is_location(self) -> bool:
        """Whether the location is the mean itself, and no function of it."""
        return (self.location.name,) == self.mean.reads == (self.mean.factor,)

    @property
    def parts(self) -> dict[str, Functional]:
        """The functionals of a response of numbers: its mean, its parameters, the shares of single values, and more.

        A location that is the mean itself is listed once.
        """
        if self.categories:
            own = (one for one in self.parameters[1:] if one.links and not one.threshold)
            further = [] if self.shared_formula else [of_parameter(one) for one in own]
            return {} if self.response.nominal else {one.name: one for one in (self.mean, *further)}
        known = [one for one in self.parameters if one.name not in self.residual]
        asked = [self.mean, *map(of_parameter, known[self.mean_is_location :])]
        reads = tuple(parameter.name for parameter in known)
        for mass in self.response.masses or (0.0,) * self.response.has_zeros:
            title = f"probability of a {_MASSES[mass]}"
            asked.append(Functional(_MASSES[mass], title, reads, partial(self._mass, mass), range="unit"))
        return {functional.name: functional for functional in (*asked, *self.further)}

    def _mass(self, value: float, at: At) -> Any:
        f = at[self.location.name].f
        return f.exp(self.log_density(Response(value), at, f))

    @property
    def discrete(self) -> bool:
        """Whether the response takes separate values."""
        return self.response.discrete

    def at(self, eta: Mapping[str, tuple[Any, Link]], auxiliary: Mapping[str, Any], f: Functions) -> dict[str, Value]:
        """The value of each parameter: at its linear predictor, or as a constant.

        Parameters
        ----------
        eta : mapping of name to (array, Link)
            Linear predictors, of some of the parameters.
        auxiliary : mapping of name to array
            The other parameters on their own scale; they broadcast to ``eta``.
        f : Functions
            The namespace that all of them live in.

        Raises
        ------
        KeyError
            If a parameter is in neither.
        """
        names = [parameter.name for parameter in self.parameters]
        return {name: Value(*eta[name], f) if name in eta else constant(auxiliary[name], f) for name in names}

    def variance_of_rows(self, y: Response, at: At) -> Any:
        """Var(y | u) of the response of each row, which is n v (1 + (n - 1) r) for n trials.

        v is the variance of one trial and r the correlation of two.
        """
        variance = self.variance(at)
        if y.trials is None:
            return variance
        variance = variance * y.trials
        return variance if self.correlation is None else variance * (1.0 + (y.trials - 1.0) * self.correlation(at))

    @property
    def has_residual(self) -> bool:
        """Whether the response, or its logarithm, is its location and a residual on the whole real line."""
        of_logarithm = self.located is not None and self.location.support == "real"
        return self.response.range == "real" or (of_logarithm and not self.response.masses)

    def located_variance_of(self, mu: Any, auxiliary: Mapping[str, Any]) -> Any:
        """The variance given u of what the location is the mean of, such as log y; arguments as :meth:`variance_of`."""
        variance = self.located.variance if self.located else self.variance
        return variance(self.at({self.location.name: (mu, LINKS["identity"])}, auxiliary, NUMPY))

    def variance_of(self, mu: Any, auxiliary: Mapping[str, Any]) -> Any:
        """Var(y | u) of one trial with the mean ``mu``, in the shape that ``mu`` and the constants broadcast to."""
        return self.variance(self.at({self.location.name: (mu, LINKS["identity"])}, auxiliary, NUMPY))
