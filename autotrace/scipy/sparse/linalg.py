"""Krylov methods for linear systems, under the names of ``scipy.sparse.linalg``.

They run as loops of the program that they are part of, on any linear function of a pytree of
arrays, and have derivatives of any order by the equation that they solve, not through their turns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...api.arguments import check_callable, name_of
from ...api.compile import jit
from ...api.differentiate import jvp, linear_transpose, vjp
from ...api.inspect import ShapeDtypeStruct
from ...api.raveling import ravel_pytree
from ...core import tree
from ...core.avals import is_inexact
from ...core.errors import located
from ...core.lazy import LazyModule
from ...core.trace import get_aval
from ...lax.constants import stop_gradient
from ...lax.implicit import custom_linear_solve
from ...lax.looping import fori_loop, while_loop

__all__ = ["bicgstab", "cg", "gmres", "jacobian_operator"]

sparse: Any = LazyModule("scipy.sparse")
linalg: Any = LazyModule("scipy.sparse.linalg")

Flat = Callable[[Any], Any]


def cg(
    A: Any,  # noqa: N803  SciPy's name
    b: Any,
    x0: Any = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,  # noqa: N803
) -> tuple[Any, Any]:
    """Solve ``A x = b`` for a hermitian, positive definite ``A`` by conjugate gradients (Hestenes,
    Stiefel 1952).

    Args:
      A: a linear function of pytrees like ``b``, or a matrix: an array of shape ``(n, n)``, traced
        or not, or one of ``scipy.sparse``.
      b: a pytree of floating or complex arrays; with a matrix, an array of shape ``(n,)``.
      x0: a first guess, a pytree like ``b``; zeros when None. It has no derivative.
      tol, atol: the residual's norm is to come below ``max(tol * norm(b), atol)``. Derivatives are
        solutions with the same tolerance.
      maxiter: how many turns at most; ten times the number of unknowns when None.
      M: about the inverse of ``A``, hermitian and positive definite, given as ``A`` is.

    Returns:
      The solution, a pytree like ``b``, and a number: 0 where the tolerance was reached, else the
      number of turns that were taken.

    Raises:
      TypeError: when shapes or structures do not fit.

    >>> import numpy as np
    >>> x, info = cg(np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0]), tol=1e-10)
    >>> np.round(x * 11, 8), int(info)
    (array([1., 7.]), 0)
    """
    return _solve("cg", _conjugate_gradients, A, b, x0, M, tol, atol, maxiter, symmetric=True)


def bicgstab(
    A: Any,  # noqa: N803
    b: Any,
    x0: Any = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,  # noqa: N803
) -> tuple[Any, Any]:
    """Solve ``A x = b`` for any regular ``A`` by stabilized biconjugate gradients (van der Vorst
    1992).

    Args:
      A, b, x0, tol, atol, maxiter, M: as for ``cg``; ``A`` and ``M`` need not be hermitian.

    Returns:
      As ``cg``; a negative number says that the method broke down.

    >>> import numpy as np
    >>> x, info = bicgstab(np.array([[4.0, 1.0], [2.0, 3.0]]), np.array([1.0, 2.0]), tol=1e-10)
    >>> np.round(x * 10, 8), int(info)
    (array([1., 6.]), 0)
    """
    return _solve("bicgstab", _bicgstab, A, b, x0, M, tol, atol, maxiter)


def gmres(
    A: Any,  # noqa: N803
    b: Any,
    x0: Any = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    restart: int = 20,
    maxiter: int | None = None,
    M: Any = None,  # noqa: N803
) -> tuple[Any, Any]:
    """Solve ``A x = b`` for any regular ``A`` by the generalized minimal residual method (Saad,
    Schultz 1986), preconditioned from the right.

    Args:
      A, b, x0, tol, atol, M: as for ``cg``; ``A`` and ``M`` need not be hermitian.
      restart: how many vectors are kept before starting anew from what has been found.
      maxiter: how many such starts at most; ten times the number of unknowns when None.

    Returns:
      As ``cg``.

    >>> import numpy as np
    >>> x, info = gmres(np.array([[4.0, 1.0], [2.0, 3.0]]), np.array([1.0, 2.0]), tol=1e-10)
    >>> np.round(x * 10, 8), int(info)
    (array([1., 6.]), 0)
    """
    if restart < 1:
        raise ValueError(f"gmres: restart must be positive, got {restart}")

    def method(*args: Any) -> tuple[Any, Any]:
        return _gmres(restart, *args)

    return _solve("gmres", method, A, b, x0, M, tol, atol, maxiter)


def _solve(
    what: str,
    method: Callable,
    matrix: Any,
    b: Any,
    x0: Any,
    preconditioner: Any,
    tol: float,
    atol: float,
    maxiter: int | None,
    symmetric: bool = False,
) -> tuple[Any, Any]:
    given = [x for x in (matrix, preconditioner) if hasattr(x, "dtype") and not callable(x)]
    b = tree.map(lambda x: _floating(x, given), b)
    right, unravel = ravel_pytree(b)
    apply = _flat_operator(what, matrix, right, unravel)
    precondition = _flat_operator(what, preconditioner, right, unravel)
    start = np.zeros_like(right) if x0 is None else _guess(what, x0, b)
    count = 10 * right.shape[0] if maxiter is None else maxiter

    def transposed(ct: Any) -> Any:
        like = ShapeDtypeStruct(right.shape, right.dtype)
        return linear_transpose(precondition, like)(ct)[0]

    def solver(guess: Any, improve: Flat) -> Callable:
        def solve(product: Flat, right: Any) -> tuple[Any, Any]:
            limit = np.maximum(tol * _norm(right), atol)
            return method(product, right, guess, improve, limit, count)

        return solve

    symmetric &= right.dtype.kind == "f"  # the transpose of a hermitian matrix is its conjugate
    back = None if symmetric else solver(np.zeros_like(right), transposed)
    solve = solver(stop_gradient(start), precondition)
    x, info = custom_linear_solve(apply, right, solve, back, symmetric=symmetric, has_aux=True)
    return unravel(x), info


def _floating(x: Any, matrices: list[Any]) -> Any:
    """A right side in a dtype that solutions can have."""
    x = x if hasattr(x, "astype") else np.asarray(x)
    dtype = np.result_type(x.dtype, *(m.dtype for m in matrices))
    return x.astype(dtype if is_inexact(dtype) else np.float64)


def _guess(what: str, x0: Any, b: Any) -> Any:
    found, expected = ([np.shape(x) for x in tree.leaves(v)] for v in (x0, b))
    if tree.structure(x0) != tree.structure(b) or found != expected:
        raise TypeError(located(f"{what}: x0 must be like b, of shapes {expected}, got {found}"))
    flat = ravel_pytree(tree.map(lambda x, y: x * np.ones((), y.dtype), x0, b))[0]
    return flat.astype(ravel_pytree(b)[0].dtype)


def _flat_operator(what: str, operator: Any, right: Any, unravel: Callable) -> Flat:
    """A linear function, or what stands for one, as a function of arrays of one dimension."""
    if operator is None:
        return lambda x: x
    if callable(operator) and not hasattr(operator, "shape"):
        return lambda x: ravel_pytree(operator(unravel(x)))[0]
    size = right.shape[0]
    if np.shape(operator) != (size, size):
        raise TypeError(
            located(
                f"{what}: a matrix of shape {(size, size)} or a function is needed for a right "
                f"side of {size} numbers, got {getattr(operator, 'shape', operator)!r:.80}"
            )
        )
    if sparse.issparse(operator):
        return _sparse_product(operator, right.dtype)
    matrix = operator.astype(right.dtype)
    return lambda x: matrix @ x


def _sparse_product(matrix: Any, dtype: np.dtype) -> Flat:
    entries = matrix.tocoo()
    rows, columns = (np.asarray(i, np.int64) for i in (entries.row, entries.col))
    data = entries.data.astype(dtype)

    def apply(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            return matrix @ x
        return (x * 0).at[rows].add(data * x[columns])

    return apply


def _norm(x: Any) -> Any:
    return np.sqrt(_square(x))


def _square(x: Any) -> Any:
    return np.sum(np.real(x * np.conj(x)))


def _dot(x: Any, y: Any) -> Any:
    return np.sum(np.conj(x) * y)


def _info(reached: Any, turns: Any) -> Any:
    return np.where(reached, 0, turns)


def _conjugate_gradients(
    apply: Flat, b: Any, x: Any, precondition: Flat, limit: Any, count: int
) -> tuple[Any, Any]:
    def going(state: Any) -> Any:
        _, r, _, _, turns = state
        return (_square(r) > limit**2) & (turns < count)

    def turn(state: Any) -> Any:
        x, r, p, gamma, turns = state
        product = apply(p)
        alpha = gamma / _dot(p, product)
        x, r = x + alpha * p, r - alpha * product
        z = precondition(r)
        now = _dot(r, z)
        return x, r, z + now / gamma * p, now, turns + 1

    r = b - apply(x)
    z = precondition(r)
    x, r, _, _, turns = while_loop(going, turn, (x, r, z, _dot(r, z), 0))
    return x, _info(_square(r) <= limit**2, turns)


def _bicgstab(
    apply: Flat, b: Any, x: Any, precondition: Flat, limit: Any, count: int
) -> tuple[Any, Any]:
    def going(state: Any) -> Any:
        _, r, *_, turns = state
        return (_square(r) > limit**2) & (turns < count) & (turns >= 0)

    def turn(state: Any) -> Any:
        x, r, start, p, v, rho, alpha, omega, turns = state
        now = _dot(start, r)
        p = r + now / rho * (alpha / omega) * (p - omega * v)
        improved = precondition(p)
        v = apply(improved)
        alpha = now / _dot(start, v)
        s = r - alpha * v
        done = _square(s) <= limit**2
        also = precondition(s)
        t = apply(also)
        omega = np.where(done, 0, _dot(t, s) / np.where(done, 1, _square(t)))
        x = x + alpha * improved + omega * also
        broken = (now == 0) | ((omega == 0) & ~done) | ~np.isfinite(alpha)
        return x, s - omega * t, start, p, v, now, alpha, omega, np.where(broken, -1, turns + 1)

    r = b - apply(x)
    one = np.ones((), r.dtype)
    x, r, *_, turns = while_loop(going, turn, (x, r, r, 0 * r, 0 * r, one, one, one, 0))
    return x, _info(_square(r) <= limit**2, turns)


def _gmres(
    restart: int, apply: Flat, b: Any, x: Any, precondition: Flat, limit: Any, count: int
) -> tuple[Any, Any]:
    size = b.shape[0]
    width = min(restart, size)

    def going(state: Any) -> Any:
        _, _, norm, starts = state
        return (norm > limit) & (starts < count)

    def start(state: Any) -> Any:
        x, r, norm, starts = state
        basis, triangle, right = _arnoldi(apply, precondition, r, norm, limit, width)
        x = x + precondition(basis[:width].T @ _back_substitution(triangle, right))
        r = b - apply(x)
        return x, r, _norm(r), starts + 1

    r = b - apply(x)
    x, _, norm, starts = while_loop(going, start, (x, r, _norm(r), 0))
    return x, _info(norm <= limit, starts)


def _arnoldi(
    apply: Flat, precondition: Flat, r: Any, norm: Any, limit: Any, width: int
) -> tuple[Any, Any, Any]:
    """An orthonormal basis of a Krylov space, and the triangular system of its least squares
    problem, by rotations; what is not needed to reach the limit stays the identity, with a right
    side of 0."""
    dtype = r.dtype

    def going(state: Any) -> Any:
        right, number = state[2], state[5]
        return (number < width) & (np.abs(right[number]) > limit)

    def turn(state: Any) -> Any:
        basis, triangle, right, cosines, sines, j = state
        w = apply(precondition(basis[j]))
        h = np.conj(basis) @ w
        w = w - basis.T @ h
        again = np.conj(basis) @ w  # once more, for orthogonality up to rounding
        w, h = w - basis.T @ again, h + again
        length = _norm(w)
        basis = basis.at[j + 1].set(w / np.where(length == 0, 1, length))
        h = h.at[j + 1].set(length.astype(dtype))
        h = fori_loop(0, j, lambda i, h: _rotate(h, i, cosines[i], sines[i]), h)
        radius = np.sqrt(_square(h[j]) + _square(h[j + 1]))
        flat = radius == 0
        cosine = np.where(flat, 1, h[j]) / np.where(flat, 1, radius)
        sine = np.where(flat, 0, h[j + 1]) / np.where(flat, 1, radius)
        h = _rotate(h, j, cosine, sine)
        right = _rotate(right, j, cosine, sine)
        triangle = triangle.at[:, j].set(h[:width])
        return basis, triangle, right, cosines.at[j].set(cosine), sines.at[j].set(sine), j + 1

    first = (r / np.where(norm == 0, 1, norm))[None]
    basis = np.concatenate([first, np.zeros((width, r.shape[0]), dtype)])
    right = np.concatenate([norm.astype(dtype)[None], np.zeros(width, dtype)])
    zeros = np.zeros(width, dtype)
    state = (basis, np.eye(width, dtype=dtype), right, zeros, zeros, 0)
    basis, triangle, right, _, _, number = while_loop(going, turn, state)
    return basis, triangle, np.where(np.arange(width) < number, right[:width], 0)


def _rotate(h: Any, i: Any, cosine: Any, sine: Any) -> Any:
    above, below = h[i], h[i + 1]
    h = h.at[i].set(np.conj(cosine) * above + np.conj(sine) * below)
    return h.at[i + 1].set(cosine * below - sine * above)


def _back_substitution(triangle: Any, right: Any) -> Any:
    size = right.shape[0]

    def turn(k: Any, y: Any) -> Any:
        i = size - 1 - k
        rest = right[i] - np.sum(triangle[i] * y)  # what is not found yet is 0
        return y.at[i].set(rest / triangle[i, i])

    return fori_loop(0, size, turn, np.zeros(size, right.dtype))


def jacobian_operator(fun: Callable, x: Any) -> Any:
    """The Jacobian of a function at a point as a ``LinearOperator`` of SciPy, which is never
    written out: its products are compiled.

    Args:
      fun: a function of a pytree of real floating arrays to a pytree of such.
      x: the point.

    Returns:
      A ``scipy.sparse.linalg.LinearOperator`` of shape ``(size of the output, size of the
      input)``, both laid out as by ``ravel_pytree``, with ``matvec`` and ``rmatvec``.

    >>> import numpy as np
    >>> jacobian = jacobian_operator(lambda x: x[1:] * x[0], np.array([2.0, 3.0, 4.0]))
    >>> jacobian @ np.array([1.0, 1.0, 0.0]), jacobian.T @ np.array([1.0, 1.0])
    (array([5., 4.]), array([7., 2., 2.]))
    """
    check_callable(fun, "jacobian_operator")
    point, unravel = ravel_pytree(x)

    def flat(v: Any) -> Any:
        return ravel_pytree(fun(unravel(v)))[0]

    flat.__name__ = name_of(fun)
    value = jit(flat)(point)
    forward = jit(lambda v, t: jvp(flat, (v,), (t,))[1])
    backward = jit(lambda v, ct: vjp(flat, v)[1](ct)[0])
    return linalg.LinearOperator(
        (get_aval(value).size, get_aval(point).size),
        matvec=lambda t: forward(point, np.ravel(t).astype(point.dtype)),
        rmatvec=lambda ct: backward(point, np.ravel(ct).astype(value.dtype)),
        dtype=value.dtype,
    )
