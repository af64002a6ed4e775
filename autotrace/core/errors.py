"""The exceptions of the library, and how their messages are laid out.

Each message says what went wrong, the user's file and line, and what to do, in at most 12 lines.
Where Python or NumPy has an exception type of the same meaning, ours is a subclass of it.
"""

from __future__ import annotations

from .source import Location, describe, user_location


def located(message: str, remedy: str = "", location: Location | None = None) -> str:
    """Lay a message out: what happened, where in the user's code, what to do about it."""
    place = describe(location if location is not None else user_location())
    return f"{message}\n{place}" + (f"\n{remedy}" if remedy else "")


class AutotraceError(Exception):
    """The base of the library's own exceptions; each of them is one of Python's types, too."""


class ConcretizationError(AutotraceError, TypeError):
    """A traced value was asked for its number where only its shape and dtype are known."""


class TracerArrayError(AutotraceError, TypeError):
    """Plain NumPy tried to make an ordinary array out of a traced value."""


class LeakedTracerError(AutotraceError, RuntimeError):
    """A traced value outlived the function that was being traced."""


class AssignmentError(AutotraceError, TypeError):
    """An assignment to a traced array of which NumPy's effect is not known or would be lost."""


class MissingRuleError(AutotraceError, NotImplementedError):
    """A primitive has no rule for the transform that met it."""


class JaxprTypeError(AutotraceError, TypeError):
    """A jaxpr that does not type-check: a fault of a rule or of a pass, not of the user."""


class NonDifferentiableError(AutotraceError, TypeError):
    """A derivative was asked for with respect to, or of, something that has none."""


class NanError(AutotraceError, FloatingPointError):
    """``debug_nans`` met a NaN; the message names the primitive and the user's line."""


class KernelMismatchError(AutotraceError, ArithmeticError):
    """``check_kernels`` found a compiled program that does not compute what NumPy does: a fault of
    the compiler, not of the user."""
