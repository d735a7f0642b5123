"""Every file that compiled code may be of changes its version."""

from __future__ import annotations

import shutil
from pathlib import Path

from bayes_glmm.inference.kernels import source
from bayes_glmm.inference.kernels.source import source_version


def test_any_file_of_the_kernels_or_of_another_folder_changes_the_version(tmp_path: Path, monkeypatch) -> None:
    kernels, other = tmp_path / "kernels", tmp_path / "other"
    shutil.copytree(Path(source.__file__).parent, kernels)
    other.mkdir()
    (other / "more.py").write_text("number = 1\n", encoding="utf-8")
    monkeypatch.setattr(source, "__file__", str(kernels / "source.py"))
    versions = [source_version(), source_version(other)]
    for path in (*sorted(kernels.glob("*.py")), other / "more.py"):
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        versions.append(source_version(other))
    assert len(set(versions)) == len(versions)
    assert len(versions) > 8
