"""program.save and bg.load: what comes back computes the same from the same arguments."""

from typing import NamedTuple

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import BurngraphError, InputError


class State(NamedTuple):
    mean: object
    count: object


RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(5, 3, 3, 3)).astype("float32")


def model(params, state, images, *, scale=1.0):
    y = bg.relu(bg.conv2d(images, WEIGHT, padding=1)) * scale + params["b"][:, None, None]
    return {"y": y, "state": State(state.mean + bg.mean(y), state.count + 1)}, [None, (y.sum(),)]


def arguments():
    params = {"b": RNG.normal(size=5).astype("float32")}
    return params, State(np.float32([0.5]), np.int32([3])), RNG.normal(size=(2, 3, 4, 5)).astype("float32")


@pytest.fixture
def saved(tmp_path):
    program = bg.compile(model)
    given = arguments()
    want = program(*given, scale=2.0)
    program.save(tmp_path / "m.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
    return given, want, tmp_path / "m.safetensors"


def test_a_loaded_program_takes_and_returns_the_same_trees(saved):
    given, want, path = saved
    program = bg.load(path)
    got = program(*given, scale=2.0)
    assert got[0]["state"]._fields == ("mean", "count")
    assert got[1][0] is None
    for a, b in ((got[0]["y"], want[0]["y"]), (got[0]["state"].mean, want[0]["state"].mean), (got[1][1][0], want[1][1][0])):
        np.testing.assert_array_equal(np.array(a), np.array(b))


def test_a_loaded_program_saves_again(saved, tmp_path):
    given, want, path = saved
    program = bg.load(path)
    program(*given, scale=2.0)
    program.save(tmp_path / "again.safetensors")
    got = bg.load(tmp_path / "again.safetensors")(*given, scale=2.0)
    np.testing.assert_array_equal(np.array(got[0]["y"]), np.array(want[0]["y"]))


def test_other_arguments_are_refused(saved):
    given, _, path = saved
    program = bg.load(path)
    with pytest.raises(InputError, match=r"1\.scale was saved as 2\.0, given 3\.0"):
        program(*given, scale=3.0)
    with pytest.raises(InputError, match="takes other arguments"):
        program(*given)
    with pytest.raises(InputError, match=r"was given f32\[3,3,4,5\]"):
        program(given[0], given[1], np.zeros((3, 3, 4, 5), np.float32), scale=2.0)


def test_a_program_of_a_graph_and_its_bound_weights(tmp_path):
    text = 'graph @f(%x: f64[2]) -> f64[2] {\n  %w: f64[2] = weight(key="w")\n  %y: f64[2] = add(%x, %w)\n  return %y\n}'
    with mx.stream(mx.cpu):
        program = bg.compile(bg.parse(text), weights={"w": np.array([1 / 3, 2.0])})
        program.save(tmp_path / "g.safetensors")
        got = bg.load(tmp_path / "g.safetensors")(np.array([1.0, 1.0]))
    np.testing.assert_array_equal(np.array(got), [1 + 1 / 3, 3.0])


@pytest.mark.parametrize("name", ["m.bg", "absent/m.safetensors"])
def test_where_it_cannot_be_written(name, tmp_path):
    program = bg.compile(lambda x: x + 1)
    program(np.float32([1]))
    with pytest.raises(InputError, match=r"must be NAME\.safetensors in a folder that exists"):
        program.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_save_before_the_first_call(tmp_path):
    with pytest.raises(InputError, match="has not been traced yet"):
        bg.compile(lambda x: x + 1).save(tmp_path / "m.safetensors")


def test_a_damaged_file_is_refused(saved, tmp_path):
    _, _, path = saved
    whole = path.read_bytes()
    damaged = tmp_path / "d.safetensors"
    mx.save_safetensors(str(tmp_path / "w.safetensors"), {"a": mx.zeros(2)})
    with pytest.raises(InputError, match="holds arrays and no program"):
        bg.load(tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="no file"):
        bg.load(tmp_path / "absent.safetensors")
    for cut in (0, 5, 40, 200, len(whole) // 2):
        damaged.write_bytes(whole[:cut])
        with pytest.raises(BurngraphError):
            bg.load(damaged)
    for old, new in ((b"namedtuple", b"namedtuplX"), (b"relu", b"rel1"), (b"State", b"__im t")):
        damaged.write_bytes(whole.replace(old, new.ljust(len(old))[: len(old)]))
        with pytest.raises(BurngraphError):
            bg.load(damaged)
