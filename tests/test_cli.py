"""The command line: each command once, and bad input exits 2 with one message."""

import json

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
    ],
)
def test_bad_input_exits_2_with_a_message(arguments, message, text_file, capsys):
    assert main([a.replace("{file}", text_file) for a in arguments]) == 2
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


def test_output_in_a_missing_folder_writes_nothing(tmp_path, text_file, capsys):
    assert main(["dump", text_file, "--output", str(tmp_path / "no" / "net.bg")]) == 2
    assert "must be NAME.bg in a folder that exists" in capsys.readouterr().err
