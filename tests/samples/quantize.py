"""Samples of quantized products: each width, groups of three sizes, both ways round, no batch axis and two."""

from burngraph.ir.ops.quantize import QuantizedMatmul
from tests.samples import Sample, t

WORDS = (None, (0, 2**32), None, None)


def sample(bits: int, group: int, transposed: bool, batch: str, dtype: str = "f32", n_groups: int = 2) -> Sample:
    rows, columns = 3, group * n_groups
    per_row = t(f"{dtype}[{rows},{n_groups}]")
    x = t(f"{dtype}[{batch}{columns if transposed else rows}]")
    return Sample(
        QuantizedMatmul(bits, group, transposed), (x, t(f"u32[{rows},{columns * bits // 32}]"), per_row, per_row), WORDS
    )


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
]
