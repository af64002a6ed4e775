"""Elementwise activations.

Each is written so that neither it nor its derivatives become NaN for large inputs; at a kink the
derivative is that of the flat side.
"""

from __future__ import annotations

import math
from typing import Any

from .. import lax
from .. import numpy as anp
from ..core.errors import located
from ..scipy import special


def as_floating(x: Any) -> Any:
    """An array of a floating dtype: integers become what NumPy's functions make of them."""
    x = anp.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(anp.result_type(x.dtype, 1.0))


def identity(x: Any) -> Any:
    """The array itself.

    >>> import autotrace.nn as nn
    >>> nn.identity([1.0, 2.0])
    array([1., 2.])
    """
    return anp.asarray(x)


def relu(x: Any) -> Any:
    """``max(x, 0)``, elementwise; its derivative at 0 is 0.

    Args:
      x: an array.

    Returns:
      An array of the same shape and dtype.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    x = anp.asarray(x)
    return anp.where(x <= 0, 0, x)


def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)``, elementwise; its derivative at 0 and 6 is 0.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.relu6(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 6.])
    """
    x = anp.asarray(x)
    return anp.where(x <= 0, 0, anp.where(x >= 6, 6, x))


def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``, elementwise.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return lax.logistic(as_floating(x))


def tanh(x: Any) -> Any:
    """The hyperbolic tangent, elementwise.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.tanh(np.array([0.0, 1000.0]))
    array([0., 1.])
    """
    return anp.tanh(as_floating(x))


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, elementwise.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.softplus(np.array([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    return special.softplus(x)


def sparse_plus(x: Any) -> Any:
    """``(x + 1)**2 / 4`` between -1 and 1, 0 below and ``x`` above, elementwise.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.sparse_plus(np.array([-2.0, 0.0, 2.0]))
    array([0.  , 0.25, 2.  ])
    """
    x = as_floating(x)
    curved = (anp.clip(x, -1, 1) + 1) ** 2 / 4
    return anp.where(x <= -1, 0, anp.where(x >= 1, x, curved))


def sparse_sigmoid(x: Any) -> Any:
    """``(x + 1) / 2`` between -1 and 1, 0 below and 1 above, elementwise: the derivative of
    ``sparse_plus``.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.sparse_sigmoid(np.array([-2.0, 0.0, 2.0]))
    array([0. , 0.5, 1. ])
    """
    x = as_floating(x)
    return anp.where(x <= -1, 0, anp.where(x >= 1, 1, (x + 1) / 2))


def soft_sign(x: Any) -> Any:
    """``x / (1 + abs(x))``, elementwise.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.soft_sign(np.array([-1.0, 0.0, 3.0]))
    array([-0.5 ,  0.  ,  0.75])
    """
    x = as_floating(x)
    return x / (1 + anp.abs(x))


def silu(x: Any) -> Any:
    """``x * sigmoid(x)``, elementwise; also called swish.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415).

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.silu(np.array([-1000.0, 0.0, 1000.0]))
    array([  -0.,    0., 1000.])
    """
    x = as_floating(x)
    return x * lax.logistic(x)


swish = silu


def mish(x: Any) -> Any:
    """``x * tanh(softplus(x))``, elementwise.

    Source: Misra 2019 (arXiv:1908.08681).

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.mish(np.array([0.0, 1000.0]))
    array([   0., 1000.])
    """
    x = as_floating(x)
    return x * anp.tanh(softplus(x))


def log_sigmoid(x: Any) -> Any:
    """``log(sigmoid(x))``, elementwise.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.log_sigmoid(np.array([-1000.0, 1000.0]))
    array([-1000.,    -0.])
    """
    return -softplus(-as_floating(x))


def leaky_relu(x: Any, negative_slope: Any = 1e-2) -> Any:
    """``x`` where that is not negative, else ``negative_slope * x``, elementwise.

    Args:
      x: an array.
      negative_slope: a number or an array that broadcasts with it.

    Returns:
      An array.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.leaky_relu(np.array([-1.0, 2.0]), 0.5)
    array([-0.5,  2. ])
    """
    x = as_floating(x)
    return anp.where(x >= 0, x, negative_slope * x)


def hard_sigmoid(x: Any) -> Any:
    """``relu6(x + 3) / 6``, elementwise.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.hard_sigmoid(np.array([-4.0, 0.0, 4.0]))
    array([0. , 0.5, 1. ])
    """
    return relu6(as_floating(x) + 3) / 6


def hard_silu(x: Any) -> Any:
    """``x * hard_sigmoid(x)``, elementwise; also called hard swish.

    Source: Howard et al. 2019 (arXiv:1905.02244).

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.hard_silu(np.array([-4.0, 1.5, 4.0]))
    array([-0.   ,  1.125,  4.   ])
    """
    x = as_floating(x)
    return x * hard_sigmoid(x)


hard_swish = hard_silu


def hard_tanh(x: Any) -> Any:
    """``x`` between -1 and 1, elementwise, and these beyond.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.hard_tanh(np.array([-2.0, 0.5, 2.0]))
    array([-1. ,  0.5,  1. ])
    """
    x = anp.asarray(x)
    return anp.where(x > 1, 1, anp.where(x < -1, -1, x))


def elu(x: Any, alpha: Any = 1.0) -> Any:
    """``x`` where that is positive, else ``alpha * (exp(x) - 1)``, elementwise.

    Source: Clevert et al. 2015 (arXiv:1511.07289).

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.elu(np.array([-1000.0, 2.0]))
    array([-1.,  2.])
    """
    x = as_floating(x)
    return anp.where(x > 0, x, alpha * anp.expm1(anp.where(x > 0, 0, x)))


def celu(x: Any, alpha: Any = 1.0) -> Any:
    """``x`` where that is positive, else ``alpha * (exp(x / alpha) - 1)``, elementwise.

    Source: Barron 2017 (arXiv:1704.07483).

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.celu(np.array([-1000.0, 2.0]), 0.5)
    array([-0.5,  2. ])
    """
    x = as_floating(x)
    return anp.where(x > 0, x, alpha * anp.expm1(anp.where(x > 0, 0, x) / alpha))


#: With these a layer's outputs tend to mean 0 and variance 1.
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def selu(x: Any) -> Any:
    """``elu`` with the two constants that normalize what goes through many layers.

    Source: Klambauer et al. 2017 (arXiv:1706.02515).

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.selu(np.array([-1000.0, 1.0])).round(3)
    array([-1.758,  1.051])
    """
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


#: From here on the hyperbolic tangent in ``gelu`` is 1 in all dtypes, and the cube finite.
_GELU_FLAT = 20.0


def gelu(x: Any, approximate: bool = True) -> Any:
    """``x`` times the probability that a normal variable is below it, elementwise.

    Args:
      x: an array.
      approximate: whether to take ``(1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2`` for the
        probability.

    Returns:
      An array.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415).

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.gelu(np.array([-1.0, 0.0, 1.0]), approximate=False).round(4)
    array([-0.1587,  0.    ,  0.8413])
    >>> nn.gelu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1588,  0.    ,  0.8412])
    """
    x = as_floating(x)
    if not approximate:
        return x * lax.erfc(-x * math.sqrt(0.5)) / 2
    near = anp.clip(x, -_GELU_FLAT, _GELU_FLAT)
    inner = math.sqrt(2 / math.pi) * (near + 0.044715 * near**3)
    return x * ((1 + anp.tanh(inner)) / 2)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half of an array times ``sigmoid`` of the second half.

    Args:
      x: an array, of an even size along the axis.
      axis: the axis.

    Returns:
      An array of half the size.

    Raises:
      ValueError: when the size is odd.

    Source: Dauphin et al. 2016 (arXiv:1612.08083).

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.glu(np.array([2.0, 4.0, 0.0, 1000.0]))
    array([1., 4.])
    """
    x = as_floating(x)
    if x.shape[axis] % 2:
        raise ValueError(
            located(f"glu: axis {axis} of an array of shape {x.shape} has no two halves")
        )
    first, second = anp.split(x, 2, axis)
    return first * lax.logistic(second)


def squareplus(x: Any, b: Any = 4.0) -> Any:
    """``(x + sqrt(x**2 + b)) / 2``, elementwise.

    Args:
      x: an array.
      b: a number or array: how round it is.

    Returns:
      An array.

    Source: Barron 2021 (arXiv:2112.11687).

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.squareplus(np.array([-1e8, 0.0, 1e200]))
    array([1.e-008, 1.e+000, 1.e+200])
    """
    x = as_floating(x)
    root = anp.hypot(x, b**0.5)
    # Of a negative number and the root the sum would cancel.
    far = anp.where(x < 0, root - x, 1)
    return anp.where(x < 0, b / far, x + root) / 2
