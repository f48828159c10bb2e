"""Trees come apart and together again."""

from typing import NamedTuple

import pytest

from burngraph.errors import InputError
from burngraph.frontend.trees import flatten, leaf_paths, map_leaves, unflatten


class Pair(NamedTuple):
    left: object
    right: object


TREE = {"b": [1, (2,)], "a": Pair(3, None), "c": {}}


def test_unflatten_inverts_flatten():
    leaves, tree = flatten(TREE)
    assert leaves == [3, 1, 2]
    assert unflatten(tree, leaves) == TREE
    assert isinstance(unflatten(tree, leaves)["a"], Pair)
    assert hash(tree) == hash(flatten(TREE)[1])


def test_paths_name_keys_fields_and_positions():
    assert leaf_paths(flatten(TREE)[1], "params") == ["params.a.left", "params.b.0", "params.b.1.0"]
    assert str(flatten(TREE)[1]) == "{'a': Pair(*, None), 'b': [*, (*,)], 'c': {}}"


def test_wrong_number_of_leaves_is_named():
    with pytest.raises(InputError, match="has 3 leaves, got 1"):
        unflatten(flatten(TREE)[1], [0])


def test_map_leaves_refuses_trees_of_other_shapes():
    assert map_leaves(lambda a, b: a + b, [1, 2], [3, 4]) == [4, 6]
    with pytest.raises(InputError, match="differ in shape"):
        map_leaves(lambda a, b: a + b, [1, 2], [3])
