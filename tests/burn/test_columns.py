"""What the page says of a row is what the ops say, whichever they are: tried on rows that Burn does not have."""

from dataclasses import replace

import numpy as np
import pytest

from tests.burn.columns import derivative_in_words, derivatives, dtypes_in_words, dtypes_taken, made_of
from tests.burn.harness import EVERY, FLOATS, INTS, Case, Row, T, check_derivative, check_no_derivative

X, AT = {"input": T(2, 3)}, np.array([1, 0])


def row(ours, family="Base"):
    return Row(family, "Tried", ours, "")


def case(operands=None, attributes=None, dtypes=FLOATS, out=("T",)):
    return Case("Base.Tried", X if operands is None else operands, attributes or {}, lambda **_: None, dtypes, out)


@pytest.mark.parametrize(
    ("ours", "cases", "words"),
    [
        ("bg.exp(input)", [case()], "forward, reverse"),
        ("bg.exp(input)", [case(dtypes=("i32", "i8"))], "none: integer operand"),
        ("bg.logical_not(input)", [case(dtypes=("bool",))], "none: bool operand"),
        ("bg.zeros((2, 3))", [case({})], "none: no operand"),
        ("bg.less(input, 1)", [case()], "none: bool result"),
        ("bg.argmax(input, axis=1)", [case()], "none: integer result"),
        ("bg.floor(bg.exp(input))", [case()], "zero (floor: locally constant)"),
        ("bg.sign(input) + bg.round(input)", [case()], "zero (sign, round: locally constant)"),
        ("bg.stop_gradient(input)", [case()], "zero (stop_gradient: by definition)"),
        ("bg.zeros_like(input)", [case()], "zero"),
        ("bg.max_with_indices(input, 1)", [case()], "forward, reverse; none for the integer result"),
        ("(bg.round(input), bg.argmax(input))", [case()], "zero (round: locally constant); none for the integer result"),
        ("input * bg.sign(other)", [case(X | {"other": T(2, 3)})], "forward, reverse; zero in other"),
        ("input[at]", [case(X | {"at": AT})], "forward, reverse"),
        (
            "input * other ** n",
            [case(X | {"other": T(2, 3)}, {"n": n}) for n in (0, 1)],
            "forward, reverse",  # x ** 0 has a path, though its slope is 0
        ),
        (
            "input * (bg.sign(other) if flat else other)",
            [case(X | {"other": T(2, 3)}, {"flat": flat, "same": 1}) for flat in (True, False)],
            "forward, reverse; zero in other where flat is True",
        ),
        (
            "bg.concat([bg.reshape(input, (-1,)), other])",
            [case(X | {"other": T(n)}) for n in (0, 3)],
            "forward, reverse",  # of nothing there is no derivative to ask for
        ),
        (
            "bg.while_loop(lambda x: bg.less(bg.sum(x), 9.0), lambda x: x * 2.0 + 1.0, input)",
            [case()],
            "forward only (while: no reverse derivative)",
        ),
        (
            "bg.checkpoint(lambda x: bg.while_loop(lambda y: bg.less(bg.sum(y), 9.0), lambda y: y * 2.0 + 1.0, x))(input)",
            [case()],
            "forward only (while: no reverse derivative)",
        ),
    ],
)
def test_derivative_in_words(ours, cases, words):
    assert derivative_in_words(derivatives(row(ours), cases)) == words


def test_what_an_op_refuses():
    for refused, words in (
        ({"forward": "f: no forward derivative"}, "reverse only (f: no forward derivative)"),
        ({"forward": "f: no derivative", "reverse": "f: no derivative"}, "none: f: no derivative"),
    ):
        (_, taken), (_, free) = derivatives(row("bg.exp(input)"), [case()])
        assert derivative_in_words([(case(), replace(taken, refused=refused)), (case(), free)]) == words


def test_a_loop_is_tried_forward_only():
    loop = row("bg.while_loop(lambda x: bg.less(bg.sum(x), 9.0), lambda x: x * 2.0 + 1.0, input)")
    (*_, (_, found)) = derivatives(loop, [case()])
    assert found.modes == ["forward"]
    check_derivative(loop, case(), found.modes)


def test_a_wrong_derivative_is_noticed():
    for ours in ("bg.stop_gradient(input)", "bg.exp(input) + bg.stop_gradient(input)"):
        with pytest.raises(AssertionError):
            check_derivative(row(ours), case(), ["forward"])
    with pytest.raises(AssertionError):
        check_no_derivative(row("bg.exp(input)"), case(), "f64")


def test_dtypes_are_those_that_the_ops_take_among_burns():
    assert dtypes_taken(row("bg.bitwise_and(input, input)"), [case()]) == [*INTS, "bool"]
    assert dtypes_taken(row("bg.bitwise_and(input, input)", "Int"), [case()]) == list(INTS)
    assert dtypes_taken(row("bg.exp(input)"), [case()]) == list(EVERY)
    assert dtypes_taken(row("bg.exp(input)", "Activation"), [case()]) == list(FLOATS)
    assert dtypes_taken(row("bg.negative(input)", "Bool"), [case()]) == []
    made = case({}, {"dtype": "T"})
    assert dtypes_taken(row("bg.full((2,), 7, dtype=dtype)", "Numeric"), [made]) == [*FLOATS, *INTS]
    assert dtypes_taken(row("bg.isnan(input)"), [case({"input": np.array([1.0])})]) == list(FLOATS)
    assert dtypes_taken(row("bg.exp(input)"), [case({"input": AT})]) == []


def test_dtypes_in_words():
    assert dtypes_in_words(EVERY) == "floats, integers, bool"
    assert dtypes_in_words(["f32", *INTS]) == "integers, f32"
    assert dtypes_in_words([]) == "none"


def test_made_of():
    assert made_of(row("bg.exp(bg.reshape(input, (3, 2)))"), [case()]) == "exp"
    assert made_of(row("bg.permute_dims(input, (1, 0))"), [case()]) == "permute"
    assert made_of(row("bg.gelu(input)"), [case()]) == "gelu"
    assert made_of(row("bg.burn.div(input, input)"), [case(dtypes=INTS), case()]) == "div"
    assert made_of(row("bg.sin(bg.cos(bg.tan(bg.exp(bg.tanh(bg.erf(bg.sinh(input)))))))"), [case()]) == "7 kinds"
    counted = "bg.fori_loop(0, 3, lambda i, x: bg.sin(x), input)"
    assert "sin" in made_of(row(counted), [case()])
