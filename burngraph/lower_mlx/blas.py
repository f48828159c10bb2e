"""An optimised BLAS for MLX's CPU back end on Linux, whose wheel carries the reference one: products there are 20 times faster.

MLX calls 24 routines through the table of its shared library that the dynamic linker fills in (.got.plt). OpenBLAS, as
`scipy-openblas32` packs it, has the same routines with a prefix to their names; their addresses are written into that table.
Nothing else in the process is touched. On macOS MLX uses Accelerate, and nothing is done.

Source   ELF specification, "Procedure Linkage Table"; docs/decisions/0012-an-optimised-blas.md
"""

import ctypes
import os
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

SWITCH = "BURNGRAPH_BLAS"  # "mlx" in the environment leaves MLX as it was installed
PREFIX = "scipy_"
OWN = "MLX's own"
Slots = dict[int, tuple[int, int]]  # where a routine's address stands -> the one that belongs there, and OpenBLAS's
_ONE_AT_A_TIME = threading.Lock()  # two threads would take each other's addresses for those to put back


class Blas(NamedTuple):
    """name: what products on the CPU run on; way_out: what to do for a faster one, empty if nothing."""

    name: str
    way_out: str = ""


def use_fast_blas() -> Blas:
    """Let MLX's CPU back end call OpenBLAS, if it can; what it calls now. Done once in a process."""
    with _ONE_AT_A_TIME:
        return _use_fast_blas()


@cache
def _use_fast_blas() -> Blas:
    if sys.platform != "linux":
        return Blas(OWN)
    if os.environ.get(SWITCH) == "mlx":
        return Blas(OWN, f"{SWITCH}=mlx is set")
    try:
        import scipy_openblas32
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError:
        return Blas(OWN, "pip install 'burngraph[cpu]' for a faster one")
    try:
        path, base, writable = _mapped("libmlx.so")
        library = ctypes.CDLL(str(Path(scipy_openblas32.get_lib_dir()) / scipy_openblas32.get_library(fullname=True)))
        slots = _slots(ELFFile, path, base, library) if path is not None else {}
    except (OSError, ELFError) as error:  # no /proc, a file that was replaced or must not be read
        return Blas(OWN, f"OpenBLAS cannot be put in its place: {error}")
    if not slots:  # built against another BLAS
        return Blas(OWN)
    if not all(any(start <= at < end for start, end in writable) for at in slots):
        return Blas(OWN, "its table of routines is read-only in this build of MLX")
    if any(ctypes.c_uint64.from_address(at).value not in known for at, known in slots.items()):
        return Blas(OWN, "its table of routines holds other addresses than the linker's")
    return _put_in(slots, f"OpenBLAS {_version(scipy_openblas32)}")


def _put_in(slots: Slots, name: str) -> Blas:
    """Write the addresses, and put back what stood there unless products are right."""
    before = {at: _exchange(at, address) for at, (_, address) in slots.items()}
    if _is_right():
        return Blas(name)
    for at, address in before.items():
        _exchange(at, address)
    return Blas(OWN, "OpenBLAS gave wrong products in it")


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
        if "w" in rights and line.endswith(str(path)):
            writable.append((start, end))
    return path, base, writable


def _slots(elf_file: Any, path: Path, base: int, library: ctypes.CDLL) -> Slots:
    own = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD)  # what its names mean to the linker; never a second copy of it
    with path.open("rb") as file:
        elf = elf_file(file)
        table = elf.get_section_by_name(".rela.plt")
        if table is None:
            return {}
        symbols = elf.get_section(table["sh_link"])
        found: Slots = {}
        for entry in table.iter_relocations():
            name = symbols.get_symbol(entry["r_info_sym"]).name
            if hasattr(library, PREFIX + name):
                found[base + entry["r_offset"]] = _address(own, name), _address(library, PREFIX + name)
    return found


def _address(library: ctypes.CDLL, routine: str) -> int:
    address = ctypes.cast(getattr(library, routine), ctypes.c_void_p).value
    assert address is not None, "a routine that was found has an address"
    return address


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
