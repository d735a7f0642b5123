"""The layers: a package imports from floors below its own, never from above or beside; and no file is a drawer."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bayes_glmm"
FLOORS = """errors foreign names notebook numerics processes | files | families datasets netcdf parquet workers |
spec | design | draws likelihood | model posterior | predictive summaries fits | inference effects diagnostics |
approx | plots | report | glmm | studies interop | runs
__init__ __main__"""
FLOOR = {name: i for i, names in enumerate(FLOORS.replace("\n", " | ").split(" | ")) for name in names.split()}
FILES = sorted(PACKAGE.rglob("*.py"))


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_imports_go_down_and_files_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            names = [f"{node.module}.{name}" for name in names] if node.module == "bayes_glmm" else [node.module or ""]
        for other in (f"{name}.__init__".split(".")[1] for name in names if name.split(".")[0] == "bayes_glmm"):
            below = FLOOR[other] < FLOOR[_part(path)] or other == _part(path)
            assert below, f"line {node.lineno}: {_part(path)} imports {other}"


def test_every_part_has_a_floor() -> None:
    assert {_part(path) for path in FILES} <= set(FLOOR)
