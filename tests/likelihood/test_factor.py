"""The block elimination against dense linear algebra, for every structure."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood import factor as factor_module
from bayes_glmm.likelihood.factor import Factor, factorise
from tests.likelihood import cases


@pytest.fixture(params=[name for name in cases.STRUCTURES if name != "none"])
def factor_and_dense(request: pytest.FixtureRequest) -> tuple[Factor, np.ndarray, np.ndarray]:
    likelihood = cases.likelihood("gaussian", request.param)
    values = likelihood.part.values(cases.parameters(likelihood).L)
    weights = np.random.default_rng(1).uniform(0.1, 3.0, len(values))
    A = likelihood.part.matrix(values).toarray()
    return factorise(likelihood.elimination, values, weights), A, np.eye(A.shape[1]) + A.T @ (weights[:, None] * A)


def test_determinant_and_solutions(factor_and_dense: tuple[Factor, np.ndarray, np.ndarray]) -> None:
    factor, _, P = factor_and_dense
    assert_allclose(factor.log_determinant, np.linalg.slogdet(P)[1], rtol=1e-12)
    x = np.random.default_rng(2).normal(size=(len(P), 3))
    assert_allclose(factor.solve(x), np.linalg.solve(P, x), rtol=1e-9, atol=1e-12)
    assert_allclose(factor.solve(x[:, 0]), np.linalg.solve(P, x[:, 0]), rtol=1e-9, atol=1e-12)


def test_own_entries_of_the_inverse(factor_and_dense: tuple[Factor, np.ndarray, np.ndarray]) -> None:
    factor, A, P = factor_and_dense
    inverse, part = np.linalg.inv(P), factor.elimination.part
    expected = np.take_along_axis(A @ inverse, part.columns, axis=1)
    assert_allclose(factor.own(), expected, rtol=1e-9, atol=1e-12)
    for start, (group, blocks) in zip(
        part.starts, [(block.group, factor.own_covariances()[block.group]) for block in part.blocks], strict=False
    ):
        size = blocks.shape[1]
        for level in range(len(blocks)):
            place = slice(start + level * size, start + (level + 1) * size)
            assert_allclose(blocks[level], inverse[place, place], rtol=1e-9, atol=1e-12, err_msg=group)


def test_own_entries_do_not_depend_on_the_chunks(
    factor_and_dense: tuple[Factor, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    factor, _, _ = factor_and_dense
    whole = factor.own()
    monkeypatch.setattr(factor_module, "_CHUNK", 1)
    assert_allclose(factor.own(), whole, rtol=1e-13)


def test_scattered_noise_has_the_inverse_as_covariance(factor_and_dense: tuple[Factor, np.ndarray, np.ndarray]) -> None:
    factor, _, P = factor_and_dense
    root = factor.scatter(np.eye(len(P)))
    assert_allclose(root @ root.T, np.linalg.inv(P), rtol=1e-9, atol=1e-12)


def test_negative_weights_are_taken_while_the_precision_is_positive_definite() -> None:
    likelihood = cases.likelihood("gaussian", "crossed")
    values = likelihood.part.values(cases.parameters(likelihood).L)
    with pytest.raises(np.linalg.LinAlgError):
        factorise(likelihood.elimination, values, np.full(len(values), -5.0))


@pytest.mark.parametrize("structure", ["crossed", "intercept"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_have_no_factor(structure: str, bad: float) -> None:
    likelihood = cases.likelihood("gaussian", structure)
    values = likelihood.part.values(cases.parameters(likelihood).L)
    weights = np.ones(len(values))
    weights[3] = bad
    with pytest.raises(np.linalg.LinAlgError):
        factorise(likelihood.elimination, values, weights)


def test_too_many_levels_beside_the_largest_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factor_module, "LARGEST_COMPLEMENT", 5)
    with pytest.raises(SpecError, match="sample with"):
        cases.likelihood("gaussian", "crossed")
