"""`burngraph run`: one call of a model on MLX."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from rich.console import Console
from rich.table import Table

from burngraph.cli.inputs import arguments_for, picture
from burngraph.cli.model import load
from burngraph.compile import compile
from burngraph.errors import InputError
from burngraph.frontend.trees import flatten


def run(arguments: Namespace) -> None:
    """Show dtype, shape, mean and range of each result; with --image, the class that the model's classify() gives."""
    if arguments.image is not None and arguments.input:
        raise InputError("--image and --input cannot be combined")
    model, module, weights = load(arguments.model)
    if arguments.image is not None:
        _classify(module, arguments)
        return
    call = arguments_for(model, module, arguments.input)
    results, _ = flatten(compile(model, weights=weights)(*call.args, **call.kwargs))
    table = Table("result", "type", "mean", "min", "max")
    for index, result in enumerate(results):
        array = np.array(result.astype(mx.float32))
        row = [f"{v:.6g}" for v in (array.mean(), array.min(), array.max())] if array.size else ["-"] * 3
        table.add_row(str(index), f"{result.dtype}{list(result.shape)}".replace("mlx.core.", ""), *row)
    Console().print(table)


def _classify(module: Any, arguments: Namespace) -> None:
    classify = getattr(module, "classify", None)
    data = getattr(module, "data", None)
    if not callable(classify):
        raise InputError(f"{arguments.model} has no classify(images) function, which --image calls")
    if arguments.image.isdigit() and callable(data):
        images, index = data()[1], int(arguments.image)
        if index >= len(images):
            raise InputError(f"--image {index}: there are {len(images)} test images")
        image = images[index : index + 1]
    else:
        path = Path(arguments.image)
        if not path.is_file():
            raise InputError(f"--image {arguments.image}: no such file")
        preprocess = getattr(module, "preprocess", None)
        if not callable(preprocess):
            raise InputError(f"{arguments.model} has no preprocess(picture) function, which --image FILE calls")
        image = preprocess(picture(path))[None]
    print(f"predicted {int(classify(image)[0])}")
    if callable(getattr(module, "draw", None)):
        print(module.draw(image[0, 0]))
