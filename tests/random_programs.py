"""Random programs over ``autotrace.lax``, with a bound on the rounding error of each value.

Two backends agree on a program only up to rounding, and rounding grows as values are combined.
So each value carries bounds of its magnitude and of its error; what depends on a float jumping
(comparisons, floor, argmax, conversions to integers) is only applied to floats that are exact,
that is, made of inputs without arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autotrace import lax

_LIMIT = 60.0
_SIZE = 400
_KINDS = ("float64", "float32", "int64", "bool", "int32", "complex128")


class Value:
    """A traced array, and bounds: ``size`` of its magnitude, ``error`` of its rounding error."""

    def __init__(self, x: Any, size: float = 0.0, error: float = 0.0):
        self.x = x
        self.size = size
        self.error = error

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.x)

    @property
    def kind(self) -> str:
        return np.dtype(self.x.dtype).name

    @property
    def is_float(self) -> bool:
        return self.kind in ("float64", "float32")

    @property
    def eps(self) -> float:
        return float(np.finfo(self.kind).eps)


class Program:
    """A random program: ``inputs`` of random layouts, and a function ``run`` of them, which does
    the same each time it is called.

    Args:
      seed: what it is made from.
      length: how many operations to draw, at most.
      kinds: the dtypes of its inputs.
      special: whether floating inputs have NaN and infinity among them.
      smooth: whether it may only use operations that have derivatives.
      constants: whether it may have constants.
      rank: that of all its inputs and constants, if given.
    """

    def __init__(
        self,
        seed: int,
        length: tuple[int, int] = (4, 11),
        kinds: Sequence[str] = ("float64", "float64", "float32", "int64", "bool", "int64"),
        special: bool = False,
        smooth: bool = False,
        constants: bool = True,
        rank: int | None = None,
    ):
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.special = special
        self.smooth = smooth
        self.constants = constants
        self.rank = rank
        count = int(self.rng.integers(1, 5))
        base = self.shape()
        self.inputs = []
        for _ in range(count):
            shape = base if self.chance(0.6) else self.shape()
            kind = str(self.rng.choice(kinds))
            if not smooth and self.chance(0.12):
                kind = str(self.rng.choice(_KINDS))
            self.inputs.append(self.layout(self.data(shape, kind)))
        self.length = int(self.rng.integers(*length))
        self._seed_of_run = int(self.rng.integers(1 << 60))
        #: Bounds of the outputs' errors; set by ``run``.
        self.errors: list[float] = []

    # --- data ---------------------------------------------------------------------------------

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def shape(self) -> tuple[int, ...]:
        rank = self.rank
        if rank is None:
            rank = int(self.rng.choice(5, p=[0.1, 0.25, 0.35, 0.2, 0.1]))
        sizes = self.rng.choice(
            [0, 1, 2, 3, 4, 5, 7], rank, p=[0.04, 0.16, 0.2, 0.2, 0.2, 0.1, 0.1]
        )
        return tuple(map(int, sizes))

    def data(self, shape: tuple[int, ...], kind: str) -> np.ndarray:
        rng = self.rng
        if kind == "bool":
            return rng.random(shape) < 0.5
        if kind.startswith("int"):
            x = rng.integers(-9, 10, shape).astype(kind)
            return np.asarray(x)
        x = np.asarray(np.round(rng.uniform(-3, 3, shape), 2))
        if kind == "complex128":
            return x + 1j * np.round(rng.uniform(-3, 3, shape), 2)
        x = np.asarray(x, kind)
        if self.special and x.size:
            for value in (np.nan, np.inf, -np.inf, -0.0):
                if self.chance(0.5):
                    x[tuple(int(rng.integers(n)) for n in shape)] = value
        return x

    def layout(self, x: np.ndarray) -> Any:
        """The same array in another order or with gaps; 0-d also as a NumPy scalar."""
        if not x.ndim:
            return x[()] if self.chance(0.5) else x
        choice = self.rng.integers(5)
        if choice == 1:
            return np.asfortranarray(x)
        if choice == 2:
            wide = np.zeros(tuple(2 * n + 1 for n in x.shape), x.dtype)
            wide[tuple(slice(1, None, 2) for _ in x.shape)] = x
            return wide[tuple(slice(1, None, 2) for _ in x.shape)]
        if choice == 3:
            flip = tuple(slice(None, None, -1) for _ in x.shape)
            return np.ascontiguousarray(x[flip])[flip]
        return x

    # --- the program --------------------------------------------------------------------------

    def run(self, *args: Any) -> list[Any]:
        self.rng = np.random.default_rng(self._seed_of_run)
        self.pool = [self.value_of(x) for x in map(lax_array, args)]
        inputs = list(self.pool)
        constants = []
        for _ in range(int(self.rng.integers(0, 3)) if self.constants else 0):
            shape = self.pick().shape if self.chance(0.6) else self.shape()
            kind = str(self.rng.choice(("float64", "float32", "int64", "bool")))
            constants.append(self.value_of(lax_array(self.layout(self.data(shape, kind)))))
        self.pool += constants
        for _ in range(self.length):
            made = self.step()
            if made is not None and math.prod(made.shape) <= _SIZE:
                self.pool.append(made)
        count = int(self.rng.integers(1, 5))
        recent = self.pool[-max(count, 3) :]
        outs = [self.pool[-1], *(recent[int(self.rng.integers(len(recent)))] for _ in range(count))]
        if self.chance(0.15):
            outs.append(inputs[int(self.rng.integers(len(inputs)))])
        if self.chance(0.1) and constants:
            outs.append(constants[0])
        if self.chance(0.15):
            outs.append(self.flat(inputs[0]))
        self.errors = [max(v.error, 0.0) for v in outs]
        return [v.x for v in outs]

    def value_of(self, x: Any) -> Value:
        v = Value(x)
        v.size = 3.0
        return v

    def pick(self, test: Callable[[Value], bool] = lambda v: True) -> Any:
        found = [v for v in self.pool if test(v)]
        if not found:
            return None
        # Late values more often: deep expressions rather than many shallow ones.
        at = len(found) - 1 - int(len(found) * self.rng.random() ** 1.7)
        return found[at]

    def step(self) -> Value | None:
        names, weights = zip(*_WEIGHTS.items(), strict=True)
        if self.smooth:
            weights = [w * (n not in _NOT_SMOOTH) for n, w in zip(names, weights, strict=True)]
        p = np.asarray(weights, float)
        name = str(self.rng.choice(names, p=p / p.sum()))
        return getattr(self, name)()

    def tame(self, v: Value) -> Value:
        """The value, made small where it or its error might have grown large."""
        if v.size <= _LIMIT and v.error <= 1e4 * v.eps:
            return v
        if v.size <= _LIMIT:
            return Value(lax.tanh(v.x), 1.0, v.error + 8 * v.eps)
        return Value(lax.tanh(lax.mul(v.x, number(v, 1 / v.size))), 1.0,
                     v.error / v.size + 16 * v.eps)  # fmt: skip

    # --- elementwise --------------------------------------------------------------------------

    def unary(self) -> Value | None:
        v = self.pick(lambda v: v.is_float)
        if v is None:
            return None
        v = self.tame(v)
        x, one = v.x, number(v, 1.0)
        eps = 8 * v.eps
        choice = self.rng.integers(13)
        if choice == 0:
            return Value(lax.neg(x), v.size, v.error)
        if choice == 1:
            return Value(lax.tanh(x), 1.0, v.error + eps)
        if choice == 2:
            return Value(lax.sin(x), 1.0, v.error + eps)
        if choice == 3:
            return Value(lax.exp(lax.sin(x)), 3.0, 3 * v.error + 6 * eps)
        if choice == 4:
            return Value(lax.logistic(x), 1.0, v.error + eps)
        if choice == 5:
            size = math.log1p(v.size**2)
            return Value(lax.log1p(lax.mul(x, x)), size, 2 * v.size * v.error + eps * (1 + size))
        if choice == 6:
            squared = lax.add(lax.mul(x, x), one)
            return Value(lax.sqrt(squared), v.size + 1, v.error + eps * (1 + v.size))
        if choice == 7:
            y = int(self.rng.choice([2, 3, -2, -1, 4]))
            base = lax.add(lax.tanh(x), number(v, 2.5))
            return Value(lax.integer_pow(base, y), 160.0, 200 * (v.error + 4 * eps))
        if choice == 8 and not self.smooth:
            return Value(lax.abs(x), v.size, v.error)
        if choice == 9 and not self.smooth and v.error == 0:
            return Value(lax.floor(x), v.size + 1, 0.0)
        if choice == 10:
            return Value(lax.div(x, lax.add(lax.cos(x), number(v, 2.0))), v.size,
                         3 * (1 + v.size) * (v.error + eps))  # fmt: skip
        if choice == 11:
            return Value(lax.mul(x, number(v, 0.5)), v.size / 2, v.error / 2)
        return Value(lax.square(x), v.size**2, 2 * v.size * v.error + eps * v.size**2)

    def pair(self, kinds: Sequence[str]) -> tuple[Value, Value] | None:
        """Two values that fit: of one shape, made so by broadcasting, or one a scalar."""
        a = self.pick(lambda v: v.kind in kinds)
        if a is None:
            return None
        same = [v for v in self.pool if v.kind == a.kind]
        b = same[int(self.rng.integers(len(same)))]
        if a.shape != b.shape and a.shape and b.shape:
            both = self.broadcast_pair(a, b)
            if both is None:
                b = self.pick(lambda v: v.kind == a.kind and v.shape == a.shape)
                return a, b
            return both
        return (a, b) if self.chance(0.5) else (b, a)

    def broadcast_pair(self, a: Value, b: Value) -> tuple[Value, Value] | None:
        try:
            shape = np.broadcast_shapes(a.shape, b.shape)
        except ValueError:
            return None
        out = []
        for v in (a, b):
            dims = range(len(shape) - len(v.shape), len(shape))
            x = lax.broadcast_in_dim(v.x, shape, tuple(dims)) if v.shape != shape else v.x
            out.append(Value(x, v.size, v.error))
        return out[0], out[1]

    def binary(self) -> Value | None:
        pair = self.pair(("float64", "float32"))
        if pair is None:
            return None
        a, b = map(self.tame, pair)
        eps = 2 * a.eps
        choice = self.rng.integers(8)
        if choice <= 1:
            return Value(lax.add(a.x, b.x), a.size + b.size, a.error + b.error + eps * 2 * _LIMIT)
        if choice == 2:
            return Value(lax.sub(a.x, b.x), a.size + b.size, a.error + b.error + eps * 2 * _LIMIT)
        size = a.size * b.size
        if choice <= 4:
            error = a.size * b.error + b.size * a.error + eps * size
            return Value(lax.mul(a.x, b.x), size, error)
        if choice == 5 and not self.smooth:
            return Value(lax.max(a.x, b.x), max(a.size, b.size), max(a.error, b.error))
        if choice == 6 and not self.smooth:
            return Value(lax.min(a.x, b.x), max(a.size, b.size), max(a.error, b.error))
        below = lax.add(lax.logistic(b.x), number(b, 0.5))
        return Value(
            lax.div(a.x, below), 2 * a.size, 4 * (1 + a.size) * (a.error + b.error + 8 * eps)
        )

    def integers(self) -> Value | None:
        pair = self.pair(("int64", "int32"))
        if pair is None:
            return None
        a, b = (v.x for v in pair)
        choice = self.rng.integers(11)
        if choice == 10:
            return Value(lax.integer_pow(a, int(self.rng.integers(2, 5))))
        if choice >= 8:
            return Value((lax.neg, lax.bitwise_not)[choice - 8](a))
        function = (
            lax.add, lax.sub, lax.mul, lax.bitwise_and, lax.bitwise_or, lax.bitwise_xor,
            lax.max, lax.min,
        )[choice]  # fmt: skip
        return Value(function(a, b))

    def bools(self) -> Value | None:
        pair = self.pair(("bool",))
        if pair is None:
            return None
        a, b = (v.x for v in pair)
        choice = self.rng.integers(7)
        if choice == 6:
            return Value(lax.bitwise_not(a))
        functions = (lax.bitwise_and, lax.bitwise_or, lax.bitwise_xor, lax.eq, lax.ne, lax.lt)
        return Value(functions[choice](a, b))

    def compare(self) -> Value | None:
        pair = self.pair(("int64", "int32", "float64", "float32"))
        if pair is None or any(v.error for v in pair):
            return None
        a, b = (v.x for v in pair)
        functions = (lax.eq, lax.ne, lax.lt, lax.le, lax.gt, lax.ge)
        choice = self.rng.integers(7)
        if choice == 6:
            return Value(lax.is_nan(a)) if pair[0].is_float else None
        return Value(functions[choice](a, b))

    def complexes(self) -> Value | None:
        if self.chance(0.5):
            v = self.pick(lambda v: v.kind == "float64")
            if v is None:
                return None
            v = self.tame(v)
            return Value(lax.complex(v.x, lax.neg(v.x)), v.size, v.error)
        v = self.pick(lambda v: v.kind == "complex128")
        if v is None:
            return None
        if self.chance(0.3):
            return Value(lax.conj(v.x), v.size, v.error)
        return Value((lax.real if self.chance(0.5) else lax.imag)(v.x), v.size, v.error)

    def select(self) -> Value | None:
        which = self.pick(lambda v: v.kind == "bool")
        pair = None if which is None else self.pair(_KINDS)
        if pair is None:
            return None
        a, b = pair
        shape = a.shape or b.shape
        if which.shape not in ((), shape):
            return None
        a, b = (
            Value(
                lax.broadcast_in_dim(v.x, shape, ()) if v.shape != shape else v.x, v.size, v.error
            )
            for v in (a, b)
        )
        return Value(lax.select(which.x, a.x, b.x), max(a.size, b.size), max(a.error, b.error))

    def convert(self) -> Value | None:
        v = self.pick()
        kind = str(self.rng.choice(("float64", "float32", "int64", "bool", "int32")))
        if v.is_float:
            if kind in ("int64", "int32") and (v.error or self.special or v.size > 1e6):
                return None
            if kind == "bool" and v.error:
                return None
            if kind == "float32" and v.kind == "float64":
                v = self.tame(v)
                error = v.error + 1.2e-7 * v.size
                return Value(lax.convert_element_type(v.x, kind), v.size, error)
        elif v.kind == "complex128" or (v.kind in ("int64", "int32") and kind.startswith("float")):
            # Integers may have wrapped around: to a float only what is small.
            if v.kind == "complex128":
                return None
            small = lax.bitwise_and(v.x, number(v, 15))
            return Value(lax.convert_element_type(small, kind), 15.0, 0.0)
        return Value(lax.convert_element_type(v.x, kind), max(v.size, 1.0), v.error)

    # --- shapes -------------------------------------------------------------------------------

    def flat(self, v: Value) -> Value:
        return Value(lax.reshape(v.x, (math.prod(v.shape),)), v.size, v.error)

    def broadcast(self) -> Value | None:
        v = self.pick(lambda v: len(v.shape) < 4)
        if v is None:
            return None
        rank = int(self.rng.integers(len(v.shape), 5))
        dims = tuple(sorted(map(int, self.rng.choice(rank, len(v.shape), replace=False))))
        shape = list(map(int, self.rng.choice([1, 2, 3, 4], rank)))
        if self.chance(0.03) and rank > len(v.shape):
            shape = [0] * rank
        for d, n in zip(dims, v.shape, strict=True):
            shape[d] = shape[d] if n == 1 else n
        if math.prod(shape) > _SIZE:
            return None
        return Value(lax.broadcast_in_dim(v.x, tuple(shape), dims), v.size, v.error)

    def reshape(self) -> Value | None:
        v = self.pick()
        left, shape = math.prod(v.shape), []
        if not left:
            shape = list(v.shape)
            self.rng.shuffle(shape)
        else:
            divisors = [n for n in range(1, left + 1) if left % n == 0]
            for _ in range(int(self.rng.integers(0, 4))):
                n = int(self.rng.choice([d for d in divisors if left % d == 0]))
                shape.append(n)
                left //= n
            if left != 1 or self.chance(0.3):
                shape.insert(int(self.rng.integers(len(shape) + 1)), left)
        return Value(lax.reshape(v.x, tuple(shape)), v.size, v.error)

    def transpose(self) -> Value | None:
        v = self.pick(lambda v: len(v.shape) > 1)
        if v is None:
            return None
        order = tuple(map(int, self.rng.permutation(len(v.shape))))
        return Value(lax.transpose(v.x, order), v.size, v.error)

    def slice(self) -> Value | None:
        v = self.pick(lambda v: len(v.shape) > 0)
        if v is None:
            return None
        starts, limits, steps = [], [], []
        for n in v.shape:
            whole = self.chance(0.4)
            start = 0 if whole else int(self.rng.integers(0, n + 1))
            empty_too = start if self.chance(0.1) else min(start + 1, n)
            limit = n if whole else int(self.rng.integers(empty_too, n + 1))
            starts.append(start)
            limits.append(limit)
            steps.append(int(self.rng.integers(1, 4)))
        return Value(lax.slice(v.x, starts, limits, steps), v.size, v.error)

    def rev(self) -> Value | None:
        v = self.pick(lambda v: len(v.shape) > 0)
        if v is None:
            return None
        dims = tuple(d for d in range(len(v.shape)) if self.chance(0.6))
        return Value(lax.rev(v.x, dims), v.size, v.error)

    def pad(self) -> Value | None:
        v = self.pick(lambda v: len(v.shape) > 0)
        if v is None:
            return None
        config = []
        for n in v.shape:
            interior = int(self.rng.choice([0, 0, 0, 1, 2]))
            total = n + max(n - 1, 0) * interior
            low = int(self.rng.integers(-2, 3))
            high = max(int(self.rng.integers(-2, 3)), -(total + low))
            if total + low + high < 0:
                low, high = 0, 0
            config.append((low, high, interior))
        fill = self.pick(lambda o: o.kind == v.kind and not o.shape)
        if fill is None or self.chance(0.5):
            fill = Value(number(v, 1), 1.0)
        return Value(lax.pad(v.x, fill.x, config), max(v.size, fill.size), max(v.error, fill.error))

    def concatenate(self) -> Value | None:
        v = self.pick(lambda v: len(v.shape) > 0)
        if v is None:
            return None
        axis = int(self.rng.integers(len(v.shape)))

        def fits(o: Value) -> bool:
            rest = [n for d, n in enumerate(o.shape) if d != axis]
            mine = [n for d, n in enumerate(v.shape) if d != axis]
            return o.kind == v.kind and len(o.shape) == len(v.shape) and rest == mine

        parts = [v, *(self.pick(fits) for _ in range(int(self.rng.integers(0, 3))))]
        order = [parts[i] for i in self.rng.permutation(len(parts))]
        made = lax.concatenate([o.x for o in order], axis)
        return Value(made, max(o.size for o in parts), max(o.error for o in parts))

    def iota(self) -> Value | None:
        v = self.pick(lambda v: len(v.shape) > 0)
        if v is None or self.smooth:
            return None
        kind = str(self.rng.choice(("float64", "float32", "int64", "int32")))
        made = lax.broadcasted_iota(np.dtype(kind), v.shape, int(self.rng.integers(len(v.shape))))
        return Value(made, float(max(v.shape)), 0.0)

    # --- reductions and host steps ------------------------------------------------------------

    def reduce(self) -> Value | None:
        v = self.pick(lambda v: len(v.shape) > 0 and v.kind != "complex128")
        if v is None:
            return None
        axes = tuple(d for d in range(len(v.shape)) if self.chance(0.5)) or (len(v.shape) - 1,)
        count = math.prod(v.shape[d] for d in axes)
        if v.kind == "bool":
            return Value((lax.reduce_and if self.chance(0.5) else lax.reduce_or)(v.x, axes))
        choice = int(self.rng.integers(6))
        if not v.is_float:
            if choice <= 2:
                return Value(lax.reduce_sum(v.x, axes))
            if choice == 3:
                return Value(lax.reduce_prod(v.x, axes))
        if choice <= 2:
            v = self.tame(v)
            error = count * (v.error + 8 * v.eps * v.size * max(1, math.log2(count + 1)))
            return Value(
                lax.reduce_sum(v.x, axes), v.size * count, error + count**2 * v.eps * v.size
            )
        if choice == 3 and v.is_float:
            v = self.tame(v)
            near_one = lax.add(lax.mul(lax.tanh(v.x), number(v, 0.01)), number(v, 1.0))
            size = 1.01**count
            error = count * size * (0.01 * v.error + 8 * v.eps)
            return Value(lax.reduce_prod(near_one, axes), size, error)
        if not count or (self.smooth and choice > 3):
            return None
        function = lax.reduce_max if choice == 4 else lax.reduce_min
        return Value(function(v.x, axes), v.size, v.error)

    def windows(self) -> Value | None:
        v = self.pick(lambda v: len(v.shape) > 0 and v.kind != "complex128")
        if v is None:
            return None
        window, strides, dilation = (
            tuple(map(int, self.rng.integers(1, most, len(v.shape)))) for most in (4, 3, 3)
        )
        padding = [tuple(map(int, self.rng.integers(0, 3, 2))) for _ in window]
        v = self.tame(v) if v.is_float else v
        count = math.prod(window)
        choice = int(self.rng.integers(3))
        if v.kind == "bool":
            function, init = (lax.bitwise_and, True) if choice else (lax.bitwise_or, False)
        elif choice and not self.smooth:
            # What is padded with is as good as any element.
            function, init = (lax.max, -2.0) if choice == 1 else (lax.min, 2.0)
        else:
            function, init = lax.add, 0.0
        init = number(v, init)
        made = lax.reduce_window(v.x, init, function, window, strides, padding, None, dilation)
        if math.prod(made.shape) > _SIZE:
            return None
        if not v.is_float or function is not lax.add:
            return Value(made, max(v.size, 2.0), v.error)
        return Value(made, v.size * count, count * v.error + count**2 * 8 * v.eps * v.size)

    def host(self) -> Value | None:
        choice = int(self.rng.integers(4))
        v = self.pick(lambda v: len(v.shape) > 0 and v.kind not in ("bool", "complex128"))
        if v is None:
            return None
        axis = int(self.rng.integers(len(v.shape)))
        if choice == 0 and (not v.is_float or v.error == 0) and v.shape[axis]:
            return Value(lax.argmax(v.x, axis), float(v.shape[axis]))
        if choice == 1:
            v = self.tame(v) if v.is_float else v
            n = v.shape[axis]
            error = n * v.error + (n**2 * 4 * v.eps * v.size if v.is_float else 0)
            return Value(lax.cumsum(v.x, axis, reverse=self.chance(0.3)), v.size * n, error)
        if choice == 2 and v.shape[axis]:
            index = self.rng.integers(0, v.shape[axis], int(self.rng.integers(0, 4)))
            return Value(lax.gather(v.x, [index], (axis,)), v.size, v.error)
        v = self.pick(lambda v: v.is_float and len(v.shape) == 2)
        if v is None:
            return None
        v = self.tame(v)
        n = v.shape[1]
        made = lax.dot_general(v.x, v.x, (((1,), (1,)), ((), ())))
        error = n * (2 * v.size * v.error + 4 * n * v.eps * v.size**2)
        return Value(made, n * v.size**2, error)

    # --- loops and branches -------------------------------------------------------------------

    def control(self) -> Value | None:
        """A loop or a choice, small, whose body is contracting: so a bound of the error of a turn
        bounds that of any number of turns."""
        v = self.pick(lambda v: v.is_float)
        if v is None:
            return None
        v = self.tame(v)
        half, eps = number(v, 0.5), 8 * v.eps

        def turn(c: Any, x: Any) -> Any:
            return lax.tanh(lax.add(lax.mul(c, half), x))

        choice = int(self.rng.integers(4))
        turns = int(self.rng.integers(0, 4))
        error = 2 * (v.error + eps * (v.size + 1))
        if choice == 0:
            made = lax.fori_loop(0, turns, lambda i, c: turn(c, v.x), v.x)
            return Value(made, max(v.size, 1.0), error)
        if choice == 1 and v.shape:
            rows = lax.broadcast_in_dim(lax.sin(v.x), (turns, *v.shape), _after_first(v))
            first, made = lax.scan(
                lambda c, x: (turn(c, x), c), v.x, rows, reverse=self.chance(0.5)
            )
            stacked = made if self.chance(0.5) and len(v.shape) < 4 else first
            return Value(stacked, max(v.size, 1.0), error)
        exact = self.pick(lambda v: v.kind == "int64" and not v.shape)
        if exact is None or self.smooth:
            limit = np.int64(turns)
        else:
            limit = lax.bitwise_and(exact.x, np.int64(3))
        if choice == 2:
            _, made = lax.while_loop(
                lambda c: lax.lt(c[0], limit),
                lambda c: (lax.add(c[0], np.int64(1)), turn(c[1], v.x)),
                (np.int64(0), v.x),
            )
            return Value(made, max(v.size, 1.0), error)
        branches = [lambda x: turn(x, x), lambda x: lax.mul(x, half), lambda x: x]
        return Value(lax.switch(limit, branches, v.x), max(v.size, 1.0), 2 * error)


_WEIGHTS = {
    "unary": 5, "binary": 7, "integers": 3, "bools": 1.5, "compare": 2, "complexes": 0.3,
    "select": 3, "convert": 1.5, "broadcast": 3, "reshape": 3, "transpose": 3, "slice": 2.5,
    "rev": 1.5, "pad": 2, "concatenate": 2, "iota": 1, "reduce": 5, "windows": 1.5,
    "host": 1.2, "control": 1,
}  # fmt: skip
_NOT_SMOOTH = frozenset("integers bools compare complexes select convert iota".split())


def _after_first(v: Value) -> tuple[int, ...]:
    return tuple(range(1, len(v.shape) + 1))


def lax_array(x: Any) -> Any:
    """0-d arrays as NumPy scalars, as primitives take them."""
    return x[()] if isinstance(x, np.ndarray) and not x.ndim else x


def number(like: Value, value: float) -> Any:
    """A scalar of a value's dtype."""
    return np.dtype(like.kind).type(value)
