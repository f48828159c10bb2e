"""What is said where PyTorch's or NumPy's spelling is used on what has another here."""

import ast
import inspect
import re
from dataclasses import dataclass

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import BurngraphError, DTypeError, InputError, ParseError, TraceError
from burngraph.frontend.other_names import SPELLED
from burngraph.ir.op import OPS
from burngraph.ir.ops.composite import Composite
from burngraph.ir.ops.elementwise import Exp

X = np.arange(24.0, dtype="float32").reshape(2, 3, 4) / 3
W = np.ones((4, 64), "float32")


def traced(fn):
    return bg.compile(fn)(X)


SAYS = {
    "permute": "write bg.permute_dims(x, axes)",
    "view": "write bg.reshape(x, shape)",
    "unsqueeze": "write bg.expand_dims(x, axis)",
    "softmax": "write bg.softmax(x, ...)",
    "masked_fill": "write bg.masked_fill(x, ...)",
    "detach": "write bg.stop_gradient(x)",
    "clamp": "write bg.clip(x, min, max)",
    "float": "write x.astype('float32')",
    "numel": "write x.size",
    "add_": "write bg.add(x, ...), and bind the result: nothing is written in place",
    "relu": "write bg.relu(x)",
    "nonsense": "its attributes and methods are mx.array's",
}


@pytest.mark.parametrize("name", SAYS)
def test_a_method_of_another_library_is_told_the_function(name):
    with pytest.raises(TraceError) as caught:
        traced(lambda x: getattr(x, name)(1))
    assert isinstance(caught.value, AttributeError)
    assert f"no attribute {name!r}\n  value: <traced x: f32[2,3,4]>\n  from {__file__}:" in str(caught.value)
    assert SAYS[name] in str(caught.value)


def test_hasattr_is_false_and_private_names_are_pythons_own_error():
    def f(x):
        assert not hasattr(x, "permute") and not hasattr(x, "__array_interface__") and getattr(x, "requires_grad", 7) == 7
        with pytest.raises(AttributeError) as caught:
            x._nothing  # noqa: B018
        assert not isinstance(caught.value, BurngraphError)
        return x

    traced(f)


def calls_in(text):
    """The calls of bg functions that stand in `text`, parsed."""
    for found in re.finditer(r"bg\.[\w.]+\(", text):
        ends = [i + 1 for i in range(found.start(), len(text)) if text[i] == ")"]
        part = next(
            text[found.start() : end]
            for end in ends
            if text[found.start() : end].count("(") == text[found.start() : end].count(")")
        )
        yield ast.parse(part, mode="eval").body


def test_every_spelling_names_functions_that_exist_and_fits_their_signatures():
    for text in SPELLED.values():
        for call in calls_in(text):
            call = call.func if isinstance(call.func, ast.Call) else call
            function = eval(ast.unparse(call.func), {"bg": bg})
            inspect.signature(function).bind(*call.args, **{k.arg: k.value for k in call.keywords})
    assert len([call for text in SPELLED.values() for call in calls_in(text)]) > 60


def test_round_and_mT_work():
    np.testing.assert_array_equal(np.array(traced(lambda x: round(x).mT)), np.round(X).swapaxes(1, 2))
    with pytest.raises(InputError, match=r"bg\.round\(x \* 100\) / 100"):
        traced(lambda x: round(x, 2))


@pytest.mark.parametrize(
    ("message", "fn"),
    {
        r"size of a traced value is an attribute(.|\n)*x\.size\(0\)(.|\n)*write x\.shape\[axis\]": lambda x: x.size(0),
        r"shape of a traced value is an attribute(.|\n)*write x\.shape, without": lambda x: x.shape(0),
        r"bg\.transpose\(x, 1, 2, 0\)(.|\n)*signature: transpose\(x(.|\n)*as one tuple": lambda x: bg.transpose(x, 1, 2, 0),
        r"bg\.permute_dims\(x, 1, 0, 2\)(.|\n)*pass the axes as one tuple": lambda x: bg.permute_dims(x, 1, 0, 2),
    }.items(),
)
def test_a_call_that_fits_no_signature_is_told_the_form(message, fn):
    with pytest.raises(TraceError, match=message):
        traced(fn)


def test_a_wrong_call_of_the_users_own_function_stays_as_it_is():
    def transpose(x):
        return x

    with pytest.raises(TypeError, match="2 were given"):
        traced(lambda x: transpose(x, 1))


@pytest.mark.parametrize("function", [bg.zeros, bg.ones, bg.empty])
def test_a_shape_given_dim_by_dim_is_told_the_tuple(function):
    with pytest.raises(DTypeError, match=rf"one tuple: bg\.{function.__name__}\(\(2, 3\)\)"):
        function(2, 3)


def test_quantization_takes_an_int_block_and_says_what_a_scheme_is():
    one, many = bg.QuantScheme("q4f", block=64), bg.QuantScheme("q4f", block=(64,))
    assert one == many
    for call in (bg.quantize, bg.fake_quantize, bg.quantization_scales):
        with pytest.raises(InputError, match=rf"{call.__name__}: scheme = 'q4f'(.|\n)*pass bg.QuantScheme\('q4f'\)"):
            call(W, "q4f")


@pytest.mark.parametrize("run", [lambda fn: fn(X), traced], ids=["eager", "traced"])
def test_apply_of_what_is_no_op(run):
    with pytest.raises(InputError, match=r"Exp is the class of an op(.|\n)*Exp\(\.\.\.\)(.|\n)*test_other_names"):
        run(lambda x: bg.apply(Exp, x))
    with pytest.raises(InputError, match=r"exp is not an op(.|\n)*call the function itself"):
        run(lambda x: bg.apply(bg.exp, x))


@pytest.mark.parametrize(
    "name", ["cholesky", "inv", "solve", "det", "slogdet", "eigh", "eigvalsh", "svd", "svdvals", "qr", "pinv"]
)
def test_a_factorization_says_why_it_is_left_out(name):
    assert not hasattr(bg.linalg, name)
    with pytest.raises(AttributeError, match=rf"no bg\.linalg\.{name}: (.|\n)*on the CPU only(.|\n)*mx\.linalg"):
        getattr(bg.linalg, name)


def test_an_unknown_op_in_text_may_need_an_import():
    with pytest.raises(ParseError, match="import the module that registers it"):
        bg.parse("graph @f(%x: f32[3]) -> f32[3] {\n  %1: f32[3] = square_relu(%x)\n  return %1\n}")


def test_bg_functions_inside_an_op_are_told_of_emit():
    try:

        @bg.register
        @dataclass(frozen=True, eq=False)
        class TwiceRelu(Composite):
            """relu(x) * 2."""

            name = "twice_relu"
            operands = ("x",)

            def infer(self, x):
                return x

            def decompose(self, emit, x):
                return bg.relu(x) * 2

        with pytest.raises(DTypeError, match=r"relu: x is a Value(.|\n)*use emit\(Relu\(\), x\) inside an op"):
            bg.apply(TwiceRelu(), X)
    finally:
        OPS.pop("twice_relu", None)
