"""Functions that the array API has not take their arguments as PyTorch's of the same name do, but for a table of others."""

import inspect
import re

import pytest

import burngraph as bg
from burngraph.frontend import public

torch = pytest.importorskip("torch")
standard = pytest.importorskip("array_api_strict")
F = torch.nn.functional

# Of PyTorch: deprecated, or about memory, devices and gradients of the result.
NOT_OURS = {
    "inplace", "out", "size_average", "_stacklevel", "device", "requires_grad", "layout", "pin_memory", "sparse_grad",
    "max_norm", "scale_grad_by_freq", "sparse", "return_complex", "align_to_window",
}  # fmt: skip
# Function -> why its signature is another one.
OTHERS = {
    "arctan2": "the array API's atan2 under NumPy's name",
    "bernoulli": "random numbers take a key",
    "normal": "random numbers take a key",
    "randint": "random numbers take a key",
    "cond": "operands follow one by one, as in JAX",
    "while_loop": "the start is one tree, as in JAX",
    "dequantize": "PyTorch's takes a quantized tensor, for which MLX has no type",
    "unique": "refused: its shape depends on values",
    "swapaxes": "NumPy's names of the axes",
    "transpose": "all axes, as MLX's; or, by position, two ints as PyTorch's",
    "nansum": "NumPy's order",
    "dropout": "a key, by name",
    "one_hot": "the number of classes must be known while a graph is built",
}
# Functions -> parameters that ours lacks, or gives other names.
LACKING = {
    "embedding": {"norm_type"},
    "huber_loss": {"weight"}, "l1_loss": {"weight"}, "mse_loss": {"weight"},
}  # fmt: skip


def theirs(function):
    """Names of the parameters of a function of PyTorch, in order; of a built-in one from the head of its documentation."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        text = (function.__doc__ or "").replace("\n", " ")
        head = re.search(re.escape(function.__name__) + r"\((.*?)\)\s*->", text)
        names = [] if head is None else [re.match(r"\W*(\w*)", part).group(1) for part in _parts(head.group(1))]
    return [] if names == ["args", "kwargs"] or names == ["args"] else [name for name in names if name]


def _parts(text):
    """Split at commas outside brackets."""
    return re.split(r",(?![^\[\(]*[\]\)])", text)


NAMESAKES = {
    name: next(found for space in (F, torch, torch.special) if (found := getattr(space, name, None)) is not None)
    for name in public.__all__
    if not any(hasattr(space, name) for space in (standard, standard.fft, standard.linalg))
    and any(hasattr(space, name) for space in (F, torch, torch.special))
    and inspect.isroutine(getattr(bg, name))
}


def test_the_table_names_functions_that_exist():
    assert OTHERS.keys() | LACKING.keys() <= NAMESAKES.keys()
    assert len(NAMESAKES) > 120


@pytest.mark.parametrize("name", sorted(NAMESAKES.keys() - OTHERS.keys()))
def test_arguments_are_taken_as_torch_does(name):
    ours = getattr(bg, name)
    parameters = list(inspect.signature(ours).parameters.values())
    by_position = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    spelled = getattr(ours, "spelled", {})
    wanted = theirs(NAMESAKES[name])
    unknown = (
        NOT_OURS | LACKING.get(name, set()) | ({"reduce"} if "reduction" in wanted else set())
    )  # deprecated beside reduction
    wanted = [spelled.get(each, each) for each in wanted if each not in unknown]
    for place, each in enumerate(wanted):
        if each in ("input", "other", "tensor", "tensors") and place < 2:  # go by position; x, x1, y in the array API
            continue
        assert each in [p.name for p in parameters], f"{name} takes no {each}"
        if each in by_position:
            assert by_position.index(each) == place, f"{name}: {each} is argument {place} of torch's"


def test_keywords_as_torch_spells_them():
    x = bg.ones((2, 3))
    assert bg.softmax(x, dim=0).tolist() == [[0.5] * 3] * 2
    assert bg.amax(x, dim=1, keepdim=True).shape == (2, 1)
    with pytest.raises(bg.errors.InputError, match=r"dim and axis are the same(.|\n)*test_signatures.py"):
        bg.softmax(x, dim=0, axis=0)
