"""Samples of elementwise ops."""

from burngraph.ir.ops import elementwise as e
from tests.samples import Sample, t

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
]
