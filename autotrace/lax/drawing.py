"""NumPy's random generators in programs: each call of a program draws anew.

A generator's state is no array. Where a function draws from one while it is traced (from what
``generators`` has put in its place), the program gets a step ``draw``, which draws from the
generator itself when the program runs: the same numbers, in the same order, as without a program.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import SUPPORTED_DTYPES, ShapedArray, make_aval
from ..core.errors import NonDifferentiableError, located
from ..core.primitive import Primitive
from ..core.trace import Tracer, get_aval, innermost_staging
from ..transforms.batch import Axis
from .bodies import present

REMEDY = (
    "What to do: use autotrace.random, whose keys are arrays: autotrace.random.normal(key, ...); "
    "or draw outside\nand pass the numbers."
)

#: The distributions' parameters, which may be traced; ``size`` follows them.
_PARAMETERS = {
    name: tuple(parameters.split())
    for name, parameters in {
        "beta": "a b",
        "binomial": "n p",
        "chisquare": "df",
        "dirichlet": "alpha",
        "exponential": "scale",
        "f": "dfnum dfden",
        "gamma": "shape scale",
        "geometric": "p",
        "gumbel": "loc scale",
        "hypergeometric": "ngood nbad nsample",
        "integers": "low high",
        "laplace": "loc scale",
        "logistic": "loc scale",
        "lognormal": "mean sigma",
        "logseries": "p",
        "multinomial": "n pvals",
        "multivariate_hypergeometric": "colors nsample",
        "multivariate_normal": "mean cov",
        "negative_binomial": "n p",
        "noncentral_chisquare": "df nonc",
        "noncentral_f": "dfnum dfden nonc",
        "normal": "loc scale",
        "pareto": "a",
        "poisson": "lam",
        "power": "a",
        "randint": "low high",
        "rayleigh": "scale",
        "seed": "seed",
        "standard_gamma": "shape",
        "standard_t": "df",
        "triangular": "left mode right",
        "uniform": "low high",
        "vonmises": "mu kappa",
        "wald": "mean scale",
        "weibull": "a",
        "zipf": "a",
    }.items()
}
_WITHOUT_PARAMETERS = (
    "bytes choice permutation permuted rand randn random random_integers random_sample "
    "standard_cauchy standard_exponential standard_normal tomaxint"
).split()
#: Those that count.
_COUNTS = frozenset(
    "binomial geometric hypergeometric integers logseries multinomial multivariate_hypergeometric "
    "negative_binomial poisson randint zipf".split()
)
#: Which parameter's last dimension is that of a sample.
_VECTORS = {"dirichlet": 0, "multinomial": 1, "multivariate_hypergeometric": 0,
            "multivariate_normal": 0}  # fmt: skip


def global_generator() -> Any:
    """What ``numpy.random.normal`` and its like are methods of."""
    return np.random.get_state.__self__  # type: ignore[attr-defined]


class Draw:
    """One call of a generator's method.

    Args:
      generator: what is drawn from.
      name: the method's.
      args, kwargs: its arguments, with an ``Ellipsis`` where an operand goes.
    """

    #: How many draws from NumPy's global generator programs have made.
    of_global = 0

    def __init__(self, generator: Any, name: str, args: tuple, kwargs: dict[str, Any]):
        self.generator = generator
        self.name = name
        self.args = args
        self.kwargs = kwargs
        self._key = (id(generator), name, repr(args), repr(kwargs))

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Draw) and self._key == other._key and self._plain() and other._plain()
        )

    def __hash__(self) -> int:
        return hash(self._key)

    def _plain(self) -> bool:
        """Whether ``repr`` says all of the arguments."""
        given = (*self.args, *self.kwargs.values())
        return all(isinstance(x, int | float | str | tuple | types.EllipsisType) for x in given)

    def __repr__(self) -> str:
        return f"{type(self.generator).__name__}.{self.name}"

    def __call__(self, *operands: Any) -> Any:
        given = iter(operands)
        args = [next(given) if x is ... else x for x in self.args]
        kwargs = {k: next(given) if x is ... else x for k, x in self.kwargs.items()}
        Draw.of_global += self.generator is global_generator()
        return getattr(self.generator, self.name)(*args, **kwargs)

    def __reduce__(self) -> Any:
        raise TypeError(f"it draws from a {type(self.generator).__name__} of this process")


#: Calls a generator's method. ``result``: the type of what it returns, None for nothing.
draw_p = Primitive("draw", multiple_results=True, effectful=True)


@draw_p.def_impl
def _draw_impl(*operands: Any, draw: Draw, result: ShapedArray | None) -> list[Any]:
    out = draw(*operands)
    return [] if result is None else [np.asarray(out, result.dtype)[()]]


draw_p.def_abstract(lambda *avals, draw, result: [] if result is None else [result])


@draw_p.def_jvp_call
def _draw_jvp(linear: bool, primals: Any, tangents: Any, **params: Any) -> tuple:
    if any(present(tangents)):
        raise NonDifferentiableError(
            located(
                f"a derivative of what {params['draw']} draws was asked for, with respect to its "
                "parameters: what NumPy's generators draw is a constant to derivatives",
                "What to do: draw standard numbers, as in loc + scale * rng.standard_normal(); use "
                "autotrace.random,\nwhose samples have derivatives; or stop_gradient the "
                "parameters.",
            )
        )
    outs = draw_p.bind(*primals, **params)
    return outs, [None] * len(outs)


@draw_p.def_batch
def _draw_batch(axis: Axis, args: Any, dims: Any, *, draw: Draw, result: Any) -> tuple:
    if any(d is not None for d in dims):
        raise TypeError(
            located(
                f"vmap: {draw} got a parameter that differs between examples; what NumPy's "
                "generators draw is shared by all of them",
                REMEDY,
            )
        )
    outs = draw_p.bind(*args, draw=draw, result=result)
    return outs, [None] * len(outs)


#: What traces a function as a whole, each step of which runs once.
_WHOLE = ("jit", "make_jaxpr", "eval_shape", "explain")

# --- drawing -----------------------------------------------------------------------------------


def draw(generator: Any, name: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Call a method of a generator: at once, or where a program is being traced in each of its
    runs.

    Raises:
      TypeError: in the body of a loop and the like, which may run more or less often than Python
        would; and for what is no array of numbers.
    """
    method = getattr(generator, name)
    trace = innermost_staging()
    if trace is None:
        return method(*args, **kwargs)
    what = f"{type(generator).__name__}.{name}"
    if trace.transform not in _WHOLE:
        raise TypeError(
            located(
                f"{what} is called in a function that {trace.transform} takes, which may run more "
                "often than it is called: for derivatives, for one",
                REMEDY,
            )
        )
    out = kwargs.pop("out", None)
    if out is not None:
        kwargs.setdefault("dtype", out.dtype)
        kwargs["size"] = out.shape
        out[...] = draw(generator, name, args, kwargs)
        return out
    if name in _OF_ARRAYS:
        of = args[0] if args else kwargs.get("x", kwargs.get("a"))
        if isinstance(of, Tracer) or name == "shuffle":
            return _OF_ARRAYS[name](generator, *args, **kwargs)
    operands: list[Any] = []
    named = _PARAMETERS.get(name, ())

    def taken(x: Any, parameter: str) -> Any:
        if isinstance(x, Tracer):
            x = x.captured()
        if isinstance(x, Tracer):
            if parameter not in named and not (name == "choice" and parameter == "p"):
                raise TypeError(
                    located(f"{what}: {parameter} must be known while the function is traced")
                )
            operands.append(x)
            return ...
        return np.array(x) if isinstance(x, np.ndarray) else x

    positional = (*named, "size") if named else ("a", "size", "replace", "p")
    template = tuple(taken(x, positional[min(n, len(positional) - 1)]) for n, x in enumerate(args))
    keywords = {k: taken(x, k) for k, x in kwargs.items()}
    step = Draw(generator, name, template, keywords)
    result, weak = (
        _type_of_traced(step, operands) if operands and named else _type_of(step, operands)
    )
    outs = draw_p.bind(*operands, draw=step, result=result)
    if result is None:
        return None
    return outs[0].weaken() if weak else outs[0]


def _type_of(step: Draw, operands: list[Any]) -> tuple[ShapedArray | None, bool]:
    """The type of what is drawn, by drawing it from a copy; and whether it is a Python number."""
    likely = [np.full(x.shape, 1.0 / x.shape[0]) for x in operands]  # the ``p`` of ``choice``
    trial = Draw(copy.deepcopy(step.generator), step.name, step.args, step.kwargs)
    sample = trial(*likely)
    if sample is None:
        return None, False
    value = np.asarray(sample)
    if value.dtype not in SUPPORTED_DTYPES:
        raise TypeError(
            located(f"{step} draws what is no array of numbers: {type(sample).__name__}", REMEDY)
        )
    return make_aval(value.shape, value.dtype), type(sample) in (float, int)


def _type_of_traced(step: Draw, operands: list[Any]) -> tuple[ShapedArray | None, bool]:
    """As ``_type_of``, where parameters are not known."""
    name, named = step.name, _PARAMETERS[step.name]
    if name == "seed":
        return None, False
    given = dict(zip((*named, "size"), step.args, strict=False)) | step.kwargs
    rest = iter(operands)
    shapes = [get_aval(next(rest)).shape if x is ... else np.shape(x)
              for x in (given[p] for p in given if p in named)]  # fmt: skip
    order = [p for p in given if p in named]
    event: tuple[int, ...] = ()
    if name in _VECTORS:
        vector = named[_VECTORS[name]]
        event = shapes[order.index(vector)][-1:]
        inner = {vector: 1, "cov": 2}
        shapes = [s[: len(s) - inner.get(p, 0)] for p, s in zip(order, shapes, strict=True)]
    size = given.get("size")
    shape = np.broadcast_shapes(*shapes) if size is None else size
    shape = tuple(np.atleast_1d(np.asarray(shape, int)).tolist())
    whole = given.get("dtype", np.int64) if name in _COUNTS else np.float64
    scalar = size is None and not shape and not event and name != "integers"
    return make_aval((*shape, *event), np.dtype(whole)), scalar


def _permutation(generator: Any, x: Any, axis: int = 0) -> Any:
    return np.take(x, _order(generator, x, axis), axis=axis)


def _order(generator: Any, x: Any, axis: int) -> Any:
    return draw(generator, "permutation", (np.shape(x)[axis],), {})


def _shuffle(generator: Any, x: Any, axis: int = 0) -> None:
    if not isinstance(x, Tracer):
        raise TypeError(
            located(
                f"{type(generator).__name__}.shuffle takes an array of the traced function's own, "
                f"got {type(x).__name__}, which a program cannot write into",
                "What to do: use permutation, which returns a new array.",
            )
        )
    x[...] = _permutation(generator, x, axis)  # type: ignore[index]


def _permuted(generator: Any, x: Any, axis: int | None = None, **_: Any) -> Any:
    shape = np.shape(x)
    if axis is None:
        places = np.arange(np.prod(shape, dtype=int)).reshape(shape)
        return np.take(x, draw(generator, "permuted", (places,), {}))
    along = [1] * len(shape)
    along[axis] = shape[axis]
    places = np.broadcast_to(np.arange(shape[axis]).reshape(along), shape)
    order = draw(generator, "permuted", (places,), {"axis": axis})
    return np.take_along_axis(x, order, axis)


def _choice(generator: Any, a: Any, size: Any = None, replace: bool = True, p: Any = None,
            axis: int = 0, shuffle: bool = True) -> Any:  # fmt: skip
    if not np.shape(a):
        raise TypeError(located("choice: the number a must be known while the function is traced"))
    more = {"shuffle": shuffle} if isinstance(generator, np.random.Generator) else {}
    given = {"size": size, "replace": replace, "p": p, **more}
    places = draw(generator, "choice", (np.shape(a)[axis],), given)
    return np.take(a, places, axis=axis)


#: What draws places in an array, which is differentiable in the array.
_OF_ARRAYS: dict[str, Callable[..., Any]] = {
    "permutation": _permutation,
    "shuffle": _shuffle,
    "permuted": _permuted,
    "choice": _choice,
}

#: The methods that draw.
DRAWS = frozenset([*_PARAMETERS, *_WITHOUT_PARAMETERS, "shuffle"])
