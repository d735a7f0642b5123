"""How do I run a config file from Python, and use its posterior afterwards?

The same as: bayes-glmm run configs/clinics.yaml --output FOLDER

    python examples/run_a_config.py [draws] [folder]
"""

import sys
import tempfile
from pathlib import Path

import bayes_glmm as bg
from bayes_glmm.runs.run import run

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()) / "clinics"
config = Path(__file__).parents[1] / "configs" / "clinics.yaml"

result = run(config, overrides={"sampler": {"draws": draws, "tune": draws}, "outputs": {"folder": str(folder)}})
print(f"Verdict: {result.checks.verdict}. Written to {result.folder}:")
print(*sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()), sep="\n")

fit = bg.load(result.folder / "posterior")
print(fit.compare("treatment", estimands="difference"))
