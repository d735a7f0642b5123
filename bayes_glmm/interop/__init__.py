"""Models from and for other packages."""

from __future__ import annotations

from bayes_glmm.interop.bambi import from_bambi as from_bambi
