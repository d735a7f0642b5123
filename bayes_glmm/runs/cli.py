"""The command ``bayes-glmm``. Each command imports what it needs when it runs, so that ``--help`` answers at once.

Exit codes: 0 for a verdict of "fit to use" or "look", 1 for "do not use", 2 for a wrong config, data or option, 130 for
Ctrl-C; of many runs, that of the worst.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bayes_glmm.runs.run import RunResult

DO_NOT_USE, WRONG, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    help="Bayesian generalized linear mixed models: conditional and population-averaged effects, with uncertainty.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigPath = Annotated[
    Path, typer.Argument(help="A YAML file that states data, model and sampler.", show_default=False)
]
Draws = Annotated[int | None, typer.Option(min=1, help="Draws kept, of each chain.")]
Tune = Annotated[int | None, typer.Option(min=1, help="Warm-up draws, of each chain.")]
Chains = Annotated[int | None, typer.Option(min=1, help="Number of chains.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of the draws.")]
Engine = Annotated[str | None, typer.Option(help="Sampler: nutpie, pymc or numpyro.")]
DataFile = Annotated[Path | None, typer.Option("--data", help="A CSV or Parquet file in place of the config's data.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the run.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a run that is there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no tables: the verdict and the folder.")]


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"bayes-glmm {version('bayes-glmm')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Bayesian generalized linear mixed models: conditional and population-averaged effects, with uncertainty."""


@app.command()
def run(
    config: ConfigPath,
    draws: Draws = None,
    tune: Tune = None,
    chains: Chains = None,
    seed: Seed = None,
    engine: Engine = None,
    data: DataFile = None,
    output: Output = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model, diagnose it, average over its random effects, write the report."""
    with _errors_explained():
        from rich.console import Console

        from bayes_glmm.runs.run import run as run_config
        from bayes_glmm.runs.show import show_findings

        overrides = _overrides(
            draws=draws, tune=tune, chains=chains, seed=seed, engine=engine, data=data, output=output
        )
        notes = None if quiet else partial(show_findings, Console(stderr=True))  # above the progress bar
        _tell(run_config(config, overwrite, overrides, progress=not quiet, before=notes), quiet)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(help="The folder that the run would be in.", show_default=False)],
    quiet: Quiet = False,
) -> None:
    """Finish a run whose process was stopped: finished chains are kept, the others drawn from their beginning."""
    with _errors_explained():
        from bayes_glmm.runs.run import resume as resume_run

        _tell(resume_run(folder, progress=not quiet), quiet)


@app.command()
def sweep(
    configs: Annotated[list[Path], typer.Argument(help="YAML files, each a run of its own.", show_default=False)],
    cluster: Annotated[
        str | None, typer.Option(help="Address of a dask scheduler; processes of this machine without one.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs side by side on this machine.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="A CSV file for the outcomes; sweep.csv beside the first run by default.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Run many configs side by side; finished runs are kept, stopped ones resumed."""
    with _errors_explained():
        from rich.console import Console

        from bayes_glmm.runs.show import show_sweep
        from bayes_glmm.runs.sweep import FAILED, write_table
        from bayes_glmm.runs.sweep import sweep as sweep_configs

        outcomes = sweep_configs(configs, overwrite, cluster, workers, progress=not quiet)
        file = write_table(outcomes, table)
        if quiet:
            for verdict, folder, message in outcomes[["verdict", "folder", "message"]].to_numpy():
                typer.echo(f"{verdict}: {message if message else folder}")
        else:
            show_sweep(Console(), outcomes, file)
        verdicts = set(outcomes["verdict"])
        if verdicts & {FAILED, "do not use"}:
            raise typer.Exit(WRONG if FAILED in verdicts else DO_NOT_USE)


@app.command()
def check(config: ConfigPath, data: DataFile = None) -> None:
    """Validate a config against its data without sampling; print equations and priors."""
    with _errors_explained():
        from rich.console import Console

        from bayes_glmm.runs.run import check as check_config
        from bayes_glmm.runs.show import show_job

        show_job(Console(), check_config(config, _overrides(data=data)))


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="The folder of a finished run.", show_default=False)]) -> None:
    """Rebuild the report of a finished run."""
    with _errors_explained():
        from bayes_glmm.runs.run import rebuild_report

        typer.echo(rebuild_report(folder))


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Folders of finished runs, two or more.", show_default=False)],
    html: Annotated[Path | None, typer.Option("--html", help="Write a page to this file instead of printing.")] = None,
) -> None:
    """Put finished runs side by side: verdicts, leave-one-out by row and by group, effects."""
    with _errors_explained():
        from rich.console import Console

        from bayes_glmm.runs.compare import compare as compare_runs
        from bayes_glmm.runs.show import show_comparison

        comparison = compare_runs(folders)
        if html is None:
            show_comparison(Console(), comparison)
        else:
            from bayes_glmm.runs.compare_html import write_comparison

            write_comparison(comparison, html)
            typer.echo(html)


@app.command()
def data(
    name: Annotated[str | None, typer.Argument(help="A data set; the list of them without one.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write a CSV file instead of printing.")] = None,
) -> None:
    """List the data sets that come with the package, or print one as CSV."""
    with _errors_explained():
        from rich.console import Console

        from bayes_glmm.files import write_file
        from bayes_glmm.runs.run import data as read_data
        from bayes_glmm.runs.show import show_datasets
        from bayes_glmm.runs.tables import csv_text

        table = read_data(name)
        if name is None:
            show_datasets(Console(), table)
        elif output is None:
            typer.echo(csv_text(table), nl=False)
        else:
            write_file(output, csv_text(table))


def _tell(result: RunResult, quiet: bool) -> None:
    """Print a finished run; its verdict is the exit code."""
    from rich.console import Console

    from bayes_glmm.runs.show import show_result

    if quiet:
        typer.echo(f"{result.checks.verdict}: {result.folder}")
    else:
        show_result(Console(), result)
    if result.checks.verdict == "do not use":
        raise typer.Exit(DO_NOT_USE)


def _overrides(
    data: Path | None = None, output: Path | None = None, **sampler: int | str | None
) -> dict[str, dict[str, Any]]:
    """Options given on the command line, as sections of the config."""
    given: dict[str, dict[str, Any]] = {"sampler": {key: value for key, value in sampler.items() if value is not None}}
    if data is not None:
        given["data"] = {"dataset": None, "file": str(data.absolute())}
    if output is not None:
        given["outputs"] = {"folder": str(output)}
    return given


@contextmanager
def _errors_explained() -> Iterator[None]:
    """A message on stderr and an exit code, where the package says what is wrong; SIGTERM cleans up like Ctrl-C."""
    from bayes_glmm.errors import GLMMError

    for name in ("NUMBA_CACHE_DIR", "NUMBA_CACHE_LOCATOR_CLASSES"):
        os.environ.setdefault(name, "")  # else numba runs code from where a .numba_config.yaml beside the config says
    previous = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of a pipe had enough, as in `| head`: typer ends quietly
    except (GLMMError, OSError) as error:
        typer.secho(" ".join([f"Error: {error}", *getattr(error, "__notes__", [])]), fg=typer.colors.RED, err=True)
        raise typer.Exit(WRONG) from error
    except KeyboardInterrupt as error:
        _tell_interrupted(error)
        raise typer.Exit(INTERRUPTED) from error
    except SystemExit as error:
        _tell_interrupted(error)
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)


def _tell_interrupted(error: BaseException) -> None:
    """That it stopped, and what is kept."""
    typer.secho(" ".join(["Interrupted.", *getattr(error, "__notes__", [])]), err=True)
