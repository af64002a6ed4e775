"""Code for trees of one structure does what ``tree`` does."""

import dataclasses
from collections import OrderedDict, defaultdict, namedtuple

import pytest

from autotrace.core import tree
from autotrace.core.treecode import builder, fixed, matcher

Pair = namedtuple("Pair", "left right")


@tree.register_dataclass
@dataclasses.dataclass
class Layer:
    w: object
    b: object


@dataclasses.dataclass
class Scaled:
    x: object
    factor: int


tree.register_dataclass(Scaled, ["x"], ["factor"])


class Box:
    def __init__(self, *inside):
        self.inside = inside

    def __eq__(self, other):
        return type(other) is Box and self.inside == other.inside

    __hash__ = None


tree.register_node(Box, lambda box: (iter(box.inside), len(box.inside)), lambda _, x: Box(*x))


def deep(x, levels=300):
    for _ in range(levels):
        x = [x]
    return x


TREES = [
    1,
    None,
    (),
    [],
    {},
    (1,),
    [1, (2, None)],
    {"b": 1, "a": {"c": (2, 3)}},
    {2: 1, "a": 3},
    {1: 5},
    {True: 5},
    OrderedDict(b=1, a=2),
    defaultdict(list, b=1, a=2),
    Pair(1, [2]),
    Layer({"x": 1}, 2),
    Scaled(1, 3),
    Scaled(1, 4),
    Box(),
    Box(1, [2, 3]),
    deep(1),
]


def leaves_if_same(structure, other):
    return tuple(tree.leaves(other)) if tree.structure(other) == structure else None


@pytest.mark.parametrize("x", TREES, ids=lambda x: f"{x}"[:30])
def test_both_ways(x):
    leaves, structure = tree.flatten(x)
    assert matcher(structure)(x) == tuple(leaves)
    built = builder(structure)(leaves)
    assert built == x
    assert type(built) is type(x)
    if isinstance(x, dict):
        assert [*map(type, built)] == [*map(type, tree.unflatten(structure, leaves))]


@pytest.mark.parametrize("x", TREES, ids=lambda x: f"{x}"[:30])
def test_others_do_not_match(x):
    structure = tree.structure(x)
    match = matcher(structure)
    for other in TREES:
        if tree.structure(x) is not tree.LEAF:  # in a leaf's place anything may stand
            assert match(other) == leaves_if_same(structure, other)


def test_other_keys_and_lengths():
    match = matcher(tree.structure({"a": [0, 0], "b": 0}))
    assert match({"b": 3, "a": [1, 2]}) == (1, 2, 3)
    for other in ({"a": [1, 2], "c": 3}, {"a": [1, 2, 3], "b": 3}, {"a": (1, 2), "b": 3}, None):
        assert match(other) is None
    assert match({"a": [1, 2], "b": 3, "c": 4}) is None


def test_fixed_places():
    structure = tree.TreeDef(tuple, None, (fixed(lambda x: (type(x), x), 1), tree.LEAF))
    match = matcher(structure)
    assert match((1, "leaf")) == ("leaf",)
    assert match((True, "leaf")) is None
    assert match((2, "leaf")) is None


def test_many_leaves():
    x = list(range(2000))
    leaves, structure = tree.flatten(x)
    assert matcher(structure) is None
    assert builder(structure)(leaves) == x
