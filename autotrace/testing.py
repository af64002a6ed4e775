"""Checking derivatives: against finite differences, and one mode against the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .api.arguments import check_callable, name_of, normalize_argnums
from .api.differentiate import jvp, vjp
from .core import tree
from .core.avals import is_inexact

__all__ = ["check_grads", "numerical_jacobian"]

#: Step and tolerance by the size of a real number in bytes: the step that balances the truncation
#: error h^2 of central differences against the rounding error eps/h.
_STEPS = {8: 6e-6, 4: 5e-3, 2: 1e-1}
_TOLERANCES = {8: 1e-5, 4: 2e-2, 2: 2e-1}

Modes = Sequence[str]


def _precision(arrays: Sequence[np.ndarray]) -> int:
    sizes = [x.real.dtype.itemsize for x in arrays if is_inexact(x.dtype)]
    return min(sizes, default=8)


def _leaves(value: Any) -> list[np.ndarray]:
    return [np.asarray(x) for x in tree.leaves(value)]


def numerical_jacobian(
    fun: Callable, argnums: int | Sequence[int] = 0, eps: float | None = None
) -> Callable:
    """The Jacobian of a function by central differences.

    Args:
      fun: a function of pytrees of floating arrays to a pytree of floating arrays.
      argnums: which positional argument or arguments to differentiate with respect to.
      eps: the step; when None, chosen by the dtype (6e-6 for float64).

    Returns:
      A function of the same arguments that returns what ``jacfwd(fun, argnums)`` would.

    >>> import numpy as np
    >>> numerical_jacobian(lambda x: x**2)(np.array([1.0, 2.0])).round(6)
    array([[2., 0.],
           [0., 4.]])
    """
    check_callable(fun, "numerical_jacobian")
    several = isinstance(argnums, tuple | list)

    def jacobian(*args: Any, **kwargs: Any) -> Any:
        positions = normalize_argnums(argnums, len(args), f"numerical_jacobian of {name_of(fun)}")
        leaves, in_tree = tree.flatten([args[p] for p in positions])
        arrays = [np.array(x) for x in leaves]
        step = eps if eps is not None else _STEPS[_precision(arrays)]

        def value() -> list[np.ndarray]:
            full = list(args)
            given = tree.unflatten(in_tree, [x.copy()[()] for x in arrays])
            for position, arg in zip(positions, given, strict=True):
                full[position] = arg
            return _leaves(fun(*full, **kwargs))

        out = fun(*args, **kwargs)
        out_tree = tree.structure(out)
        outs = _leaves(out)
        blocks = [[np.zeros((*o.shape, *x.shape), o.dtype) for x in arrays] for o in outs]
        for column, x in enumerate(arrays):
            for index in np.ndindex(x.shape):
                before = x[index]
                x[index] = before + step
                ahead, high = value(), x[index]
                x[index] = before - step
                behind, low = value(), x[index]
                x[index] = before
                for number, (a, b) in enumerate(zip(ahead, behind, strict=True)):
                    blocks[number][column][(..., *index)] = (a - b) / (high - low)
        trees = []
        for row in blocks:
            grads = tree.unflatten(in_tree, [b[()] for b in row])
            trees.append(tuple(grads) if several else grads[0])
        return tree.unflatten(out_tree, trees)

    return jacobian


def _random_like(rng: np.random.Generator, value: Any) -> Any:
    def random(x: Any) -> Any:
        x = np.asarray(x)
        out = rng.standard_normal(x.shape)
        if x.dtype.kind == "c":
            out = out + 1j * rng.standard_normal(x.shape)
        return out.astype(x.dtype)[()]

    return tree.map(random, value)


def _inner(a: Any, b: Any) -> Any:
    """The pairing of a cotangent with a tangent: the sum of Re(ct * t)."""
    total = 0.0
    for x, y in zip(_leaves(a), _leaves(b), strict=True):
        total += np.sum((x * y).real, dtype=np.float64)
    return total


def _assert_close(actual: Any, expected: Any, atol: float, rtol: float, what: str) -> None:
    for a, e in zip(_leaves(actual), _leaves(expected), strict=True):
        np.testing.assert_allclose(a, e, atol=atol, rtol=rtol, err_msg=what)


def check_grads(
    f: Callable,
    args: Sequence[Any],
    order: int = 1,
    modes: Modes = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Check a function's derivatives in random directions.

    Forward mode is compared with central differences, reverse mode with them through the identity
    ``<ct, J t> == <J^T ct, t>``; for higher orders the same is done with the derivatives.

    Args:
      f: a function of pytrees of floating or complex arrays to a pytree of such.
      args: a tuple or list of its arguments.
      order: up to which derivative to check.
      modes: ``"fwd"``, ``"rev"`` or both.
      atol, rtol: absolute and relative tolerance; by dtype when None (1e-5 for float64).
      eps: the step of the differences; by dtype when None.

    Raises:
      AssertionError: where they differ; the message says in which mode and at which order.

    >>> import numpy as np
    >>> check_grads(np.sin, (np.array([0.5, 1.0]),), order=2)
    """
    check_callable(f, "check_grads")
    unknown = set(modes) - {"fwd", "rev"}
    if unknown or isinstance(modes, str):
        raise ValueError(f"check_grads: modes must be some of 'fwd' and 'rev', got {modes!r}")
    precision = _precision(_leaves(tuple(args)))
    tolerance = _TOLERANCES[precision]
    _check(
        f,
        tuple(args),
        order,
        tuple(modes),
        tolerance if atol is None else atol,
        tolerance if rtol is None else rtol,
        _STEPS[precision] if eps is None else eps,
        np.random.default_rng(0),
        name_of(f),
    )


def _check(
    f: Callable,
    args: tuple,
    order: int,
    modes: tuple,
    atol: float,
    rtol: float,
    eps: float,
    rng: np.random.Generator,
    what: str,
) -> None:
    tangents = _random_like(rng, args)

    def moved(sign: int) -> Any:
        return f(
            *tree.map(lambda x, t: x + np.asarray(t).dtype.type(sign * eps) * t, args, tangents)
        )

    numerical = tree.map(lambda a, b: (a - b) / (2 * eps), moved(1), moved(-1))
    if "fwd" in modes:
        out, out_tangent = jvp(f, args, tangents)
        plain, close = f(*args), 1e-12 if rtol < 1e-3 else rtol
        # Relative to the largest element: what cancels keeps no digits of its own.
        size = max((float(np.max(np.abs(x), initial=0.0)) for x in _leaves(plain)), default=0.0)
        _assert_close(out, plain, close * size, close, f"the value of {what}")
        _assert_close(out_tangent, numerical, atol, rtol, f"forward mode (jvp) of {what}")
        if order > 1:
            _check(
                lambda *xs: jvp(f, xs, tangents)[1],
                args,
                order - 1,
                modes,
                atol * 10,
                rtol * 10,
                eps,
                rng,
                f"jvp of {what}",
            )
    if "rev" in modes:
        out, pullback = vjp(f, *args)
        ct = _random_like(rng, out)
        found = pullback(ct)
        scale = max(1.0, *(float(np.sum(np.abs(x))) for x in _leaves(ct)), 1.0)
        np.testing.assert_allclose(
            _inner(found, tangents),
            _inner(ct, numerical),
            atol=atol * scale,
            rtol=rtol,
            err_msg=f"reverse mode (vjp) of {what}",
        )
        if order > 1:
            _check(
                lambda *xs: vjp(f, *xs)[1](ct),
                args,
                order - 1,
                modes,
                atol * 10,
                rtol * 10,
                eps,
                rng,
                f"vjp of {what}",
            )
