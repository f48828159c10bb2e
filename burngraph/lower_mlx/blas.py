"""An optimised BLAS for MLX's CPU back end on Linux, whose wheel carries the reference one: products there are 20 times faster.

MLX calls 24 routines through the table of its shared library that the dynamic linker fills in (.got.plt). OpenBLAS, as
`scipy-openblas32` packs it, has the same routines with a prefix to their names; their addresses are written into that table.
Nothing else in the process is touched. On macOS MLX uses Accelerate, and nothing is done.

Source   ELF specification, "Procedure Linkage Table"; docs/decisions/0012-an-optimised-blas.md
"""

import ctypes
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

SWITCH = "BURNGRAPH_BLAS"  # "mlx" in the environment leaves MLX as it was installed
PREFIX = "scipy_"
Slots = dict[str, tuple[int, int]]  # routine -> where its address stands, and OpenBLAS's


class Blas(NamedTuple):
    """name: what products on the CPU run on; way_out: what to do for a faster one, empty if nothing."""

    name: str
    way_out: str = ""


@cache
def use_fast_blas() -> Blas:
    """Let MLX's CPU back end call OpenBLAS, if it can; what it calls now. Done once in a process."""
    if sys.platform != "linux":
        return Blas("MLX's own")
    if os.environ.get(SWITCH) == "mlx":
        return Blas("MLX's own", f"{SWITCH}=mlx is set")
    try:
        import scipy_openblas32
        from elftools.elf.elffile import ELFFile
    except ImportError:
        return Blas("MLX's own", "pip install 'burngraph[cpu]' for a faster one")
    path, base, writable = _mapped("libmlx.so")
    library = ctypes.CDLL(str(Path(scipy_openblas32.get_lib_dir()) / scipy_openblas32.get_library(fullname=True)))
    slots = _slots(ELFFile, path, base, library) if path is not None else {}
    if not slots:  # built against another BLAS
        return Blas("MLX's own")
    if not all(any(start <= at < end for start, end in writable) for at, _ in slots.values()):
        return Blas("MLX's own", "its table of routines is read-only in this build of MLX")
    before = {at: _exchange(at, address) for at, address in slots.values()}
    if not _is_right():
        for at, address in before.items():
            _exchange(at, address)
        return Blas("MLX's own", "OpenBLAS gave wrong products in it")
    return Blas(f"OpenBLAS {_version(scipy_openblas32)}")


def _mapped(name: str) -> tuple[Path | None, int, list[tuple[int, int]]]:
    """A shared library of this process: its file, the address it begins at, and the ranges that may be written."""
    path, base, writable = None, 0, []
    for line in Path("/proc/self/maps").read_text().splitlines():
        if not line.endswith("/" + name):
            continue
        span, rights, offset, *_ = line.split()
        start, end = (int(part, 16) for part in span.split("-"))
        if int(offset, 16) == 0 and path is None:
            path, base = Path(line[line.index("/") :]), start
        if "w" in rights:
            writable.append((start, end))
    return path, base, writable


def _slots(elf_file: Any, path: Path, base: int, library: ctypes.CDLL) -> Slots:
    with path.open("rb") as file:
        elf = elf_file(file)
        table = elf.get_section_by_name(".rela.plt")
        if table is None:
            return {}
        symbols = elf.get_section(table["sh_link"])
        found: Slots = {}
        for entry in table.iter_relocations():
            name = symbols.get_symbol(entry["r_info_sym"]).name
            routine = getattr(library, PREFIX + name, None)
            if routine is not None:
                address = ctypes.cast(routine, ctypes.c_void_p).value
                assert address is not None, "a routine that was found has an address"
                found[name] = base + entry["r_offset"], address
    return found


def _exchange(at: int, address: int) -> int:
    """Write an address into the table; the one that stood there."""
    slot = ctypes.c_uint64.from_address(at)
    before = slot.value
    slot.value = address
    return before


def _is_right() -> bool:
    """Whether products of small matrices of each dtype that goes to BLAS come out."""
    values = np.arange(24.0).reshape(4, 6) % 7 - 3
    for dtype in (np.float32, np.float64, np.complex64):
        a = values.astype(dtype)
        with mx.stream(mx.cpu):
            found = mx.array(a, dtype=mx.float64) if dtype is np.float64 else mx.array(a)
            if not np.array_equal(np.array(found @ found.T), a @ a.T):
                return False
    return True


def _version(module: Any) -> str:
    return str(getattr(module, "__version__", "")).rpartition(".")[0] or "of scipy-openblas32"
