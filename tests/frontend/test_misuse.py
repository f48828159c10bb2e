"""What is said where a list, a tuple, NumPy, MLX or text formatting meets a traced value."""

import copy
import pickle

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import BurngraphError, TraceError

X = np.ones((2, 4), "float32")
LIST = [1, 2]
LINEAR = nn.Linear(4, 2)


def remove(x):
    del x[0]


SAYS = {
    "add: operand 1 is a list": lambda x: x + LIST,
    "add: operand 0 is a list": lambda x: LIST + x,
    "matmul: operand 1 is a list, not an array or a number\n  wrap it in bg.asarray": lambda x: x @ [[1.0]],
    "add: operand 1 is None": lambda x: x + None,
    "multiply: operand 0 is a str": lambda x: "a" * x,
    "equal: operand 1 is a list": lambda x: x == [1],
    "a traced value and 'object'": lambda x: x + object(),
    "relu: x is a tuple": lambda x: bg.relu((x, x)),
    "sum: x is a list, not an array or a number\n  take one of them, or make one array of all": lambda x: bg.sum([x, x]),
    "stack: arrays[1] is a list": lambda x: bg.stack([x, [1]]),
    "bg.stack(arrays) makes one array": lambda x: bg.asarray([x, x]),
    "np.sum was called": lambda x: np.sum(x),
    "np.mean was called": lambda x: np.mean(x, axis=0),
    "write bg.stack(...)": lambda x: np.stack([x, x]),
    "there is no bg.nanmedian": lambda x: np.nanmedian(x),
    "write bg.asarray(...)": lambda x: mx.array(x),
    "mx.concatenate was called": lambda x: mx.concatenate([x, x]),
    "expression: mx.grad": lambda x: mx.grad(lambda y: y)(x),
    "expression: LINEAR(x)": lambda x: LINEAR(x),
    "given a dtype of burngraph": lambda x: mx.zeros(4, dtype=x.dtype),
    "concat takes one list": lambda x: bg.concat(x, x),
    "reshape: shape must be Python ints": lambda x: bg.reshape(x, (x.sum(), -1)),
    "layer_norm: normalized_shape must be Python ints": lambda x: bg.layer_norm(x, mx.ones(4), mx.zeros(4)),
    "axis 1.5 is a float": lambda x: bg.sum(x, axis=1.5),
    "the format '.3f'": lambda x: f"{x:.3f}",
    "del removes entries": remove,
}


@pytest.mark.parametrize(("message", "fn"), SAYS.items(), ids=SAYS)
def test_the_message_names_what_is_wrong_and_the_line(message, fn):
    with pytest.raises(BurngraphError) as caught:
        bg.compile(fn)(X)
    assert message in str(caught.value)
    assert f"from {__file__}:{fn.__code__.co_firstlineno + (fn is remove)}" in str(caught.value)


def test_what_returns_no_array_is_named_by_its_definition():
    with pytest.raises(TraceError, match="returned object") as caught:
        bg.compile(lambda x: object())(X)
    assert f"from {__file__}:" in str(caught.value)


def test_errors_that_are_not_about_traced_values_stay_as_they_are():
    with pytest.raises(ZeroDivisionError):
        bg.compile(lambda x: 1 // 0)(X)
    with pytest.raises(TypeError, match="'NoneType' and 'int'"):
        bg.compile(lambda x: None + 1)(X)


def test_copies_shapes_and_divmod_work():
    def f(x):
        quotient, rest = divmod(copy.deepcopy(x) * 7, copy.copy(x) * 2)
        return quotient * np.shape(x)[1] + rest, x == None  # noqa: E711

    values, is_none = bg.compile(f)(X)
    assert values.tolist() == [[13.0] * 4] * 2
    assert not is_none.item()


@pytest.mark.parametrize("use", [np.array, float, bg.exp, bg.compile(lambda x: x), np.sum, mx.exp, bool])
def test_a_leaked_value_says_that_its_trace_is_over(use):
    leak = []
    bg.compile(lambda x: leak.append(x) or x)(X)
    with pytest.raises(TraceError, match="after its trace has ended"):
        use(leak[0])


def test_a_numpy_array_indexed_with_a_traced_value_is_told_of_take():
    table = np.arange(4.0)
    with pytest.raises(TraceError, match=r"write bg\.take\(array, index, axis=0\)"):
        bg.compile(lambda i: table[i])(np.array([1]))


WRONG_KINDS = {
    "a string for a size": lambda: bg.max_pool2d(X[None], "2"),
    "a tuple for a number": lambda: bg.eye((2, 3)),
    "an array for a flag": lambda: bg.sum(X, keepdims=X),
    "a list for a number": lambda: bg.huber_loss(X, X, delta=[1]),
    "a tuple for an equation": lambda: bg.einsum(("ij",), X),
    "a string for epsilon": lambda: bg.rms_norm(X, (4,), eps="small"),
    "an array for groups": lambda: bg.conv2d(X[None, None], X[None, None], groups=X),
    "of fft": lambda: bg.fft.fft(X, n="4"),
    "of linalg": lambda: bg.linalg.matrix_power(X[:, :2], "2"),
    "a method": lambda: bg.compile(lambda x: x.flatten(start_axis="0"))(X),
    "a method with a keyword": lambda: bg.compile(lambda x: x.sum(axis=0, keepdims=X))(X),
    "no dtype": lambda: bg.zeros((2,), dtype="float31"),
    "a negative dim": lambda: bg.trace(bg.relu, bg.TensorSpec((2, -1))),
    "a fraction of a dim": lambda: bg.TensorSpec((2, 1.5)),
    "a string for a position": lambda: bg.grad(bg.sum, "x"),
    "a number for a function": lambda: bg.value_and_grad(3),
}


@pytest.mark.parametrize("call", WRONG_KINDS.values(), ids=WRONG_KINDS)
def test_an_argument_of_the_wrong_kind_is_named_with_the_function_and_the_line(call):
    with pytest.raises(BurngraphError) as caught:
        call()
    assert f"from {__file__}:{call.__code__.co_firstlineno}" in str(caught.value)


def test_what_python_says_of_an_argument_stands_beside_the_call():
    with pytest.raises(bg.errors.InputError) as caught:
        bg.rms_norm(X, (4,), eps="small")
    for part in ("rms_norm: could not convert", "x: f32[2,4]", "eps: 'small'", "signature: rms_norm(x: Any, normalized_shape"):
        assert part in str(caught.value)
    with pytest.raises(TypeError, match=r"relu\(\) missing 1 required"):
        bg.relu()
    with pytest.raises(TypeError, match="unexpected keyword argument 'axes'"):
        bg.sum(X, axes=0)


def test_guarded_functions_are_found_by_pickle_and_keep_their_names():
    for function in (bg.relu, bg.fft.rfft, bg.linalg.trace, bg.burn.conv_transpose):
        assert pickle.loads(pickle.dumps(function)) is function
    assert bg.conv2d.__doc__ and bg.trace(bg.relu, X).name == "relu"
