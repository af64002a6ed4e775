"""Settings as context managers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from operator import index as as_int
from typing import Any

from ..core.config import config
from ..core.errors import located


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


def _checked(name: str, count: Any) -> int:
    try:
        count = as_int(count)
    except TypeError:
        raise TypeError(located(f"{name} takes a whole number, got {count!r}")) from None
    if count < 0:
        raise ValueError(
            located(f"{name} takes a number of threads, or 0 for one a core, got {count}")
        )
    return count


def set_num_threads(count: int) -> None:
    """Set how many threads compiled functions use, for the process.

    Small work stays on the calling thread whatever the number. Results do not depend on it. The
    environment variable ``AUTOTRACE_NUM_THREADS`` gives the number at the start.

    Args:
      count: how many, the calling thread among them; 0 is one for each processor core.

    Raises:
      TypeError: when it is not a whole number.
      ValueError: when it is negative.

    >>> import autotrace as at
    >>> before = at.config.num_threads
    >>> at.set_num_threads(1)
    >>> at.config.num_threads
    1
    >>> at.set_num_threads(before)
    """
    config.update("num_threads", _checked("set_num_threads", count))


def threads(count: int) -> AbstractContextManager[None]:
    """Within the block, have compiled functions that this thread calls use so many threads.

    Args:
      count: as for ``set_num_threads``.

    >>> import autotrace as at
    >>> with at.threads(2):
    ...     at.config.num_threads
    2
    """
    return config.override("num_threads", _checked("threads", count))
