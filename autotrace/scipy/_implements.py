"""How a function of SciPy's finds its traced implementation."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import scipy.linalg

from ..numpy import dispatch
from ..numpy.dispatch import implements

#: What SciPy's functions are told about memory, checks and algorithms: nothing to traced code.
_WITHOUT_EFFECT = frozenset(
    "overwrite_a overwrite_ab overwrite_b check_finite lapack_driver driver lwork workers disp "
    "blocksize balanced".split()
)


def as_in_scipy(function: Callable) -> Callable:
    """Make a function what that of the same name in ``scipy.linalg`` does on traced values.

    It takes those of SciPy's arguments that have an effect, by name. Where nothing is traced
    SciPy's own function is called.
    """
    original = getattr(scipy.linalg, function.__name__)
    signature = inspect.signature(original)

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        return function(**{k: v for k, v in given.items() if k not in _WITHOUT_EFFECT})

    return implements(original)(traced)


def unsupported(name: str, what: str) -> TypeError:
    """The error for something that a function does not do on traced values."""
    return dispatch.unsupported(f"scipy.linalg.{name} with {what}")
