"""The gallery: a run of each config, a picture of each report, and a comparison of the runs of one data set.

    python docs/gallery.py                                       # all of configs/, into gallery/
    python docs/gallery.py configs/seeds.yaml --folder elsewhere

It is a sweep: again, it keeps the runs that are finished and goes on with those that were stopped. ``mkdocs build``
puts what is there into the site, by ``docs/hooks/gallery.py``. Pictures are taken by Chromium, where there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from bayes_glmm.errors import GLMMError
from bayes_glmm.runs.compare import compare
from bayes_glmm.runs.compare_html import write_comparison
from bayes_glmm.runs.sweep import FAILED, sweep

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_WINDOW, _WIDTH = (1200, 1500), 480  # pixels: of the page, and across the picture


def build(
    configs: Iterable[Path], folder: Path, workers: int | None = None, overwrite: bool = False, progress: bool = False
) -> None:
    """Make ``runs/<name>``, ``pictures/<name>.png`` and ``comparisons/<name>--<name>.html``.

    Parameters
    ----------
    configs : iterable of Path
    folder : Path
    workers : int, optional
        Runs side by side; see :func:`bayes_glmm.runs.sweep.sweep`.
    overwrite : bool
        Whether to make runs anew that are there.
    progress : bool
        Whether to show a live line.

    Raises
    ------
    SystemExit
        If a run fails.
    """
    paths = [path.resolve() for path in configs]
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        outcomes = sweep(paths, overwrite, workers=workers, progress=progress)
        if failed := [f"{row.config}: {row.message}" for row in outcomes.itertuples() if row.verdict == FAILED]:
            raise SystemExit("\n".join(failed))
        runs = [Path("runs") / path.stem for path in paths]
        for run in runs:
            take_picture(run / "report.html", Path("pictures") / f"{run.name}.png")
        for several in _of_one_data_set(runs):
            write_comparison(compare(several), Path("comparisons") / f"{'--'.join(run.name for run in several)}.html")


def _of_one_data_set(runs: Iterable[Path]) -> list[list[Path]]:
    """Runs that have the same data, where they are several."""
    found: dict[str, list[Path]] = {}
    for run in runs:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        found.setdefault(record["data"]["sha256"], []).append(run)
    return [several for several in found.values() if len(several) > 1]


def find_browser() -> str | None:
    """A Chromium, where one is installed."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def take_picture(page: Path, picture: Path) -> None:
    """The top of a page, small; nothing where there is no Chromium."""
    if (browser := find_browser()) is None:
        return
    picture.parent.mkdir(parents=True, exist_ok=True)
    options = ["--headless", "--disable-gpu", "--hide-scrollbars", f"--window-size={_WINDOW[0]},{_WINDOW[1]}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")  # root cannot have one
    subprocess.run(
        [browser, *options, f"--screenshot={picture.resolve()}", page.resolve().as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    _shrink(picture)


def _shrink(picture: Path) -> None:
    from PIL import Image

    with Image.open(picture) as image:
        size = (_WIDTH, round(_WIDTH * image.height / image.width))
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small.quantize(128, dither=Image.Dither.NONE).save(picture, optimize=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Build the gallery of reports.")
    parser.add_argument("configs", nargs="*", type=Path, help="YAML files; all of configs/ by default")
    parser.add_argument("--folder", type=Path, default=ROOT / "gallery")
    parser.add_argument("--workers", type=int, help="runs side by side")
    parser.add_argument("--overwrite", action="store_true", help="make runs anew that are there")
    given = parser.parse_args(arguments)
    configs = given.configs or sorted(CONFIGS.glob("*.yaml"))
    try:
        build(configs, given.folder, given.workers, given.overwrite, progress=True)
    except GLMMError as error:
        raise SystemExit(f"Error: {error}") from None


if __name__ == "__main__":
    main()
