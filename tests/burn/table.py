"""docs/burn.md from operations.toml and the cases: `python -m tests.burn.table` writes it."""

import importlib
from pathlib import Path

from tests.burn.columns import (
    MOST_NAMES,
    cases_by_row,
    derivative_in_words,
    derivatives,
    dtypes_in_words,
    dtypes_taken,
    made_of,
)
from tests.burn.harness import Case, Row, rows

PAGE = Path(__file__).parents[2] / "docs" / "burn.md"
FAMILIES = ("Base", "Numeric", "Float", "Int", "Bool", "Activation", "Module", "Distributed")
HEAD = """# Burn's operations

All {n} computing operations of Burn's IR (burn-ir, main branch of 2026-08-21), and what one writes here for each. The
expression in a row is what its test runs: against NumPy through the interpreter and through compiled MLX on all the dtypes in
its row; its derivative, also where that is zero, against central differences in float64 (float32 where an operand or result is
always that), with the reverse one as the forward one's transpose; and under `bg.vmap`. A row without a passing test fails the
build, and so does a dtype that the row takes and no test tries.

`python -m tests.burn.table` writes this page. Names, expressions and differences are those of `tests/burn/operations.toml`; the
rest is read off the registry's ops, in the graphs that the expression is traced to on the row's cases:

- *dtypes*: those that the ops take where Burn has them, in the place of the operand (or, without one, of the result) that
  may have several: any in Base, floats and integers in Numeric, floats in Float, Activation and Module. Floats are f16, bf16,
  f32 and f64, integers i8 to i64 and u8 to u64. Burn has no complex numbers; docs/conformance.md says which ops take c64.
- *derivative*: what linearizing and transposing the graph gives with respect to all floats among the operands. "zero" is a
  tangent that no path leads to. Burn has none for the backward operations of embedding, linear, pools, interpolation and
  deformable convolution.
- *made of*: the ops of the graph on floats, or how many kinds they are where they are over {most}; without those that only
  place, repeat or convert (broadcast, cast, permute, reshape, splat) unless there is nothing else.

Burn's tensors are never of rank 0: a full reduction there has shape `[1]`, here `[]`. Burn's reductions along a dim keep it.
Operand and attribute names are Burn's. `bg.burn` holds the functions whose meaning is Burn's where the array API's or PyTorch's
function of that name means something else.

Under *differs* is where the same operands give something else than in Burn, or another derivative. In general, more is taken
here: operands of two dtypes promote and those of two ranks broadcast, where Burn asks for one; a scalar of another kind
promotes, where Burn converts it to the tensor's dtype. Indices that an operation gives are int32.

Operands are traced values or concrete arrays, `mx.array` or NumPy's, in a program and outside one. Attributes are Python
values:

- `slices`: a list with one (start, end, step) for each leading axis; an end of `None` is the axis's, a pair has step 1, and a
  negative step walks the same entries from the last to the first.
- `update` and `reduction`: `"Assign"`, `"Add"`, `"Mul"`, `"Min"` or `"Max"`.
- `distribution`: `"Default"`, `("Uniform", low, high)`, `("Bernoulli", p)` or `("Normal", mean, deviation)`.
- `op`: `"Sum"` or `"Mean"`; `device_ids`: a list with the one device of this process.
- `scheme`: a `bg.QuantScheme`, such as `bg.QuantScheme("q4f", block=32)`. A quantized tensor is two values, what is stored and
  its scales; of a scheme with two levels these are a pair, of the blocks and of the tensor.
- `dtype`: a name such as `"float32"`, or `bg.float32`; `shape`, `axes`: tuples; `dim`, `axis`: an int.
"""


def cases() -> list[Case]:
    """Every case of every family."""
    return [case for name in FAMILIES for case in importlib.import_module(f"tests.burn.cases_{name.lower()}").CASES]


def page() -> str:
    """The page's text."""
    table, of_row = rows(), cases_by_row(cases())
    parts = [HEAD.format(n=len(table), most=MOST_NAMES)]
    for family in FAMILIES:
        members = [row for row in table.values() if row.family == family]
        parts += ["", f"## {family} ({len(members)})", "", "| Burn | here | differs | dtypes | derivative | made of |"]
        parts.append("| --- | --- | --- | --- | --- | --- |")
        parts += [_line(row, of_row[str(row)]) for row in members]
    return "\n".join(parts) + "\n"


def _line(row: Row, own: list[Case]) -> str:
    dtypes = dtypes_in_words(dtypes_taken(row, own))
    derivative = derivative_in_words(derivatives(row, own))
    return f"| {row.name} | `{row.ours}` | {row.differs} | {dtypes} | {derivative} | {made_of(row, own)} |"


if __name__ == "__main__":
    PAGE.write_text(page())
