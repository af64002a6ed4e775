"""Why a function is traced: for the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.avals import ShapedArray
from ..core.work import logger, logging_on

#: How many arguments are named.
_MOST = 3


def log_trace(name: str, avals: Sequence[ShapedArray], why: Callable[[], str]) -> None:
    """Tell the log that a function is traced, and why.

    Args:
      why: says so; asked only where somebody listens.
    """
    if logging_on():
        logger.debug("tracing %s for %s: %s", name, _listed(map(_shown, avals)), why())


def log_path(name: str, asked: str, count: int) -> None:
    """Tell the log that a function has a path more."""
    if logging_on():
        logger.debug("%s has a path more, %d in all: %s", name, count, asked)


def why_traced(key: Any, programs: Mapping[Any, Any], traces: int) -> str:
    """What tells a signature from the one used last.

    Args:
      key: the call's: structure, types, static arguments, mapped axes.
      programs: what is kept, by such keys.
      traces: how often the function has been traced before.
    """
    kept = list(programs)
    if not kept:
        return "nothing of it is kept" if traces else "the first call"
    if key in programs:
        return "what is kept of this signature is not for any call"
    before = max(kept, key=lambda k: programs[k].used)
    reasons = []
    if key[0] != before[0]:
        reasons.append("arguments of another structure")
    else:
        pairs = enumerate(zip(key[1], before[1], strict=True))
        changed = [
            f"array {number} is {_shown(new)} in place of {_shown(old)}"
            for number, (new, old) in pairs
            if new != old
        ]
        reasons += changed[:_MOST]
        if len(changed) > _MOST:
            reasons.append(f"and {len(changed) - _MOST} arrays more")
    if key[2] != before[2]:
        reasons.append("other static arguments")
    if key[3] != before[3]:
        reasons.append("other mapped axes")
    return f"a signature not met before, {_listed(reasons)}"


def _shown(aval: ShapedArray) -> str:
    return f"{aval} (Python's)" if aval.weak_type else str(aval)


def _listed(texts: Any) -> str:
    return ", ".join(texts) or "no arrays"
