"""Where a derivative is a choice: at ties, bounds, zeros and repeated indices the rows choose as Burn's autodiff does.

A row whose choice is another says so under "differs"; what it chooses is here too.
"""

import math
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.evaluator import as_numpy
from tests.burn.harness import Case, rows, run, spelled

ROWS = rows()
NAN = math.nan


@dataclass(frozen=True)
class Choice:
    """Cotangents of the float results, and the cotangents of operands that come of them."""

    row: str
    operands: dict[str, Any]
    bar: Any
    want: dict[str, Any]
    attributes: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.row}[{','.join(map(str, self.attributes.values()))}]"


def choice(row: str, operands: dict[str, Any], want: dict[str, Any], bar: Any = 1.0, **attributes: Any) -> Choice:
    return Choice(row, operands, bar, want, attributes)


AT = np.array([0, 0, 1])
WINDOW = {"kernel_size": 2, "stride": 2, "padding": 0, "dilation": 1, "ceil_mode": False}
HIDDEN = np.array([[True, True], [False, False]])
NO_PATH = {"targets": np.array([[1, 1]]), "input_lengths": np.array([2]), "target_lengths": np.array([2])}

BURNS = [
    choice("Numeric.Add", {"lhs": np.ones((2, 3)), "rhs": np.ones((1, 3))}, {"rhs": [[2.0, 2.0, 2.0]]}),
    choice("Numeric.Abs", {"input": [-1.0, 0.0, -0.0, 2.0]}, {"input": [-1.0, 0.0, 0.0, 1.0]}),
    *(choice(f"Float.{name}", {"input": [0.2, 1.7]}, {"input": [0.0, 0.0]}) for name in ("Round", "Floor", "Ceil", "Trunc")),
    choice("Numeric.Sign", {"input": [-2.0, 0.0]}, {"input": [0.0, 0.0]}),
    choice("Activation.Relu", {"input": [-1.0, 0.0, 2.0]}, {"input": [0.0, 0.0, 1.0]}),
    choice("Activation.LeakyRelu", {"tensor": [-1.0, 0.0, 2.0]}, {"tensor": [0.1, 1.0, 1.0]}, slope=0.1),
    choice(
        "Activation.PRelu",
        {"tensor": [[-1.0], [0.0], [2.0]], "alpha": [0.1]},
        {"tensor": [[0.1], [1.0], [1.0]], "alpha": [-1.0]},
    ),
    choice("Activation.HardSigmoid", {"tensor": [-3.0, -2.5, 2.5, 3.0]}, {"tensor": [0.0, 0.2, 0.2, 0.0]}, alpha=0.2, beta=0.5),
    choice("Numeric.Clamp", {"tensor": [-1.0, 0.0, 1.0, 2.0, 3.0]}, {"tensor": [0.0, 1.0, 1.0, 1.0, 0.0]}, min=0, max=2),
    choice("Numeric.Clamp", {"tensor": [1.0, 2.5, 4.0]}, {"tensor": [0.0, 0.0, 0.0]}, min=3, max=2),
    choice("Numeric.ClampMin", {"tensor": [-1.0, 0.0, 1.0]}, {"tensor": [0.0, 1.0, 1.0]}, min=0),
    choice("Numeric.ClampMax", {"tensor": [-1.0, 0.0, 1.0]}, {"tensor": [1.0, 1.0, 0.0]}, max=0),
    choice("Numeric.Max", {"input": [[1.0, 2.0], [2.0, 0.0]]}, {"input": [[0.0, 1.0], [0.0, 0.0]]}),
    choice("Numeric.Min", {"input": [[1.0, 0.0], [2.0, 0.0]]}, {"input": [[0.0, 1.0], [0.0, 0.0]]}),
    choice("Numeric.MaxAbs", {"input": [[1.0, -2.0], [2.0, -2.0]]}, {"input": [[0.0, -1.0], [0.0, 0.0]]}),
    *(
        choice(f"Numeric.{name}", {operand: entries}, {operand: want}, **{axis: 1})
        for name, entries, want in (
            ("Max", [[2.0, 2.0, 1.0], [NAN, 3.0, NAN]], [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
            ("Min", [[2.0, 1.0, 1.0], [3.0, NAN, NAN]], [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]),
        )
        for name, operand, axis in ((f"{name}Dim", "input", "axis"), (f"{name}DimWithIndices", "tensor", "dim"))
    ),
    choice("Numeric.MaxAbsDim", {"input": [[-2.0, 2.0], [1.0, -1.0]]}, {"input": [[-1.0, 0.0], [1.0, 0.0]]}, axis=1),
    *(
        choice(f"Numeric.{name}", {"input": [2.0, 1.0, 2.0]}, {"input": want}, [1.0, 2.0, 4.0], dim=0, descending=descending)
        for name in ("Sort", "SortWithIndices")
        for descending, want in ((False, [2.0, 1.0, 4.0]), (True, [1.0, 4.0, 2.0]))
    ),
    choice("Numeric.CumSum", {"input": [1.0, 1.0, 1.0]}, {"input": [7.0, 6.0, 4.0]}, [1.0, 2.0, 4.0], axis=0),
    choice("Numeric.CumProd", {"input": [2.0, 0.0, 3.0, 0.0, 4.0]}, {"input": [1.0, 8.0, 0.0, 0.0, 0.0]}, axis=0),
    choice(
        "Numeric.CumMax",
        {"input": [1.0, 1.0, 0.0, 1.0, 2.0, 2.0]},
        {"input": [1.0, 6.0, 0.0, 8.0, 16.0, 32.0]},
        [1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
        axis=0,
    ),
    choice(
        "Numeric.CumMin",
        {"input": [1.0, 1.0, 2.0, 0.0, 0.0]},
        {"input": [1.0, 6.0, 0.0, 8.0, 16.0]},
        [1.0, 2.0, 4.0, 8.0, 16.0],
        axis=0,
    ),
    choice("Numeric.Rem", {"lhs": [5.0, -5.0], "rhs": [3.0, 3.0]}, {"lhs": [1.0, 1.0], "rhs": [-1.0, 2.0]}),
    choice("Float.Powf", {"lhs": [2.0, -2.0], "rhs": [3.0, 2.0]}, {"lhs": [12.0, -4.0], "rhs": [8 * math.log(2), NAN]}),
    choice("Float.Sqrt", {"input": [0.0, 4.0]}, {"input": [math.inf, 0.25]}),
    choice("Float.ArcTan2", {"lhs": [1.0, 0.0], "rhs": [2.0, 0.0]}, {"lhs": [0.4, NAN], "rhs": [-0.2, NAN]}),
    choice("Base.Select", {"tensor": [1.0, 2.0], "indices": AT}, {"tensor": [3.0, 4.0]}, [1.0, 2.0, 4.0], dim=0),
    choice("Base.Gather", {"tensor": [1.0, 2.0], "indices": AT}, {"tensor": [3.0, 4.0]}, [1.0, 2.0, 4.0], dim=0),
    *(
        choice(
            f"Base.{name}",
            {"tensor": [1.0, 1.0], "indices": AT, "value": [1.0, 2.0, 4.0]},
            {"tensor": [1.0, 2.0], "value": [1.0, 1.0, 2.0]},
            [1.0, 2.0],
            dim=0,
            update="Add",
        )
        for name in ("Scatter", "SelectAssign")
    ),
    choice(
        "Base.ScatterNd",
        {"data": [2.0, 3.0, 5.0], "indices": [[0], [2]], "values": [7.0, 11.0]},
        {"data": [7.0, 2.0, 44.0], "values": [2.0, 20.0]},
        [1.0, 2.0, 4.0],
        reduction="Mul",
    ),
    choice(
        "Base.ScatterNd",
        {"data": [2.0, 3.0, 5.0], "indices": [[0], [2]], "values": [7.0, 1.0]},
        {"data": [0.0, 2.0, 4.0], "values": [1.0, 0.0]},
        [1.0, 2.0, 4.0],
        reduction="Max",
    ),
    choice(
        "Base.MaskWhere",
        {"tensor": [1.0, 2.0], "mask": np.array([True, False]), "value": [3.0, 4.0]},
        {"tensor": [0.0, 2.0], "value": [1.0, 0.0]},
        [1.0, 2.0],
    ),
    choice("Base.Unfold", {"input": [1.0, 2.0, 3.0, 4.0]}, {"input": [1.0, 2.0, 2.0, 1.0]}, dim=0, size=3, step=1),
    choice("Base.Slice", {"tensor": [1.0, 2.0, 3.0]}, {"tensor": [0.0, 2.0, 1.0]}, [1.0, 2.0], slices=[(1, None, -1)]),
    choice(
        "Base.SliceAssign",
        {"tensor": [1.0, 2.0, 3.0], "value": [4.0, 5.0]},
        {"tensor": [1.0, 0.0, 0.0], "value": [4.0, 2.0]},
        [1.0, 2.0, 4.0],
        slices=[(1, None, -1)],
    ),
    *(
        choice(f"Module.{name}", {"x": [[[1.0, 1.0, 0.0, 2.0]]]}, {"x": [[[1.0, 0.0, 0.0, 1.0]]]}, **WINDOW)
        for name in ("MaxPool1d", "MaxPool1dWithIndices")
    ),
    choice(
        "Module.CtcLoss",
        {"log_probs": np.log(np.full((2, 1, 2), 0.5)), **NO_PATH},
        {"log_probs": np.zeros((2, 1, 2))},
        blank=0,
    ),
    choice(
        "Module.Attention",
        {"query": np.ones((1, 1, 2, 1)), "key": np.ones((1, 1, 2, 1)), "value": np.ones((1, 1, 2, 1)), "mask": HIDDEN},
        {"query": np.zeros((1, 1, 2, 1)), "value": np.full((1, 1, 2, 1), 0.5)},
        attn_bias=None,
        scale=None,
        softcap=None,
        is_causal=False,
    ),
]

OTHERS = [
    choice("Numeric.Prod", {"input": [2.0, 0.0, 3.0]}, {"input": [0.0, 6.0, 0.0]}),
    choice("Numeric.ProdDim", {"input": [2.0, 0.0, 3.0]}, {"input": [0.0, 6.0, 0.0]}, axis=0),
    choice("Numeric.TopK", {"input": [2.0, 1.0, 2.0]}, {"input": [1.0, 0.0, 2.0]}, [1.0, 2.0], k=2, axis=0),
    choice("Numeric.Clamp", {"tensor": [NAN]}, {"tensor": [0.0]}, min=0, max=2),
    choice("Numeric.ClampMin", {"tensor": [NAN]}, {"tensor": [0.0]}, min=0),
    choice("Numeric.ClampMax", {"tensor": [NAN]}, {"tensor": [0.0]}, max=0),
    *(
        choice(f"Numeric.{name}", {"input": [1.0, NAN, 1.0, NAN, 2.0]}, {"input": [1.0, 6.0, 0.0, 24.0, 0.0]}, bar, axis=0)
        for name in ("CumMax", "CumMin")
        for bar in ([1.0, 2.0, 4.0, 8.0, 16.0],)
    ),
    choice("Numeric.Powi", {"lhs": [0.0, 0.0], "rhs": np.array([0, 1])}, {"lhs": [0.0, 1.0]}),
    choice("Float.Powf", {"lhs": [0.0, 0.0, 0.0], "rhs": [0.0, 1.0, 2.0]}, {"lhs": [0.0, 1.0, 0.0], "rhs": [0.0, 0.0, 0.0]}),
    choice("Float.Hypot", {"lhs": [0.0, 3.0], "rhs": [0.0, 4.0]}, {"lhs": [0.0, 0.6], "rhs": [0.0, 0.8]}),
    choice("Base.RepeatDim", {"tensor": [1.0, 2.0]}, {"tensor": [5.0, 10.0]}, [1.0, 2.0, 4.0, 8.0], dim=0, times=2),
    *(
        choice(
            f"Base.{name}",
            {"tensor": [1.0, 1.0], "indices": AT, "value": [1.0, 2.0, 4.0]},
            {"tensor": [0.0, 0.0], "value": [0.0, 1.0, 2.0]},
            [1.0, 2.0],
            dim=0,
            update="Assign",
        )
        for name in ("Scatter", "SelectAssign")
    ),
    *(
        choice(
            "Base.ScatterNd",
            {"data": data, "indices": AT[:, None], "values": [2.0, 3.0, 5.0]},
            {"data": of_data, "values": of_values},
            reduction=reduction,
        )
        for reduction, data, of_data, of_values in (
            ("Assign", [7.0, 7.0], [0.0, 0.0], [0.0, 1.0, 1.0]),
            ("Mul", [7.0, 7.0], [6.0, 5.0], [21.0, 14.0, 7.0]),
            ("Min", [2.0, 7.0], [1.0, 0.0], [0.0, 0.0, 1.0]),
            ("Max", [3.0, 5.0], [1.0, 1.0], [0.0, 0.0, 0.0]),
        )
    ),
    choice(
        "Activation.Gelu", {"input": [1.0]}, {"input": [0.5 * (1 + math.erf(0.5**0.5)) + math.exp(-0.5) / (2 * math.pi) ** 0.5]}
    ),
    choice(
        "Module.InterpolateBackward",
        {"x": np.zeros((1, 1, 1, 2)), "grad": np.zeros((1, 1, 1, 2))},
        {"grad": [[[[1.0, 1.0]]]], "x": [[[[0.0, 0.0]]]]},
        output_size=(1, 2),
        mode="lanczos3",
        align_corners=True,
    ),
]


def array(given: Any) -> Any:
    found = np.asarray(given)
    return found.astype(np.float64) if found.dtype.kind == "f" else found


@pytest.mark.parametrize("choice", [*BURNS, *OTHERS], ids=str)
@pytest.mark.parametrize("device", ["interpreter", "mlx"])
def test_derivative_at_a_choice(choice, device):
    operands = {name: array(given) for name, given in choice.operands.items()}
    fn = spelled(ROWS[choice.row], Case(choice.row, operands, choice.attributes, lambda: None), "f64")

    def back(*given):
        value, pull_back = bg.vjp(fn, *given)
        results = value if isinstance(value, tuple) else (value,)
        bars = [bg.zeros_like(y) if k else bg.multiply(bg.ones_like(y), array(choice.bar)) for k, y in enumerate(results)]
        return pull_back(tuple(bars) if isinstance(value, tuple) else bars[0])

    with np.errstate(all="ignore"), mx.stream(mx.cpu):
        given = operands.values()
        found = run(back, *given) if device == "interpreter" else [as_numpy(a) for a in bg.compile(back)(*given)]
    for name, want in choice.want.items():
        np.testing.assert_allclose(found[list(operands).index(name)], want, rtol=1e-6, atol=1e-12)


def test_another_choice_than_burns_is_written_down():
    for choice in OTHERS:
        assert ROWS[choice.row].differs, choice
