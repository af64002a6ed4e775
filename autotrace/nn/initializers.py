"""Weights to begin with, in JAX's manner: a function of a key, a shape and a dtype.

``zeros`` and ``ones`` are such functions; the others make one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from .. import numpy as anp
from .. import random
from ..core.errors import located

__all__ = [
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

#: ``(key, shape, dtype) -> array``.
Initializer = Callable[..., Any]
Axes = int | Sequence[int]


def _times(factor: Any, x: Any) -> Any:
    """A multiple in the array's dtype, whatever the factor's."""
    return anp.asarray(factor).astype(x.dtype) * x


def zeros(key: Any, shape: Sequence[int], dtype: Any = float) -> Any:
    """An array of zeros; the key is not used.

    >>> import autotrace.nn as nn
    >>> nn.initializers.zeros(None, (3,))
    array([0., 0., 0.])
    """
    return np.zeros(shape, dtype)


def ones(key: Any, shape: Sequence[int], dtype: Any = float) -> Any:
    """An array of ones; the key is not used.

    >>> import autotrace.nn as nn
    >>> nn.initializers.ones(None, (3,))
    array([1., 1., 1.])
    """
    return np.ones(shape, dtype)


def constant(value: Any, dtype: Any = float) -> Initializer:
    """An initializer that gives one value everywhere; the key is not used.

    Args:
      value: a number or an array that broadcasts to the shape.
      dtype: what is made where no dtype is given.

    >>> import autotrace.nn as nn
    >>> nn.initializers.constant(7.0)(None, (2,))
    array([7., 7.])
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        return anp.full(shape, value, dtype)

    return init


def uniform(scale: Any = 1e-2, dtype: Any = float) -> Initializer:
    """An initializer that draws from ``[0, scale)``.

    >>> import autotrace as at
    >>> key = at.random.key(0)
    >>> at.nn.initializers.uniform(1.0)(key, (2, 3)).shape
    (2, 3)
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        return _times(scale, random.uniform(key, tuple(shape), dtype))

    return init


def normal(stddev: Any = 1e-2, dtype: Any = float) -> Initializer:
    """An initializer that draws from a normal distribution of mean 0.

    >>> import autotrace as at
    >>> key = at.random.key(0)
    >>> at.nn.initializers.normal(1.0)(key, (2, 3)).shape
    (2, 3)
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        return _times(stddev, random.normal(key, tuple(shape), dtype))

    return init


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = float, lower: Any = -2.0, upper: Any = 2.0
) -> Initializer:
    """An initializer that draws from a normal distribution of mean 0 cut off at some multiples of
    ``stddev``, which is that of the distribution before it is cut.

    >>> import autotrace as at, numpy as np
    >>> x = at.nn.initializers.truncated_normal(1.0)(at.random.key(0), (1000,))
    >>> bool(np.abs(x).max() <= 2.0)
    True
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        return _times(stddev, random.truncated_normal(key, lower, upper, tuple(shape), dtype))

    return init


def _axes(axes: Axes) -> tuple[int, ...]:
    return tuple(map(as_int, axes)) if isinstance(axes, Sequence) else (as_int(axes),)


def _fans(
    shape: Sequence[int], in_axis: Axes, out_axis: Axes, batch_axis: Axes
) -> tuple[float, float]:
    """How many inputs an output depends on, and the other way round."""
    rank = len(shape)
    ins, outs, batch = _axes(in_axis), _axes(out_axis), _axes(batch_axis)
    named = (*ins, *outs, *batch)
    if rank < 2 or any(not -rank <= d < rank for d in named):
        raise ValueError(
            located(
                f"variance_scaling: a shape with inputs along {ins}, outputs along {outs} and "
                f"batches along {batch} is needed, got {tuple(shape)}"
            )
        )

    def product(axes: tuple[int, ...]) -> int:
        return math.prod(shape[d] for d in axes)

    # The other axes are those that a convolution's kernel has beside its features.
    window = math.prod(shape) / max(1, product(named)) if 0 not in shape else 0
    return product(ins) * window, product(outs) * window


#: The standard deviation of a normal variable that is cut off at -2 and 2.
_CUT = 0.87962566103423978


def variance_scaling(
    scale: Any,
    mode: str,
    distribution: str,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = float,
) -> Initializer:
    """An initializer that draws with mean 0 and variance ``scale / fan``.

    Args:
      scale: a positive number.
      mode: what the fan is: ``"fan_in"``, the inputs of an output; ``"fan_out"``, the outputs of an
        input; ``"fan_avg"``, the mean of both; ``"fan_geo_avg"``, their geometric mean.
      distribution: ``"truncated_normal"`` (cut off at two standard deviations), ``"normal"`` or
        ``"uniform"``.
      in_axis, out_axis: the axis or axes of inputs and outputs.
      batch_axis: axes along which there are several such arrays.
      dtype: what is made where no dtype is given.

    Returns:
      The initializer.

    Raises:
      ValueError: for another mode or distribution, or, when it is called, a shape without the axes.

    >>> import autotrace as at, numpy as np
    >>> init = at.nn.initializers.variance_scaling(1.0, "fan_in", "normal")
    >>> round(float(np.std(init(at.random.key(0), (400, 300)))), 2)
    0.05
    """
    fans = {
        "fan_in": lambda i, o: i,
        "fan_out": lambda i, o: o,
        "fan_avg": lambda i, o: (i + o) / 2,
        "fan_geo_avg": lambda i, o: math.sqrt(i * o),
    }
    if mode not in fans:
        raise ValueError(located(f"variance_scaling: mode is one of {[*fans]}, got {mode!r}"))
    draws: dict[str, Callable[[Any, Any], Initializer]] = {
        "truncated_normal": lambda deviation, dtype: truncated_normal(deviation / _CUT, dtype),
        "normal": normal,
        "uniform": lambda deviation, dtype: _around_zero(deviation * math.sqrt(3), dtype),
    }
    if distribution not in draws:
        raise ValueError(
            located(f"variance_scaling: distribution is one of {[*draws]}, got {distribution!r}")
        )

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        fan = fans[mode](*_fans(shape, in_axis, out_axis, batch_axis))
        return draws[distribution](anp.sqrt(scale / max(fan, 1)), dtype)(key, shape)

    return init


def _around_zero(limit: Any, dtype: Any) -> Initializer:
    def init(key: Any, shape: Sequence[int]) -> Any:
        return _times(limit, random.uniform(key, tuple(shape), dtype, -1.0, 1.0))

    return init


def _scaled(
    name: str, scale: float, mode: str, distribution: str, source: str
) -> Callable[..., Initializer]:
    """A maker of ``variance_scaling`` initializers of one kind."""

    def make(
        in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = float
    ) -> Initializer:
        return variance_scaling(scale, mode, distribution, in_axis, out_axis, batch_axis, dtype)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"""``variance_scaling({scale}, "{mode}", "{distribution}")``.

    Source: {source}.

    >>> import autotrace as at
    >>> at.nn.initializers.{name}()(at.random.key(0), (3, 2)).shape
    (3, 2)
    """
    return make


_GLOROT, _HE = "Glorot and Bengio 2010", "He et al. 2015 (arXiv:1502.01852)"
_LECUN = "LeCun et al. 1998, Efficient BackProp"
glorot_uniform = _scaled("glorot_uniform", 1.0, "fan_avg", "uniform", _GLOROT)
glorot_normal = _scaled("glorot_normal", 1.0, "fan_avg", "truncated_normal", _GLOROT)
lecun_uniform = _scaled("lecun_uniform", 1.0, "fan_in", "uniform", _LECUN)
lecun_normal = _scaled("lecun_normal", 1.0, "fan_in", "truncated_normal", _LECUN)
he_uniform = _scaled("he_uniform", 2.0, "fan_in", "uniform", _HE)
he_normal = _scaled("he_normal", 2.0, "fan_in", "truncated_normal", _HE)
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = float) -> Initializer:
    """An initializer that draws a matrix with orthonormal rows or columns, whichever are fewer.

    Args:
      scale: what it is multiplied by.
      column_axis: the axis of the array that the columns lie along; the others make up the rows.
      dtype: what is made where no dtype is given.

    Returns:
      The initializer.

    Raises:
      ValueError: when it is called for a shape of fewer than two axes.

    Source: Saxe et al. 2013 (arXiv:1312.6120).

    >>> import autotrace as at, numpy as np
    >>> q = at.nn.initializers.orthogonal()(at.random.key(0), (4, 3))
    >>> bool(np.allclose(q.T @ q, np.eye(3)))
    True
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        if len(shape) < 2:
            raise ValueError(
                located(f"orthogonal: a shape of two axes or more is needed, got {tuple(shape)}")
            )
        columns = shape[column_axis]
        rows = math.prod(shape) // max(1, columns)
        drawn = random.normal(key, (max(rows, columns), min(rows, columns)), dtype)
        q, r = anp.linalg.qr(drawn)
        # With the diagonal of R positive the result is uniform over all such matrices.
        q = q * anp.where(anp.diagonal(r) < 0, -1, 1).astype(q.dtype)
        q = q if rows >= columns else anp.swapaxes(q, 0, 1)
        place = column_axis % len(shape)
        q = anp.reshape(q, (*(n for d, n in enumerate(shape) if d != place), columns))
        return _times(scale, anp.moveaxis(q, -1, place))

    return init


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = float) -> Initializer:
    """An initializer for kernels of convolutions, of shape ``(*window, inputs, outputs)``:
    an orthogonal matrix at the window's centre, zeros elsewhere.

    Args:
      scale, column_axis: as for ``orthogonal``.
      dtype: what is made where no dtype is given.

    Returns:
      The initializer.

    Raises:
      ValueError: when it is called for a shape of other than 3 to 5 axes, or with more inputs than
        outputs.

    Source: Xiao et al. 2018 (arXiv:1806.05393).

    >>> import autotrace as at
    >>> kernel = at.nn.initializers.delta_orthogonal()(at.random.key(0), (3, 2, 2))
    >>> kernel[0].tolist(), kernel[2].tolist()
    ([[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]])
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = dtype) -> Any:
        if len(shape) not in (3, 4, 5) or shape[-1] < shape[-2]:
            raise ValueError(
                located(
                    "delta_orthogonal: a shape (*window, inputs, outputs) of 3 to 5 axes, with no "
                    f"more inputs than outputs, is needed, got {tuple(shape)}"
                )
            )
        matrix = orthogonal(scale, column_axis, dtype)(key, shape[-2:])
        centre = [(n - 1) // 2 for n in shape[:-2]]
        around = [(c, n - 1 - c) for c, n in zip(centre, shape, strict=False)]
        alone = anp.reshape(matrix, (*(1 for _ in centre), *shape[-2:]))
        return anp.pad(alone, [*around, (0, 0), (0, 0)])

    return init
