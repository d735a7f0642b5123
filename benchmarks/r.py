"""The posterior of a benchmark by rstanarm: a question to R as files, and its draws as ArviZ holds them.

Priors are Bambi's where rstanarm has them: normal coefficients, an intercept at the mean of the predictors, half-t and
half-Cauchy auxiliary parameters. It has no half-normal standard deviations; theirs become gamma, with the same mean and
the same mean logarithm (of all gamma distributions the nearest in Kullback-Leibler divergence). Where there is an
auxiliary parameter, the residual standard deviation or the reciprocal dispersion of counts, rstanarm multiplies them by
it. They are divided by its Laplace estimate but stay tied to it, which draws it down: draws of this package, reweighted
to rstanarm's priors, have a mean reciprocal dispersion .29 posterior standard deviations lower for epil, and a mean
residual standard deviation .14 lower for sleepstudy.

Needs Rscript with rstanarm and jsonlite: on Debian ``r-cran-rstanarm`` and ``r-cran-jsonlite``.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("rstanarm.R")
FAMILIES = ("gaussian", "bernoulli", "binomial", "poisson", "negative_binomial")
SHAPE, SCALE = 1.36395, 0.58498  # of the gamma distribution nearest to HalfNormal(1)
NOTE = (
    "rstanarm: standard deviations of random effects have gamma priors near Bambi's half-normal ones, times the "
    "residual standard deviation or reciprocal dispersion where there is one, which draws that one down: the "
    "difference is also one of priors. Sampling is processor time, of the chains of the core that worked longest; "
    "gradients leave warm-up out; memory is that of R and the chains it forks. R keeps no compiled code: cold and "
    "warm differ by chance."
)


@functools.cache
def versions() -> str | None:
    """R's and rstanarm's, or None where one is not installed."""
    if shutil.which("Rscript") is None:
        return None
    packages = "c('rstanarm', 'rstan', 'jsonlite')"
    ask = f"cat('R', format(getRversion())); for (p in {packages}) cat(paste0(', ', p, ' ', packageVersion(p)))"
    said = subprocess.run(["Rscript", "-e", ask], capture_output=True, text=True, check=False)
    return said.stdout if said.returncode == 0 else None


def sample(draws: int, folder: Path) -> tuple[dict[str, float], Any]:
    """Seconds and memory, and the draws.

    Parameters
    ----------
    draws : int
        A chain; there are 4, after 1,000 steps of warm-up.
    folder : Path
        Where ``model.json`` and ``data.parquet`` lie.

    Returns
    -------
    dict
        ``total`` from the start of R until its end, ``fit``, ``sampling``; ``memory`` in GiB.
    DataTree
    """
    question, data = _question(folder)
    data.to_csv(folder / "data.csv", index=False)
    run = {"draws": draws, "tune": 1000, "chains": 4, "cores": os.cpu_count(), "seed": 1}
    (folder / "question.json").write_text(json.dumps(question | run), encoding="utf-8")
    start = time.perf_counter()
    memory = _run(folder)
    total = time.perf_counter() - start
    seconds = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    return {"total": total, **seconds, "memory": memory / 2**30}, _tree(folder / "draws.csv", chains=4)


def _question(folder: Path) -> tuple[dict[str, Any], Any]:
    """Formula, family and priors in R's names, and the data."""
    import pandas as pd

    import bayes_glmm as bg

    spec = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    model = bg.GLMM(data=pd.read_parquet(folder / "data.parquet"), **spec)
    if model.spec.family_name not in FAMILIES:
        raise ValueError(f"stan_glmer has no family {model.spec.family_name}")
    data = model.design.data
    words = {name: data[name].astype("category").cat for name in data if not pd.api.types.is_numeric_dtype(data[name])}
    question = {
        "formula": _formula(model.spec.formula),
        "family": model.spec.family_name,
        "link": model.spec.link_name,
        "levels": {name: [str(level) for level in column.categories] for name, column in words.items()},
        **_priors(model),
    }
    return question, data


def _priors(model: Any) -> dict[str, Any]:
    """Means and sds of coefficients, the intercept's where predictors are at their means; the others' arguments."""
    import numpy as np

    import bayes_glmm as bg

    design, name = model.design, next(iter(model.spec.family.auxiliary), None)  # these families have one, or none
    given = {name: dict(prior.keyword) for name, prior in model.priors.entries.items()}
    betas = {label: given[f"beta[{label}]"] for label in design.coefficients}
    normal = {label: (prior["mu"], prior["sigma"]) for label, prior in betas.items()}
    means = dict(zip(design.coefficients, design.X.mean(axis=0), strict=True))
    mean, sd = normal.pop("Intercept")
    unit = SCALE / (bg.approx.laplace(model).parameters.auxiliary[name] if name else 1.0)
    return {
        "coefficients": {_in_r(label): pair for label, pair in normal.items()},
        "intercept": (
            mean + sum(normal[label][0] * means[label] for label in normal),
            np.sqrt(sd**2 - sum((normal[label][1] * means[label]) ** 2 for label in normal)),
        ),
        "shape": SHAPE,
        "sds": {
            f"{block.group}:{_in_r(effect)}": unit * given[f"sd_{block.group}[{effect}]"]["sigma"]
            for block in design.blocks
            for effect in block.effects
        },
        "auxiliary": {"distribution": model.priors.entries[name].distribution, **given[name]}
        if name
        else {"distribution": "none"},
    }


def _in_r(name: str) -> str:
    """R's name of a coefficient: levels follow their factor without brackets."""
    return "(Intercept)" if name == "Intercept" else name.replace("[", "").replace("]", "")


def _formula(formula: Any) -> str:
    """As lme4 reads it, which knows neither p(y, n) nor (1 || g)."""
    text = str(formula).partition(" ~ ")[2].replace("(1 || ", "(1 | ")
    left = formula.response
    return f"{left if formula.trials is None else f'cbind({left}, {formula.trials} - {left})'} ~ {text}"


def _tree(path: Path, chains: int) -> Any:
    """The draws of a file, a column a parameter."""
    import arviz as az
    import pandas as pd

    columns = pd.read_csv(path)
    arrays = {name: column.to_numpy().reshape(chains, -1) for name, column in columns.items()}
    stats = {name: arrays.pop(name) for name in ("n_steps", "diverging")}
    return az.from_dict({"posterior": arrays, "sample_stats": stats})


def _run(folder: Path) -> int:
    """Let R fit; the most bytes that it and the chains it forks held together, looked at four times a second."""
    import psutil

    def held(process: psutil.Process) -> int:
        """Bytes; those that several processes share are divided between them."""
        try:
            return process.memory_full_info().pss
        except psutil.Error:  # it has ended since
            return 0

    most = 0
    with (folder / "r.log").open("w") as log:
        process = psutil.Popen(["Rscript", str(SCRIPT), str(folder)], stdout=log, stderr=log)
        while True:
            most = max(most, sum(map(held, [process, *process.children(recursive=True)])))
            with suppress(psutil.TimeoutExpired):
                process.wait(0.25)
                break
    if process.returncode:
        said = (folder / "r.log").read_text().partition("Error")
        raise RuntimeError(" ".join("".join(said[1:] if said[1] else said).split()))
    return most
