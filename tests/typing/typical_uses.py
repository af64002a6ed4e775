"""What type checkers make of typical uses: `make lint` has mypy check it, and it runs.

Parameters are kept (``ParamSpec``); a gradient has the type of the first argument, where that is
what is differentiated. Which structure other ``argnums`` give, Python's types cannot say: Any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, assert_type

import numpy as np

import autotrace as at

Array = np.ndarray


class Params(NamedTuple):
    w: Array
    b: Array


def loss(params: Params, x: Array, scale: float = 1.0) -> np.float64:
    return np.sum((x @ params.w + params.b) ** 2) * np.float64(scale)


def with_aux(params: Params, x: Array) -> tuple[np.float64, str]:
    return loss(params, x), "aux"


def vector(x: Array) -> Array:
    return np.sin(x)


params = Params(np.ones(2), np.zeros(3))
x = np.ones((3, 2))

# Gradients.
assert_type(at.grad(loss)(params, x), Params)
assert_type(at.grad(loss)(params, x, scale=2.0), Params)
assert_type(at.grad(loss, argnums=1)(params, x), Any)
assert_type(at.grad(loss, argnums=(0, 1))(params, x), Any)
assert_type(at.grad(with_aux, has_aux=True)(params, x), tuple[Params, str])
assert_type(at.value_and_grad(loss)(params, x), tuple[np.float64, Params])
assert_type(
    at.value_and_grad(with_aux, has_aux=True)(params, x), tuple[tuple[np.float64, str], Params]
)
assert_type(at.value_and_grad(loss, argnums=1)(params, x), tuple[np.float64, Any])
assert_type(at.grad(at.grad(lambda t: np.sin(t)))(1.0), Any)
assert_type(at.grad(np.sin)(1.0), Any)
assert_type(at.elementwise_grad(vector)(np.ones(3)), Array)

# Mistakes that a checker finds: each comment is an error if there is no mistake.
wrong: list[Callable[[], Any]] = [
    lambda: at.grad(loss)(params),  # type: ignore[call-arg]
    lambda: at.jit(loss)(params, "x"),  # type: ignore[arg-type]
    lambda: at.vmap(vector)(1, 2),  # type: ignore[call-arg, arg-type]
    lambda: at.explain(vector, mode="sideways"),  # type: ignore[arg-type]
]


# Compiled functions.
@at.jit
def model(x: Array, n: int = 2) -> Array:
    return x**n


@at.jit(static_argnames="n")
def power(x: Array, n: int) -> Array:
    return x**n


assert_type(model(np.ones(3)), Array)
assert_type(power(np.ones(3), n=3), Array)
assert_type(at.jit(at.value_and_grad(loss))(params, x), tuple[np.float64, Params])
assert_type(model.stats(), dict[str, int])
assert_type(at.checkpoint(vector)(np.ones(3)), Array)
assert_type(at.checkpoint(policy=at.checkpoint_policies.dots_saveable)(vector)(np.ones(3)), Array)

# Batching, in any order with the others.
assert_type(at.vmap(vector)(x), Array)
assert_type(at.vmap(at.grad(loss), in_axes=(None, 0))(params, x), Params)
assert_type(at.jit(at.vmap(at.grad(lambda v: np.sum(v**2))))(x), Any)

# Forward and reverse mode.
assert_type(at.jvp(vector, (np.ones(3),), (np.ones(3),)), tuple[Array, Array])
out, pull = at.vjp(vector, np.ones(3))
assert_type(out, Array)
assert_type(pull(np.ones(3)), tuple[Any, ...])
value, push = at.linearize(vector, np.ones(3))
assert_type(value, Array)
assert_type(push(np.ones(3)), Array)
assert_type(at.vjp(with_aux, params, x, has_aux=True)[2], str)
assert_type(at.hessian(loss)(params, x), Any)
assert_type(at.jacfwd(vector)(np.ones(3)), Any)
assert_type(at.stop_gradient(params), Params)


# Rules of one's own.
@at.custom_jvp
def clipped(x: Array, low: float) -> Array:
    return np.maximum(x, low)


@clipped.defjvp
def clipped_jvp(primals: tuple[Array, float], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    return clipped(*primals), tangents[0]


@at.custom_vjp
def doubled(x: Array) -> Array:
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda residuals, ct: (2 * ct,))

assert_type(clipped(np.ones(3), 0.5), Array)
assert_type(doubled(np.ones(3)), Array)

# Looking.
jaxpr = at.make_jaxpr(loss)(params, x)
assert_type(len(jaxpr.eqns), int)
assert_type(jaxpr.to_svg(), str)
assert_type(at.make_jaxpr(loss, return_shape=True)(params, x)[1], Any)
assert_type(model.explain(np.ones(3)).to_dot(), str)
assert_type(at.explain(vector, mode="reverse")(np.ones(3)).mode, str)
