"""What libraries share."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from bench.rows.dense import STEP
from bench.rows.row import Row


def namespace(*modules: Any, **more: Any) -> SimpleNamespace:
    """The names of modules and more, the later ones first; as quick to look up as a module's."""
    names: dict[str, Any] = {}
    for module in modules:
        names.update(vars(module))
    return SimpleNamespace(**(names | more))


def python_loops(stack: Callable) -> SimpleNamespace:
    """JAX's functions of control flow as Python's loops, as far as the rows use them.

    Args:
      stack: the library's, from a list of arrays to one.
    """

    def fori_loop(lower, upper, body, carry):
        for i in range(lower, upper):
            carry = body(i, carry)
        return carry

    def while_loop(condition, body, carry):
        while condition(carry):
            carry = body(carry)
        return carry

    def scan(step, carry, xs):
        outputs = []
        for x in xs:
            carry, y = step(carry, x)
            outputs.append(y)
        return carry, None if outputs[0] is None else stack(outputs)

    return SimpleNamespace(fori_loop=fori_loop, while_loop=while_loop, scan=scan)


def whole_batch(f: Callable) -> Callable:
    """``vmap`` of a function that is elementwise, and so takes a batch as it is."""
    return f


def derived(row: Row, f: Callable, value_and_grad: Callable, hvp: Callable | None) -> Callable:
    """What a row asks for, as a function of a library's arrays.

    Args:
      f: the row's function.
      value_and_grad: the library's transform, ``(f, argnums) -> function`` with the result
        ``(value, gradients)``.
      hvp: ``f -> function of (point, direction)``.
    """
    if row.wanted == "value":
        return f
    if row.wanted == "hvp":
        assert hvp is not None
        return hvp(f)
    both = value_and_grad(f, row.argnums)
    if row.wanted == "gradient":

        def gradient(*args):
            _, gradients = both(*args)
            return gradients[0] if row.single else tuple(gradients)

        return gradient
    if row.wanted == "value_and_grad":

        def flat(*args):
            value, gradients = both(*args)
            return value, *gradients

        return flat

    def step(*args):
        value, gradients = both(*args)
        pairs = zip(row.argnums, gradients, strict=True)
        return value, *(args[i] - STEP * gradient for i, gradient in pairs)

    return step


def job_maker(row: Row, run: Callable, convert: Callable | None = None) -> Callable:
    """``build``'s result, from a function of NumPy arrays; ``convert`` makes arrays of results."""

    def bind(args: tuple) -> Callable[[], Any]:
        if convert is None:
            return lambda: run(*args)
        if row.single:
            return lambda: convert(run(*args))
        return lambda: [convert(result) for result in run(*args)]

    return bind
