"""Samples of quantized products: each width and mode, groups of each size, both ways round, no batch axis and two."""

import numpy as np

from burngraph.ir.ops.quantize import MODES, MicroscaledMatmul, QuantizedMatmul
from tests.samples import Sample, t

WORDS = (None, (0, 2**32), None, None)
SCALES = {"ue4m3": (48.0, 72.0), "ue8m0": (124.0, 131.0)}  # from 2^-1 to 2^2, from 2^-3 to 2^3


def sample(bits: int, group: int, transposed: bool, batch: str, dtype: str = "f32", n_groups: int = 2) -> Sample:
    rows, columns = 3, group * n_groups
    per_row = t(f"{dtype}[{rows},{n_groups}]")
    x = t(f"{dtype}[{batch}{columns if transposed else rows}]")
    return Sample(
        QuantizedMatmul(bits, group, transposed), (x, t(f"u32[{rows},{columns * bits // 32}]"), per_row, per_row), WORDS
    )


def microscaled(name: str, transposed: bool, batch: str, dtype: str = "f32", n_groups: int = 2) -> Sample:
    mode, rows = MODES[name], 3
    columns = mode.group * n_groups
    x = t(f"{dtype}[{batch}{columns if transposed else rows}]")
    types = (x, t(f"u32[{rows},{columns * mode.form.bits // 32}]"), t(f"u8[{rows},{n_groups}]"))
    found = Sample(MicroscaledMatmul(name, transposed), types, (None, (0, 2**32), SCALES[mode.scale]))
    if name != "mxfp8":
        return found
    arrays = found.operands(np.random.default_rng(0))
    assert arrays[1] is not None
    bytes_ = arrays[1].view(np.uint8)
    bytes_[bytes_ & 0x7F == 0x7F] -= 1  # no nan
    return Sample(found.op, types, arrays=tuple(arrays))


SAMPLES = [
    sample(4, 32, True, "2,4,"),
    sample(4, 32, False, "2,4,"),
    sample(8, 64, True, ""),
    sample(8, 64, False, "4,"),
    sample(2, 128, True, "4,", n_groups=1),
    sample(2, 32, False, ""),
    sample(4, 64, True, "0,"),
    sample(4, 64, False, "0,2,"),
    sample(4, 32, True, "4,", "f64"),
    sample(2, 32, False, "4,", "f64"),
    sample(4, 32, False, "4,", "bf16"),
    microscaled("nvfp4", True, "2,4,"),
    microscaled("mxfp4", False, "4,"),
    microscaled("nvfp4", False, "2,4,"),
    microscaled("nvfp4", True, "", n_groups=1),
    microscaled("mxfp4", True, "4,"),
    microscaled("mxfp4", False, ""),
    microscaled("mxfp8", True, "4,"),
    microscaled("mxfp8", False, "2,4,"),
    microscaled("mxfp8", True, "", "f64"),
    microscaled("nvfp4", False, "4,", "f64"),
    microscaled("nvfp4", True, "0,"),
    microscaled("mxfp8", False, "0,2,"),
    microscaled("nvfp4", True, "4,", "bf16"),
    microscaled("mxfp4", True, "4,", "f16"),
    microscaled("mxfp8", False, "4,", "f16"),
]
