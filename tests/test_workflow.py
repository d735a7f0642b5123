"""The workflow file is one that the server takes."""

from __future__ import annotations

from pathlib import Path

from bayes_glmm.runs.document import read_document

WORKFLOW = Path(__file__).parents[1] / ".github" / "workflows" / "ci.yml"


def test_each_job_stands_once() -> None:
    jobs = read_document(WORKFLOW).values["jobs"]  # refuses a key that stands twice
    assert {"lint", "test", "statistical", "wheel"} < set(jobs)
