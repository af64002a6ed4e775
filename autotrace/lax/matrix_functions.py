"""Functions of matrices: exponential, logarithm, square root; Schur and Hessenberg forms.

The derivative of a function of a matrix is its Frechet derivative, which is linear in the
direction, and whose own derivative is one of a matrix twice as large (Mathias 1996; Higham 2008,
"Functions of matrices", theorem 3.6; Higham and Relton 2014). That of the exponential is Al-Mohy
and Higham's (2009), that of the square root the solution of a Sylvester equation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.errors import NonDifferentiableError, located
from ..core.lazy import LazyModule
from ..core.primitive import Primitive
from .families import complex_dtype
from .matrices import (
    check_matrices,
    check_stacks,
    each,
    like,
    matrices,
    mt,
    singular,
    stack_batch,
)
from .slicing import concatenate
from .slicing import slice as slice_array
from .structural import zeros_like

_scipy_linalg = LazyModule("scipy.linalg")


class _Function(NamedTuple):
    """A function of matrices that there is a primitive of.

    Attributes:
      value: from one matrix to the function of it.
      frechet: from a matrix and a direction to the derivative; None for that of the block matrix.
      is_complex: whether a real matrix may have a complex result.
    """

    value: Callable[[np.ndarray], np.ndarray]
    frechet: Callable[[np.ndarray, np.ndarray], np.ndarray] | None
    is_complex: bool


def _sqrtm(a: np.ndarray) -> np.ndarray:
    root = _scipy_linalg.sqrtm(a)
    if not np.isfinite(root).all() and np.isfinite(a).all():
        raise singular("sqrtm found no square root")
    return root


def _sqrtm_frechet(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    root = _sqrtm(a)
    try:
        return _scipy_linalg.solve_sylvester(root, root, e)
    except np.linalg.LinAlgError:
        raise singular("its square root (sqrtm) has no derivative there") from None


def _logm(a: np.ndarray) -> np.ndarray:
    # In double precision, which is what SciPy's own estimate of the error takes for granted.
    return _scipy_linalg.logm(a.astype(np.result_type(a, np.float64)))


FUNCTIONS = {
    "expm": _Function(
        lambda a: _scipy_linalg.expm(a),
        lambda a, e: _scipy_linalg.expm_frechet(a, e, compute_expm=False, check_finite=False),
        False,
    ),
    "logm": _Function(_logm, None, True),
    "sqrtm": _Function(_sqrtm, _sqrtm_frechet, True),
}

#: Operand: matrices; the parameter ``function`` is a key of ``FUNCTIONS``.
matrix_function_p = Primitive("matrix_function")
#: Operands: matrices and directions, in which it is linear.
frechet_p = Primitive("frechet")


def matrix_function(x: Any, function: str) -> Any:
    """A function of matrices; complex where it may be."""
    x = matrices(x, function, True)
    return matrix_function_p.bind(x, function=function)


def frechet(x: Any, e: Any, function: str) -> Any:
    """The derivative of a function of matrices at ``x`` in the direction ``e``."""
    return frechet_p.bind(matrices(x, function, True), matrices(e, function, True),
                          function=function)  # fmt: skip


def _out_dtype(x: Any, function: str) -> np.dtype:
    return complex_dtype(x.dtype) if FUNCTIONS[function].is_complex else x.dtype


@matrix_function_p.def_impl
def _function_impl(x: Any, *, function: str) -> Any:
    n = x.shape[-1]
    out = np.empty(x.shape, _out_dtype(x, function))
    if x.size:
        for matrix, result in zip(each(x, n, n), each(out, n, n), strict=True):
            result[:] = FUNCTIONS[function].value(matrix)
    return out


@matrix_function_p.def_abstract
def _function_abstract(x: ShapedArray, *, function: str) -> ShapedArray:
    check_matrices(function, x, True)
    return make_aval(x.shape, _out_dtype(x, function))


@matrix_function_p.def_jvp
def _function_jvp(primals: Any, tangents: Any, out: Any, *, function: str) -> Any:
    (x,), (x_t,) = primals, tangents
    return frechet_p.bind(like(x, out), like(x_t, out), function=function)


matrix_function_p.def_batch(stack_batch(matrix_function_p))


@frechet_p.def_impl
def _frechet_impl(x: Any, e: Any, *, function: str) -> Any:
    n = x.shape[-1]
    out = np.empty(x.shape, x.dtype)
    how = FUNCTIONS[function]
    if x.size:
        for matrix, direction, result in zip(
            each(x, n, n), each(e, n, n), each(out, n, n), strict=True
        ):
            if how.frechet is not None:
                result[:] = how.frechet(matrix, direction)
            else:
                block = np.block([[matrix, direction], [np.zeros_like(matrix), matrix]])
                result[:] = how.value(block)[:n, n:]
    return out


@frechet_p.def_abstract
def _frechet_abstract(x: ShapedArray, e: ShapedArray, *, function: str) -> ShapedArray:
    check_matrices(function, x, True)
    check_stacks(function, x, e)
    if x.shape != e.shape:
        raise TypeError(f"the derivative of {function} at {x} takes a direction like it, got {e}")
    return make_aval(x.shape, _out_dtype(x, function))


@frechet_p.def_jvp
def _frechet_jvp(primals: Any, tangents: Any, out: Any, *, function: str) -> Any:
    (x, e), (x_t, e_t) = primals, tangents
    total = None if e_t is None else frechet_p.bind(x, e_t, function=function)
    if x_t is None:
        return total
    # The derivative of the derivative: of [[x, e], [0, x]] in the direction [[dx, 0], [0, dx]].
    zeros = zeros_like(x_t)
    n, stack = x.shape[-1], x.shape[:-2]
    point, direction = _blocks(x, e, zeros, x), _blocks(x_t, zeros, zeros, x_t)
    both = frechet_p.bind(point, direction, function=function)
    start = (0,) * len(stack)
    second = slice_array(both, (*start, 0, n), (*stack, n, 2 * n))
    return second if total is None else second + total


def _blocks(a: Any, b: Any, c: Any, d: Any) -> Any:
    last = a.ndim - 1
    rows = [concatenate([a, b], last), concatenate([c, d], last)]
    return concatenate(rows, last - 1)


@frechet_p.def_transpose
def _frechet_transpose(ct: Any, x: Any, e: Any, *, function: str) -> list[Any]:
    return [None, frechet_p.bind(mt(x), ct, function=function)]


frechet_p.def_batch(stack_batch(frechet_p))


# --- Schur and Hessenberg forms ----------------------------------------------------------------

_FORMS = {
    "schur": lambda a, output: _scipy_linalg.schur(a, output=output or "real")[::-1],
    "hessenberg": lambda a, output: _scipy_linalg.hessenberg(a, calc_q=True)[::-1],
}
#: Operand: matrices. Results: a unitary matrix ``q`` and a form ``t`` with ``q t q^H = x``.
unitary_form_p = Primitive("unitary_form", multiple_results=True)


def unitary_form(x: Any, form: str, output: str = "") -> tuple[Any, Any]:
    """``q`` and ``t`` with ``q t q^H = x``: Schur's form (``output`` "real" or "complex") or
    Hessenberg's."""
    x = matrices(x, form, True)
    if output == "complex":
        x = x.astype(complex_dtype(x.dtype))
    return tuple(unitary_form_p.bind(x, form=form, output=output))


@unitary_form_p.def_impl
def _form_impl(x: Any, *, form: str, output: str) -> list[Any]:
    n = x.shape[-1]
    outs = [np.empty(x.shape, x.dtype) for _ in range(2)]
    if x.size:
        for matrix, q, t in zip(each(x, n, n), *(each(o, n, n) for o in outs), strict=True):
            q[:], t[:] = _FORMS[form](matrix, output)
    return outs


@unitary_form_p.def_abstract
def _form_abstract(x: ShapedArray, *, form: str, output: str) -> list[ShapedArray]:
    check_matrices(form, x, True)
    return [make_aval(x.shape, x.dtype)] * 2


@unitary_form_p.def_jvp
def _form_jvp(primals: Any, tangents: Any, out: Any, *, form: str, output: str) -> list[Any]:
    raise NonDifferentiableError(
        located(
            f"{form}: the form of a matrix has no derivative rule",
            "What to do: use eigenvalues (np.linalg.eigvals), or functions of the matrix (expm, "
            "sqrtm, logm),\nwhich have one; or wrap it in stop_gradient.",
        )
    )


unitary_form_p.def_batch(stack_batch(unitary_form_p))
