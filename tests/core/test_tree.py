"""Pytrees."""

import collections
import copy
import dataclasses
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotrace import tree
from autotrace.core.tree import LEAF, broadcast_prefix, flatten_up_to

Point = collections.namedtuple("Point", "x y")
Other = collections.namedtuple("Other", "x y")


@tree.register_dataclass
@dataclasses.dataclass
class Params:
    w: object
    b: object


@dataclasses.dataclass
class Tagged:
    value: object
    tag: str


tree.register_dataclass(Tagged, meta_fields=("tag",))


class Box:
    def __init__(self, *items):
        self.items = items

    def __eq__(self, other):
        return isinstance(other, Box) and self.items == other.items


tree.register_node(Box, lambda b: (b.items, len(b.items)), lambda _, items: Box(*items))

CONTAINERS = [
    (5, [5]),
    (None, []),
    ((), []),
    ((1, 2), [1, 2]),
    ([1, [2, 3]], [1, 2, 3]),
    ({"b": 1, "a": 2}, [2, 1]),
    (collections.OrderedDict([("b", 1), ("a", 2)]), [1, 2]),
    (collections.defaultdict(list, {"b": 1, "a": 2}), [2, 1]),
    (Point(1, (2, None)), [1, 2]),
    (Params(1, {"k": 2}), [1, 2]),
    (Tagged(1, "t"), [1]),
    (Box(1, Box(2)), [1, 2]),
    ({2: 1, "a": 2, (1,): 3}, None),
    ({"x": (None, [], {}), "y": 7}, [7]),
]


@pytest.mark.parametrize(("value", "expected"), CONTAINERS, ids=lambda v: repr(v)[:30])
def test_round_trip(value, expected):
    leaves, treedef = tree.flatten(value)
    if expected is not None:
        assert leaves == expected
    assert treedef.num_leaves == len(leaves)
    back = tree.unflatten(treedef, leaves)
    assert back == value and type(back) is type(value)
    assert treedef.unflatten(leaves) == value
    assert tree.leaves(value) == leaves and tree.structure(value) == treedef
    assert hash(tree.structure(value)) == hash(treedef)


@pytest.mark.parametrize("value", [v for v, _ in CONTAINERS], ids=lambda v: repr(v)[:30])
def test_treedef_pickles(value):
    treedef = tree.structure(value)
    again = pickle.loads(pickle.dumps(treedef))
    assert again == treedef and hash(again) == hash(treedef)
    assert again.unflatten(tree.leaves(value)) == value
    assert copy.deepcopy(treedef) == treedef


def test_pickled_leaf_is_the_leaf():
    assert pickle.loads(pickle.dumps(LEAF)) is LEAF


def test_defaultdict_keeps_its_factory():
    d = tree.map(lambda x: x + 1, collections.defaultdict(list, {"a": 1}))
    assert d["missing"] == [] and d["a"] == 2


STRUCTURES = [
    0,
    None,
    (),
    [],
    {},
    (0,),
    [0],
    {"a": 0},
    {"b": 0},
    (0, 0),
    [0, 0],
    Point(0, 0),
    Other(0, 0),
    collections.OrderedDict(a=0),
    collections.OrderedDict([("a", 0), ("b", 0)]),
    collections.OrderedDict([("b", 0), ("a", 0)]),
    collections.defaultdict(list, a=0),
    collections.defaultdict(int, a=0),
    Params(0, 0),
    Tagged(0, "a"),
    Tagged(0, "b"),
    Box(0),
    Box(0, 0),
]


def test_structures_differ():
    treedefs = [tree.structure(s) for s in STRUCTURES]
    assert len(set(treedefs)) == len(STRUCTURES)
    for i, a in enumerate(treedefs):
        for j, b in enumerate(treedefs):
            assert (a == b) is (i == j)
    assert treedefs[0] != "a leaf"


def test_repr():
    assert repr(tree.structure((1, [2, {"k": None}]))) == "PyTreeDef((*, [*, {'k': None}]))"
    assert repr(tree.structure((1,))) == "PyTreeDef((*,))"
    assert repr(tree.structure(Params(1, 2))) == "PyTreeDef(Params(*, *))"


def test_is_leaf():
    value = {"a": (1, 2), "b": None}
    is_leaf = lambda x: isinstance(x, tuple) or x is None  # noqa: E731
    leaves, treedef = tree.flatten(value, is_leaf)
    assert leaves == [(1, 2), None]
    assert tree.unflatten(treedef, [5, 6]) == {"a": 5, "b": 6}
    assert tree.map(lambda x: repr(x), value, is_leaf=is_leaf) == {"a": "(1, 2)", "b": "None"}
    assert tree.leaves(value, is_leaf=is_leaf) == leaves
    assert [tree.keystr(p) for p, _ in tree.leaves_with_path(value, is_leaf)] == ["['a']", "['b']"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_unflatten_wrong_count(count):
    with pytest.raises(ValueError, match=f"has 2 leaves, got {count}"):
        tree.unflatten(tree.structure([0, 0]), range(count))


def test_map():
    assert tree.map(lambda x: -x, [1, (2, None)]) == [-1, (-2, None)]
    assert tree.map(lambda x, y: (x, y), (1, 2), ([3], {"a": 4})) == ((1, [3]), (2, {"a": 4}))
    assert tree.map(lambda x, y, z: x + y + z, Point(1, 2), Point(3, 4), Point(5, 6)) == Point(
        9, 12
    )


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        ((1, 2), [1, 2], ""),
        ((1, 2), (1, 2, 3), ""),
        ({"a": (1, 2)}, {"a": 5}, r"\['a'\]"),
        ({"a": 1}, {"b": 1}, ""),
        ([1, Point(1, 2)], [1, Other(1, 2)], r"\[1\]"),
        (Tagged(1, "a"), Tagged(1, "b"), ""),
        (None, 1, ""),
        (Params((1,), 2), Params((1, 2), 2), r"\.w"),
    ],
)
def test_map_mismatch(first, second, place):
    with pytest.raises(ValueError, match=rf"^tree\.map{place}: expected"):
        tree.map(lambda x, y: 0, first, second)


def test_reduce_and_all():
    assert tree.reduce(lambda a, b: a - b, [10, (1, {"k": 2})]) == 7
    assert tree.reduce(lambda a, b: a - b, [1], 10) == 9
    assert tree.reduce(lambda a, b: a, (), None) is None
    with pytest.raises(TypeError):
        tree.reduce(lambda a, b: a, ())
    assert tree.all([True, (1, "x")]) and tree.all(())
    assert not tree.all({"a": [1, 0]})
    assert tree.all([None, 1]) and not tree.all([None, 1], is_leaf=lambda x: x is None)


def test_transpose():
    outer, inner = tree.structure({"a": 0, "b": 0}), tree.structure((0, [0]))
    value = {"a": (1, [2]), "b": (3, [4])}
    assert tree.transpose(outer, inner, value) == ({"a": 1, "b": 3}, [{"a": 2, "b": 4}])
    assert tree.transpose(tree.structure([]), tree.structure((0, 0)), []) == ([], [])
    with pytest.raises(ValueError, match=r"tree\.transpose"):
        tree.transpose(outer, inner, {"a": (1, [2]), "b": [3, [4]]})


def test_paths():
    value = {"p": Point(1, [2]), "q": Params(3, None), "r": Box(4), "s": Tagged(5, "t")}
    pairs, treedef = tree.flatten_with_path(value)
    assert [(tree.keystr(p), x) for p, x in pairs] == [
        ("['p'].x", 1),
        ("['p'].y[0]", 2),
        ("['q'].w", 3),
        ("['r'][0]", 4),
        ("['s'].value", 5),
    ]
    assert treedef == tree.structure(value)
    assert pairs == tree.leaves_with_path(value)
    path, _ = pairs[1]
    assert [k.key for k in path] == ["p", "y", 0]
    ordered = collections.OrderedDict([("z", 1), ("a", 2)])
    assert [tree.keystr(p) for p, _ in tree.leaves_with_path(ordered)] == ["['z']", "['a']"]
    assert tree.map_with_path(lambda p, x, y: (tree.keystr(p), x + y), [1, 2], [3, 4]) == [
        ("[0]", 4),
        ("[1]", 6),
    ]
    assert tree.leaves_with_path(3) == [((), 3)]


def test_flatten_up_to():
    treedef = tree.structure((0, {"a": 0}))
    assert flatten_up_to(treedef, ([1, 2], {"a": None})) == [[1, 2], None]
    with pytest.raises(ValueError, match=r"that\[1\]: expected a dict"):
        flatten_up_to(treedef, (1, 2), "that")


def test_broadcast_prefix():
    assert broadcast_prefix(0, {"a": (1, 2), "b": None}, "x") == [0, 0]
    assert broadcast_prefix((0, None), ([1, 2], (3, 4)), "x") == [0, 0, None, None]
    assert broadcast_prefix(({"a": 1, "b": None}, 2), ({"a": [0, 0], "b": 0}, 0), "x") == [
        1,
        1,
        None,
        2,
    ]
    with pytest.raises(ValueError, match="axes: expected"):
        broadcast_prefix((0, 1), (1, 2, 3), "axes")


def test_registration_errors():
    with pytest.raises(ValueError, match="Box is registered already"):
        tree.register_node(Box, lambda b: (b.items, None), lambda _, c: Box(*c))
    with pytest.raises(ValueError, match="Params is registered already"):
        tree.register_dataclass(Params)
    with pytest.raises(ValueError, match="dict is registered"):
        tree.register_node(dict, lambda b: ((), None), lambda _, c: {})
    with pytest.raises(TypeError, match="not a dataclass"):
        tree.register_dataclass(int)

    @dataclasses.dataclass
    class Third:
        a: int
        b: int

    with pytest.raises(TypeError, match="each must be in one of"):
        tree.register_dataclass(Third, data_fields=("a",))
    with pytest.raises(TypeError, match="each must be in one of"):
        tree.register_dataclass(Third, data_fields=("a", "b"), meta_fields=("b",))
    with pytest.raises(TypeError, match="each must be in one of"):
        tree.register_dataclass(Third, data_fields=("a", "c"), meta_fields=("b",))
    tree.register_dataclass(Third, data_fields=("b",), meta_fields=("a",))
    assert tree.map(lambda x: x + 1, Third(1, 2)) == Third(1, 3)


def test_subclasses_are_leaves():
    class MyDict(dict):
        pass

    class MyList(list):
        pass

    value = [MyDict(a=1), MyList([1])]
    assert tree.leaves(value) == value


TREES = st.recursive(
    st.integers() | st.none(),
    lambda t: (
        st.lists(t, max_size=3)
        | st.tuples(t, t)
        | st.dictionaries(st.text(max_size=2) | st.integers(), t, max_size=3)
        | st.builds(Point, t, t)
        | st.builds(Params, t, t)
    ),
    max_leaves=12,
)


@given(TREES)
def test_laws(value):
    leaves, treedef = tree.flatten(value)
    assert tree.unflatten(treedef, leaves) == value
    assert tree.structure(tree.unflatten(treedef, range(len(leaves)))) == treedef
    assert [x for _, x in tree.leaves_with_path(value)] == leaves
    paths = [p for p, _ in tree.leaves_with_path(value)]
    assert len({tuple(k.text for k in p) for p in paths}) == len(paths)
    doubled = tree.map(lambda x: (x, x), value)
    inner = tree.structure((0, 0))
    assert tree.transpose(treedef, inner, doubled) == (value, value)
    assert flatten_up_to(treedef, value) == leaves
    assert broadcast_prefix(7, value, "x") == [7] * len(leaves)
    assert pickle.loads(pickle.dumps(treedef)) == treedef
