from __future__ import annotations

import numpy as np
import pytest

from bayes_glmm.effects.integrate import average_over_normal, averaged_predictor
from bayes_glmm.effects.table import by_table
from bayes_glmm.families import get_link


@pytest.mark.parametrize("name", ["logit", "cloglog", "cauchit", "probit", "log"])
def test_a_table_gives_what_row_by_row_integrals_give(name: str):
    link, rng = get_link(name), np.random.default_rng(1)
    eta = rng.normal(-1.0, 1.5, (3, 3000))
    variance = np.array([[1e-6], [1.0], [80.0]])
    direct = average_over_normal(link, eta, variance)
    np.testing.assert_allclose(by_table(average_over_normal, link, eta, variance), direct, rtol=1e-11)
    on_link = averaged_predictor(link, eta, variance)
    np.testing.assert_allclose(by_table(averaged_predictor, link, eta, variance), on_link, rtol=1e-9, atol=1e-11)


def test_a_table_is_worked_out_for_far_fewer_points_than_rows():
    asked = []

    def average(link, eta, variance):
        asked.append(eta.size)
        return average_over_normal(link, eta, variance)

    eta = np.random.default_rng(2).normal(size=(2, 50_000))
    by_table(average, get_link("logit"), eta, np.ones((2, 1)))
    assert sum(asked) < 0.01 * eta.size


def test_etas_far_apart_or_not_finite_go_row_by_row():
    eta = np.array([[-1e6, 0.0, 1e6, np.inf]])
    np.testing.assert_allclose(by_table(average_over_normal, get_link("logit"), eta, np.ones((1, 1))), [[0, 0.5, 1, 1]])
    many = np.linspace(-3.0, 9.0, 5000)[None]  # the cloglog mean rounds to 1, its link to infinity
    result = by_table(averaged_predictor, get_link("cloglog"), many, np.full((1, 1), 1e-4))
    assert np.isfinite(result[many < 6]).all()
