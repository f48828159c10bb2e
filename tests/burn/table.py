"""docs/burn.md from operations.toml and the cases: `python -m tests.burn.table` writes it."""

import importlib
from pathlib import Path

from tests.burn.harness import Case, Row, rows

PAGE = Path(__file__).parents[2] / "docs" / "burn.md"
FAMILIES = ("Base", "Numeric", "Float", "Int", "Bool", "Activation", "Module", "Distributed")
HEAD = """# Burn's operations

All {n} computing operations of Burn's IR (burn-ir, main branch of 2026-08-21), and what one writes here for each. The
expression in a row is what its test runs: against NumPy through the interpreter and through compiled MLX on the dtypes listed;
its derivative in both modes against central differences in float64; and under `bg.vmap`. `python -m tests.burn.table` writes
this page from `tests/burn/operations.toml`; a row without a passing test fails the build.

Burn's tensors are never of rank 0: a full reduction there has shape `[1]`, here `[]`. Burn's reductions along a dim keep it.
Operand and attribute names are Burn's. `bg.burn` holds the functions whose meaning is Burn's where the array API's or PyTorch's
function of that name means something else.

Operands are traced values or concrete arrays, `mx.array` or NumPy's, in a program and outside one. Attributes are Python
values:

- `slices`: a list with one (start, end, step) for each leading axis; an end of `None` is the axis's, a pair has step 1, and a
  negative step walks the same entries from the last to the first.
- `update` and `reduction`: `"Assign"`, `"Add"`, `"Mul"`, `"Min"` or `"Max"`.
- `distribution`: `"Default"`, `("Uniform", low, high)`, `("Bernoulli", p)` or `("Normal", mean, deviation)`.
- `op`: `"Sum"` or `"Mean"`; `device_ids`: a list with the one device of this process.
- `scheme`: a `bg.QuantScheme`, such as `bg.QuantScheme("q4f", block=32)`.
- `dtype`: a name such as `"float32"`, or `bg.float32`; `shape`, `axes`: tuples; `dim`, `axis`: an int.
"""


def cases() -> list[Case]:
    """Every case of every family."""
    return [case for name in FAMILIES for case in importlib.import_module(f"tests.burn.cases_{name.lower()}").CASES]


def page() -> str:
    """The page's text."""
    table, tried = rows(), {}
    for case in cases():
        tried.setdefault(case.row, []).extend(d for d in case.dtypes if d not in tried.get(case.row, []))
    parts = [HEAD.format(n=len(table))]
    for family in FAMILIES:
        members = [row for row in table.values() if row.family == family]
        parts += ["", f"## {family} ({len(members)})", "", "| Burn | here | differs | tested dtypes | derivative |"]
        parts.append("| --- | --- | --- | --- | --- |")
        parts += [_line(row, tried.get(str(row), [])) for row in members]
    return "\n".join(parts) + "\n"


def _line(row: Row, dtypes: list[str]) -> str:
    derivative = "forward, reverse" if row.derivative == "both" else row.derivative
    return f"| {row.name} | `{row.ours}` | {row.differs} | {' '.join(dtypes)} | {derivative} |"


if __name__ == "__main__":
    PAGE.write_text(page())
