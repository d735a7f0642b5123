"""What the last bit of a draw depends on beside versions and seed: the CPU, whose kernels sum in their own order."""

from __future__ import annotations

import os
import platform


def machine() -> dict[str, str]:
    """The processor that compiled code and BLAS kernels are chosen for.

    Returns
    -------
    dict
        ``cpu``, as LLVM names it, and ``blas``: a kernel that was asked for by ``OPENBLAS_CORETYPE``, else "by cpu".
    """
    from llvmlite import binding

    return {
        "cpu": f"{platform.machine()} {binding.get_host_cpu_name()}",
        "blas": os.environ.get("OPENBLAS_CORETYPE", "by cpu"),
    }
