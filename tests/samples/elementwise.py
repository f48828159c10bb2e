"""Samples of elementwise ops."""

import numpy as np

from burngraph.ir.ops import elementwise as e
from burngraph.ir.ops import special as s
from tests.samples import Sample, t

SPECIAL = np.array([np.nan, -0.0, 3e4, -np.inf, 0.0])
OTHER = np.array([1.0, -1.0, 4e4, 2.0, 0.0])
SIGNS, DIVISORS = np.array([5, -5, 5, -6, -128, 7]), np.array([3, 3, -3, 3, -1, 9])
BASES, POWERS = np.array([1, -1, -1, 2, 0, -3]), np.array([-1, -1, -2, -2, 0, 3])
LEFT = np.array([1.0, 2.0, np.nan])

UNARY = (
    e.Neg, e.Square, e.Exp, e.Expm1, e.Sin, e.Cos, e.Tan, e.Sinh, e.Cosh, e.Tanh, e.Arcsin, e.Arccos, e.Arctan, e.Arcsinh,
    e.Arctanh, e.Erf, e.Sigmoid, e.Abs, e.Sign, e.Floor, e.Ceil, e.Round, e.Trunc, e.Relu, e.Sqrt, e.Rsqrt, e.Reciprocal,
    e.Log, e.Log1p, e.IsNan, e.IsInf, s.Log2, s.Log10, s.Exp2, s.Erfinv, s.Signbit,
)  # fmt: skip
WHOLE = (e.Neg, e.Square, e.Abs, e.Sign, e.Relu)

SAMPLES = [
    Sample(e.Neg(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Square(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Exp(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Expm1(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Sin(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Cos(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Sinh(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Cosh(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Tanh(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Arctan(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Arcsinh(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Erf(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Sigmoid(), (t("f32[2,3,4]"),), spread=False),
    Sample(e.Abs(), (t("f32[2,3,4]"),), spread=True),
    Sample(e.Sign(), (t("f32[2,3,4]"),), spread=True),
    Sample(e.Floor(), (t("f32[2,3,4]"),), spread=True),
    Sample(e.Ceil(), (t("f32[2,3,4]"),), spread=True),
    Sample(e.Round(), (t("f32[2,3,4]"),), spread=True),
    Sample(e.Trunc(), (t("f32[2,3,4]"),), spread=True),
    Sample(e.Relu(), (t("f32[2,3,4]"),), spread=True),
    Sample(e.Sqrt(), (t("f32[2,3,4]"),), ((0.5, 3.0),)),
    Sample(e.Rsqrt(), (t("f32[2,3,4]"),), ((0.5, 3.0),)),
    Sample(e.Reciprocal(), (t("f32[2,3,4]"),), ((0.5, 3.0),)),
    Sample(e.Log(), (t("f32[2,3,4]"),), ((0.5, 3.0),)),
    Sample(e.Log1p(), (t("f32[2,3,4]"),), ((0.5, 3.0),)),
    Sample(e.Tan(), (t("f32[2,3]"),), ((-0.9, 0.9),)),
    Sample(e.Arcsin(), (t("f32[2,3]"),), ((-0.9, 0.9),)),
    Sample(e.Arccos(), (t("f32[2,3]"),), ((-0.9, 0.9),)),
    Sample(e.Arctanh(), (t("f32[2,3]"),), ((-0.9, 0.9),)),
    Sample(e.Arccosh(), (t("f32[2,3]"),), ((1.5, 3.0),)),
    Sample(e.Neg(), (t("f32[]"),)),
    Sample(e.Add(), (t("f32[2,0]"), t("f32[2,0]"))),
    Sample(e.Add(), (t("f32[2,3,4]"), t("f32[2,3,4]"))),
    Sample(e.Sub(), (t("f32[2,3,4]"), t("f32[2,3,4]"))),
    Sample(e.Mul(), (t("f32[2,3,4]"), t("f32[2,3,4]"))),
    Sample(e.Maximum(), (t("f32[2,3,4]"), t("f32[2,3,4]"))),
    Sample(e.Minimum(), (t("f32[2,3,4]"), t("f32[2,3,4]"))),
    Sample(e.Div(), (t("f32[2,3,4]"), t("f32[2,3,4]")), ((0.5, 3.0), (0.5, 3.0))),
    Sample(e.Pow(), (t("f32[2,3,4]"), t("f32[2,3,4]")), ((0.5, 3.0), (0.5, 3.0))),
    Sample(e.Arctan2(), (t("f32[2,3,4]"), t("f32[2,3,4]")), ((0.5, 3.0), (0.5, 3.0))),
    Sample(e.Remainder(), (t("f32[2,3]"), t("f32[2,3]")), ((3.1, 3.9), (1.1, 1.4))),
    Sample(e.Remainder(), (t("i32[4,3]"), t("i32[4,3]"))),
    Sample(e.FloorDivide(), (t("f32[2,3]"), t("f32[2,3]")), ((3.1, 3.9), (1.1, 1.4))),
    Sample(e.FloorDivide(), (t("i32[4,3]"), t("i32[4,3]"))),
    Sample(e.IsNan(), (t("f32[2,3]"),)),
    Sample(e.IsInf(), (t("f32[2,3]"),)),
    Sample(e.LogicalNot(), (t("bool[2,3]"),)),
    Sample(
        e.LogicalAnd(),
        (
            t("bool[2,3]"),
            t("bool[2,3]"),
        ),
    ),
    Sample(
        e.LogicalOr(),
        (
            t("bool[2,3]"),
            t("bool[2,3]"),
        ),
    ),
    Sample(
        e.LogicalXor(),
        (
            t("bool[2,3]"),
            t("bool[2,3]"),
        ),
    ),
    Sample(e.BitwiseNot(), (t("i32[2,3]"),)),
    Sample(
        e.BitwiseAnd(),
        (
            t("i32[2,3]"),
            t("i32[2,3]"),
        ),
    ),
    Sample(
        e.BitwiseOr(),
        (
            t("i32[2,3]"),
            t("i32[2,3]"),
        ),
    ),
    Sample(
        e.BitwiseXor(),
        (
            t("i32[2,3]"),
            t("i32[2,3]"),
        ),
    ),
    Sample(
        e.LeftShift(),
        (
            t("u32[2,3]"),
            t("u32[2,3]"),
        ),
    ),
    Sample(
        e.RightShift(),
        (
            t("u32[2,3]"),
            t("u32[2,3]"),
        ),
    ),
    *(Sample(op(), (t(f"{d}[2,3]"),), ((0.5, 3.0),)) for op in (s.Log2, s.Log10) for d in ("f32", "f16")),
    *(Sample(op(), (t("f32[2,3,4]"),)) for op in (s.Exp2, s.Signbit)),
    *(Sample(s.Exp2(), (t(f"{d}[3]"),)) for d in ("f16", "bf16")),
    Sample(s.Erfinv(), (t("f32[2,3]"),), ((-0.95, 0.95),)),
    *(Sample(s.Signbit(), (t(f"{d}[5]"),), arrays=(SPECIAL,)) for d in ("f16", "bf16")),
    *(Sample(op(), (t("f32[2,3,4]"), t("f32[2,3,4]"))) for op in (s.Logaddexp, s.Hypot)),
    *(Sample(op(), (t(f"{d}[2,3]"),) * 2) for op in (s.Logaddexp, s.Hypot) for d in ("f16", "bf16")),
    *(Sample(op(), (t("bf16[5]"),) * 2, arrays=(SPECIAL, OTHER)) for op in (s.Logaddexp, s.Hypot, s.Nextafter, s.Fmod)),
    Sample(s.Nextafter(), (t("f32[2,3]"), t("f32[2,3]")), spread=True),
    Sample(s.Nextafter(), (t("f16[5]"),) * 2, arrays=(SPECIAL, OTHER)),
    Sample(s.Fmod(), (t("f32[2,3]"), t("f32[2,3]")), ((3.1, 3.9), (1.1, 1.4))),
    *(Sample(s.Fmod(), (t(f"{d}[6]"),) * 2, arrays=(SIGNS, DIVISORS)) for d in ("i8", "i32", "i64", "f16")),
    Sample(s.Fmod(), (t("u8[4,3]"), t("u8[4,3]"))),
    Sample(s.Hypot(), (t("f32[0]"), t("f32[0]"))),
    *(Sample(e.Pow(), (t(f"{d}[6]"),) * 2, arrays=(BASES, POWERS)) for d in ("i8", "i32", "i64")),
    Sample(e.Pow(), (t("u8[4]"),) * 2, arrays=(np.array([3, 2, 0, 7]), np.array([7, 3, 0, 0]))),
    Sample(e.Erf(), (t("f32[6]"),), arrays=(np.array([0.0, 1e-8, 1e-3, -5.0, np.inf, np.nan]),)),
    *(Sample(e.Erf(), (t(f"{d}[2,3]"),)) for d in ("f16", "bf16")),
    *(Sample(op(), (t(f"{d}[3]"),) * 2, arrays=(LEFT, LEFT[::-1])) for op in (e.Maximum, e.Minimum) for d in ("f16", "bf16")),
    *(Sample(op(), (t(f"{d}[2,3]"),), ((0.1, 0.9),)) for op in UNARY for d in ("f16", "bf16")),
    *(Sample(op(), (t(f"{d}[3]"),), arrays=(np.array([np.nan, np.inf, -np.inf]),)) for op in UNARY for d in ("f16", "bf16")),
    *(Sample(op(), (t(f"{d}[3]"),), arrays=(np.array([-128, 0, 5]),)) for op in WHOLE for d in ("i8", "i16", "i32", "i64")),
    *(Sample(op(), (t(f"{d}[3]"),), arrays=(np.array([0, 5, 200]),)) for op in WHOLE for d in ("u8", "u16", "u32", "u64")),
    *(Sample(op(), (t(f"{d}[2,3]"),) * 2) for op in (e.Maximum, e.Minimum) for d in ("i8", "u8", "i64", "u64")),
    *(Sample(op(), (t(f"{d}[2,3]"),) * 2, ((0.5, 3.0),) * 2) for op in (e.Pow, e.Arctan2) for d in ("f16", "bf16")),
]
