"""Settings as context managers."""

from __future__ import annotations

from contextlib import AbstractContextManager

from ..core.config import config


def debug_nans(enabled: bool = True) -> AbstractContextManager[None]:
    """Within the block, raise at the first operation that makes a NaN of inputs without one.

    The error names the primitive and the user's line. Applies to this thread;
    ``autotrace.config.update("debug_nans", True)`` sets it for the process.

    Args:
      enabled: whether to check.

    >>> import autotrace as at, numpy as np
    >>> with at.debug_nans():
    ...     at.jit(lambda x: np.log(x))(-1.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    autotrace.core.errors.NanError: the primitive log made a NaN ...
    """
    return config.override("debug_nans", enabled)
