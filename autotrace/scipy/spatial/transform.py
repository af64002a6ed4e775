"""Rotations in space: ``scipy.spatial.transform`` on arrays and on traced values.

Rotations are kept as unit quaternions. They are pytrees, and differentiable everywhere, also at the
rotation by nothing, where formulas with the angle divide by zero.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import numpy as anp
from ...core import tree
from ...core.errors import located
from ...numpy.arguments import operand
from ...numpy.dispatch import is_traced

__all__ = ["Rotation", "Slerp"]

#: Squared angles up to this one go by series, of which the next term is below the rounding error.
_SMALL = 1e-2


def _double(x: Any) -> Any:
    return anp.astype(operand(x), np.float64)


def _last(name: str, x: Any, *shape: int) -> Any:
    """An argument whose last dimensions have a shape.

    Raises:
      ValueError: when they do not.
    """
    x = _double(x)
    if x.shape[-len(shape) :] != shape:
        raise ValueError(
            located(
                f"Expected `{name}` to have shape (..., {', '.join(map(str, shape))}), "
                f"got {x.shape}."
            )
        )
    return x


def _square(x: Any) -> Any:
    return anp.sum(x * x, -1)


def _by_square(square: Any, terms: list[float], function: Callable[[Any], Any]) -> Any:
    """An even function of a number from its square: near zero by its series."""
    series = square * 0
    for term in reversed(terms):
        series = series * square + term
    with np.errstate(all="ignore"):
        return anp.where(square < _SMALL, series, function(anp.sqrt(square)))


def _half_sine_over(square: Any) -> Any:
    """sin(a / 2) / a of the angle, from its square."""
    terms = [(-1) ** n / (2 ** (2 * n + 1) * math.factorial(2 * n + 1)) for n in range(6)]
    return _by_square(square, terms, lambda a: anp.sin(a / 2) / a)


def _half_cosine(square: Any) -> Any:
    terms = [(-1) ** n / (4**n * math.factorial(2 * n)) for n in range(7)]
    return _by_square(square, terms, lambda a: anp.cos(a / 2))


def _product(p: Any, q: Any) -> Any:
    """The product of quaternions, of which the real part comes last."""
    a, b = p[..., :3], q[..., :3]
    s, t = p[..., 3:], q[..., 3:]
    vector = s * b + t * a + anp.cross(a, b)
    return anp.concatenate([vector, s * t - anp.sum(a * b, -1, keepdims=True)], -1)


def _broadcast(*arrays: Any) -> list[Any]:
    """Arrays with their leading dimensions, all but the last, made equal."""
    lead = np.broadcast_shapes(*[a.shape[:-1] for a in arrays])
    return [anp.broadcast_to(a, (*lead, a.shape[-1])) for a in arrays]


class Rotation:
    """As ``scipy.spatial.transform.Rotation``: a rotation, or an array of them.

    Made by ``Rotation.from_...``; of SciPy's methods there are the ones below. Of traced matrices
    ``from_matrix`` takes for granted that they are rotations.

    >>> import numpy as np
    >>> turn = Rotation.from_euler("z", 90, degrees=True)
    >>> turn.apply([1.0, 0.0, 0.0]).round(12) + 0.0
    array([0., 1., 0.])
    >>> (turn * turn).magnitude().round(12) == np.pi.__round__(12)
    np.True_
    """

    __slots__ = ("_quat",)

    def __init__(self, quat: Any, normalize: bool = True, *, scalar_first: bool = False):
        quat = _last("quat", quat, 4)
        if scalar_first:
            quat = anp.roll(quat, -1, -1)
        if normalize:
            norm = anp.sqrt(_square(quat))[..., None]
            if not is_traced(norm) and np.any(norm == 0):
                raise ValueError(located("Found zero norm quaternions in `quat`."))
            quat = quat / norm
        self._quat = quat

    # --- ways to make one

    @classmethod
    def from_quat(cls, quat: Any, *, scalar_first: bool = False) -> Rotation:
        """From quaternions, of shape ``(..., 4)``, the real part last unless said otherwise."""
        return cls(quat, scalar_first=scalar_first)

    @classmethod
    def from_matrix(cls, matrix: Any, *, assume_valid: bool = False) -> Rotation:
        """From rotation matrices, of shape ``(..., 3, 3)``; plain ones that are none, unless said
        to be valid, are replaced by the nearest that is."""
        m = _last("matrix", matrix, 3, 3)
        if not assume_valid and not is_traced(m):
            if np.any(np.linalg.det(m) <= 0):
                raise ValueError(
                    located("Non-positive determinant (left-handed or null coordinate frame).")
                )
            if not np.allclose(m @ np.swapaxes(m, -1, -2), np.eye(3), atol=1e-12):
                left, _, right = np.linalg.svd(m)
                m = left @ right
        diagonal = [m[..., n, n] for n in range(3)]
        whole = diagonal[0] + diagonal[1] + diagonal[2]
        # Four forms of one quaternion, multiples of it: the longest is best.
        forms = []
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            parts: list[Any] = [None] * 4
            parts[i] = 1 - whole + 2 * diagonal[i]
            parts[j] = m[..., j, i] + m[..., i, j]
            parts[k] = m[..., k, i] + m[..., i, k]
            parts[3] = m[..., k, j] - m[..., j, k]
            forms.append(anp.stack(parts, -1))
        forms.append(anp.stack([*(f[..., 3] for f in forms), 1 + whole], -1))
        choice = anp.argmax(anp.stack([*diagonal, whole], -1), -1)[..., None]
        quat = forms[3]
        for n in range(3):
            quat = anp.where(choice == n, forms[n], quat)
        return cls(quat)

    @classmethod
    def from_rotvec(cls, rotvec: Any, degrees: bool = False) -> Rotation:
        """From vectors along the axes as long as the angles, of shape ``(..., 3)``."""
        v = _last("rotvec", rotvec, 3)
        v = anp.deg2rad(v) if degrees else v
        square = _square(v)[..., None]
        return cls(anp.concatenate([v * _half_sine_over(square), _half_cosine(square)], -1), False)

    @classmethod
    def from_mrp(cls, mrp: Any) -> Rotation:
        """From modified Rodrigues parameters, of shape ``(..., 3)``."""
        v = _last("mrp", mrp, 3)
        square = _square(v)[..., None]
        return cls(anp.concatenate([2 * v, 1 - square], -1) / (1 + square), False)

    @classmethod
    def from_euler(cls, seq: str, angles: Any, degrees: bool = False) -> Rotation:
        """From angles about axes.

        Args:
          seq: up to three of the letters "xyz" for axes that stand still, or of "XYZ" for those
            that turn along.
          angles: of shape ``(..., len(seq))``; a number, for one axis.
          degrees: whether they are in degrees.
        """
        axes, moving = _sequence(seq, 1)
        angles = _double(angles)
        if not angles.ndim and len(axes) == 1:
            angles = angles[None]
        if not angles.ndim or angles.shape[-1] != len(axes):
            raise ValueError(
                located(
                    f"Expected `angles` to have {len(axes)} along the last axis for {seq!r}, "
                    f"got shape {angles.shape}"
                )
            )
        angles = anp.deg2rad(angles) if degrees else angles
        out: Any = None
        for n, axis in enumerate(axes):
            turn = cls.from_rotvec(angles[..., n, None] * np.eye(3)[axis])
            out = turn if out is None else out * turn if moving else turn * out
        return out

    @classmethod
    def identity(cls, num: int | None = None) -> Rotation:
        """The rotation by nothing, or ``num`` of them."""
        quat = np.array([0.0, 0.0, 0.0, 1.0])
        return cls(quat if num is None else np.tile(quat, (num, 1)), False)

    @classmethod
    def concatenate(cls, rotations: Any) -> Rotation:
        """Several rotations, and arrays of them, as one array."""
        parts = [rotations] if isinstance(rotations, Rotation) else rotations
        return cls(anp.concatenate([anp.reshape(r._quat, (-1, 4)) for r in parts]), False)

    # --- what they are

    def as_quat(self, canonical: bool = False, *, scalar_first: bool = False) -> Any:
        """Quaternions, of shape ``(..., 4)``; if canonical, with a real part that is not negative
        (or else the first part that is not zero)."""
        q = self._quat
        if canonical:
            sign = q[..., 3:]
            for n in (0, 1, 2):
                sign = anp.where(sign == 0, q[..., n : n + 1], sign)
            q = anp.where(sign < 0, -q, q)
        return anp.roll(q, 1, -1) if scalar_first else q

    def as_matrix(self) -> Any:
        """Matrices, of shape ``(..., 3, 3)``."""
        x, y, z, w = (self._quat[..., n] for n in range(4))
        rows = [
            [x * x - y * y - z * z + w * w, 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), -x * x + y * y - z * z + w * w, 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), -x * x - y * y + z * z + w * w],
        ]
        return anp.stack([anp.stack(row, -1) for row in rows], -2)

    def as_rotvec(self, degrees: bool = False) -> Any:
        """Vectors along the axes as long as the angles, of shape ``(..., 3)``."""
        q = self.as_quat(canonical=True)
        square = _square(q[..., :3])[..., None]
        # 2 asin(s) / s
        terms = [
            2 * math.factorial(2 * n) / (4**n * math.factorial(n) ** 2 * (2 * n + 1))
            for n in range(9)
        ]
        scale = _by_square(square, terms, lambda s: 2 * anp.arctan2(s, q[..., 3:]) / s)
        out = q[..., :3] * scale
        return anp.rad2deg(out) if degrees else out

    def as_mrp(self) -> Any:
        """Modified Rodrigues parameters, of shape ``(..., 3)``."""
        q = self._quat
        sign = anp.where(q[..., 3:] < 0, -1.0, 1.0)
        return sign * q[..., :3] / (1 + sign * q[..., 3:])

    def as_euler(self, seq: str, degrees: bool = False) -> Any:
        """Angles about three axes, of shape ``(..., 3)`` (Bernardes and Viollet 2022).

        Where the first and the last axis come to lie upon each other, the last angle is zero (the
        first one, for axes that stand still).

        Args:
          seq: as for ``from_euler``, three letters, no two equal ones next to each other.
          degrees: whether they are to be in degrees.
        """
        axes, moving = _sequence(seq, 3)
        i, j, k = axes[::-1] if moving else axes
        symmetric = i == k
        k = 3 - i - j if symmetric else k
        sign = (i - j) * (j - k) * (k - i) // 2
        q = self._quat
        w, x, y, z = q[..., 3], q[..., i], q[..., j], q[..., k] * sign
        a, b, c, d = (w, x, y, z) if symmetric else (w - y, x + z, y + w, z - x)
        middle = 2 * anp.arctan2(anp.hypot(c, d), anp.hypot(a, b))
        half_sum, half_difference = anp.arctan2(b, a), anp.arctan2(d, c)
        lies_along, lies_against = anp.abs(middle) <= 1e-7, anp.abs(middle - np.pi) <= 1e-7
        locked = lies_along | lies_against
        alone = anp.where(lies_along, 2 * half_sum, 2 * half_difference * (1 if moving else -1))
        first = half_sum - half_difference
        third = half_sum + half_difference
        if moving:
            first, third = anp.where(locked, 0.0, first), anp.where(locked, alone, third)
        else:
            first, third = anp.where(locked, alone, first), anp.where(locked, 0.0, third)
        if not symmetric:
            third, middle = third * sign, middle - np.pi / 2
        angles = anp.stack([third, middle, first] if moving else [first, middle, third], -1)
        angles = anp.where(angles < -np.pi, angles + 2 * np.pi, angles)
        angles = anp.where(angles > np.pi, angles - 2 * np.pi, angles)
        return anp.rad2deg(angles) if degrees else angles

    # --- what is done with them

    def apply(self, vectors: Any, inverse: bool = False) -> Any:
        """Turn vectors, of shape ``(..., 3)``; backwards, if inverse."""
        vectors = _last("vectors", vectors, 3)
        q, v = _broadcast(self._quat, vectors)
        axis, real = q[..., :3] * (-1 if inverse else 1), q[..., 3:]
        across = 2 * anp.cross(axis, v)
        return v + real * across + anp.cross(axis, across)

    def __mul__(self, other: Any) -> Rotation:
        """The rotation by ``other``, and then by this one."""
        if not isinstance(other, Rotation):
            return NotImplemented
        product = _product(*_broadcast(self._quat, other._quat))
        return Rotation(product)

    def __pow__(self, n: Any, modulus: None = None) -> Rotation:
        """The rotation ``n`` times, which need not be a whole number."""
        return Rotation.from_rotvec(self.as_rotvec() * n)

    def inv(self) -> Rotation:
        """The rotation back."""
        return Rotation(self._quat * np.array([-1.0, -1.0, -1.0, 1.0]), False)

    def magnitude(self) -> Any:
        """The angles, from 0 to pi; the derivative is 0 at 0."""
        square = _square(self._quat[..., :3])
        length = anp.where(square == 0, 0.0, anp.sqrt(square))
        return 2 * anp.arctan2(length, anp.abs(self._quat[..., 3]))

    def mean(self, weights: Any = None) -> Rotation:
        """The rotation that is nearest to all of them, by the sum of squares of sines."""
        quats = anp.reshape(self._quat, (-1, 4))
        w = np.ones(quats.shape[0]) if weights is None else _double(weights)
        if w.shape != quats.shape[:1]:
            raise ValueError(
                located(f"Expected `weights` to have shape {quats.shape[:1]}, got {w.shape}.")
            )
        if not is_traced(w) and np.any(w < 0):
            raise ValueError(located("`weights` must be non-negative."))
        _, vectors = anp.linalg.eigh((w[:, None] * quats).T @ quats)
        return Rotation(vectors[:, -1], False)

    @property
    def single(self) -> bool:
        """Whether it is one rotation and no array of them."""
        return self._quat.ndim == 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array of rotations."""
        return self._quat.shape[:-1]

    def __len__(self) -> int:
        if self.single:
            raise TypeError(located("Single rotation has no len()."))
        return self._quat.shape[0]

    def __getitem__(self, index: Any) -> Rotation:
        if self.single:
            raise TypeError(located("Single rotation is not subscriptable."))
        if isinstance(index, tuple):
            return Rotation(self._quat[(*index, slice(None))], False)
        taken = anp.take(self._quat, index, 0) if is_traced(index) else self._quat[index]
        return Rotation(taken, False)

    def __repr__(self) -> str:
        return f"Rotation.from_quat({self._quat!r})"


def _sequence(seq: str, least: int) -> tuple[list[int], bool]:
    """The axes that letters name, and whether these turn along."""
    if not re.fullmatch(r"[xyz]{1,3}|[XYZ]{1,3}", seq) or len(seq) < least:
        raise ValueError(
            located(
                f"Expected axes from `seq` to be from ['x', 'y', 'z'] or ['X', 'Y', 'Z'], "
                f"{'three' if least == 3 else 'up to three'} of them, got {seq!r}"
            )
        )
    if any(a == b for a, b in itertools.pairwise(seq)):
        raise ValueError(located(f"Expected consecutive axes to be different, got {seq!r}"))
    return ["xyz".index(letter) for letter in seq.lower()], seq.isupper()


def _made(quat: Any) -> Rotation:
    out: Rotation = object.__new__(Rotation)
    out._quat = quat
    return out


tree.register_node(Rotation, lambda r: ((r._quat,), None), lambda _, children: _made(*children))


class Slerp:
    """As ``scipy.spatial.transform.Slerp``: turning evenly from one rotation to the next.

    Args:
      times: in ascending order, at least two.
      rotations: as many of them.

    Raises:
      ValueError: when they do not fit each other.

    >>> import numpy as np
    >>> turns = Rotation.from_euler("x", [[0.0], [1.0]])
    >>> Slerp([0.0, 10.0], turns)(4.0).as_rotvec().round(12)
    array([0.4, 0. , 0. ])
    """

    times: Any
    rotations: Rotation

    def __init__(self, times: Any, rotations: Rotation):
        times = _double(times)
        if not isinstance(rotations, Rotation) or rotations._quat.ndim != 2 or len(rotations) < 2:
            raise ValueError(located("`rotations` must be a sequence of at least 2 rotations."))
        if times.shape != rotations.shape:
            raise ValueError(
                located(
                    "Expected number of rotations to be equal to number of timestamps given, got "
                    f"shapes {rotations.shape} and {times.shape}"
                )
            )
        if not is_traced(times) and np.any(np.diff(times) <= 0):
            raise ValueError(located("Times must be in strictly increasing order."))
        self.times, self.rotations = times, rotations

    def __call__(self, times: Any) -> Rotation:
        """The rotations at some times, of any shape, within those given.

        Raises:
          ValueError: when plain times are without.
        """
        at = _double(times)
        if not is_traced((at, self.times)) and (
            np.any(at < self.times[0]) or np.any(at > self.times[-1])
        ):
            raise ValueError(
                located(
                    "Interpolation times must be within the range "
                    f"[{self.times[0]}, {self.times[-1]}], both inclusive."
                )
            )
        last = self.times.shape[0] - 2
        before = anp.clip(anp.searchsorted(self.times, at, side="right") - 1, 0, last)
        start, end = anp.take(self.times, before), anp.take(self.times, before + 1)
        first = Rotation(anp.take(self.rotations._quat, before, 0), False)
        second = Rotation(anp.take(self.rotations._quat, before + 1, 0), False)
        part = anp.asarray((at - start) / (end - start))[..., None]
        return first * Rotation.from_rotvec((first.inv() * second).as_rotvec() * part)


def _slerp(children: Any) -> Slerp:
    out: Slerp = object.__new__(Slerp)
    out.times, out.rotations = children
    return out


tree.register_node(
    Slerp, lambda s: ((s.times, s.rotations), None), lambda _, children: _slerp(children)
)
