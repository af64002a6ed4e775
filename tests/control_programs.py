"""Random nests of loops and branches, each of which can also run as plain Python.

A program is written against the six functions of control flow, and so runs with those of
``autotrace.lax`` as well as with ``Unrolled``, whose loops and ifs are Python's.

Rounding is kept under control by construction: floats stay within 3, and no operation is steeper
than 1 in the maximum norm, so errors add up and do not multiply, however many turns a loop takes.
What depends on a float jumping (a branch, another turn) is kept with its distance from the jump.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

import autotrace as at
import autotrace.numpy as anp
from autotrace import lax, tree
from autotrace.core.trace import Tracer

_SIZE = 60
_LARGEST = 3.0


# --- what the functions mean --------------------------------------------------------------------


def _cond(pred: Any, true_fun: Callable, false_fun: Callable, *operands: Any) -> Any:
    return (true_fun if pred else false_fun)(*operands)


def _switch(index: Any, branches: Sequence[Callable], *operands: Any) -> Any:
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def _while_loop(cond_fun: Callable, body_fun: Callable, init_val: Any) -> Any:
    while cond_fun(init_val):
        init_val = body_fun(init_val)
    return init_val


def _fori_loop(lower: Any, upper: Any, body_fun: Callable, init_val: Any) -> Any:
    for i in range(int(lower), int(upper)):
        init_val = body_fun(np.int64(i), init_val)
    return init_val


def _scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: Any = 1,
) -> Any:
    leaves = tree.leaves(xs)
    length = len(leaves[0]) if leaves else length
    if not length:
        _, y = f(init, tree.map(lambda x: np.zeros(x.shape[1:], x.dtype)[()], xs))
        return init, tree.map(lambda y: np.zeros((0, *np.shape(y)), y.dtype), y)
    ys: list[Any] = [None] * length
    for i in reversed(range(length)) if reverse else range(length):
        init, ys[i] = f(init, tree.map(lambda x, i=i: x[i], xs))
    return init, tree.map(lambda *rows: np.stack(rows), *ys)


def _map(f: Callable, xs: Any, batch_size: int | None = None) -> Any:
    return _scan(lambda _, x: (None, f(x)), None, xs)[1]


#: The functions of control flow in plain Python.
UNROLLED = SimpleNamespace(
    cond=_cond, switch=_switch, while_loop=_while_loop, fori_loop=_fori_loop, scan=_scan, map=_map
)


# --- programs -----------------------------------------------------------------------------------


class ControlProgram:
    """A random program: ``inputs``, and a function ``run`` of control flow and of them, which does
    the same each time it is called.

    Args:
      seed: what it is made from.
      depth: how deep loops and branches may be nested.
      length: how many operations to draw for a block, at least and at most.
      kinds: the dtypes of its inputs after the first, which is float64.
      single: the dtype it has in place of float32; float64 where differences are taken.
    """

    def __init__(
        self,
        seed: int,
        depth: int = 3,
        length: tuple[int, int] = (2, 5),
        kinds: Sequence[str] = ("float64", "float64", "int64", "bool", "float32"),
        single: str = "float32",
    ):
        self.depth = depth
        self.length = length
        self.single = single
        rng = np.random.default_rng(seed)
        self._seed_of_run = int(rng.integers(1 << 60))
        base = _shape(rng)
        self.inputs = []
        for place in range(int(rng.integers(2, 5))):
            shape = base if rng.random() < 0.5 else _shape(rng)
            kind = str(rng.choice(kinds)) if place else "float64"
            self.inputs.append(self.data(rng, shape, kind))
        #: How far the floats that were compared were from what they were compared with.
        self.margins: list[float] = []

    def data(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> Any:
        """A random array, 0-d ones as NumPy scalars."""
        if kind == "bool":
            return np.asarray(rng.random(shape) < 0.5)[()]
        if kind == "int64":
            return np.asarray(rng.integers(-4, 8, shape))[()]
        kind = self.single if kind == "float32" else kind
        return np.asarray(rng.uniform(-1.5, 1.5, shape), kind)[()]

    def run(self, control: Any, *inputs: Any) -> list[Any]:
        block = _Block(self, control, self._seed_of_run, list(inputs), self.depth)
        block.fill()
        count = int(block.rng.integers(1, 4))
        return [block.pool[-1], *(block.pick() for _ in range(count))]

    @property
    def is_exact(self) -> bool:
        """Whether no number in it has only float32's precision."""
        return self.single == "float64" or all(x.dtype != np.float32 for x in self.inputs)


def _shape(rng: np.random.Generator) -> tuple[int, ...]:
    rank = int(rng.choice(4, p=[0.2, 0.4, 0.3, 0.1]))
    return tuple(map(int, rng.choice(5, rank, p=[0.04, 0.11, 0.25, 0.35, 0.25])))


def _is_float(x: Any) -> bool:
    return x.dtype.kind == "f"


def _mean(x: Any, axis: Any = None) -> Any:
    """Without NaN for no numbers."""
    count = math.prod(x.shape) if axis is None else x.shape[axis]
    return anp.sum(x, axis=axis) / x.dtype.type(max(count, 1))


class _Block:
    """Straight code: a pool of values, to which operations add.

    The draws depend on the seed and on shapes and dtypes only, so a loop's body is the same at
    each turn and whoever traces it.
    """

    def __init__(self, program: ControlProgram, control: Any, seed: int, pool: list, depth: int):
        self.program = program
        self.control = control
        self.rng = np.random.default_rng(seed)
        self.pool = pool
        self.depth = depth
        if not any(map(_is_float, pool)):
            self.pool.append(program.data(self.rng, (), "float64"))

    # --- drawing --------------------------------------------------------------------------------

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def choice(self, *options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def pick(self, test: Callable[[Any], bool] = lambda x: True) -> Any:
        """A value from the pool, late ones more often."""
        found = [x for x in self.pool if test(x)]
        if not found:
            return None
        return found[len(found) - 1 - int(len(found) * self.rng.random() ** 1.7)]

    def float(self) -> Any:
        return self.pick(_is_float)

    def integer(self, below: int) -> Any:
        """A whole number from 0, traced where there is one in the pool."""
        x = self.pick(lambda x: x.dtype == np.int64)
        if x is None or self.chance(0.2):
            return np.int64(self.rng.integers(below))
        return (x if not x.shape else anp.sum(x)) % np.int64(below)

    def truth(self) -> Any:
        """A 0-d bool: a value, a comparison of whole numbers, or of a float."""
        x = self.pick(lambda x: x.dtype == np.bool_) if self.chance(0.4) else None
        if x is not None:
            return x if not x.shape else anp.any(x)
        if self.chance(0.5):
            return self.integer(4) < np.int64(self.rng.integers(1, 4))
        return self.above(self.float(), float(np.round(self.rng.normal() * 0.3, 3)) + 1e-4 * math.e)

    def above(self, x: Any, threshold: float) -> Any:
        mean = _mean(x)
        if not isinstance(mean, Tracer):
            self.program.margins.append(abs(float(mean) - threshold))
        return mean > mean.dtype.type(threshold)

    def fit(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """A value of a shape and dtype, made of one of the pool."""
        x = self.pick(lambda x: x.shape == shape and x.dtype == dtype)
        if x is not None and self.chance(0.8):
            return x
        kind = np.dtype(dtype).kind
        if kind == "b":
            x = self.truth()
        elif kind == "i":
            x = self.integer(8)
        else:
            x = self.pick(lambda x: x.dtype.kind in "fib")
            if not _is_float(x):
                x = (x & x.dtype.type(3)) * 0.5
            x = anp.astype(_mean(x), dtype)
        return anp.broadcast_to(x, shape) if shape else x

    # --- operations -----------------------------------------------------------------------------

    def fill(self) -> None:
        names, weights = zip(*_WEIGHTS.items(), strict=True)
        p = [w * (self.depth > 0 or n not in _CONTROL) for n, w in zip(names, weights, strict=True)]
        p = [w / sum(p) for w in p]
        drawn = self.rng.choice(names, int(self.rng.integers(*self.program.length)), p=p)
        if self.depth == self.program.depth:  # the outermost block is never without
            drawn = [*drawn, self.choice(*_CONTROL)]
        for name in drawn:
            made = tree.leaves(getattr(self, str(name))())
            self.pool += [x for x in made if math.prod(x.shape) <= _SIZE]

    def unary(self) -> Any:
        x = self.float()
        one = x.dtype.type(1)
        return self.choice(
            lambda: anp.tanh(x),
            lambda: anp.sin(x),
            lambda: -x,
            lambda: x * x.dtype.type(0.5),
            lambda: one / (one + x * x),
            lambda: anp.exp(-x * x),
            lambda: anp.sqrt(one + x * x) - one,
            lambda: x[..., ::-1] if x.shape else x,
            lambda: x.T,
        )()

    def binary(self) -> Any:
        a = self.float()
        b = self.pick(lambda x: x.dtype == a.dtype and self.broadcast(x, a))
        half = a.dtype.type(0.5)
        return self.choice(
            lambda: (a + b) * half,
            lambda: (a - b) * half,
            lambda: a * b / a.dtype.type(2 * _LARGEST),
            lambda: a / (anp.sin(b) + a.dtype.type(2)) * a.dtype.type(0.25),
        )()

    def select(self) -> Any:
        a = self.float()
        b = self.pick(lambda x: x.dtype == a.dtype and x.shape == a.shape)
        which = self.pick(lambda x: x.dtype == np.bool_ and self.broadcast(x, a))
        return anp.where(self.truth() if which is None else which, a, b)

    @staticmethod
    def broadcast(x: Any, y: Any) -> bool:
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            return False
        return True

    def whole(self) -> Any:
        x, k = self.pick(lambda x: x.dtype == np.int64), self.integer(5)
        if x is None:
            return k
        return self.choice(
            lambda: x + k,
            lambda: (x * k) & np.int64(15),
            lambda: anp.maximum(x, k),
            lambda: x > k,
            lambda: (x == k) | self.truth(),
            lambda: anp.sum(x) & np.int64(7),
        )()

    def reduce(self) -> Any:
        x = self.float()
        if not x.shape:
            return anp.stack([x, anp.sin(x)])
        return _mean(x, self.choice(None, int(self.rng.integers(x.ndim))))

    def product(self) -> Any:
        """Of an array and a matrix or vector that fits, or of a matrix and one made of it."""
        x = self.float()
        y = self.pick(
            lambda y: y.ndim in (1, 2) and y.dtype == x.dtype and y.shape[:1] == x.shape[-1:]
        )
        if not x.ndim or y is None:
            rows = x.shape[0] if x.ndim else 1
            x = anp.reshape(x, (rows, math.prod(x.shape[1:])))
            y = anp.cos(x).T
        return anp.dot(x, y) / x.dtype.type(max(x.shape[-1], 1) * 2 * _LARGEST)

    def write(self) -> Any:
        """A copy with an element, a row or a part written over, or added to."""
        x = self.pick(lambda x: x.ndim and x.shape[0] and x.dtype != np.bool_)
        if x is None:
            return self.unary()
        n = x.shape[0]
        place = self.choice(
            lambda: (self.integer(n),),
            lambda: (slice(n // 2),),
            lambda: (slice(None, None, -2),),
            lambda: (..., -1 if x.shape[-1] else slice(0)),
            lambda: (anp.stack([self.integer(n), self.integer(n)]),),
        )()
        shape = at.eval_shape(lambda x: x[place], x).shape
        value = self.fit(shape, x.dtype)
        if x.dtype == np.int64 or self.chance(0.5) or not isinstance(place[0], slice):
            return anp.at(x)[place].set(value)
        return anp.at(x)[place].add(value) * x.dtype.type(0.5)

    def read(self) -> Any:
        """A row, or a part from a computed position on."""
        x = self.pick(lambda x: x.ndim and x.shape[0])
        if x is None:
            return self.unary()
        axis = int(self.rng.choice([d for d in range(x.ndim) if x.shape[d]]))
        n = x.shape[axis]
        if self.chance(0.4):
            return lax.dynamic_index_in_dim(x, self.integer(n), axis, keepdims=self.chance(0.5))
        size = int(self.rng.integers(1, n + 1))
        return lax.dynamic_slice_in_dim(x, self.integer(n - size + 1), size, axis)

    # --- control flow ---------------------------------------------------------------------------

    def structured(self, leaves: Sequence[Any]) -> Any:
        """The leaves in a random pytree."""
        leaves = list(leaves)
        form = int(self.rng.integers(5))
        if form == 0 and len(leaves) == 1:
            return leaves[0]
        if form == 1:
            return {f"k{i}": x for i, x in enumerate(leaves)}
        if form == 2:
            return (leaves[0], {"rest": leaves[1:], "none": None})
        if form == 3:
            return [tuple(leaves), None]
        return tuple(leaves)

    def leaves(self, count: int) -> list[Any]:
        return [self.pick() for _ in range(count)]

    def body(self, outputs: Callable[[_Block, Sequence[Any]], Any], share: bool = True) -> Callable:
        """A function of pytrees: a block of its own over their leaves and, mostly, this block's
        values, whose outputs are what ``outputs(block, leaves)`` makes; now and then within
        another transform."""
        seed = int(self.rng.integers(1 << 60))
        outer = list(self.pool) if share and self.chance(0.8) else []
        wrap = self.choice(at.jit, at.checkpoint) if self.chance(0.1) else lambda f: f

        def function(*args: Any) -> Any:
            leaves = tree.leaves(args)
            block = _Block(
                self.program, self.control, seed, [*outer, *map(_array, leaves)], self.depth - 1
            )
            block.fill()
            return outputs(block, leaves)

        # Those two stage what they get, and Python's loops cannot be staged.
        return function if self.control is UNROLLED else wrap(function)

    def next_carry(self, carry: Any) -> Any:
        """A pytree like the carry, in a body: leaves that stay, change a little or altogether."""

        def leaf(x: Any) -> Any:
            if self.chance(0.15):
                return x
            new = self.fit(np.shape(x), x.dtype)
            if _is_float(x) and self.chance(0.7):
                return (x + new) * x.dtype.type(0.5)
            return x ^ new if x.dtype == np.bool_ else new

        return tree.map(leaf, carry)

    def like(self, avals: Sequence[tuple]) -> Callable:
        def outputs(block: _Block, leaves: Sequence[Any]) -> Any:
            made = [block.fit(shape, dtype) for shape, dtype in avals]
            return block_structure(made)

        form = int(self.rng.integers(1 << 60))

        def block_structure(made: list) -> Any:
            return _Block(self.program, self.control, form, [], 0).structured(made)

        return outputs

    def branches(self, count: int) -> tuple[list[Callable], Any]:
        operands = self.leaves(int(self.rng.integers(0, 3)))
        results = self.leaves(int(self.rng.integers(1, 3)))
        outputs = self.like([(x.shape, x.dtype) for x in results])
        return [self.body(outputs) for _ in range(count)], operands

    def cond(self) -> Any:
        functions, operands = self.branches(2)
        return self.control.cond(self.truth(), *functions, *operands)

    def switch(self) -> Any:
        functions, operands = self.branches(int(self.rng.integers(1, 4)))
        index = self.integer(5) - np.int64(1)
        return self.control.switch(index, functions, *operands)

    def fori_loop(self) -> Any:
        init = self.structured(self.leaves(int(self.rng.integers(1, 4))))
        lower = int(self.rng.integers(-1, 2)) if self.chance(0.5) else self.integer(3)
        upper = int(self.rng.integers(0, 4)) if self.chance(0.5) else self.integer(4)
        step = self.body(lambda block, leaves: block.next_carry(_again(init, leaves[1:])))
        return self.control.fori_loop(lower, upper, step, init)

    def while_loop(self) -> Any:
        """As long as a counter is below a bound and, perhaps, a float's mean above a threshold."""
        main = self.structured(self.leaves(int(self.rng.integers(1, 4))))
        watched, limit = self.float(), self.integer(5)
        threshold = float(np.round(self.rng.uniform(-1, 0.5), 3)) + 1e-4 * math.e
        both = self.chance(0.4)

        def again(state: Any) -> Any:
            go = state["turn"] < limit
            return go & self.above(state["watched"], threshold) if both else go

        def outputs(block: _Block, leaves: Sequence[Any]) -> Any:
            state = _again(init, leaves)
            return {
                **block.next_carry({k: v for k, v in state.items() if k != "turn"}),
                "turn": state["turn"] + np.int64(1),
            }

        init = {"turn": np.int64(0), "watched": watched, "main": main}
        return self.control.while_loop(again, self.body(outputs), init)

    def stacks(self) -> tuple[Any, int]:
        """Arrays to scan over, of one length, or None; and the length."""
        length = int(self.rng.choice(5, p=[0.08, 0.12, 0.3, 0.3, 0.2]))
        made = []
        for _ in range(int(self.rng.choice(3, p=[0.2, 0.5, 0.3]))):
            x = self.pick(lambda x: x.ndim and x.shape[0] == length)
            if x is None or self.chance(0.2):
                x = self.pick()
                if _is_float(x):
                    slopes = np.linspace(-1, 1, length).astype(x.dtype)
                    x = slopes.reshape(length, *(1,) * x.ndim) * x
                else:
                    x = anp.broadcast_to(x, (length, *x.shape))
            made.append(x)
        return (self.structured(made) if made else None), length

    def scan(self) -> Any:
        xs, length = self.stacks()
        count = int(self.rng.integers(0, 4)) if tree.leaves(xs) else int(self.rng.integers(1, 4))
        init = self.structured(self.leaves(count)) if count else self.choice(None, (), {})
        outs = int(self.rng.integers(0, 3))

        def outputs(block: _Block, leaves: Sequence[Any]) -> Any:
            carry = block.next_carry(_again(init, leaves[:count]))
            ys = block.leaves(outs) if outs else block.choice(None, ())
            return carry, ys

        options = {"reverse": self.chance(0.4), "unroll": self.choice(1, 1, 2, 3, True)}
        if xs is None or self.chance(0.3):
            options["length"] = length
        return self.control.scan(self.body(outputs), init, xs, **options)

    def map(self) -> Any:
        xs, _ = self.stacks()
        if not tree.leaves(xs):
            return self.scan()
        options = {"batch_size": int(self.rng.integers(1, 4))} if self.chance(0.4) else {}
        return self.control.map(
            self.body(lambda block, leaves: block.structured(block.leaves(2))), xs, **options
        )


def _array(x: Any) -> Any:
    return x if isinstance(x, Tracer) else np.asarray(x)[()]


def _again(like: Any, leaves: Sequence[Any]) -> Any:
    """The leaves in the structure of another pytree."""
    return tree.unflatten(tree.structure(like), list(leaves))


_CONTROL = ("cond", "switch", "fori_loop", "while_loop", "scan", "map")
_WEIGHTS = {
    "unary": 4, "binary": 4, "select": 1, "whole": 2.5, "reduce": 1.5, "product": 1.5, "write": 2,
    "read": 1.5, "cond": 1, "switch": 0.8, "fori_loop": 1, "while_loop": 1, "scan": 2, "map": 0.8,
}  # fmt: skip
