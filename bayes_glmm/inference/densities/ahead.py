"""Parts that come compiled with the package: object code, linked when it is asked for.

``python -m bayes_glmm.inference.densities.ahead`` writes it, beside this file, before a wheel is built. There is a
folder for each kind of processor. The code is for one version of numba, whose runtime it calls. Where none fits, parts
are compiled at their first use.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numba
from llvmlite import binding as llvm
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys

from bayes_glmm.inference.densities.callbacks import Part, compile_part
from bayes_glmm.processes import isolated_command

FOLDER = Path(__file__).with_name("objects")
PROCESSORS = {  # and what they can do; the first that fits is taken
    "x86-64-v4": ("avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"),
    "x86-64-v3": ("avx2", "bmi2", "fma"),
}
TUNING = {"x86-64-v4": "-prefer-256-bit"}  # LLVM halves registers there, which makes rows a tenth slower
INDEX = "index.json"
_COUNTS = (("bernoulli", "logit"), ("binomial", "logit"), ("poisson", "log"), ("negative_binomial", "log"))
COMMON_PAIRS = (*_COUNTS, ("gamma", "log"), ("gaussian", "identity"))

COMMON = (
    *(Part(f"whitened {what}", (d,)) for d in (1, 2, 3) for what in ("density", "expand")),
    *(Part("rows", pair) for pair in COMMON_PAIRS),
    *(Part("integrated density", pair) for pair in _COUNTS),
    Part("integrated expand"),
    Part("blocks"),
    Part("fixed density"),
    Part("fixed expand"),
)


@dataclass(frozen=True)
class Linked:
    """Code that is ready to be called.

    Attributes
    ----------
    address : int
    engine : ExecutionEngine
        Holds the code.
    """

    address: int
    engine: Any


@dataclass(frozen=True)
class Objects:
    """A folder of parts that fit this machine.

    Attributes
    ----------
    folder : Path
    functions : mapping of str to str
        The name of the C function in the file of each symbol.
    """

    folder: Path
    functions: Mapping[str, str]

    def __contains__(self, part: Part) -> bool:
        return part.symbol in self.functions

    def link(self, part: Part) -> Linked:
        """The code of a part that is there."""
        rtsys.initialize(cpu_target.target_context)  # which allocates arrays
        machine = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault", jit=True)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        engine.add_object_file(llvm.ObjectFileRef.from_path(str(_file(self.folder, part))))
        engine.finalize_object()
        return Linked(engine.get_function_address(self.functions[part.symbol]), engine)


@cache
def objects(folder: Path = FOLDER) -> Objects | None:
    """What a folder with one for each processor has for this machine."""
    for processor in PROCESSORS:
        index = folder / processor / INDEX
        if index.is_file() and runs_here(processor):
            found = json.loads(index.read_text(encoding="utf-8"))
            if found["made for"] == _runtime():
                return Objects(index.parent, found["functions"])
    return None


def runs_here(processor: str) -> bool:
    """Whether this machine's processor can do what one of that kind can."""
    able = llvm.get_host_cpu_features()
    return all(able.get(feature) for feature in PROCESSORS[processor])


def write(folder: Path, parts: Sequence[Part] = COMMON) -> None:
    """Compile parts for each kind of processor, side by side.

    Parameters
    ----------
    folder : Path
        Gets a folder for each kind, in place of what it has of it.
    parts : sequence of Part
        By default those that most models need.

    Raises
    ------
    RuntimeError
        If a compilation fails; what went wrong is printed by then.
    """
    started = {name: _compiling(folder / name, parts) for name in PROCESSORS}
    failed = [name for name, process in started.items() if process.wait()]
    if failed:
        raise RuntimeError(f"Compiling for {', '.join(failed)} failed: see above. Mend it, and run this again.")


def _compiling(folder: Path, parts: Sequence[Part]) -> subprocess.Popen[bytes]:
    """A process of its own for a processor: numba is told which one before it is imported."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = json.dumps([(part.name, part.made_for) for part in parts])
    command = isolated_command(__spec__.name, "write_for_one", str(folder.resolve()), names)
    told = {"NUMBA_CPU_NAME": folder.name, "NUMBA_CPU_FEATURES": TUNING.get(folder.name, "")}
    return subprocess.Popen(command, env=os.environ | told)


def write_for_one(place: str, names: str) -> None:
    """Write parts for the processor that the folder is named after, which numba has been told."""
    folder = Path(place)
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=folder.name, opt=3, reloc="static", codemodel="jitdefault", jit=True
    )
    functions = {}
    for name, made_for in json.loads(names):
        part = Part(name, tuple(made_for))
        compiled = compile_part(part, keep=False)
        _file(folder, part).write_bytes(machine.emit_object(llvm.parse_assembly(compiled.inspect_llvm())))
        functions[part.symbol] = compiled.native_name
    index = {"made for": _runtime(), "functions": functions}
    (folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")


def _file(folder: Path, part: Part) -> Path:
    return folder / f"{part.symbol}.o"


def _runtime() -> list[str]:
    """What object code is for, beside the processor."""
    return [llvm.get_default_triple(), f"numba {numba.__version__}"]


if __name__ == "__main__":
    write(FOLDER)
