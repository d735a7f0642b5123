"""Plain against integrated coordinates on the abortion attitudes: effective samples a second, one posterior, one run.

    uv run python benchmarks/coordinates.py [draws]

The plain model moves in 1,850 standardised effects and five parameters; the integrated one in the five.
"""

import sys
import time

import bayes_glmm as bg
from bayes_glmm.datasets import abortion
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.diagnostics.statistics import ess_bulk

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
model = bg.GLMM("response ~ situation + gender + (1 | person)", abortion(), family="bernoulli")
rate = {}
for coordinates in ("plain", "integrated"):
    for attempt in ("compile", "measure"):  # the first fit fills the compiler's caches
        start = time.perf_counter()
        fit = model.fit(10 if attempt == "compile" else draws, seed=1, coordinates=coordinates, progress=False)
        seconds = time.perf_counter() - start
    table = fit.summary()
    least = ess_bulk(parameters(fit.posterior, per_level=False)[1]).min()
    rate[coordinates] = least / seconds
    print(f"{coordinates:11s} {seconds:6.1f} s, least bulk ESS {least:6.0f}: {rate[coordinates]:.1f} /s")
    print(table[["median", "lower", "upper"]].round(3).to_string(), "\n")
print(f"integrated / plain: {rate['integrated'] / rate['plain']:.0f} times the effective samples a second")
