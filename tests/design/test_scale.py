"""Where the linear predictor lies: the constant that gives the data's mean, for every link and any offset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

from bayes_glmm.design import Design, build_design
from bayes_glmm.design.scale import middle, middle_of, predictor_scale, root_mean_square, spread
from bayes_glmm.families import FAMILIES
from bayes_glmm.spec import ModelSpec

N = 80
INVERSE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda eta: eta,
    "log": np.exp,
    "logit": special.expit,
    "probit": special.ndtr,
    "cloglog": lambda eta: -np.expm1(-np.exp(eta)),
    "cauchit": stats.cauchy.cdf,
    "inverse": lambda eta: 1.0 / eta,
    "sqrt": np.square,
}
PAIRS = [(name, link) for name, family in FAMILIES.items() if not family.response.nominal for link in family.links]


def data() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    trials = rng.integers(1, 9, N)
    return pd.DataFrame(
        {
            "real": rng.normal(3.0, 1.0, N), "positive": rng.gamma(2.0, 1.5, N),
            "binary": rng.permutation([0, 0, 1, 1] * 20),
            "successes": rng.binomial(trials, 0.4), "trials": trials, "count": rng.poisson(3.0, N),
            "positive_count": np.arange(N) % 7 + 1,
            "nonnegative": rng.gamma(2.0, 1.5, N) * (np.arange(N) % 3 > 0),
            "closed_fraction": np.clip(1.5 * rng.beta(2.0, 3.0, N) - 0.2, 0.0, 1.0),
            "fraction": rng.beta(2.0, 3.0, N), "o": rng.uniform(-0.2, 0.2, N), "e": 10.0 ** rng.uniform(-2.0, 2.0, N),
            "ordered": rng.permutation([1, 2, 3, 3] * 20), "unordered": rng.permutation([1, 2, 3, 3] * 20),
        }
    )  # fmt: skip


def made(family: str, link: str | None, right: str, frame: pd.DataFrame | None = None) -> tuple[ModelSpec, Design]:
    kind = FAMILIES[family].response.name
    left = "p(successes, trials)" if kind == "successes" else kind
    spec = ModelSpec.from_formula(f"{left} ~ {right}", family, link)
    return spec, build_design(spec, data() if frame is None else frame)


@pytest.mark.parametrize("right", ["1", "1 + offset(o)"])
@pytest.mark.parametrize(("family", "link"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_the_middle_gives_the_mean_of_the_data(family: str, link: str, right: str) -> None:
    """Sum w h(mu0 + offset) = sum y."""
    spec, design = made(family, link, right)
    weights = np.ones(N) if design.trials is None else design.trials
    expected = weights * INVERSE[link](middle(spec, design) + design.offset)
    # of ordered categories the share above the first, of a hurdle the rows above 0
    y = (design.y > 1).astype(float) if design.categories else design.y
    rows = y > 0 if family.startswith("hurdle") else np.full(N, True)
    rows = (y > 0) & (y < 1) if family == "zero_one_inflated_beta" else rows
    total = np.log(y[rows]).sum() if family.endswith("lognormal") else y[rows].sum()
    assert expected[rows].sum() == pytest.approx(total, rel=1e-9)


def test_the_middle_of_each_category_without_an_order_is_its_log_odds() -> None:
    """Of 20, 20 and 40 rows in the categories 1, 2 and 3."""
    spec, design = made("categorical", None, "1")
    spec = spec.of(design.categories)
    found = [middle_of(spec, design, name) for name in ("mu2", "mu3")]
    np.testing.assert_allclose(found, np.log([1.0, 2.0]), atol=1e-12)


@pytest.mark.parametrize("without", [1, 3])
def test_a_category_without_rows_counts_as_half_a_row(without: int) -> None:
    """As simulated responses may have it, the reference too: all middles are finite."""
    spec, design = made("categorical", None, "1")
    spec, other = spec.of(design.categories), 4 - without
    design = replace(design, y=np.where(design.y == without, float(other), design.y))
    counts = np.maximum(np.bincount(design.y.astype(int), minlength=4)[1:], 0.5)
    expected = np.log(counts[1:] / counts[0])
    assert_allclose([middle_of(spec, design, one.name) for one in spec.family.parameters], expected, atol=1e-10)


@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_exposures_from_a_hundredth_to_a_hundred(family: str) -> None:
    """A rate is the sum of events per sum of exposures, whatever the unit of the exposure."""
    frame = data()
    expected = np.log(frame["count"].sum() / frame["e"].sum())
    assert middle(*made(family, "log", "offset(log(e))")) == pytest.approx(expected, rel=1e-9)
    hours = frame.assign(e=frame["e"] * 8766.0)
    assert middle(*made(family, "log", "offset(log(e))", hours)) == pytest.approx(expected - np.log(8766.0), rel=1e-9)


def test_where_no_constant_gives_the_mean_it_is_zero() -> None:
    negative = data().assign(real=lambda d: d["real"] - 10.0)
    assert middle(*made("gaussian", "log", "1", negative)) == 0.0


@pytest.mark.parametrize("link", ["log", "logit", "probit", "cloglog", "cauchit"])
def test_links_without_a_unit(link: str) -> None:
    family = "poisson" if link == "log" else "bernoulli"
    assert predictor_scale(*made(family, link, "1")) == 1.0


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e6])
def test_scales_follow_the_unit_of_the_response(unit: float) -> None:
    """Of y in another unit: identity as y, inverse as 1 / y, sqrt as its root; of a count by the delta method."""
    frame = data()
    scaled = frame.assign(real=unit * frame["real"], positive=unit * frame["positive"])
    sd, mean = frame["positive"].std(ddof=0), frame["positive"].mean()
    assert predictor_scale(*made("gaussian", "identity", "1", scaled)) == pytest.approx(
        unit * frame["real"].std(ddof=0)
    )
    assert predictor_scale(*made("gamma", "inverse", "1", scaled)) == pytest.approx(sd / mean**2 / unit)
    count = frame["count"]
    assert predictor_scale(*made("poisson", "sqrt", "1")) == pytest.approx(
        count.std(ddof=0) / 2 / np.sqrt(count.mean())
    )


def test_an_offset_is_taken_off_under_the_identity_link() -> None:
    frame = data().assign(o=lambda d: 1e4 + 50.0 * d["o"], real=lambda d: d["real"] + d["o"])
    left = (frame["real"] - frame["o"]).to_numpy()
    for right, expected in (("offset(o)", left), ("1", frame["real"].to_numpy())):
        spec, design = made("gaussian", "identity", right, frame)
        assert spread(spec, design) == pytest.approx(expected.std())
        assert middle(spec, design) == pytest.approx(expected.mean())
        assert root_mean_square(spec, design) == pytest.approx(np.sqrt((expected**2).mean()))


def test_merged_rows_have_the_middle_of_single_ones() -> None:
    frame = data()
    spec, design = made("binomial", "logit", "1")
    rows = frame.loc[frame.index.repeat(frame["trials"])]
    order = rows.groupby(level=0).cumcount()
    single = rows.assign(binary=(order < rows["successes"]).astype(int)).reset_index(drop=True)
    other = made("bernoulli", "logit", "1", single)
    assert_allclose(middle(spec, design), middle(*other), rtol=1e-12)
    assert_allclose(spread(spec, design), spread(*other), rtol=1e-12)
