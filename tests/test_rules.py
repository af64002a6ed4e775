"""Every primitive crossed with every rule: types, derivatives, transposes, batching.

``EXAMPLES`` has a call of each primitive; a primitive without one fails the test.
"""

from __future__ import annotations

import pathlib
import warnings
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
from autotrace.kernels import Program
from closeness import assert_close
from derivative_checks import check_abstract, check_batching, check_derivatives

import autotrace as at
import autotrace.scipy.special  # the primitives that it defines
from autotrace.core.avals import ShapedArray
from autotrace.core.primitive import Primitive, primitives
from autotrace.core.trace import get_aval
from autotrace.lax.bodies import Shape
from autotrace.lax.checkpointing import nothing_saveable
from autotrace.lax.drawing import Draw
from autotrace.lax.families import def_partials, elementwise
from autotrace.lax.matrix_functions import FUNCTIONS
from autotrace.lax.sweeping import Sweep
from autotrace.transforms.batch import Axis, batch_flat
from autotrace.transforms.evaluate import eval_jaxpr
from autotrace.transforms.jvp import jvp_flat
from autotrace.transforms.simplify import simplify_jaxpr
from autotrace.transforms.stage import stage

rng = np.random.default_rng(0)


class Example(NamedTuple):
    """Operands and parameters for one call of a primitive."""

    args: tuple
    params: Mapping[str, Any] = MappingProxyType({})
    #: Which operands to differentiate; all floating and complex ones when None.
    differentiate: tuple[int, ...] | None = None


def real(*shape, low=-2.0, high=2.0):
    return rng.uniform(low, high, shape)


def cplx(*shape):
    return real(*shape) + 1j * real(*shape)


def ints(*shape, low=1, high=9):
    return rng.integers(low, high, shape)


def words(*shape):
    return rng.integers(0, 2**15, shape, np.uint64)  # what all dtypes that are tried can hold


def bools(*shape):
    return rng.integers(0, 2, shape).astype(bool)


def positive(n):
    """A positive definite matrix."""
    x = real(n, n)
    return x @ x.T + n * np.eye(n)


def apart(m, n):
    """A matrix whose eigenvalues, or singular values, lie apart."""
    return real(m, n, low=-0.5, high=0.5) + 3.0 * np.eye(m, n) * np.arange(1, n + 1)


POSITIVE = {"low": 0.2, "high": 3.0}
UNIT = {"low": -0.9, "high": 0.9}

_jaxpr = stage(lambda x, y: [x * y, at.lax.sin(x)], [ShapedArray((3,), "f8")] * 2)
_other_jaxpr = stage(lambda x, y: [x + y, at.lax.cos(y)], [ShapedArray((3,), "f8")] * 2)
_vector, _scalar, _count = ShapedArray((3,), "f8"), ShapedArray((), "f8"), ShapedArray((), "i8")
_scan_body = stage(lambda a, c, x: [at.lax.sin(c * a) + x, c * x], [_vector, _vector, _vector])
_scan_body_alone = stage(lambda a, c: [at.lax.sin(c) * a, c + a], [_vector, _vector])

_quotient = stage(lambda a, b: [b / a], [_vector, _vector])


def _custom_rule(primals, tangents):
    (x,), (t,) = primals, tangents
    return [at.lax.sin(x)], [t * at.lax.cos(x)]


#: Windows of 2 x 3 elements, two apart along the first dimension, in steps of 1 and 2.
WINDOWS = {"window": (2, 3), "strides": (1, 2), "dilation": (2, 1)}

EXAMPLES: dict[str, Example] = {
    **{
        name: Example((real(2, 3),))
        for name in [
            "neg",
            "sign",
            "floor",
            "ceil",
            "trunc",
            "round",
            "exp",
            "exp2",
            "expm1",
            "sin",
            "cos",
            "tan",
            "asinh",
            "atan",
            "sinh",
            "cosh",
            "tanh",
            "logistic",
            "erf",
            "erfc",
            "cbrt",
            "abs",
        ]
    },
    **{
        name: Example((real(2, 3, **POSITIVE),))
        for name in ["log", "log2", "log10", "log1p", "sqrt", "lgamma", "digamma"]
    },
    **{name: Example((real(2, 3, **UNIT),)) for name in ["asin", "acos", "atanh", "erf_inv"]},
    "stop_gradient": Example((real(2, 3),), differentiate=()),
    "acosh": Example((real(2, 3, low=1.2, high=3.0),)),
    "bessel_i": Example((real(2, 3),), {"n": 1}),
    "polygamma": Example((real(2, 3, **POSITIVE),), {"n": 1}),
    "integer_pow": Example((real(2, 3),), {"y": 3}),
    **{
        name: Example((real(2, 3), real(2, 3)))
        for name in [
            "add",
            "sub",
            "mul",
            "max",
            "min",
            "fmax",
            "fmin",
            "copysign",
            "logaddexp",
            "logaddexp2",
            "hypot",
        ]
    },
    "special": Example((real(2, 3, **POSITIVE), real(2, 3, **POSITIVE)), {"function": "gammainc"}),
    "atan2": Example((real(2, 3), real(2, 3))),
    "div": Example((real(2, 3), real(2, 3, **POSITIVE))),
    "pow": Example((real(2, 3, **POSITIVE), real(2, 3))),
    "rem": Example((real(2, 3, low=2.1, high=2.9), real(2, 3, low=0.8, high=0.95))),
    "mod": Example((real(2, 3, low=2.1, high=2.9), real(2, 3, low=0.8, high=0.95))),
    "floor_divide": Example((real(2, 3, low=2.1, high=2.9), real(2, 3, low=0.8, high=0.95))),
    "nextafter": Example((real(2, 3), real(2, 3)), differentiate=()),
    **{
        name: Example((ints(2, 3), ints(2, 3)))
        for name in ["eq", "ne", "lt", "le", "gt", "ge", "gcd", "lcm"]
    },
    **{
        name: Example((ints(2, 3), ints(2, 3, low=0, high=4)))
        for name in ["bitwise_and", "bitwise_or", "bitwise_xor", "shift_left", "shift_right"]
    },
    "bitwise_not": Example((bools(2, 3),)),
    "population_count": Example((ints(2, 3),)),
    **{name: Example((real(2, 3),)) for name in ["is_finite", "is_nan", "is_inf", "signbit"]},
    **{name: Example((cplx(2, 3),)) for name in ["real", "imag", "conj"]},
    "complex": Example((real(2, 3), real(2, 3))),
    "threefry2x32": Example((words(2, 3), words(2, 3))),
    "bitcast_convert_type": Example((real(2, 3),), {"new_dtype": np.dtype(np.int64)}),
    "fma": Example((real(2, 3), real(2, 3), real(2, 3))),
    "normal_quantile": Example((real(2, 3, **UNIT),), differentiate=()),
    "convert_element_type": Example((real(2, 3),), {"new_dtype": np.dtype(np.float64)}),
    "select_n": Example((bools(2, 3), real(2, 3), real(2, 3))),
    "clamp": Example((real(2, 3, low=-1, high=-0.5), real(2, 3), real(2, 3, low=0.5, high=1))),
    "broadcast_in_dim": Example((real(3),), {"shape": (2, 3), "broadcast_dimensions": (1,)}),
    "reshape": Example((real(2, 3),), {"new_sizes": (3, 2)}),
    "transpose": Example((real(2, 3, 2),), {"permutation": (2, 0, 1)}),
    "iota": Example((), {"dtype": np.dtype(np.int64), "shape": (3,), "dimension": 0}),
    "nonzero": Example((bools(2, 5),), {"size": 2}),
    "gather": Example((real(3, 2), ints(4, low=0, high=3)), {"axes": (0,), "mode": "raise"}),
    "scatter": Example(
        (real(3, 2), real(4, 2), ints(4, low=0, high=3)),
        {"axes": (0,), "op": "add", "mode": "raise", "unique_indices": False},
    ),
    "slice": Example(
        (real(4, 3),),
        {"start_indices": (1, 0), "limit_indices": (4, 3), "strides": (2, 1)},
    ),
    "rev": Example((real(2, 3),), {"dimensions": (1,)}),
    "pad": Example((real(2, 3), np.float64(0.5)), {"padding_config": ((1, 0, 1), (-1, 2, 0))}),
    "concatenate": Example((real(2, 3), real(2, 1)), {"dimension": 1}),
    "dynamic_slice": Example((real(4, 3), np.int64(1), np.int64(0)), {"slice_sizes": (2, 2)}),
    "dynamic_update_slice": Example((real(4, 3), real(2, 2), np.int64(1), np.int64(0))),
    **{
        name: Example((real(2, 3),), {"axes": (1,)})
        for name in ["reduce_sum", "reduce_prod", "reduce_max", "reduce_min"]
    },
    **{
        name: Example((bools(2, 3),), {"axes": (1,)})
        for name in ["reduce_and", "reduce_or", "reduce_xor"]
    },
    **{
        name: Example((real(2, 3),), {"axis": 1, "index_dtype": np.dtype(np.int64)})
        for name in ("argmax", "argmin")
    },
    **{
        name: Example((real(2, 3),), {"axis": 1, "reverse": False})
        for name in ["cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp", "shift"]
    },
    "linear_recurrence": Example((real(2, 3), real(2, 3)), {"axis": 1, "reverse": False}),
    "conv_general_dilated": Example(
        (real(2, 4, 5), real(6, 2, 2)),
        {
            "window_strides": (2,),
            "padding": ((1, 0),),
            "rhs_dilation": (2,),
            "feature_group_count": 2,
        },
    ),
    "windows": Example((real(4, 5),), WINDOWS),
    "overlap_add": Example((real(2, 2, 2, 3),), {"shape": (4, 5), **WINDOWS}),
    **{
        f"reduce_window_{name}": Example((real(4, 5),), WINDOWS)
        for name in ["sum", "prod", "max", "min"]
    },
    **{f"reduce_window_{name}": Example((bools(4, 5),), WINDOWS) for name in ["and", "or", "xor"]},
    "window_reached": Example(
        (
            real(4, 5),
            np.arange(20.0).reshape(4, 5),
            np.array([[4.0, 3.0], [14.0, 9.0]]),
            real(2, 2),
        ),
        WINDOWS,
        differentiate=(0,),
    ),
    "sort": Example((real(2, 3),), {"dimension": 1, "is_stable": True, "num_keys": 1}),
    "top_k": Example((real(2, 3),), {"k": 2}),
    "dot_general": Example(
        (real(2, 3), real(3, 4)), {"dimension_numbers": (((1,), (0,)), ((), ()))}
    ),
    "triangular_solve": Example(
        (real(3, 3) + 3 * np.eye(3), real(3, 2)),
        {
            "left_side": True,
            "lower": True,
            "transpose_a": False,
            "conjugate_a": False,
            "unit_diagonal": False,
        },
    ),
    "cholesky": Example((positive(3),)),
    **{
        name: Example((np.tril(real(3, 3)) + 3 * np.eye(3), real(3, 3)))
        for name in ["cholesky_tangent", "cholesky_cotangent"]
    },
    "lu": Example((apart(3, 3),)),
    "lu_pivots_to_permutation": Example((np.array([2, 1, 2], np.int32),), {"permutation_size": 4}),
    "qr": Example((np.stack([apart(4, 3), apart(4, 3)]),), {"full_matrices": False}),
    "eigh": Example((apart(3, 3),), {"lower": True, "values_only": False}),
    "eig": Example((apart(3, 3),), {"values_only": False}),
    "svd": Example((apart(4, 3),), {"full_matrices": False, "compute_uv": True}),
    "solve": Example((apart(3, 3), real(3, 2)), {"positive": False}),
    **{name: Example((apart(3, 3),)) for name in ["det", "slogdet", "adjugate"]},
    "polar": Example((apart(4, 3),)),
    "pinv": Example(
        (apart(4, 3), np.full((1, 1), 1e-10)), {"hermitian": False}, differentiate=(0,)
    ),
    "sylvester": Example((positive(3), positive(2), real(3, 2))),
    "banded_solve": Example(
        (real(4, 5) + np.array([[0.0], [0.0], [9.0], [0.0]]), real(5, 2)),
        {"lower": 1, "upper": 2, "positive": False},
    ),
    "matrix_function": Example((real(3, 3),), {"function": next(iter(FUNCTIONS))}),
    "frechet": Example((real(3, 3), real(3, 3)), {"function": next(iter(FUNCTIONS))}),
    "unitary_form": Example((real(3, 3),), {"form": "schur", "output": "real"}, differentiate=()),
    "fft": Example(
        (real(3, 4),),
        {"kind": "rfft", "axes": (0, 1), "length": 4, "norm": "backward", "transposed": False},
    ),
    "dct": Example(
        (real(3, 4),),
        {"kind": "dct", "type": 2, "axes": (1,), "norm": "backward", "orthogonalize": False},
    ),
    "jit": Example((real(3), real(3)), {"jaxpr": _jaxpr, "backend": "numpy", "name": "f"}),
    "checkpoint": Example(
        (real(3), real(3)), {"jaxpr": _jaxpr, "policy": nothing_saveable, "name": "f"}
    ),
    "checkpoint_name": Example((real(2, 3),), {"name": "f"}),
    "scan": Example(
        (real(3), real(3), real(4, 3)),
        {"jaxpr": _scan_body, "shape": Shape(1, 1), "length": 4, "reverse": True},
    ),
    "cond": Example(
        (np.int64(1), real(3), real(3)), {"branches": (_other_jaxpr, _jaxpr)}, differentiate=(1, 2)
    ),
    "while": Example(
        (np.int64(3), real(3), np.int64(0), real(3)),
        {
            "cond_jaxpr": stage(lambda n, i, x: [at.lax.lt(i, n)], [_count, _count, _vector]),
            "cond_consts": 1,
            "body_jaxpr": stage(
                lambda a, i, x: [i + 1, at.lax.sin(x) * a], [_vector, _count, _vector]
            ),
            "body_consts": 1,
        },
    ),
    "sweeps": Example(
        (np.int64(3), real(3), real(3), real(3), real(3)),
        {
            "jaxprs": (_scan_body_alone, _scan_body),
            "sweeps": (Sweep(Shape(1, 1), (), False), Sweep(Shape(1, 1), (0,), True)),
            "outs": (1, 0),
        },
    ),
    "custom_linear_solve": Example(
        (real(3, **POSITIVE), real(3)),
        {
            "matvec": stage(lambda a, x: [a * x], [_vector, _vector]),
            "solve": _quotient,
            "transpose_solve": _quotient,
            "consts": 1,
        },
    ),
    "custom_root": Example(
        (real(3, **POSITIVE), real(3)),
        {
            "f": stage(lambda a, x: [x * x - a], [_vector, _vector]),
            "solve": stage(lambda a, x: [at.lax.sqrt(a)], [_vector, _vector]),
            "tangent_solve": stage(lambda a, x, y: [y / (x + x)], [_vector] * 3),
            "consts": 1,
        },
        differentiate=(0,),
    ),
    "custom_jvp_call": Example(
        (real(3),),
        {"call": lambda x: [at.lax.sin(x)], "jvp": _custom_rule, "name": "f"},
    ),
    "pure_callback": Example(
        (real(3),),
        {
            "callback": lambda x: [np.sin(x)],
            "result_avals": (ShapedArray((3,), "f8"),),
            "vmap_method": "sequential",
        },
        differentiate=(),
    ),
    # A generator that draws the same number each time.
    "draw": Example((), {"draw": Draw(np.random, "normal", (4.0, 0.0), {}), "result": _scalar}),
    "debug_callback": Example((real(3),), {"callback": lambda x: None}, differentiate=()),
}

#: Primitives that are tested where what they need exists: within a named vmap, as part of the
#: reverse mode of custom_vjp, with symmetric operands.
ELSEWHERE = {
    "psum": "tests/api/test_vmap.py",
    "pmax": "tests/api/test_vmap.py",
    "pmin": "tests/api/test_vmap.py",
    "axis_index": "tests/api/test_vmap.py",
    "all_gather": "tests/api/test_vmap.py",
    "ppermute": "tests/api/test_vmap.py",
    "custom_vjp_call": "tests/api/test_custom.py",
    "riccati": "tests/scipy/test_linalg.py",
    "custom_tangent": "tests/api/test_custom.py",
}
#: The library's own primitives: doctests and other tests may have made more.
NAMES = sorted(n for n in primitives if not n.startswith(("docs_", "test_")))


def apply(primitive: Primitive, params: dict):
    def f(*args):
        out = primitive.bind(*args, **params)
        return list(out) if primitive.multiple_results else [out]

    return f


def differentiated(example: Example) -> tuple[int, ...]:
    if example.differentiate is not None:
        return example.differentiate
    return tuple(i for i, x in enumerate(example.args) if x.dtype.kind in "fc")


@pytest.mark.parametrize("name", NAMES)
def test_has_an_example(name):
    assert (name in EXAMPLES) != (name in ELSEWHERE)


@pytest.mark.parametrize("name", NAMES)
def test_has_its_rules(name):
    p = primitives[name]
    assert p.impl is not None or name in (
        "psum",
        "pmax",
        "pmin",
        "axis_index",
        "all_gather",
        "ppermute",
    )
    assert p.abstract is not None
    assert p.batch is not None or name == "iota"
    assert p.jvp is not None or p.jvp_call is not None or name == "iota"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_type_rule_agrees_with_impl(name):
    example = EXAMPLES[name]
    check_abstract(
        apply(primitives[name], example.params), [np.asarray(a)[()] for a in example.args]
    )


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_derivatives(name):
    example = EXAMPLES[name]
    positions = differentiated(example)
    if not positions:
        pytest.skip("nothing to differentiate")
    f = apply(primitives[name], example.params)

    def of_differentiated(*xs):
        full = list(example.args)
        for position, x in zip(positions, xs, strict=True):
            full[position] = x
        return [o for o in f(*full) if o.dtype.kind in "fc"]

    primals = [example.args[i] for i in positions]
    if not of_differentiated(*primals):  # integers or bools: there must be no tangent
        _, tangents = jvp_flat(f, example.args, [np.ones_like(x) for x in example.args])
        assert tangents == [None] * len(tangents)
        return
    check_derivatives(of_differentiated, primals, order=2, tolerance=1e-4)


@pytest.mark.parametrize("name", [n for n in sorted(EXAMPLES) if primitives[n].elementwise])
def test_elementwise_primitives_are(name):
    example = EXAMPLES[name]
    f = apply(primitives[name], example.params)
    (whole,) = f(*example.args)
    (part,) = f(*[np.asarray(a)[..., 1:] for a in example.args])
    np.testing.assert_array_equal(whole[..., 1:], part)


@pytest.mark.parametrize("name", [n for n in sorted(EXAMPLES) if primitives[n].rearranges])
def test_rearranging_primitives_do(name):
    """What each element of the operands gives to each of the output is itself or nothing."""
    example = EXAMPLES[name]
    f = apply(primitives[name], example.params)
    for position, x in enumerate(example.args):
        for unit in np.eye(np.size(x)):
            args = [np.zeros_like(a) for a in example.args]
            args[position] = unit.reshape(np.shape(x))[()]
            assert set(np.unique(f(*args)[0])) <= {0.0, 1.0}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_batching(name):
    example = EXAMPLES[name]
    if not example.args:
        pytest.skip("no operands")

    def stacker(x):
        x = np.asarray(x)
        if x.dtype.kind in "fc":
            shift = rng.uniform(-0.01, 0.01, (3, *x.shape)).astype(x.dtype)
            return lambda n: (x + shift)[:n]
        return lambda n: np.stack([np.roll(x, i) if x.ndim else x for i in range(n)])

    check_batching(apply(primitives[name], example.params), [stacker(x) for x in example.args])


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_simplified_program_gives_the_same_bits(name):
    example = EXAMPLES[name]
    f = apply(primitives[name], example.params)
    args = [np.asarray(a)[()] for a in example.args]
    jaxpr = simplify_jaxpr(stage(f, [ShapedArray(a.shape, a.dtype) for a in args]))
    for got, expected in zip(eval_jaxpr(jaxpr, args), f(*args), strict=True):
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype


# --- the compiled backend ------------------------------------------------------------------------

#: The least exact primitive that an example calls, where that is another one.
CALLS = dict.fromkeys(
    ["jit", "checkpoint", "custom_jvp_call", "scan", "cond", "while", "sweeps"], "sin"
)
DTYPES = [np.dtype(c) for c in "?bBhHiIlLefdFD"]


def main_dtype(args: tuple) -> np.dtype | None:
    """The dtype to vary: the inexact operands' if there are any, or else the first one's."""
    dtypes = [np.asarray(a).dtype for a in args]
    return next((d for d in dtypes if d.kind in "fc"), dtypes[0] if dtypes else None)


def cast(x: Any, dtype: np.dtype) -> Any:
    """An example's operand in another dtype."""
    x = np.asarray(x)
    if dtype.kind in "biu" and x.dtype.kind in "fc":
        x = np.round(2 * x.real)
    if dtype.kind == "u":
        x = np.abs(x)
    if dtype.kind != "c":
        x = x.real
    return x.astype(dtype)


def with_dtypes(args: tuple) -> Iterator[tuple]:
    """The operands with each dtype in place of their main one."""
    main = main_dtype(args)
    yield args
    for dtype in DTYPES if main is not None else ():
        yield tuple(cast(a, dtype) if np.asarray(a).dtype == main else a for a in args)


def with_layouts(args: tuple) -> Iterator[tuple]:
    """The operands in several layouts, 0-d ones as NumPy scalars."""

    def gaps(x: np.ndarray) -> np.ndarray:
        wide = np.zeros([2 * n for n in x.shape], x.dtype)
        wide[(slice(None, None, 2),) * x.ndim] = x
        return wide[(slice(None, None, 2),) * x.ndim]

    def backwards(x: np.ndarray) -> np.ndarray:
        flip = (slice(None, None, -1),) * x.ndim
        return np.ascontiguousarray(x[flip])[flip]

    def stretched(x: np.ndarray) -> np.ndarray:
        return np.broadcast_to(x[:1], x.shape)

    for layout in (np.ascontiguousarray, np.asfortranarray, gaps, backwards, stretched):
        arrays = [np.asarray(a) for a in args]
        yield tuple(layout(a) if a.ndim else a[()] for a in arrays)


def assert_compiled_agrees(name: str, f: Any, args: tuple) -> bool:
    """The compiled program gives what the implementation does, or refuses with the same error.

    Returns:
      Whether the primitive takes such operands.
    """
    try:
        stage(f, [ShapedArray(np.shape(a), np.asarray(a).dtype) for a in args])
    except (TypeError, ValueError):
        return False
    copies = [np.array(a) for a in args]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            expected = f(*args)
        except (TypeError, ValueError, IndexError) as error:
            with pytest.raises(type(error)):
                at.jit(f, backend="numba")(*args)
            return True
    for got, want in zip(at.jit(f, backend="numba")(*args), expected, strict=True):
        assert_close(CALLS.get(name, name), got, want, "numba", args)
        assert not any(np.shares_memory(got, a) for a in args)
    for a, before in zip(args, copies, strict=True):
        np.testing.assert_array_equal(a, before)
    return True


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_compiled_agrees_with_impl(name):
    example = EXAMPLES[name]
    f = apply(primitives[name], example.params)
    ran = 0
    for args in with_dtypes(example.args):
        if all(assert_compiled_agrees(name, f, version) for version in with_layouts(args)):
            ran += 1
    assert ran


@pytest.mark.parametrize("size", [3, 0])
@pytest.mark.parametrize("name", sorted(n for n in EXAMPLES if EXAMPLES[n].args))
def test_compiled_batching_agrees_with_impl(name, size):
    """With a batch of none, each primitive meets operands without elements."""
    example = EXAMPLES[name]
    f = at.vmap(apply(primitives[name], example.params))
    assert assert_compiled_agrees(name, f, tuple(np.stack([a] * 3)[:size] for a in example.args))


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_compiled_results_are_viewed_and_cut(name):
    """What is returned in another shape, or in part, is neither the whole nor the same memory."""
    example = EXAMPLES[name]
    f = apply(primitives[name], example.params)

    def cut(*args):
        outs = []
        for out in f(*args):
            flat = at.lax.reshape(out, (out.size,))
            part = at.lax.slice(flat, (0,), (max(out.size - 1, 0),))
            outs += [flat, part, at.lax.expand_dims(out, (0,)), at.lax.rev(flat, (0,)), out]
        return outs

    assert assert_compiled_agrees(name, cut, example.args)
    outs = at.jit(cut, backend="numba")(*example.args)
    for i, out in enumerate(outs):
        assert not any(np.shares_memory(out, other) for other in outs[:i])


# --- the checkers are checked: each must refuse a wrong rule -----------------------------------

test_wrong_jvp_p = elementwise("test_wrong_jvp", np.sin, "f")
def_partials(test_wrong_jvp_p, lambda t, out, x: t * out)

test_wrong_transpose_p = Primitive("test_wrong_transpose")
test_wrong_transpose_p.def_impl(lambda x: 2 * x)
test_wrong_transpose_p.def_abstract(lambda x: x)
test_wrong_transpose_p.def_jvp(lambda ps, ts, out: test_wrong_transpose_p.bind(ts[0]))
test_wrong_transpose_p.def_transpose(lambda ct, x: [3 * ct])
test_wrong_transpose_p.def_batch(
    lambda axis, args, dims: (test_wrong_transpose_p.bind(*args), dims[0])
)

test_wrong_batch_p = Primitive("test_wrong_batch")
test_wrong_batch_p.def_impl(lambda x: np.cumsum(x, axis=0))
test_wrong_batch_p.def_batch(lambda axis, args, dims: (test_wrong_batch_p.bind(args[0]), dims[0]))

test_wrong_type_p = Primitive("test_wrong_type")
test_wrong_type_p.def_impl(lambda x: x.astype(np.float32))
test_wrong_type_p.def_abstract(lambda x: x)


def test_a_wrong_jvp_is_found():
    with pytest.raises(AssertionError):
        check_derivatives(apply(test_wrong_jvp_p, {}), [real(3)])


def test_a_wrong_transpose_is_found():
    with pytest.raises(AssertionError):
        check_derivatives(apply(test_wrong_transpose_p, {}), [real(3)])


def test_a_wrong_batching_rule_is_found():
    with pytest.raises(AssertionError):
        check_batching(apply(test_wrong_batch_p, {}), [lambda n: real(n, 3)])


def test_a_wrong_type_rule_is_found():
    with pytest.raises(AssertionError):
        check_abstract(apply(test_wrong_type_p, {}), [real(3)])


def test_a_rule_is_defined_once():
    with pytest.raises(ValueError, match="rule for impl already"):
        primitives["sin"].def_impl(np.sin)
    with pytest.raises(ValueError, match="named 'sin' already"):
        Primitive("sin")


def test_a_missing_rule_says_what_to_do():
    p = Primitive("test_without_rules")
    p.def_impl(lambda x: x)
    p.def_abstract(lambda x: x)
    with pytest.raises(at.MissingRuleError, match="custom_jvp"):
        at.grad(p.bind)(1.0)
    with pytest.raises(at.MissingRuleError, match="batch"):
        at.vmap(p.bind)(np.ones(3))


def test_unbatched_collective_axis_is_an_error():
    with pytest.raises(NameError, match="no axis named 'i'"):
        at.lax.psum(1.0, "i")
    outs, dims = batch_flat(lambda x: [at.lax.psum(x, "i")], Axis(3, "i"), [np.arange(3.0)], [0])
    assert outs == [3.0] and dims == [None]


# --- what has no kernel --------------------------------------------------------------------------

#: Primitives without a kernel for real numbers: docs/compiling.md has this list.
HOST_STEPS = {
    "nonzero", "gcd", "lcm", "nextafter", "polygamma", "real",
    "imag", "conj", "complex", "pure_callback", "debug_callback", "draw", "eigh", "eig",
    "svd",
    "adjugate", "pinv", "sylvester", "banded_solve", "matrix_function", "frechet", "unitary_form",
    "bessel_i", "lu_pivots_to_permutation", "fft", "dct", "special", "polar",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_primitives_have_kernels_or_are_in_the_list(name):
    primitive, example = primitives[name], EXAMPLES[name]

    def call(*args):
        out = primitive.bind(*args, **example.params)
        return out if primitive.multiple_results else [out]

    program = Program(stage(call, [get_aval(x) for x in example.args]))
    assert bool(program.host_steps) == (name in HOST_STEPS), program.host_steps


@pytest.mark.source_tree
def test_the_page_has_the_list_of_host_steps():
    page = pathlib.Path(__file__).resolve().parents[1] / "docs" / "compiling.md"
    text = page.read_text(encoding="utf-8").split("## What runs through NumPy")[1]
    for name in HOST_STEPS:
        assert f"`{name}`" in text or f"`{name.replace('_', '.', 1)}`" in text, name
