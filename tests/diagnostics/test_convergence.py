"""What the convergence checks read, what they leave out, and what they say."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_glmm.diagnostics import Check, Checks, Skipped, check, convergence
from bayes_glmm.diagnostics.check import Verdict
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.diagnostics import made_up

SHAPE = (made_up.CHAINS, made_up.DRAWS)


def with_statistics(**statistics: np.ndarray) -> Posterior:
    posterior = made_up.good()
    recorded = xr.Dataset({name: (("chain", "draw"), values) for name, values in statistics.items()})
    return made_up.with_draws(posterior, posterior.draws["posterior"].to_dataset(), recorded)


def test_each_parameter_counts_once() -> None:
    labels, draws = parameters(made_up.good(), per_level=False)
    expected = ["beta[Intercept]", "beta[x]", "sigma", "sd_g[Intercept]", "sd_g[x]", "corr_g[x, Intercept]"]
    assert sorted(expected) == sorted(labels)
    assert (len(expected), *SHAPE) == draws.shape


def test_random_effects_are_named_by_level_and_effect() -> None:
    labels, draws = parameters(made_up.good())
    assert {"u_g[g00, Intercept]", "u_g[g07, x]"} <= set(labels)
    posterior = made_up.good()
    expected = posterior.draws["posterior"]["u_g"].sel(g="g07", g_effect="x").to_numpy()
    np.testing.assert_array_equal(expected, draws[labels.index("u_g[g07, x]")])


def test_correlations_between_runs_of_effects_are_no_parameters() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.normal(size=60), "x": rng.normal(size=60), "w": rng.normal(size=60)})
    data["g"] = np.repeat(np.arange(6), 10)
    spec = ModelSpec.from_formula("y ~ x + (x | g) + (0 + w | g)")
    G = np.eye(3) * (1 + rng.random((50, 1, 1))) + 0.1 * rng.random((50, 1, 1))
    posterior = posterior_at(spec, data, np.zeros((50, 2)), {"g": G}, {"sigma": np.ones(1)})
    labels, _ = parameters(posterior)
    assert [label for label in labels if label.startswith("corr")] == ["corr_g[x, Intercept]"]


def test_values_that_were_given_are_left_out() -> None:
    posterior = made_up.good()
    drawn = posterior.draws["posterior"].to_dataset()
    drawn["sigma"] = xr.ones_like(drawn["sigma"])
    assert "sigma" not in parameters(made_up.with_draws(posterior, drawn))[0]


def test_a_sampler_that_never_moves_fails() -> None:
    posterior = made_up.good()
    first = posterior.draws["posterior"].to_dataset().isel(chain=0, draw=0, drop=True)
    still = first.expand_dims({"chain": SHAPE[0], "draw": SHAPE[1]})
    sampled = made_up.with_draws(posterior, still, made_up.sampler_statistics(np.random.default_rng(0)))
    answer = convergence.check_rhat(sampled)
    assert isinstance(answer, Check)
    assert answer.verdict == "fail"
    assert isinstance(convergence.check_rhat(made_up.with_draws(posterior, still)), Skipped)


def test_a_point_estimate_has_nothing_to_check() -> None:
    data, _ = made_up.data_of("gaussian", np.random.default_rng(1))
    spec = ModelSpec.from_formula(made_up.FORMULA)
    checks = check(posterior_at(spec, data, np.zeros(2), {"g": np.eye(2)}, {"sigma": np.ones(1)}))
    assert checks.verdict == "look"
    assert not checks.checks
    assert "draws a chain" in str(checks)


def test_statistics_of_all_samplers_are_read() -> None:
    flags = np.zeros(SHAPE, bool)
    deep = np.full(SHAPE, 10)
    for statistics, expected in [
        ({"maxdepth_reached": ~flags}, 1.0),  # nutpie
        ({"reached_max_treedepth": ~flags}, 1.0),  # PyMC
        ({"tree_depth": deep}, 1.0),  # NumPyro through PyMC
        ({"num_steps": np.full(SHAPE, 1023)}, 1.0),  # NumPyro
        ({"n_steps": np.full(SHAPE, 511)}, 0.0),
        ({"maxdepth_reached": flags, "depth": deep}, 0.0),
    ]:
        answer = convergence.check_tree_depth(with_statistics(**statistics))
        assert isinstance(answer, Check)
        assert expected == answer.value, statistics


@pytest.mark.parametrize(("count", "verdict"), [(0, "pass"), (1, "look"), (5, "look"), (6, "fail")])
def test_divergences_are_counted(count: int, verdict: str) -> None:
    diverging = np.zeros(SHAPE, bool)
    diverging.flat[:count] = True
    answer = convergence.check_divergences(with_statistics(diverging=diverging))
    assert isinstance(answer, Check)
    assert (verdict, count) == (answer.verdict, answer.value)


def test_energy_is_arviz() -> None:
    from arviz_stats.base import array_stats

    energy = np.random.default_rng(5).normal(size=SHAPE).cumsum(axis=1)
    answer = convergence.check_energy(with_statistics(energy=energy))
    assert isinstance(answer, Check)
    assert answer.value == pytest.approx(array_stats.bfmi(energy, chain_axis=0, draw_axis=1).min(), rel=1e-12)


def test_advice_names_the_parameter_that_fails() -> None:
    posterior = made_up.good()
    drawn = posterior.draws["posterior"].to_dataset()
    drawn["sd_g"] = drawn["sd_g"] + xr.DataArray([[0.3, 0.0], *[[0.0, 0.0]] * 3], dims=("chain", "g_effect"))
    answer = check(made_up.with_draws(posterior, drawn))["rhat"]
    assert answer.failing == ["sd_g[Intercept]"]
    # 2.5 times tighter than the default, on the scale of the response
    assert any(
        f'priors={{"sd_g[Intercept]": "HalfNormal({posterior.design.y.std():.3g})"}}' in s for s in answer.advice
    )


def test_text_says_the_verdict_first() -> None:
    from rich.console import Console

    checks = check(made_up.broken())
    assert str(checks).startswith("Verdict: do not use. The chains have not found the posterior distribution")
    assert repr(checks) == str(checks)  # what a console shows
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(checks)
    assert "Verdict: do not use" in console.export_text()
    assert len(checks.table) == len(checks.checks)
    assert len(set(checks.advice)) == len(checks.advice)


def test_one_row_per_level_is_not_told_to_draw_longer() -> None:
    data = pd.DataFrame({"y": np.random.default_rng(1).normal(size=40), "g": np.arange(40)})
    rng = np.random.default_rng(2)
    n = made_up.CHAINS * made_up.DRAWS
    share = np.repeat(rng.random(made_up.CHAINS), made_up.DRAWS)  # each chain has a share of its own
    posterior = posterior_at(
        ModelSpec.from_formula("y ~ (1 | g)"),
        data,
        0.1 * rng.normal(size=(n, 1)),
        {"g": share[:, None, None] + 0.01 * rng.random((n, 1, 1))},
        {"sigma": np.sqrt(1.1 - share) + 0.01 * rng.random(n)},
        {"g": 0.1 * rng.normal(size=(n, 40, 1))},
    )
    drawn = made_up.four_chains(posterior.draws["posterior"].to_dataset())
    answer = convergence.check_rhat(made_up.with_draws(posterior, drawn))
    assert isinstance(answer, Check)
    assert {"sd_g[Intercept]", "sigma"} <= set(answer.failing)
    assert not any("Draw longer" in sentence for sentence in answer.advice)
    assert any("Leave the random term out" in sentence for sentence in answer.advice)


def test_advice_goes_beyond_what_the_run_had() -> None:
    posterior = made_up.good()
    drawn = posterior.draws["posterior"].to_dataset()
    drawn["sd_g"] = drawn["sd_g"].where(drawn["chain"] > 0, drawn["sd_g"].isel(draw=0) + 1e-3)
    long = replace(made_up.with_draws(posterior, drawn), provenance={"settings": {"tune": 4000, "target_accept": 0.95}})
    answer = convergence.check_rhat(long)
    assert isinstance(answer, Check)
    assert any("tune=8000" in sentence for sentence in answer.advice)
    assert any("target_accept to 0.99" in sentence for sentence in answer.advice)


def test_findings_are_part_of_the_verdict() -> None:
    checks = check(made_up.few_levels())
    assert checks["findings"].verdict == "look"
    assert checks.verdict == "look"
    assert "part of the answer rests on" in checks.meaning
    assert any("g has 3 levels" in sentence for sentence in checks.advice)
    assert "few_levels" in str(checks)


def test_checks_are_false_where_one_fails_and_leave_one_out_has_words_of_its_own() -> None:
    answer = convergence.check_rhat(made_up.good())
    assert isinstance(answer, Check)
    words: dict[Verdict, tuple[str, str, bool]] = {
        "pass": ("fit to use", "reliable", True),
        "look": ("look", "look", True),
        "fail": ("do not use", "unreliable", False),
    }
    for verdict, (expected, by_loo, truth) in words.items():
        found = replace(answer, verdict=verdict)
        assert expected == Checks((found,)).verdict
        assert truth is bool(Checks((found,)))
        assert by_loo == Checks((found,), group="loo").verdict
        assert truth is bool(Checks((found,), group="loo"))
        assert Checks((found,), group="loo").meaning


def test_too_few_draws_are_not_called_wrong_ones() -> None:
    posterior = made_up.good()
    short = made_up.with_draws(posterior, posterior.draws["posterior"].to_dataset().isel(draw=slice(20)))
    assert {"ess_bulk", "mcse"} <= {item.name for item in check(short).not_passed}
    only = Checks(tuple(item for item in check(short).checks if item.name in ("ess_bulk", "mcse")))
    assert only.verdict == "do not use"
    assert "too short" in only.meaning


def test_unknown_group_names_the_valid_ones() -> None:
    with pytest.raises(SpecError, match=r"Did you mean 'predictive'"):
        check(made_up.good(), "predictiv")


def test_four_thousand_levels_take_seconds() -> None:
    rng = np.random.default_rng(0)
    levels = 4000
    data = pd.DataFrame({"y": rng.normal(size=2 * levels), "g": np.repeat(np.arange(levels), 2)})
    posterior = posterior_at(
        ModelSpec.from_formula("y ~ 1 + (1 | g)"),
        data,
        rng.normal(size=(400, 1)),
        {"g": 1 + rng.random((400, 1, 1))},
        {"sigma": 1 + rng.random(400)},
        {"g": rng.normal(size=(400, levels, 1))},
    )
    start = time.perf_counter()
    checks = check(posterior)
    assert time.perf_counter() - start < 10  # 1 s on a quiet machine; one by one it takes a minute
    assert checks["rhat"].finding.startswith("worst: ")
