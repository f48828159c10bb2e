"""The command line: each command once, and bad input exits 2 with one message."""

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from burngraph.cli import main

RELU = "graph @f(%x: f32[2,3]) -> f32[2,3] {\n  %0: f32[2,3] = relu(%x)\n  return %0\n}\n"


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "relu.bg"
    path.write_text(RELU)
    return str(path)


def test_dump_prints_text_that_is_the_file(text_file, capsys):
    assert main(["dump", text_file]) == 0
    assert capsys.readouterr().out.strip() == RELU.strip()


def test_dump_source_is_plain_mlx(text_file, capsys):
    assert main(["dump", text_file, "--source"]) == 0
    assert "import mlx.core as mx" in capsys.readouterr().out


def test_run_shows_the_result(text_file, capsys):
    assert main(["run", text_file]) == 0
    assert "float32[2, 3]" in capsys.readouterr().out


def test_bench_prints_json(text_file, capsys):
    assert main(["bench", text_file, "--rounds", "2", "--json"]) == 0
    names = [t["name"] for t in json.loads(capsys.readouterr().out)["timings"]]
    assert names == ["compiled", "each op transposed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dump", "no_such_model"], "unknown model 'no_such_model'"),
        (["dump", "missing.py"], "no file missing.py"),
        (["dump", "{file}", "--after", "no-such-pass"], "no-such-pass"),
        (["run", "{file}", "--input", "x=f32[2,4]"], "f32[2,4]"),
        (["run", "{file}", "--input", "z=f32[2,3]"], "the model has no such argument"),
        (["run", "{file}", "--input", "x"], "expected NAME=SPEC"),
        (["run", "{file}", "--input", "x=f32[2 3]"], "neither a type such as"),
        (["run", "{file}", "--input", "x=f32[9999999,9999999,99]"], "does not fit into memory"),
        (["run", "{file}", "--input", "x={folder}/empty.npy"], "does not read as .npy"),
        (["run", "{file}", "--input", "x={folder}/archive.npy"], "is an archive of arrays"),
        (["run", "{folder}/binary.bg"], "is no text"),
    ],
)
def test_bad_input_exits_2_with_a_message(arguments, message, text_file, capsys):
    folder = Path(text_file).parent
    (folder / "empty.npy").touch()
    (folder / "binary.bg").write_bytes(b"graph @f\xce\xff")
    with (folder / "archive.npy").open("wb") as file:
        np.savez(file, x=np.ones((2, 3)))
    assert main([a.replace("{file}", text_file).replace("{folder}", str(folder)) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_text_that_does_not_parse_shows_line_and_caret(tmp_path, capsys):
    path = tmp_path / "bad.bg"
    path.write_text(RELU.replace("relu(%x)", "relu(%x, axis=)"))
    assert main(["dump", str(path)]) == 2
    error = capsys.readouterr().err
    assert "bad.bg:2:" in error
    assert "^" in error


def test_dump_writes_text_and_weights_that_run_alike(tmp_path, capsys):
    path = tmp_path / "net.bg"
    assert main(["dump", "examples/mobilenet_v2.py", "--after", "eliminate-layout", "--output", str(path)]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.bg", "net.safetensors"]
    assert main(["run", "examples/mobilenet_v2.py", "--input", "image=f32[2,3,32,32]"]) == 0
    expected = capsys.readouterr().out
    assert main(["run", str(path), "--input", "image=f32[2,3,32,32]"]) == 0
    assert capsys.readouterr().out == expected


SCALED = """graph @f(%x: f32[2], %layer_1.w: weight(key="layer 1.w") f32[2]) -> f32[2] {
  %0: f32[2] = mul(%x, %layer_1.w)
  return %0
}
"""


def test_weights_that_are_parameters_are_read_from_beside_the_text(tmp_path, capsys):
    path = tmp_path / "net.bg"
    path.write_text(SCALED)
    assert main(["run", str(path)]) == 2
    assert "has the weight 'layer 1.w', whose data belongs in" in capsys.readouterr().err
    mx.save_safetensors(str(tmp_path / "net.safetensors"), {"layer 1.w": mx.array([3.0, 3.0]), "unused": mx.array([1.0])})
    np.save(tmp_path / "x.npy", np.array([5.0, 5.0], np.float32))
    given = ["--input", f"x={tmp_path / 'x.npy'}"]
    assert main(["run", str(path), *given]) == 0
    assert "15" in capsys.readouterr().out
    assert main(["bench", str(path), *given, "--rounds", "1", "--json"]) == 0
    copy = tmp_path / "copy.bg"
    assert main(["dump", str(path), "--output", str(copy)]) == 0
    capsys.readouterr()
    assert copy.read_text().strip() == SCALED.strip()
    assert main(["run", str(copy), *given]) == 0
    assert "15" in capsys.readouterr().out


def test_what_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path, text_file, capsys):
    (tmp_path / "net.bg").mkdir()  # a file cannot replace it, whoever runs this
    assert main(["dump", text_file, "--output", str(tmp_path / "net.bg")]) == 2
    assert capsys.readouterr().err.startswith(f"burngraph: InputError: --output {tmp_path / 'net.bg'}: ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.bg", "relu.bg"]


def test_output_in_a_missing_folder_writes_nothing(tmp_path, text_file, capsys):
    assert main(["dump", text_file, "--output", str(tmp_path / "no" / "net.bg")]) == 2
    assert "must be NAME.bg in a folder that exists" in capsys.readouterr().err


def test_what_a_model_module_fails_to_import_is_not_hidden(tmp_path, monkeypatch, capsys):
    (tmp_path / "broken_model.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["run", "broken_model:model"]) == 2
    assert "No module named 'no_such_library'" in capsys.readouterr().err


MODEL = """
import burngraph as bg
import numpy as np

def model(x, k=2, *, axis=0):
    return bg.sum(x * k, axis=axis)

@bg.compile
def program(x):
    return x * 2

def wrong_result(x):
    return "a"

def wrong_key(x):
    return {}["k"]

def tree(params):
    return params["a"][0] * 2

def by_keyword(x, *, factor):
    return x * factor

def inputs():
    return {"params": {"a": [np.ones(3, "float32")]}}
"""


@pytest.fixture
def model_file(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "syntax.py").write_text("def model(x) return x")
    np.save(tmp_path / "complex128.npy", np.ones(2, "complex128"))
    np.savez(tmp_path / "archive.npz", x=np.ones(2))
    (tmp_path / "junk.npy").write_text("hello")
    (tmp_path / "net.bg").write_text(
        'graph @f(%x: f32[2]) -> f32[2] {\n  %w: f32[2] = weight(key="w")\n  %0: f32[2] = mul(%x, %w)\n  return %0\n}\n'
    )
    return str(tmp_path / "model.py")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dump", "{file}", "--after", "trace", "--source"], "--source and --after cannot be combined"),
        (["dump", "{file}", "--explain", "--source"], "--source and --explain cannot be combined"),
        (["dump", "{file}", "--source", "--output", "o.bg"], "--source and --output cannot be combined"),
        (["run", "{file}", "--image", "3", "--input", "x=f32[2]"], "--image and --input cannot be combined"),
        (["run", "{file}", "--input", "x=f32[2]", "--input", "x=f32[3]"], "--input x is given twice"),
        (["run", "{file}:wrong_result", "--input", "x=f32[2]"], "model.py:12"),
        (["run", "{file}:wrong_key", "--input", "x=f32[2]"], 'model.py", line 16, in wrong_key'),
        (["run", "{folder}/syntax.py"], 'syntax.py", line 1'),
        (["run", "{file}", "--input", "x={folder}/complex128.npy"], "--input x: no dtype dtype('complex128')"),
        (["run", "{file}", "--input", "x={folder}/archive.npz"], "is neither a picture nor an .npy file"),
        (["run", "{file}", "--input", "x={folder}/junk.npy"], "junk.npy does not read as .npy, an array of numbers"),
        (["run", "{folder}/net.bg"], "whose data belongs in {folder}/net.safetensors, which is missing"),
    ],
)
def test_options_and_models_at_fault_exit_2(arguments, message, model_file, capsys):
    folder = str(Path(model_file).parent)
    fill = {"{file}": model_file, "{folder}": folder}
    for key, value in fill.items():
        arguments, message = [a.replace(key, value) for a in arguments], message.replace(key, value)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "pickle" not in error
    assert "burngraph/cli" not in error  # no line of ours


@pytest.mark.parametrize(
    "arguments",
    [
        ["{file}", "--input", "x=float32[2, 3]"],
        ["{file}", "--input", "x=f32[2,3]", "--input", "k=f32[3]"],
        ["{file}:program", "--input", "x=f32[3]"],
        ["{file}:tree"],
        ["{file}:by_keyword", "--input", "x=f32[3]", "--input", "factor=f32[3]"],
    ],
)
def test_defaults_programs_trees_and_long_dtypes(arguments, model_file, capsys):
    arguments = [a.replace("{file}", model_file) for a in arguments]
    assert main(["run", *arguments]) == 0
    assert "float32[3]" in capsys.readouterr().out
    assert main(["bench", *arguments, "--rounds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["rounds"], len(found["timings"])) == (arguments[0], 1, 3)
    assert set(found["versions"]) == {"python", "burngraph", "mlx", "numpy"}


def test_an_unknown_option_shows_the_usage_of_its_command(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["run", "m.py", "--bogus"])
    assert caught.value.code == 2
    assert "usage: burngraph run" in capsys.readouterr().err
