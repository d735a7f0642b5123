"""Damped Newton searches: the maxima that SciPy finds, steps halved one search at a time, and where searches end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, special

from bayes_glmm.numerics.search import Step, climb, climb_all

Ridge = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def ridge(X: np.ndarray, y: np.ndarray) -> Ridge:
    """Log posteriors of logistic regressions with N(0, I) coefficients; X [..., row, parameter], y [..., row]."""

    def objective(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        eta = np.einsum("...rp,...p->...r", X, b)
        p = special.expit(eta)
        value = np.sum(y * eta - np.logaddexp(0.0, eta), axis=-1) - 0.5 * np.sum(b**2, axis=-1)
        weighted = X * (p * (1.0 - p))[..., None]
        precision = np.swapaxes(weighted, -1, -2) @ X + np.eye(X.shape[-1])
        return value, np.einsum("...rp,...r->...p", X, y - p) - b, precision

    return objective


def alone(objective: Ridge) -> Callable[[np.ndarray], tuple[float, tuple[np.ndarray, np.ndarray]]]:
    def one(b: np.ndarray) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
        value, gradient, precision = objective(b)
        return float(value), (gradient, precision)

    return one


class Counted:
    """An objective that counts its evaluations."""

    def __init__(self, objective: Callable[[np.ndarray], Any]) -> None:
        self.objective, self.calls = objective, 0

    def __call__(self, x: np.ndarray) -> Any:
        self.calls += 1
        return self.objective(x)


def newton(_: np.ndarray, derivatives: tuple[np.ndarray, np.ndarray]) -> Step[np.ndarray]:
    gradient, precision = derivatives
    step = np.linalg.solve(precision, gradient)
    return Step(step, float(gradient @ step), precision)


def log_cosh(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Full Newton steps from beyond 1.1 overshoot by more and more."""
    return float(np.log(2.0) - np.logaddexp(x[0], -x[0])), np.tanh(x)


def along_tanh(_: np.ndarray, tanh: np.ndarray) -> Step[None]:
    step = -tanh / (1.0 - tanh**2)
    return Step(step, float(-tanh @ step), None)


@pytest.mark.parametrize("seed", range(5))
def test_maximum_of_one_is_that_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = 3.0 * rng.normal(size=(30, 4)), rng.integers(0, 2, 30)
    objective = ridge(X, y)
    found = climb(alone(objective), newton, 5.0 * rng.normal(size=4), 1e-10, 50)

    def falling(b: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient, _ = objective(b)
        return -float(value), -gradient

    expected = optimize.minimize(falling, np.zeros(4), jac=True, method="BFGS", options={"gtol": 1e-8})
    assert found.converged
    assert_allclose(found.end, expected.x, atol=1e-7)
    assert_allclose(found.step.basis, objective(found.x)[2])
    assert found.value == objective(found.x)[0]


def test_maxima_of_many_are_those_of_each() -> None:
    rng = np.random.default_rng(7)
    X, y = 4.0 * rng.normal(size=(6, 5, 12, 2)), rng.integers(0, 2, (6, 5, 12))
    start = 10.0 * rng.normal(size=(6, 5, 2))
    found = climb_all(ridge(X, y), start, 1e-10, 200)
    assert (found.gain < 1e-10).all()
    for at in np.ndindex(6, 5):
        one = climb(alone(ridge(X[at], y[at])), newton, start[at], 1e-10, 100)
        assert one.converged
        assert_allclose(found.end[at], one.end, atol=1e-9)
        assert_allclose(found.precision[at], one.step.basis, rtol=1e-3)


def test_many_take_as_many_evaluations_as_the_slowest() -> None:
    """Each halves its own steps: those of the others go on."""
    rng = np.random.default_rng(3)
    X, y = 4.0 * rng.normal(size=(40, 12, 2)), rng.integers(0, 2, (40, 12))
    start = 10.0 * rng.normal(size=(40, 2))
    counts = []
    for k in range(40):
        one = Counted(alone(ridge(X[k], y[k])))
        climb(one, newton, start[k], 1e-10, 100)
        counts.append(one.calls)
    together = Counted(ridge(X, y))
    climb_all(together, start, 1e-10, 200)
    assert len(set(counts)) > 2
    assert max(counts) == together.calls


@pytest.mark.parametrize("start", [2.0, -5.0, 12.0])
def test_steps_that_lead_down_are_halved(start: float) -> None:
    found = climb(log_cosh, along_tanh, np.array([start]), 1e-12, 100)
    assert found.converged
    assert_allclose(found.end, 0.0, atol=1e-10)
    full = np.array([start]) + along_tanh(np.empty(0), np.tanh([start])).direction
    assert abs(full[0]) > abs(start)  # so that halving is needed


def test_the_last_step_is_not_evaluated_and_leaves_the_square_of_its_length() -> None:
    seen: list[float] = []

    def cubic(x: np.ndarray) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
        """Highest at 1, with a third derivative of -1 there."""
        seen.append(float(x[0]))
        d = float(x[0]) - 1.0
        return -0.5 * d**2 - d**3 / 6.0, (np.array([-d - 0.5 * d**2]), np.array([[1.0 + d]]))

    found = climb(cubic, newton, np.array([1.5]), 1e-4, 20)
    assert found.converged
    assert seen[-1] == found.x[0] != found.end[0]
    length = abs(found.step.direction[0])
    assert length**2 == pytest.approx(found.step.gain, rel=0.05)
    assert abs(found.end[0] - 1.0) < length**2


def test_a_quadratic_takes_one_step() -> None:
    def quadratic(x: np.ndarray) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
        return -float(x @ x), (-2.0 * x, 2.0 * np.eye(3))

    counted = Counted(quadratic)
    found = climb(counted, newton, np.ones(3), 1e-10, 20)
    assert counted.calls == 2
    assert_allclose(found.end, 0.0, atol=1e-15)


def test_steps_stay_where_the_objective_has_a_value() -> None:
    """x log: highest at 1, without a value from 0 down; the first full step from 3 leads to -3."""

    def positive(x: np.ndarray) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
        if x[0] <= 0.0:
            return -np.inf, (np.zeros(1), np.eye(1))
        return float(np.log(x[0]) - x[0]), (1.0 / x - 1.0, np.diag(1.0 / x**2))

    found = climb(positive, newton, np.array([3.0]), 1e-12, 50)
    assert found.converged
    assert_allclose(found.end, 1.0, atol=1e-10)
    outside = climb(positive, newton, np.array([-1.0]), 1e-12, 50, otherwise=np.array([3.0]))
    assert_allclose(outside.end, found.end)

    def both(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        parts = [positive(one) for one in x]
        return (
            np.array([value for value, _ in parts]),
            np.array([gradient for _, (gradient, _) in parts]),
            np.array([precision for _, (_, precision) in parts]),
        )

    assert_allclose(climb_all(both, np.array([[3.0], [0.5]]), 1e-12, 100).end, 1.0, atol=1e-10)


def test_a_search_that_only_leads_down_has_not_converged() -> None:
    def wrong(x: np.ndarray, _: np.ndarray) -> Step[str]:
        return Step(np.ones(1), 1.0, "wrong way")

    falling = Counted(lambda x: (-float(x[0]), x))
    found = climb(falling, wrong, np.zeros(1), 1e-10, 20, halvings=4)
    assert not found.converged
    assert falling.calls == 5  # the start, and four lengths of the step
    assert 0.0 == found.x[0] == found.end[0] == found.value
    assert "wrong way" == found.step.basis


def test_few_steps_are_not_enough_and_no_step_is_taken_after_them() -> None:
    found = climb(log_cosh, along_tanh, np.array([3.0]), 1e-12, 2)
    assert not found.converged
    assert found.end is found.x


def test_rounding_does_not_stop_a_search() -> None:
    """A value of 1e7 has no digits for gains of 1e-9, and the sum over rows may even fall by its rounding."""
    offset, noise = 1e7, np.random.default_rng(0)

    def large(x: np.ndarray) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
        value = offset - 0.5 * float(x @ x) + 2e-8 * noise.uniform(-1.0, 1.0)
        return value, (-x, 2.0 * np.eye(1))  # a precision too large: half the distance a step

    found = climb(large, newton, np.array([1e-3]), 1e-10, 60)
    assert found.converged
    assert abs(found.end[0]) < 1e-4
