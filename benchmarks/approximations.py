"""Laplace, AGHQ and posteriors by resampling beside other software: seconds, and the standard deviation each finds.

    uv run python -m benchmarks.approximations [folder of published data and stored fits] [words of names of models]

Seconds of lme4 and glmmTMB were stored with their fits, made on **another machine**: their ratios compare orders of
magnitude, no more. mixedlm and statsmodels run here, in the same process, each fit after one of ours; statsmodels'
Bayesian mixed models (mode, and variational) have priors of their own. Seconds here are of one core
(OPENBLAS_NUM_THREADS=1), whatever else runs; the fastest of two fits counts.
"""

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import mixedlm
import numpy as np
from scipy import sparse
from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM, PoissonBayesMixedGLM

import bayes_glmm as bg
from tests.approx.reference import AGHQ25, STUDIES, Case, Study

MODELS = (
    "spinal", "beitler_landis", "seeds", "cbpp", "abortion", "salamander_mating", "contraception", "verbagg",
    "hdp remission", "hdp lungcapacity", "epil", "epil overdispersed", "owls", "arabidopsis", "sleepstudy",
)  # fmt: skip
FAMILIES = {"bernoulli": mixedlm.families.Binomial, "poisson": mixedlm.families.Poisson}
BAYESIAN = {"bernoulli": BinomialBayesMixedGLM, "poisson": PoissonBayesMixedGLM}
MOST_LEVELS = 500  # statsmodels took more than two minutes for 1,850
Answer = tuple[float, float]  # seconds, the first standard deviation


def timed(fit: Callable[[], object], sd: Callable[[object], float], repeats: int = 2) -> Answer:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        found = fit()
        seconds.append(time.process_time() - start)
    return min(seconds), float(sd(found))


def ours(model: bg.GLMM) -> dict[str, Answer]:
    """Laplace, quadrature where it can be, and draws."""
    group = model.design.blocks[0].group
    result = {"Laplace": timed(lambda: bg.approx.laplace(model), lambda fit: fit.sd(group)[0])}
    if len(model.design.blocks) == 1 and len(model.design.blocks[0].effects) == 1:
        result["AGHQ"] = timed(lambda: bg.approx.aghq(model), lambda fit: fit.sd(group)[0])
    result["draws"] = timed(
        lambda: bg.approx.laplace_posterior(model), lambda p: np.sqrt(p.G(group)[:, 0, 0]).mean(), 1
    )
    return result


def stored(study: Study, shared: Path) -> dict[str, Answer]:
    """What lme4 and glmmTMB took, on another machine."""
    result = {}
    for method in study.methods:
        fit = Case(study, method).fit(shared)
        name = "AGHQ" if method == AGHQ25 else "Laplace" if "AGHQ" not in method else ""
        if name and name not in result:
            block = fit.model.design.blocks[0]
            result[name] = fit.raw["seconds"], fit.sd[block.group, block.effects[0]]
    return result


def by_mixedlm(study: Study, model: bg.GLMM) -> Answer | None:
    data = model.design.data.astype({block.group: str for block in model.design.blocks if ":" not in block.group})
    if study.family == "gaussian":
        return timed(lambda: mixedlm.lmer(study.formula, data, REML=False), lambda fit: fit.theta[0] * fit.sigma)
    if study.family not in FAMILIES or "offset" in study.formula:
        return None
    return timed(lambda: mixedlm.glmer(study.formula, data, family=FAMILIES[study.family]()), lambda fit: fit.theta[0])


def by_statsmodels(study: Study, model: bg.GLMM) -> dict[str, Answer]:
    design = model.design
    if sum(len(block.levels) for block in design.blocks) > MOST_LEVELS:
        return {}
    if study.family not in BAYESIAN or design.offset.any() or any(len(block.effects) > 1 for block in design.blocks):
        return {}
    rows = np.arange(len(design.y))
    Z = sparse.hstack([sparse.csr_array((np.ones(len(rows)), (rows, block.index))) for block in design.blocks])
    which = np.repeat(np.arange(len(design.blocks)), [len(block.levels) for block in design.blocks])
    theirs = BAYESIAN[study.family](design.y, design.X, sparse.csr_matrix(Z), which)

    def sd(fit: object) -> float:
        return float(np.exp(fit.vcp_mean[0]))

    return {"map": timed(theirs.fit_map, sd), "vb": timed(theirs.fit_vb, sd, 1)}


def cell(answer: Answer | None, ours: Answer | None = None) -> str:
    if answer is None:
        return "-"
    ratio = f" {answer[0] / ours[0]:.2g}x" if ours else ""
    return f"{answer[0]:.2f} s{ratio} ({answer[1]:.3g})"


shared = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1].parent / "shared"
wanted = sys.argv[2:]
warnings.simplefilter("ignore")  # of the others' searches
print("Seconds, times ours, (the first standard deviation). * stored, wall-clock time of another machine")
head = ["Laplace", "AGHQ 25", "1,000 draws", "lme4/glmmTMB*", "lme4 AGHQ*", "mixedlm", "statsmodels map", "vb"]
print(f"{'':18s} " + " | ".join(f"{name:19s}" for name in head))
for study in STUDIES:
    if study.name not in MODELS or (wanted and not any(word in study.name for word in wanted)):
        continue
    model = study.model(shared)
    here, there = ours(model), stored(study, shared)
    live, bayesian = by_mixedlm(study, model), by_statsmodels(study, model)
    cells = [
        cell(here["Laplace"]),
        cell(here.get("AGHQ")),
        cell(here["draws"]),
        cell(there.get("Laplace"), here["Laplace"]),
        cell(there.get("AGHQ"), here.get("AGHQ")),
        cell(live, here["Laplace"]),
        *(cell(bayesian.get(name), here["draws"]) for name in ("map", "vb")),
    ]
    print(f"{study.name:18s} " + " | ".join(f"{text:19s}" for text in cells), flush=True)
