"""What a config file may say: one pydantic model a section, nothing beyond."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bayes_glmm.inference.settings import Settings


def _check_level(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("should be text or a number")
    return value


def _listed(value: Any) -> Any:
    """One value is a list of one."""
    return value if isinstance(value, list) or value is None else [value]


def _number_as_text(value: Any) -> Any:
    """``fixed: 1`` and ``trials: 10`` are formula text that YAML reads as numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Level = Annotated[Any, AfterValidator(_check_level)]
Levels = Annotated[list[Level], BeforeValidator(_listed), Field(min_length=1)]
Names = Annotated[list[str], BeforeValidator(_listed)]
FormulaText = Annotated[str, BeforeValidator(_number_as_text), Field(min_length=1)]


class Section(BaseModel):
    """A part of the file: exact types, no unknown keys, never changed once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DataSection(Section):
    """Where the rows come from.

    Attributes
    ----------
    dataset : str, optional
        A table of ``bayes_glmm.datasets``; or
    file : str, optional
        A ``.csv``, ``.csv.gz`` or ``.parquet`` file, relative to the config.
    categories : mapping of column to levels
        Makes a column a factor whose levels have this order; the first is the reference.
    missing : {"error", "drop"}
        What to do with rows that have missing values.
    """

    dataset: str | None = None
    file: str | None = None
    categories: dict[str, Levels] = {}
    missing: Literal["error", "drop"] = "error"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.dataset is None) == (self.file is None):
            raise ValueError("needs either 'dataset' or 'file'")
        return self


class RandomSection(Section):
    """One random term, where the model is given in parts."""

    effects: FormulaText
    group: str
    correlated: bool = True
    shared: str | None = None
    covariance: str | None = None


class ModelSection(Section):
    """A formula or its parts, a family, a link, priors: the dict of :meth:`bayes_glmm.spec.ModelSpec.from_dict`.

    Attributes
    ----------
    formula : str or list of str, optional
        That of the response; in a list, formulas of further parameters follow it.
    formulas : mapping of parameter to str
        The same of further parameters by name, right-hand sides.
    residual : str, optional
        A term that correlates residuals, ``"ar(week, gr = id)"``, beside the other parts.
    link : str or mapping of parameter to str, optional
        Of the response's predictor, or of several.
    thresholds : {"flexible", "equidistant", "symmetric"}
        The pattern of the thresholds of ordered categories.
    reference : str, optional
        Of categories without an order the one that others are compared with.
    """

    formula: str | Annotated[list[str], Field(min_length=1)] | None = None
    formulas: dict[str, FormulaText] = {}
    response: str | None = None
    trials: FormulaText | None = None
    frequency: str | None = None
    sampling: str | None = None
    cens: str | None = None
    trunc: str | None = None
    fixed: FormulaText | None = None
    random: list[RandomSection] | None = None
    offset: str | None = None
    residual: str | None = None
    family: str = "gaussian"
    link: str | dict[str, str] | None = None
    reference: FormulaText | None = None
    priors: dict[str, str] = {}
    thresholds: str | None = None

    @model_validator(mode="after")
    def _formula_or_parts(self) -> Self:
        names = (
            "response",
            "trials",
            "frequency",
            "sampling",
            "cens",
            "trunc",
            "fixed",
            "random",
            "offset",
            "residual",
        )
        parts = [name for name in names if getattr(self, name) is not None]
        if self.formula is not None and parts:
            raise ValueError(f"has both 'formula' and {parts[0]!r}: give the formula or its parts")
        if self.formula is None and self.response is None:
            raise ValueError("needs a 'formula', or at least a 'response'")
        return self


class SamplerSection(Section):
    """How to sample: the fields of :class:`bayes_glmm.inference.Settings`."""

    draws: int = Field(default=Settings.draws, ge=1, le=1_000_000)
    tune: int | None = Field(default=Settings.tune, ge=1, le=1_000_000)
    chains: int = Field(default=Settings.chains, ge=1, le=1_000)
    seed: int = Field(default=Settings.seed, ge=0, le=2**32 - 1)
    engine: str = Settings.engine
    coordinates: str = Settings.coordinates
    target_accept: float = Field(default=Settings.target_accept, gt=0.0, lt=1.0)
    max_treedepth: int = Field(default=Settings.max_treedepth, ge=1, le=30)
    cores: int = Field(default=Settings.cores, ge=0, le=10_000)


class EffectSection(Section):
    """One question to the posterior: exactly one of ``compare``, ``slopes`` and ``predict``.

    Attributes
    ----------
    compare : str, optional
        A variable two of whose values are compared; see :func:`bayes_glmm.effects.compare`.
    slopes : str, optional
        A numeric variable whose average slope is wanted; see :func:`bayes_glmm.effects.slopes`.
    predict : mapping of column to value or values, optional
        A grid: all combinations of these values, other columns at typical ones; see :func:`bayes_glmm.effects.predict`.
    contrast : optional
        Of ``compare``: a name (``pairwise``, ``sd``, ...), a number to add, or the two values ``[low, high]``.
    by : str or list of str, optional
        Columns within whose values ``compare`` and ``slopes`` average.
    random_effects : list of {"integrated", "zero", "known", "known_or_new", "new"}
        Population-averaged, and conditional at u = 0, by default.
    keep : str or list of str, optional
        Grouping factors at whose own levels to stay.
    part : str or mapping of category to number, optional
        What of the response is asked for; see :func:`bayes_glmm.effects.predict`.
    question : str, optional
        The question in words: the title of the answer in the report. Without it the title is made from the other keys.
    """

    compare: str | None = None
    slopes: str | None = None
    predict: dict[str, Levels] | None = None
    contrast: Any = None
    by: Names | None = None
    random_effects: Names = ["integrated", "zero"]
    keep: Names = []
    part: str | dict[str, float] | None = None
    question: str | None = None

    @property
    def kind(self) -> Literal["compare", "slopes", "predict"]:
        """Which question."""
        return "compare" if self.compare is not None else "slopes" if self.slopes is not None else "predict"

    @property
    def name(self) -> str:
        """The question in a word or two, fit for a file name."""
        return "_".join([self.kind, self.compare or self.slopes or "", *(["by", *self.by] if self.by else [])]).strip(
            "_"
        )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = [name for name in ("compare", "slopes", "predict") if getattr(self, name) is not None]
        if len(asked) != 1:
            raise ValueError("needs exactly one of 'compare', 'slopes' and 'predict'")
        if self.contrast is not None and asked != ["compare"]:
            raise ValueError("takes 'contrast' with 'compare' only")
        if self.by is not None and asked == ["predict"]:
            raise ValueError("takes no 'by' with 'predict': add the variable to the grid")
        return self


class OutputsSection(Section):
    """What to write, and where.

    Attributes
    ----------
    folder : str, optional
        Relative to the working directory; ``runs/<name of the config>`` by default.
    report, figures : bool
        Whether to write ``report.html`` and ``figures/``.
    log_likelihood : bool
        Whether to store the log likelihood of every row and draw, which other tools' LOO needs. Large: rows x draws.
    """

    folder: str | None = None
    report: bool = True
    figures: bool = True
    log_likelihood: bool = False


class Config(Section):
    """A whole config file."""

    title: str | None = None
    data: DataSection
    model: ModelSection
    sampler: SamplerSection = SamplerSection()
    effects: list[EffectSection] | None = None
    outputs: OutputsSection = OutputsSection()


SECTIONS: dict[tuple[str, ...], type[Section]] = {
    (): Config,
    ("data",): DataSection,
    ("model",): ModelSection,
    ("model", "random"): RandomSection,
    ("sampler",): SamplerSection,
    ("effects",): EffectSection,
    ("outputs",): OutputsSection,
}
