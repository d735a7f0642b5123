"""Samplers side by side, one posterior a case: effective samples a second, waiting time, memory.

    uv run python benchmarks/run.py [--cases hdp,abortion] [--samplers ours,plain,bambi] [--draws 1000] [--longest 1800]
        [--out FOLDER] [--add]

Every pair of case and sampler runs in two fresh processes, one after the other, with compiler caches of their own: the
first starts them empty (cold), the second finds them filled (warm). This package then has what came compiled with it,
if it did (CONTRIBUTING.md, Build a wheel); the table says so. Times are seconds; "to 1,000" is the time to 1,000
effective draws, were sampling stopped or continued there. "sampling" leaves out building, compiling and imports. ESS is
the least bulk ESS over fixed effects, standard deviations and auxiliary parameters; "gradients" are NUTS steps of the
draws of all chains, without warm-up; "memory" is that of the largest process; "difference" is the largest distance of a
mean from that of the first sampler of the case, in posterior standard deviations. rstanarm is left out, with a line,
where R or it is not installed. Results are written as a table (Markdown and CSV), and as they are (JSON); ``--add``
takes the pairs that are there into the new table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import r

STARTED = time.perf_counter()
SAMPLERS = {
    "ours": "this package",
    "plain": "this package in plain coordinates",
    "bambi nutpie": "Bambi with nutpie",
    "bambi": "Bambi with its default sampler",
    "bambi numpyro": "Bambi with NumPyro on the CPU",
    "rstanarm": "rstanarm",
}
Results = dict[tuple[str, str], dict[str, Any]]  # of a case and a sampler


def one(case: str, sampler: str, draws: int, folder: Path) -> dict[str, Any]:
    """Fit one case by one sampler, in this process (rstanarm: in R, whose seconds and memory are told)."""
    if sampler == "rstanarm":
        told, tree = r.sample(draws, folder)
        return told | {"coordinates": "", "gradients": _gradients(tree), **_quality(tree)}
    compiling = [0.0] if sampler == "ours" else _timed_compilation()
    if sampler in ("ours", "plain"):
        import pandas as pd
        import xarray as xr

        import bayes_glmm as bg

        xr.Dataset({"x": ("d", [0.0])}, {"d": ["a"]})  # what xarray imports at its first use is no sampling
        model = bg.GLMM(
            data=pd.read_parquet(folder / "data.parquet"), **json.loads((folder / "model.json").read_text())
        )
        start = time.perf_counter()
        fit = model.fit(draws=draws, seed=1, coordinates="auto" if sampler == "ours" else "plain", progress=False)
        tree, how = fit.idata, fit.posterior.provenance["coordinates"]
        sampling = fit.posterior.provenance["seconds_of_sampling"] - compiling[0]  # inside it for PyMC models only
    else:
        from benchmarks.cases import CASES

        built = CASES[case]()
        start = time.perf_counter()
        method = {"bambi": "pymc", "bambi nutpie": "nutpie", "bambi numpyro": "numpyro"}[sampler]
        tree, how = (
            built.fit(draws=draws, tune=1000, chains=4, random_seed=1, inference_method=method, progressbar=False),
            "",
        )
        sampling = tree["posterior"].attrs.get("sampling_time") or time.perf_counter() - start - compiling[0]
    wall = time.perf_counter() - start
    return {
        "total": time.perf_counter() - STARTED,
        "fit": wall,
        "sampling": float(sampling),
        "coordinates": how,
        "gradients": _gradients(tree),
        **({"brought": _brought()} if sampler == "ours" else {}),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        **_quality(tree),
    }


def _timed_compilation() -> list[float]:
    """Seconds that nutpie spends compiling, added up."""
    import nutpie

    spent, compile_model = [0.0], nutpie.compile_pymc_model

    def timed(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return compile_model(*arguments, **options)
        finally:
            spent[0] += time.perf_counter() - start

    nutpie.compile_pymc_model = timed
    return spent


def _brought() -> bool:
    """Whether compiled densities came with this package."""
    from bayes_glmm.inference.densities.ahead import objects

    return objects() is not None


def _gradients(tree: Any) -> float:
    statistics = tree["sample_stats"].to_dataset()
    return float(statistics["n_steps"].sum()) if "n_steps" in statistics else float("nan")


def _quality(tree: Any) -> dict[str, Any]:
    """Least ESS, and means and sds of the parameters that are compared."""
    import arviz as az
    import numpy as np

    posterior = tree["posterior"].to_dataset()
    kept = [name for name, variable in posterior.data_vars.items() if _compared(str(name), variable)]
    table = az.summary(posterior[kept], kind="all", round_to="none")
    values = table[["mean", "sd", "ess_bulk", "r_hat"]].astype(float)
    return {
        "ess": float(values["ess_bulk"].min()),
        "worst": str(values["ess_bulk"].idxmin()),
        "rhat": float(values["r_hat"].max()),
        "diverging": int(tree["sample_stats"]["diverging"].sum()),
        "means": np.sort(values["mean"].to_numpy()).tolist(),
        "sds": values["sd"].to_numpy()[np.argsort(values["mean"].to_numpy())].tolist(),
    }


def _compared(name: str, variable: Any) -> bool:
    """Whether a variable is among what samplers are compared on: not random effects, nor what follows from others."""
    if "|" in name:  # Bambi's group effects and their standard deviations
        return name.endswith("_sigma")
    return not name.startswith(("u_", "z_", "G_", "corr_")) and variable[0, 0].size <= 50


def both(case: str, sampler: str, draws: int, longest: float) -> dict[str, Any]:
    """Cold and warm, each in a process of its own."""
    results = {}
    with tempfile.TemporaryDirectory() as cache:
        written = _run([case, "model", "--folder", cache])
        if written.returncode:
            return {"error": written.stderr.strip().splitlines()[-1][:120]}
        caches = {"NUMBA_CACHE_DIR": f"{cache}/numba", "PYTENSOR_FLAGS": f"base_compiledir={cache}/pytensor"}
        caches["PYTHONDONTWRITEBYTECODE"] = ""  # as for most people: what Python compiled is kept
        for kind in ("cold", "warm"):
            try:
                done = _run([case, sampler, "--draws", str(draws), "--folder", cache], caches, longest)
            except subprocess.TimeoutExpired:
                return {"error": f"more than {longest:.0f} s"}
            if done.returncode:
                return {"error": done.stderr.strip().splitlines()[-1][:120] if done.stderr.strip() else "failed"}
            results[kind] = json.loads(done.stdout.splitlines()[-1])
    return results["warm"] | {"cold": results["cold"]["total"], "warm": results["warm"]["total"]}


def _run(
    arguments: list[str], environment: dict[str, str] | None = None, longest: float | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.run", "--one", *arguments]
    with subprocess.Popen(
        command,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, errors = process.communicate(timeout=longest)
        except BaseException:  # its time is over, or somebody interrupts: what it has started ends too
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, said, errors)


def write_model(case: str, folder: Path) -> None:
    """Write the Bambi model of a case as formula, family and priors of this package: no sampler waits for another."""
    from benchmarks.cases import model_of

    model = model_of(case)
    model.pop("data").to_parquet(folder / "data.parquet")
    (folder / "model.json").write_text(json.dumps(model), encoding="utf-8")


def table(results: Results) -> Any:
    """One row a pair."""
    import numpy as np
    import pandas as pd

    rows = []
    for (case, sampler), found in results.items():
        row = {"case": case, "sampler": SAMPLERS[sampler]}
        if "error" in found:
            rows.append(row | {"coordinates": found["error"]})
            continue
        first = next(other for (name, _), other in results.items() if name == case and "error" not in other)
        same = len(first["means"]) == len(found["means"])
        apart = np.abs(np.subtract(first["means"], found["means"])) / first["sds"] if same else [np.nan]
        rows.append(
            row
            | {
                "coordinates": found["coordinates"],
                "cold": round(found["cold"], 1),
                "warm": round(found["warm"], 1),
                "cold to 1,000": round(_to_thousand(found, "cold"), 1),
                "warm to 1,000": round(_to_thousand(found, "warm"), 1),
                "sampling": round(found["sampling"], 2),
                "ESS": round(found["ess"]),
                "ESS a second": round(found["ess"] / found["sampling"], 1),
                "gradients": round(found["gradients"]),
                "memory (GiB)": round(found["memory"], 2),
                "R-hat": round(found["rhat"], 3),
                "divergences": found["diverging"],
                "difference": round(float(np.max(apart)), 3),
            }
        )
    return pd.DataFrame(rows).convert_dtypes()


def _to_thousand(found: dict[str, Any], kind: str) -> float:
    """Seconds from the start of Python to 1,000 effective draws: only sampling is stretched."""
    return float(found[kind] + found["sampling"] * (1000.0 / found["ess"] - 1.0))


def markdown(found: Any) -> str:
    """A data frame as a table in Markdown."""
    rows = [
        list(found.columns),
        ["---"] * len(found.columns),
        *found.astype(object).where(found.notna(), "").astype(str).values.tolist(),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default="sleepstudy,hdp,tumours,abortion,epil,cbpp,fruits,salamander,verbagg")
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--longest", type=float, default=1800, help="seconds that a process may take")
    parser.add_argument("--add", action="store_true", help="to what is in the folder")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        case, sampler = given.one
        if sampler == "model":
            write_model(case, given.folder)
        else:
            print(json.dumps(one(case, sampler, given.draws, given.folder)))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # as by Ctrl-C: with the processes it started
    samplers = given.samplers.split(",")
    results = read(given.out) if given.add else {}
    if "rstanarm" in samplers and r.versions() is None:
        samplers.remove("rstanarm")
        results["all", "rstanarm"] = {"error": "not installed: skipped"}
        write(results, given.draws, given.out)
    for case in given.cases.split(","):
        for sampler in samplers:
            results[case, sampler] = both(case, sampler, given.draws, given.longest)
            print(f"{case}, {sampler}: {results[case, sampler]}", file=sys.stderr, flush=True)
            write(results, given.draws, given.out)
    print((given.out / "samplers.md").read_text(encoding="utf-8"))


def read(folder: Path) -> Results:
    """What an earlier run found."""
    path = folder / "samplers.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {(case, sampler): pair for case, samplers in found.items() for sampler, pair in samplers.items()}


def write(results: Results, draws: int, folder: Path) -> None:
    """What was found; as a table in Markdown and CSV too, with machine and versions."""
    folder.mkdir(parents=True, exist_ok=True)
    nested: dict[str, dict[str, Any]] = {}
    for (case, sampler), pair in results.items():
        nested.setdefault(case, {})[sampler] = pair
    (folder / "samplers.json").write_text(json.dumps(nested, indent=1), encoding="utf-8")
    found = table({(case, sampler): pair for case, pairs in nested.items() for sampler, pair in pairs.items()})
    packages = ("bayes-glmm", "pymc", "pytensor", "nutpie", "bambi", "numpyro", "numba", "numpy")
    versions, note = ", ".join(f"{name} {version(name)}" for name in packages if find_spec(name.replace("-", "_"))), ""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    if SAMPLERS["rstanarm"] in set(found["sampler"]) and r.versions():
        versions, note = f"{versions}, {r.versions()}", f"\n{r.NOTE}\n"
    brought = {pair["brought"] for (_, sampler), pair in results.items() if sampler == "ours" and "brought" in pair}
    how = " or ".join("came compiled" if each else "were compiled in the cold runs" for each in sorted(brought))
    about = f"{draws} draws a chain, 4 chains. {machine}; {versions}."
    about += f" The densities of this package {how}." if how else ""
    text = f"{markdown(found)}\n\n{about}\n{note}"
    (folder / "samplers.md").write_text(text, encoding="utf-8")
    found.to_csv(folder / "samplers.csv", index=False)


if __name__ == "__main__":
    main()
