"""Loops and branches as a user of JAX knows them: what they take, give, refuse and say."""

import numpy as np
import pytest

import autotrace as at
import autotrace.numpy as anp
from autotrace import lax

XS = np.array([1.0, 2.0, 3.0])
FLOAT0 = np.zeros((), at.float0)


def same(found, expected):
    """Equal structures of arrays of equal types and numbers."""
    assert at.tree.structure(found) == at.tree.structure(expected)
    for x, y in zip(at.tree.leaves(found), at.tree.leaves(expected), strict=True):
        assert np.shape(x) == np.shape(y) and x.dtype == np.asarray(y).dtype
        np.testing.assert_allclose(x, y, rtol=1e-13)


def message(error, *parts):
    """That an error's text is short, has these parts and the line of this file."""
    text = str(error.value)
    assert text.count("\n") < 12
    for part in (*parts, "test_control.py:"):
        assert part in text, text


def captured(capsys):
    return capsys.readouterr().out.split("\n")[:-1]


def add(c, x):
    return c + x, c * x


# --- scan -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [lambda f: f, at.jit])
def test_scan_carries_and_stacks(transform):
    run = transform(lambda c, xs: lax.scan(add, c, xs))
    same(run(1.0, XS), (np.float64(7.0), np.array([1.0, 4.0, 12.0])))


@pytest.mark.parametrize("transform", [lambda f: f, at.jit])
def test_scan_in_reverse_keeps_the_places_of_outputs(transform):
    run = transform(lambda c, xs: lax.scan(add, c, xs, reverse=True))
    same(run(1.0, XS), (np.float64(7.0), np.array([6.0, 8.0, 3.0])))


@pytest.mark.parametrize("unroll", [1, 2, 3, 10, True, False])
def test_scan_unrolled_is_the_same(unroll):
    same(lax.scan(add, 1.0, XS, unroll=unroll), lax.scan(add, 1.0, XS))


def test_scan_takes_its_arguments_by_name():
    found = lax.scan(f=add, init=1.0, xs=XS, length=3, reverse=False, unroll=1)
    same(found, lax.scan(add, 1.0, XS))


def test_scan_of_trees_with_none():
    def step(c, x):
        assert c["none"] is None and x[1]["none"] is None
        return {"a": c["a"] + x[0], "none": None}, (x[1]["b"], None, {"c": c["a"]})

    xs = (XS, {"b": np.arange(6).reshape(3, 2), "none": None})
    carry, ys = lax.scan(step, {"a": 0.0, "none": None}, xs)
    same(carry, {"a": np.float64(6.0), "none": None})
    same(ys, (np.arange(6).reshape(3, 2), None, {"c": np.array([0.0, 1.0, 3.0])}))


def test_scan_without_carry_or_elements_or_outputs():
    same(lax.scan(lambda c, x: (None, x * 2), None, XS), (None, XS * 2))
    same(lax.scan(lambda c, x: ((), x * 2), (), XS), ((), XS * 2))
    same(lax.scan(lambda c, x: (c * 2, None), 1.0, None, length=3), (np.float64(8.0), None))
    same(lax.scan(lambda c, x: (c * 2, None), 1.0, length=3), (np.float64(8.0), None))
    same(lax.scan(lambda c, x: (None, None), None, None, length=3), (None, None))

    def step(c, x):
        assert x is None
        return c, 1.0

    same(lax.scan(step, None, None, 2), (None, np.ones(2)))


@pytest.mark.parametrize("transform", [lambda f: f, at.jit])
@pytest.mark.parametrize("reverse", [False, True])
def test_scan_over_nothing(transform, reverse):
    def run(c, xs, length):
        return lax.scan(lambda c, x: (c + x, {"y": x[None] * c}), c, xs, length, reverse)

    for length in (None, 0):
        found = transform(lambda c, xs, n=length: run(c, xs, n))(1.0, np.zeros((0, 2))[:, 0])
        same(found, (np.float64(1.0), {"y": np.zeros((0, 1))}))
    same(lax.scan(lambda c, _: (c + 1.0, c), 1.5, None, length=0), (np.float64(1.5), np.zeros(0)))
    gradient = at.grad(lambda c: run(c, np.zeros(0), None)[0])
    assert transform(gradient)(3.0) == 1.0


def test_scan_over_empty_elements():
    carry, ys = lax.scan(lambda c, x: (c + anp.sum(x), x), 1.0, np.zeros((3, 0)))
    same((carry, ys), (np.float64(1.0), np.zeros((3, 0))))


def test_scan_does_not_look_at_elements_of_a_body_that_never_runs():
    empty = np.zeros(0)
    run = at.jit(lambda xs, i: lax.scan(lambda c, x: (c + xs[i], None), 0.0, empty)[0])
    assert run(XS, 99) == 0.0


@pytest.mark.parametrize(
    "init, xs, dtype",
    [
        (0, XS, "f8"),
        (0.0, XS.astype("f4"), "f4"),
        (0, XS.astype("f4"), "f4"),
        (0, np.arange(3, dtype="i4"), "i4"),
        (False, np.arange(3), "i8"),
        (0, XS * 1j, "c16"),
    ],
)
@pytest.mark.parametrize("transform", [lambda f: f, at.jit])
def test_numbers_of_python_take_on_the_dtype_of_the_carry(init, xs, dtype, transform):
    def total(xs):
        return lax.scan(lambda c, x: (c + x, None), init, xs)[0]

    if init is False:
        with pytest.raises(TypeError, match="differ in type"):
            total(xs)  # a bool is no number that takes on another dtype
        return
    same(transform(total)(xs), np.sum(xs).astype(dtype))


def test_numbers_of_python_take_on_dtypes_one_after_another():
    def step(c, x):
        a, b, d = c
        return (a + b, b + d, d + x), None

    (a, b, d), _ = lax.scan(step, (0, 0, 0), XS.astype("f4"))
    assert (a.dtype, b.dtype, d.dtype) == ("f4", "f4", "f4")


def test_an_argument_of_jit_is_a_number_of_python_too():
    run = at.jit(lambda c, xs: lax.scan(lambda c, x: (c + x, None), c, xs)[0])
    assert run(0.0, XS.astype("f4")).dtype == np.float32
    with pytest.raises(TypeError, match=r"f64\[\] and f32\[\]|f32\[\] and f64\[\]"):
        run(np.float32(0), XS)


@pytest.mark.parametrize(
    "init, step, parts",
    [
        (np.int64(0), lambda c, x: (c + x, None), ["i64[]", "f64[]"]),
        (np.float32(0), lambda c, x: (1.0, None), ["f32[]", "f64[]"]),
        (np.float64(0), lambda c, x: (anp.stack([c, c]), None), ["f64[]", "f64[2]"]),
        (
            {"a": np.float64(1), "b": [np.int64(0)]},
            lambda c, x: ({"a": c["a"], "b": [c["b"][0] + 1.5]}, None),
            ["['b'][0]", "i64[]", "f64[]"],
        ),
        (0.0, lambda c, x: ((c, c), None), ["structure"]),
        ((0.0, None), lambda c, x: ((c[0], c[0]), None), ["structure", "None"]),
        ((0.0, 0.0), lambda c, x: ([c[0], c[0]], None), ["structure"]),
        (0.0, lambda c, x: c, ["pair"]),
        (0.0, lambda c, x: (c, x, x), ["pair"]),
        (0.0, lambda c, x: [c, x], ["pair"]),
    ],
)
@pytest.mark.parametrize("within", [lambda f: f, at.jit, at.grad, at.vmap])
def test_a_carry_that_changes_is_refused(init, step, parts, within):
    def run(_):
        lax.scan(step, init, XS)

    with pytest.raises(TypeError) as error:
        within(run)(np.ones(2) if within is at.vmap else 1.0)
    message(error, "scan", "<lambda>", *parts)


@pytest.mark.parametrize(
    "xs, options, parts",
    [
        (None, {}, ["needs a length"]),
        ((XS, np.ones(4)), {}, ["xs[1]", "f64[4]", "3"]),
        ({"a": XS}, {"length": 4}, ["xs['a']", "f64[3]", "length=4"]),
        ([1.0, 2.0], {}, ["xs[0]", "leading axis"]),
        (XS, {"unroll": 0}, ["scan: unroll", "got 0"]),
        (XS, {"unroll": np.int64(-2)}, ["unroll"]),
        (None, {"length": -1}, ["length", "-1"]),
    ],
)
def test_elements_that_do_not_fit_are_refused(xs, options, parts):
    with pytest.raises(ValueError) as error:
        lax.scan(lambda c, x: (c, None), 0.0, xs, **options)
    message(error, *parts)


def test_unroll_is_a_positive_integer_or_a_bool():
    for loop in (
        lambda unroll: lax.scan(add, 0.0, XS, unroll=unroll),
        lambda unroll: lax.fori_loop(0, 3, lambda i, x: x + i, 0.0, unroll=unroll),
        lambda unroll: lax.fori_loop(0, np.int64(3), lambda i, x: x + i, 0.0, unroll=unroll),
    ):
        expected = loop(1)
        for unroll in (2, np.int32(5), True, False, np.True_):
            same(loop(unroll), expected)
        for unroll in (1.5, "2", [1]):
            with pytest.raises(TypeError, match="unroll must be a positive integer or a bool"):
                loop(unroll)
        with pytest.raises(ValueError, match="unroll must be a positive integer or a bool"):
            loop(-1)


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError) as error:
        lax.scan(add, {"a": "s"}, XS)
    message(error, "['a']", "str")
    with pytest.raises(TypeError, match="takes a function, got 3"):
        lax.scan(3, 0.0, XS)
    with pytest.raises(TypeError, match="must return arrays"):
        lax.scan(lambda c, x: (c, "s"), 0.0, XS)


def test_results_are_arrays_of_their_own():
    start, xs = np.zeros(2), np.ones((3, 2))
    for transform in (lambda f: f, at.jit):
        run = transform(lambda c, xs: lax.scan(lambda c, x: (c, c), c, xs))
        carry, ys = run(start, xs)
        assert carry.flags.writeable and ys.flags.writeable and ys.flags.c_contiguous
        ys[0] = 5.0
        carry[0] = 7.0
        assert not start.any() and not ys[1:].any() and ys[0, 1] == 5.0


def test_what_a_turn_returns_may_be_what_it_got():
    def swap(c, x):
        return (c[1], c[0]), (c[1], c[0], x)

    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    for transform in (lambda f: f, at.jit):
        (first, second), ys = transform(lambda c, xs: lax.scan(swap, c, xs))((a, b), XS)
        same((first, second), (b, a))
        same(ys, (np.stack([b, a, b]), np.stack([a, b, a]), XS))


# --- map ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("transform", [lambda f: f, at.jit])
def test_map(size, transform):
    def f(x):
        return {"a": x[0] * 2, "b": x[1] if x[1].ndim else x[1] + 1, "none": None}

    xs = (XS, np.arange(6).reshape(3, 2))
    found = transform(lambda xs: lax.map(f, xs, batch_size=size))(xs)
    same(found, {"a": XS * 2, "b": xs[1], "none": None})


@pytest.mark.parametrize("size", [None, 1, 2])
def test_map_over_nothing(size):
    same(lax.map(lambda x: x * 2.0, np.zeros((0, 2)), batch_size=size), np.zeros((0, 2)))


@pytest.mark.parametrize("size", [None, 2])
def test_map_closes_over_traced_values(size):
    def f(a):
        return anp.sum(lax.map(lambda x: a * x**2, XS, batch_size=size))

    assert at.grad(f)(2.0) == 14.0 == at.jit(at.grad(f))(2.0)
    same(at.vmap(f)(XS), 14.0 * XS)


def test_map_refuses():
    with pytest.raises(ValueError, match="batch_size must be positive, got 0"):
        lax.map(lambda x: x, XS, batch_size=0)
    with pytest.raises(ValueError) as error:
        lax.map(lambda x: x, [1.0, 2.0])
    message(error, "map: xs[0]")
    with pytest.raises(ValueError, match="map: without arrays"):
        lax.map(lambda x: x, None)


# --- cond and switch ------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [lambda f: f, at.jit])
@pytest.mark.parametrize(
    "pred", [True, np.True_, np.array(True), 1, -2.5, np.float32(0.1), np.uint8(3), np.nan, 1j]
)
def test_cond_takes_what_is_not_zero_for_true(pred, transform):
    run = transform(lambda p, x: lax.cond(p, lambda x: x + 1, lambda x: x - 1, x))
    assert run(pred, 1.0) == 2.0
    assert run(type(pred)(0) if not isinstance(pred, np.ndarray) else np.array(False), 1.0) == 0.0


def test_cond_of_trees():
    def larger(x, y):
        return {"a": (x["a"] + y, None), "b": [x["b"]]}

    def smaller(x, y):
        return {"a": (x["a"] - y, None), "b": [x["b"] * 2]}

    x = {"a": XS, "b": np.int32(4)}
    for run in (lax.cond, at.jit(lambda p, x, y: lax.cond(p, larger, smaller, x, y))):
        args = (larger, smaller, x, 1.0) if run is lax.cond else (x, 1.0)
        same(run(True, *args), larger(x, 1.0))
        same(run(False, *args), smaller(x, 1.0))


def test_cond_with_an_operand_by_name():
    assert lax.cond(True, lambda x: x, lambda x: -x, operand=3.0) == 3.0
    assert lax.cond(False, lambda x: 1.0, lambda x: 2.0, operand=None) == 2.0
    assert lax.switch(1, [lambda x: x, lambda x: -x], operand=3.0) == -3.0


def test_weak_and_strong_results_go_together():
    for pred in (True, False):
        found = lax.cond(pred, lambda: 1.0, lambda: np.float64(2))
        assert found.dtype == np.float64


@pytest.mark.parametrize(
    "branches, parts",
    [
        ((lambda x: 1, lambda x: 2.0), ["i64[]", "f64[]"]),
        ((lambda x: 1.0, lambda x: x), ["f64[]", "f32[]"]),
        ((lambda x: (x, x), lambda x: [x, x]), ["structure"]),
        ((lambda x: (None, x), lambda x: (x, x)), ["structure", "None"]),
        ((lambda x: {"a": np.ones(2)}, lambda x: {"a": np.ones(3)}), ["['a']", "f64[2]", "f64[3]"]),
    ],
)
def test_branches_that_differ_are_refused(branches, parts):
    with pytest.raises(TypeError) as error:
        lax.cond(True, *branches, np.float32(1))
    message(error, "cond: the results of true_fun and false_fun", *parts)
    if "[]" in parts[0]:
        assert str(error.value).index(parts[0]) < str(error.value).index(parts[1])
    with pytest.raises(TypeError) as error:
        lax.switch(0, [branches[0], branches[0], branches[1]], np.float32(1))
    message(error, "switch: the results of branches[0] and branches[2]", *parts)


@pytest.mark.parametrize(
    "call, part",
    [
        (lambda: lax.cond(XS > 1, lambda: 1.0, lambda: 2.0), "bool[3]"),
        (lambda: lax.cond(np.array([True]), lambda: 1.0, lambda: 2.0), "bool[1]"),
        (lambda: lax.cond(None, lambda: 1.0, lambda: 2.0), "NoneType"),
        (lambda: lax.cond("a", lambda: 1.0, lambda: 2.0), "str"),
        (lambda: lax.cond(True, 1.0, lambda: 2.0), "takes a function, got 1.0"),
        (lambda: lax.switch(1.0, [lambda: 1.0, lambda: 2.0]), "must be an integer, got f64[]"),
        (lambda: lax.switch(True, [lambda: 1.0, lambda: 2.0]), "must be an integer, got bool[]"),
        (lambda: lax.switch(XS.astype(int), [lambda: 1.0]), "must be a scalar, got i64[3]"),
    ],
)
def test_choices_by_something_else_are_refused(call, part):
    with pytest.raises(TypeError) as error:
        call()
    message(error, part)


def test_switch_needs_a_branch():
    with pytest.raises(ValueError, match="at least one branch"):
        lax.switch(0, [])


INDICES = [-5, -1, 0, 1, 2, 3, 9, np.int8(-128), np.uint8(255), np.uint64(2**64 - 1), np.array(1)]


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("transform", [lambda f: f, at.jit])
def test_switch_clamps(index, transform):
    branches = [lambda x: x * 10, lambda x: x * 20, lambda x: x * 30]
    expected = 10.0 * (min(max(int(index), 0), 2) + 1)
    assert transform(lambda i, x: lax.switch(i, branches, x))(index, 1.0) == expected
    assert transform(lambda x: lax.switch(index, branches, x))(1.0) == expected


def test_switch_of_one_branch():
    assert at.jit(lambda i, x: lax.switch(i, (lambda x: x + 1,), x))(7, 1.0) == 2.0


@pytest.mark.parametrize("transform", [lambda f: f, at.jit, lambda f: at.jit(at.jit(f))])
def test_one_branch_runs(transform, capsys):
    def branch(name):
        def run(x):
            at.debug.print(name + " {}", x)
            return x

        return run

    transform(lambda x: lax.cond(x > 0, branch("positive"), branch("negative"), x))(-1.0)
    assert captured(capsys) == ["negative -1.0"]


def test_a_branch_that_is_not_taken_computes_nothing_of_what_it_closes_over(capsys):
    def f(x, xs, i):
        at.debug.print("outside")
        chosen = lax.cond(i < 3, lambda: xs[i] * x, lambda: (at.debug.print("beyond {}", x), x)[1])
        return lax.cond(x > 0, lambda: np.log(x), lambda: 0.0 * x) + chosen

    run = at.jit(f)
    assert run(1.0, XS, 1) == 2.0 and captured(capsys) == ["outside"]
    assert run(-1.0, XS, 9) == -1.0 and captured(capsys) == ["outside", "beyond -1.0"]
    for run in (at.jit(at.grad(f)), at.grad(at.jit(f))):
        assert run(0.0, XS, 9) == 1.0
        assert run(2.0, XS, 1) == 2.5

    def root(x):
        return lax.cond(x > 0, lambda: np.sqrt(x), lambda: 2.0 * x)

    for run in (at.grad(root), at.jit(at.grad(root)), lambda x: at.jvp(root, (x,), (1.0,))[1]):
        assert run(0.0) == 2.0 and run(4.0) == 0.25
    np.testing.assert_array_equal(at.vmap(at.grad(root))(np.array([0.0, 4.0])), [2.0, 0.25])


def test_a_loop_in_a_branch_that_is_not_taken_does_not_run():
    def forever(x):
        return lax.while_loop(lambda c: c == c, lambda c: c, x)

    def f(x):
        return lax.cond(x == x, lambda: x, lambda: forever(x))

    for run in (f, at.jit(f), at.grad(f)):
        assert run(1.0) == 1.0
    for run in (at.vmap(f), at.jit(at.vmap(f))):
        np.testing.assert_array_equal(run(XS), XS)

    def constant(x):
        return lax.cond(x == x, lambda: x, lambda: forever(1.0))

    assert constant(2.0) == 2.0 == at.jit(constant)(2.0)


def test_a_known_choice_leaves_nothing_of_the_others():
    jaxpr = at.make_jaxpr(lambda x: lax.cond(True, np.sin, np.cos, x), simplify=True)(1.0)
    assert [eqn.primitive.name for eqn in jaxpr.eqns] == ["sin"]


# --- while_loop and fori_loop ---------------------------------------------------------------------


@pytest.mark.parametrize("transform", [lambda f: f, at.jit])
def test_while_loop_of_trees(transform):
    def run(n, x):
        def body(c):
            return {"i": c["i"] + 1, "x": (c["x"][0] * 2, None)}

        return lax.while_loop(lambda c: c["i"] < n, body, {"i": 0, "x": (x, None)})

    same(transform(run)(3, XS), {"i": np.int64(3), "x": (XS * 8, None)})
    same(transform(run)(0, XS), {"i": np.int64(0), "x": (XS, None)})
    same(transform(run)(-2, np.zeros((2, 0))), {"i": np.int64(0), "x": (np.zeros((2, 0)), None)})


def test_while_loop_makes_numbers_of_python_what_the_body_makes():
    assert lax.while_loop(lambda c: c < 3, lambda c: c + 0.5, 0).dtype == np.float64
    assert lax.while_loop(lambda c: c < 3, lambda c: c + np.float32(0.5), 0).dtype == np.float32


@pytest.mark.parametrize(
    "condition, body, init, parts",
    [
        (lambda c: c < 3, lambda c: c + 1, XS, ["condition", "bool[3]"]),
        (lambda c: (c < 3,), lambda c: c + 1, 0.0, ["condition", "structure"]),
        (lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1][None]), (0, XS), ["[1]", "f64[1,3]"]),
        (lambda c: c < 3, lambda c: (c,), 0.0, ["structure"]),
        (lambda c: c < 3, lambda c: c + 0.5, np.int32(0), ["i32[]", "f64[]"]),
        (lambda c: True, 5, 0.0, ["takes a function, got 5"]),
        ("a", lambda c: c, 0.0, ["takes a function, got 'a'"]),
    ],
)
def test_while_loop_refuses(condition, body, init, parts):
    with pytest.raises(TypeError) as error:
        lax.while_loop(condition, body, init)
    message(error, "while_loop", *parts)


def test_a_condition_that_is_no_bool_counts_when_it_is_not_zero():
    assert lax.while_loop(lambda c: c, lambda c: c - 1, 3) == 0
    assert at.jit(lambda x: lax.while_loop(lambda c: c[0], lambda c: (c[0] - 1, c[1] * 2), x))(
        (3.0, 1)
    ) == (0.0, 8)


def test_a_body_that_never_runs_computes_nothing():
    @at.jit
    def f(x, xs, i, n):
        return lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, xs[i] * x), (0, x))[1]

    assert f(2.0, XS, 99, 0) == 2.0
    assert f(2.0, XS, 1, 1) == 4.0
    with pytest.raises(IndexError):
        f(2.0, XS, 99, 1)


BOUNDS = [(0, 4), (2, 4), (-2, 1), (3, 3), (5, 1)]


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("traced", ["none", "upper", "lower", "both", "numpy"])
def test_fori_loop(bounds, traced):
    def f(lower, upper, x):
        return lax.fori_loop(lower, upper, lambda i, c: (c[0] + i, c[1] * x), (0, 1.0))

    lower, upper = bounds
    expected = (np.int64(sum(range(lower, upper))), np.float64(3.0 ** max(upper - lower, 0)))
    run = {
        "none": lambda: at.jit(lambda x: f(lower, upper, x))(3.0),
        "upper": lambda: at.jit(lambda n, x: f(lower, n, x))(upper, 3.0),
        "lower": lambda: at.jit(lambda n, x: f(n, upper, x))(lower, 3.0),
        "both": lambda: at.jit(f)(lower, upper, 3.0),
        "numpy": lambda: f(np.int32(lower), np.array(upper, np.int8), 3.0),
    }[traced]
    same(run(), expected)


@pytest.mark.parametrize("dtype", ["f4", "i4", "u1", "f8", "c8"])
def test_the_integer_between_numbers_of_python_is_one(dtype):
    def f(n, x):
        return lax.fori_loop(1, n, lambda i, c: c * i, x)

    x = np.dtype(dtype).type(2)
    for found in (f(4, x), at.jit(f)(4, x), at.jit(f, static_argnums=0)(4, x)):
        same(found, x.dtype.type(12))
    with pytest.raises(TypeError) as error:
        lax.fori_loop(np.int64(1), np.int64(3), lambda i, c: c * i, np.float32(2))
    message(error, "fori_loop", "f32[]", "f64[]")


def test_fori_loop_beyond_int32():
    found = lax.fori_loop(2**40, 2**40 + 2, lambda i, c: c + i, 0)
    assert found == 2 * 2**40 + 1


@pytest.mark.parametrize(
    "lower, upper, parts",
    [
        (0, 3.0, ["upper", "f64[]"]),
        (np.zeros(2, int), 3, ["lower", "i64[2]"]),
        (None, 3, ["lower", "NoneType"]),
        (0, True, ["upper", "bool[]"]),
    ],
)
def test_fori_loop_refuses(lower, upper, parts):
    with pytest.raises(TypeError) as error:
        lax.fori_loop(lower, upper, lambda i, c: c, 0.0)
    message(error, "fori_loop", *parts)


def test_fori_loop_writes_into_arrays():
    def f(n, x):
        return lax.fori_loop(1, n, lambda i, c: c.at[i].set(c[i - 1] * x), np.ones(5))

    same(at.jit(f)(4, 2.0), np.array([1.0, 2.0, 4.0, 8.0, 1.0]))
    same(at.jacfwd(lambda x: f(4, x))(2.0), np.array([0.0, 1.0, 4.0, 12.0, 0.0]))
    same(at.jacrev(lambda x: f(4, x))(2.0), np.array([0.0, 1.0, 4.0, 12.0, 0.0]))
    rows = [f(n, x) for n, x in zip((1, 3, 5), XS, strict=True)]
    same(at.vmap(f)(np.array([1, 3, 5]), XS), np.stack(rows))


# --- derivatives ----------------------------------------------------------------------------------

#: From a number to a number: ``a * sin(a * sin(a * sin(a)))`` by each of the functions.
LOOPS = {
    "scan": lambda a: lax.scan(lambda c, _: (a * np.sin(c), None), a, None, length=3)[0],
    "scan over": lambda a: lax.scan(lambda c, x: (x * np.sin(c), None), a, a * np.ones(3))[0],
    "reverse": lambda a: lax.scan(
        lambda c, _: (a * np.sin(c), None), a, None, length=3, reverse=True
    )[0],
    "fori_loop": lambda a: lax.fori_loop(0, 3, lambda i, c: a * np.sin(c), a),
    "while_loop": lambda a: lax.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, a * np.sin(c[1])), (0, a)
    )[1],
    "while in jit": lambda a: at.jit(
        lambda n, a: lax.fori_loop(0, n, lambda i, c: a * np.sin(c), a)
    )(3, a),
    "map": lambda a: lax.map(
        lambda x: a * np.sin(a * np.sin(a * np.sin(x))), np.ones(1) * a
    )[0],
    "cond": lambda a: lax.fori_loop(
        0, 4, lambda i, c: lax.cond(i == 1, lambda c: c, lambda c: a * np.sin(c), c), a
    ),
    "switch": lambda a: lax.fori_loop(
        0, 3, lambda i, c: lax.switch(i, [lambda: a * np.sin(c), lambda: np.sin(c) * a]), a
    ),
    "scan of scans": lambda a: lax.scan(
        lambda c, n: (lax.fori_loop(0, n, lambda i, c: a * np.sin(c), c), None),
        a, np.array([0, 2, 1]),
    )[0],
}  # fmt: skip


def unrolled(a):
    return a * np.sin(a * np.sin(a * np.sin(a)))


TRANSFORMS = {
    "value": lambda f: f,
    "grad": at.grad,
    "jvp": lambda f: lambda a: at.jvp(f, (a,), (1.0,))[1],
    "linearize": lambda f: lambda a: at.linearize(f, a)[1](1.0),
    "vjp": lambda f: lambda a: at.vjp(f, a)[1](1.0)[0],
    "second": lambda f: at.grad(at.grad(f)),
    "forward over reverse": lambda f: lambda a: at.jvp(at.grad(f), (a,), (1.0,))[1],
    "reverse over forward": lambda f: at.grad(lambda a: at.jvp(f, (a,), (1.0,))[1]),
    "third": lambda f: at.grad(at.grad(at.grad(f))),
    "checkpoint": lambda f: at.grad(at.checkpoint(f)),
    "jit inside": lambda f: at.grad(at.jit(f)),
    "vmap": lambda f: lambda a: anp.sum(at.vmap(f)(anp.stack([a, 2 * a]))),
    "grad of vmap": lambda f: at.grad(lambda a: anp.sum(at.vmap(f)(anp.stack([a, 2 * a])))),
    "vmap of grad": lambda f: lambda a: anp.sum(at.vmap(at.grad(f))(anp.stack([a, 2 * a]))),
    "vmap of second": lambda f: (
        lambda a: anp.sum(at.vmap(at.grad(at.grad(f)))(anp.stack([a, 2 * a])))
    ),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("loop", LOOPS)
def test_transforms(loop, transform):
    expected = TRANSFORMS[transform](unrolled)(0.7)
    function = TRANSFORMS[transform](LOOPS[loop])
    np.testing.assert_allclose(function(0.7), expected, rtol=1e-12)
    np.testing.assert_allclose(at.jit(function)(0.7), expected, rtol=1e-12)


def test_lanes_that_take_another_number_of_turns():
    def f(n, a):
        return lax.fori_loop(0, n, lambda i, c: a * np.sin(c) + i, a)

    def plain(n, a):
        c = a
        for i in range(n):
            c = a * np.sin(c) + i
        return c

    turns = np.array([0, 3, 1])
    for derived in (lambda f: f, lambda f: at.grad(f, 1), lambda f: at.grad(at.grad(f, 1), 1)):
        expected = [derived(plain)(int(n), a) for n, a in zip(turns, XS, strict=True)]
        np.testing.assert_allclose(at.vmap(derived(f))(turns, XS), expected, rtol=1e-12)
        np.testing.assert_allclose(at.jit(at.vmap(derived(f)))(turns, XS), expected, rtol=1e-12)


def test_each_lane_runs_its_own_branch_and_its_own_turns(capsys):
    def f(n):
        lax.cond(n > 1, lambda: at.debug.print("more {}", n), lambda: None)
        return lax.while_loop(lambda c: c < n, lambda c: (at.debug.print("turn"), c + 1)[1], 0)

    found = at.vmap(f)(np.array([1, 3, 0]))
    np.testing.assert_array_equal(found, [1, 3, 0])
    assert sorted(captured(capsys)) == ["more 3"] + ["turn"] * 4


def test_integers_that_are_carried_have_no_tangents():
    def f(a):
        return lax.scan(lambda c, x: ((c[0] + 1, c[1] * a, x > 1), c[0]), (0, a, True), XS)

    (primals, _), ((di, da, db), dys) = at.jvp(f, (2.0,), (1.0,))
    assert primals == (3, 16.0, True) and da == 32.0
    assert di.dtype == db.dtype == dys.dtype == at.float0 and dys.shape == (3,)
    _, pullback = at.vjp(f, 2.0)
    cts = ((FLOAT0, 1.0, FLOAT0), np.zeros(3, at.float0))
    assert pullback(cts) == (32.0,)

    def g(n, a):
        return lax.fori_loop(0, n, lambda i, c: (c[0] + n, c[1] * a), (n, a))

    (n, a), (dn, da) = at.jvp(g, (np.int64(2), 2.0), (FLOAT0, 1.0))
    assert (n, a, da) == (6, 8.0, 12.0) and dn.dtype == at.float0
    dn, da = at.grad(lambda n, a: g(n, a)[1], (0, 1), allow_int=True)(2, 2.0)
    assert dn.dtype == at.float0 and da == 12.0


def test_auxiliary_results():
    def f(a):
        return lax.scan(lambda c, x: (c * a, c), a, XS)

    same(at.value_and_grad(f, has_aux=True)(2.0),
         ((np.float64(16.0), np.array([2.0, 4.0, 8.0])), np.float64(32.0)))  # fmt: skip
    out, pullback, aux = at.vjp(f, 2.0, has_aux=True)
    same(aux, np.array([2.0, 4.0, 8.0]))
    assert out == 16.0 and pullback(1.0) == (32.0,)


def test_what_only_the_condition_depends_on_has_no_derivative():
    def f(a):
        return lax.while_loop(lambda c: c < a, lambda c: c * 2, 1.0)

    assert f(9.0) == 16.0 and at.grad(f)(9.0) == 0.0 and at.jit(at.grad(f))(9.0) == 0.0
    assert at.jvp(f, (9.0,), (1.0,)) == (16.0, 0.0)


def test_a_carry_gets_a_tangent_turn_by_turn():
    def step(c, x):
        a, b, d = c
        return (b, d, x * d), a

    def f(x):
        (a, b, d), ys = lax.scan(step, (0.0, 0.0, 1.0), x)
        return a + 2 * b + 3 * d + anp.sum(ys)

    def plain(x):
        a, b, d, total = 0.0, 0.0, 1.0, 0.0
        for i in range(3):
            total = total + a
            a, b, d = b, d, x[i] * d
        return a + 2 * b + 3 * d + total

    np.testing.assert_allclose(at.grad(f)(XS), at.grad(plain)(XS), rtol=1e-13)
    np.testing.assert_allclose(at.jacfwd(f)(XS), at.grad(plain)(XS), rtol=1e-13)
    np.testing.assert_allclose(at.hessian(f)(XS), at.hessian(plain)(XS), rtol=1e-13)


def test_complex_carries():
    def f(a):
        return anp.abs(lax.scan(lambda c, x: (c * (a + 1j * x), None), 1j, XS)[0]) ** 2

    def plain(a):
        return (a**2 + 1) * (a**2 + 4) * (a**2 + 9)

    np.testing.assert_allclose(f(2.0), plain(2.0))
    np.testing.assert_allclose(at.grad(f)(2.0), at.grad(plain)(2.0))
    np.testing.assert_allclose(at.jit(at.grad(f))(2.0), at.grad(plain)(2.0))


def test_scans_are_linear_where_their_bodies_are():
    def f(xs):
        return lax.scan(lambda c, x: (c * 2 + x, c), 0.0, xs)

    (found,) = at.linear_transpose(f, XS)((1.0, XS))
    same(found, np.array([4.0 + 2 + 2 * 3, 2.0 + 3, 1.0]))


# --- rules of the user's, checkpoints, jit and callbacks in bodies -------------------------------


@at.custom_jvp
def own_jvp(x):
    return np.sin(x)


own_jvp.defjvp(lambda p, t: (own_jvp(*p), 100.0 * t[0]))


@at.custom_vjp
def own_vjp(x):
    return np.sin(x)


own_vjp.defvjp(lambda x: (own_vjp(x), x), lambda x, ct: (100.0 * ct,))

BODIES = {
    "scan": lambda f, a: lax.scan(lambda c, _: (f(c), None), a, None, length=2)[0],
    "fori_loop": lambda f, a: lax.fori_loop(0, 2, lambda i, c: f(c), a),
    "while_loop": lambda f, a: lax.while_loop(
        lambda c: c[0] < 2, lambda c: (c[0] + 1, f(c[1])), (0, a)
    )[1],
    "cond": lambda f, a: lax.cond(a > 0, lambda a: f(f(a)), lambda a: a, a),
    "cond closure": lambda f, a: lax.cond(a > 0, lambda: f(f(a)), lambda: a),
    "map": lambda f, a: lax.map(lambda x: f(f(x)), a * np.ones(1))[0],
}


@pytest.mark.parametrize("rule", [own_jvp, own_vjp])
@pytest.mark.parametrize("body", BODIES)
def test_rules_of_the_users_are_used_in_bodies(rule, body):
    def f(a):
        return BODIES[body](rule, a)

    assert f(0.5) == np.sin(np.sin(0.5))
    for derivative in (
        at.grad(f),
        at.jit(at.grad(f)),
        at.grad(at.jit(f)),
        at.grad(at.checkpoint(f)),
    ):
        np.testing.assert_allclose(derivative(0.5), 10_000.0)
    np.testing.assert_allclose(at.vmap(at.grad(f))(XS), [10_000.0] * 3)
    np.testing.assert_allclose(at.grad(lambda x: anp.sum(at.vmap(f)(x)))(XS), [10_000.0] * 3)
    if rule is own_jvp:
        np.testing.assert_allclose(at.jvp(f, (0.5,), (1.0,))[1], 10_000.0)
    else:
        with pytest.raises(at.NonDifferentiableError, match="own_vjp"):
            at.jvp(f, (0.5,), (1.0,))


@pytest.mark.parametrize("wrap", [at.checkpoint, at.jit, lambda f: at.jit(at.checkpoint(f))])
@pytest.mark.parametrize("body", BODIES)
def test_bodies_within_checkpoints_and_jit(wrap, body):
    def f(a, wrap=wrap):
        return BODIES[body](wrap(lambda x: np.sin(x) * a), a)

    def plain(a):
        return np.sin(np.sin(a) * a) * a

    for run in (f, wrap(f)):
        np.testing.assert_allclose(run(0.5), plain(0.5), rtol=1e-13)
        np.testing.assert_allclose(at.grad(run)(0.5), at.grad(plain)(0.5), rtol=1e-13)
        np.testing.assert_allclose(at.jit(at.grad(run))(0.5), at.grad(plain)(0.5), rtol=1e-13)
        second = at.grad(at.grad(plain))(0.5)
        np.testing.assert_allclose(at.grad(at.grad(run))(0.5), second, rtol=1e-12)


@pytest.mark.parametrize("transform", [lambda f: f, at.jit])
def test_effects_happen_at_each_turn(transform, capsys):
    def f(a, xs):
        def step(c, x):
            at.debug.print("{} {} {}", a, c, x)
            return c + x, None

        return lax.scan(step, 0.0, xs)[0]

    assert transform(f)(0.5, XS) == 6.0
    assert captured(capsys) == ["0.5 0.0 1.0", "0.5 1.0 2.0", "0.5 3.0 3.0"]
    run = transform(lambda xs: (lax.map(lambda x: at.debug.print("{}", x), xs), xs)[1])
    run(XS)
    assert captured(capsys) == ["1.0", "2.0", "3.0"]

    def counted(n):
        def test(c):
            at.debug.print("test {}", c)
            return c < n

        return lax.while_loop(test, lambda c: (at.debug.print("turn"), c + 1)[1], 0)

    assert transform(counted)(1) == 1
    assert captured(capsys) == ["test 0", "turn", "test 1"]


@pytest.mark.parametrize("body", ["scan", "fori_loop", "while_loop"])
@pytest.mark.parametrize("transform", [lambda f: f, at.jit])
def test_effects_happen_once_in_reverse_mode(body, transform, capsys):
    def f(a):
        return BODIES[body](lambda c: (at.debug.print("{}", c), c * a)[1], a)

    assert transform(at.grad(f))(2.0) == 12.0
    assert captured(capsys) == ["2.0", "4.0"]


def test_callbacks_in_bodies():
    calls = []

    def double(x):
        calls.append(float(x))
        return 2 * x

    def f(a):
        shape = at.ShapeDtypeStruct((), np.float64)
        return lax.fori_loop(0, 2, lambda i, c: at.pure_callback(double, shape, c), a)

    for run in (f, at.jit(f)):
        assert run(1.0) == 4.0 and calls == [1.0, 2.0]
        calls.clear()


# --- named axes -----------------------------------------------------------------------------------


def test_collectives_in_bodies():
    def f(a):
        total = lax.scan(lambda c, x: (lax.psum(c, "i") * 0.1 + x, c), a, XS)[0]
        turns = lax.while_loop(
            lambda c: c[0] < 2, lambda c: (c[0] + 1, lax.psum(c[1], "i")), (0, a)
        )
        return total, turns[1], lax.cond(True, lambda a: lax.pmax(a, "i"), lambda a: a, a)

    total, turns, most = at.vmap(f, axis_name="i")(XS)
    c = XS
    for x in XS:
        c = np.full(3, c.sum() * 0.1 + x)
    np.testing.assert_allclose(total, c)
    np.testing.assert_array_equal(turns, [18.0] * 3)
    np.testing.assert_array_equal(most, [3.0] * 3)


def test_collectives_where_lanes_differ_are_refused():
    def branch(a):
        return lax.cond(a > 1, lambda a: lax.psum(a, "i"), lambda a: a, a)

    def loop(a):
        return lax.while_loop(lambda c: c < 10, lambda c: c + lax.psum(c, "i"), a)

    for f, name in ((branch, "cond"), (loop, "while")):
        with pytest.raises(NotImplementedError) as error:
            at.vmap(f, axis_name="i")(XS)
        message(error, "psum", "'i'", name)
    inner = at.vmap(lambda a: at.vmap(branch, axis_name="i")(a * XS), axis_name="j")
    with pytest.raises(NotImplementedError, match="psum over the axis 'i'"):
        inner(XS)


# --- what a body may not do, and how it is shown -------------------------------------------------


@pytest.mark.parametrize("within", [lambda f: f, at.jit])
def test_a_body_cannot_ask_for_numbers(within):
    for ask in (bool, int, float):
        with pytest.raises(at.ConcretizationError) as error:
            within(lambda xs, ask=ask: lax.scan(lambda c, x: (c + ask(x), None), 0.0, xs))(XS)
        message(error, "scan")


def test_errors_in_bodies_are_those_of_their_lines():
    with pytest.raises(IndexError) as error:
        lax.scan(lambda c, x: (c + x[1], None), 0.0, XS)
    message(error, "x[1]")
    with pytest.raises(IndexError):
        at.jit(lambda xs: lax.scan(lambda i, x: (i + 2, xs[i]), 0, xs))(XS)


def test_a_value_of_a_body_does_not_get_out():
    kept = []
    lax.scan(lambda c, x: (kept.append(x), (c, None))[1], 0.0, XS)
    with pytest.raises(at.LeakedTracerError, match="scan"):
        kept[0] + 1


def test_nan_is_found_in_bodies():
    for run in (lambda a: lax.scan(lambda c, x: (np.log(c), None), a, XS)[0],
                lambda a: lax.cond(a < 0, np.log, np.sin, a)):  # fmt: skip
        for f in (run, at.jit(run)):
            with at.debug_nans(), pytest.raises(at.NanError) as error:
                f(-1.0)
            message(error, "log")


def test_programs_show_their_bodies():
    text = str(
        at.make_jaxpr(lambda a, n: lax.fori_loop(0, n, lambda i, c: np.sin(c) * a, a))(1.0, 3)
    )
    for part in ("while[", "body_jaxpr={", "sin ", "cond_jaxpr={", "lt "):
        assert part in text
    text = str(at.make_jaxpr(lambda a: lax.cond(a > 0, lambda: a * a, lambda: np.cos(a)))(1.0))
    branches = text[text.index("branches=") :]
    assert "mul" in branches and "cos" in branches and "mul" not in text[: text.index("branches=")]


def test_shapes_are_known_beforehand():
    found = at.eval_shape(lambda a: lax.scan(lambda c, x: (c * x, {"y": c + a}), a, XS), 1.0)
    scalar = at.ShapeDtypeStruct((), np.float64)
    assert found == (scalar, {"y": at.ShapeDtypeStruct((3,), np.float64)})


def test_a_body_is_traced_few_times():
    traced = []

    def step(c, x):
        traced.append(1)
        return c + x, c

    f = at.jit(lambda xs: lax.scan(step, 0.0, xs))
    for _ in range(3):
        f(XS)
    assert len(traced) == 1


def test_a_loop_over_constants_within_a_body_uses_an_outer_value():
    """The inner loop is noted in the body, whatever outer transform its closure belongs to."""

    def f(a):
        def turn(c, _):
            counted = lax.while_loop(lambda x: x < a, lambda x: x + 1.0, 0.0)
            return c + a * counted, None

        return lax.scan(turn, 0.0, None, 3)[0]

    assert at.grad(f)(2.5) == at.jit(at.grad(f))(2.5) == at.jvp(f, (2.5,), (1.0,))[1] == 9.0
    np.testing.assert_array_equal(at.vmap(at.grad(f))(np.array([0.5, 2.5])), [3.0, 9.0])


@at.custom_jvp
def own_loop(x):
    return lax.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, np.sin(c[1])), (0, x))[1]


own_loop.defjvp(lambda p, t: (own_loop(*p), t[0] * lax.fori_loop(0, 3, lambda i, c: c + 1.0, 0.0)))


@pytest.mark.parametrize(
    "f, slope",
    [
        (lambda a: lax.fori_loop(0, 2, lambda i, c: c + own_loop(a), a), 7.0),
        (lambda a: lax.scan(lambda c, x: (c + own_loop(a), None), a, None, length=2)[0], 7.0),
        (lambda a: lax.fori_loop(0, 2, lambda i, c: c + lax.fori_loop(
            0, 2, lambda i, c: c * a, 1.0), a), 1 + 4 * 0.5),
        (lambda a: at.jit(lambda x: x * own_loop(a))(2.0), 6.0),
        (lambda a: lax.cond(a > 0, lambda: own_loop(a), lambda: a), 3.0),
    ],
)  # fmt: skip
def test_loops_of_rules_on_values_from_outside_of_a_body(f, slope):
    for derivative in (at.grad(f), at.jit(at.grad(f)), at.grad(at.jit(f))):
        assert derivative(0.5) == slope
    np.testing.assert_array_equal(at.vmap(at.grad(f))(np.array([0.5, 0.5])), [slope, slope])
