"""Covariances by one correlation: against their textbook matrices, and derivatives by differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg

from bayes_glmm.numerics.covariance import COVARIANCES, Covariance

LABELS = {
    "cs": ("f[a]", "f[b]", "f[c]", "f[d]"),
    "homcs": ("f[a]", "f[b]", "f[c]"),
    "ar1": ("C(t)[0]", "C(t)[1]", "C(t)[2]", "C(t)[3]", "C(t)[4]"),
    "hetar1": ("w[week 1]", "w[week 2]", "w[week 3]"),
    "ou": ("C(t)[0.0]", "C(t)[0.5]", "C(t)[2.0]", "C(t)[12.0]"),
}
EACH = pytest.mark.parametrize("record", COVARIANCES.values(), ids=list(COVARIANCES))


def test_every_covariance_is_tried() -> None:
    assert list(LABELS) == list(COVARIANCES)


def test_correlations_are_those_of_textbooks() -> None:
    alike = COVARIANCES["cs"].of(LABELS["cs"]).correlation(0.3)
    assert_allclose(alike, 0.7 * np.eye(4) + 0.3)
    assert_allclose(COVARIANCES["ar1"].of(LABELS["ar1"]).correlation(-0.6), linalg.toeplitz((-0.6) ** np.arange(5)))
    t = np.array([0.0, 0.5, 2.0, 12.0])
    decay = -np.log(0.8) / 0.5  # of a stationary process with correlation .8 at the smallest distance
    assert_allclose(COVARIANCES["ou"].of(LABELS["ou"]).correlation(0.8), np.exp(-decay * np.abs(t[:, None] - t)))


@EACH
@pytest.mark.parametrize("t", [-8.0, -1.3, 0.0, 2.0, 8.0])
def test_roots_and_their_slopes(record: Covariance, t: float) -> None:
    form = record.of(LABELS[record.name])
    C, slope = form.root(t)
    assert_allclose(C @ C.T, form.correlation(form.rho(t)), atol=1e-14)
    assert_allclose(C, np.tril(C))
    h = 1e-5
    numerical = (form.root(t + h)[0] - form.root(t - h)[0]) / (2 * h)
    assert_allclose(slope, numerical, rtol=1e-5, atol=1e-7)


@EACH
def test_the_range_is_that_of_positive_definite_matrices(record: Covariance) -> None:
    form = record.of(LABELS[record.name])
    least = [np.linalg.eigvalsh(form.correlation(rho)).min() for rho in np.linspace(form.lowest + 1e-6, 1 - 1e-6, 50)]
    assert min(least) > 0.0
    if record.name != "ou":  # times between are no whole steps: powers of negative numbers do not exist there
        assert np.linalg.eigvalsh(form.correlation(form.lowest)).min() == pytest.approx(0.0, abs=1e-12)


@EACH
def test_a_covariance_gives_its_parameters_back(record: Covariance) -> None:
    form = record.of(LABELS[record.name])
    sd = np.full(form.size, 1.7) if form.one_sd else np.linspace(0.5, 2.0, form.size)
    for t in (-3.0, 0.4, 5.0):
        found, free = form.from_covariance(np.outer(sd, sd) * form.correlation(form.rho(t)))
        assert_allclose(found, sd[list(form.sds)])
        assert free == pytest.approx(t)


def test_times_in_labels_decide_on_distances() -> None:
    assert COVARIANCES["ar1"].of(("t[b]", "t[a]", "t[c]")).distances[0] == (0.0, 1.0, 2.0)
    assert COVARIANCES["ar1"].of(("t[10]", "t[20]", "t[30]")).distances[0] == (0.0, 1.0, 2.0)
    with pytest.raises(ValueError, match="the times 1, 2, 4 are not equally far apart"):
        COVARIANCES["ar1"].of(("t[1]", "t[2]", "t[4]"))
    with pytest.raises(ValueError, match=r"'t\[a\]' has no time"):
        COVARIANCES["ou"].of(("t[a]", "t[b]"))
    with pytest.raises(ValueError, match="two levels have the same time"):
        COVARIANCES["ou"].of(("t[week 1]", "t[month 1]", "t[week 3]"))
