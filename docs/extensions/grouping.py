"""What the reference shows of a module, and in which groups; nothing here needs Sphinx."""

from __future__ import annotations

import inspect
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any


def public_names(module: ModuleType) -> list[str]:
    """What a module offers: its ``__all__``."""
    return [n for n in module.__all__ if not n.startswith("__")]


def public_modules(module: ModuleType) -> dict[str, ModuleType]:
    """A module and those that it offers, theirs included, by their full names.

    Without those that only lead to others, such as ``autotrace.scipy``.
    """
    values = [getattr(module, name) for name in public_names(module)]
    modules = [v for v in values if inspect.ismodule(v)]
    found = {module.__name__: module} if len(modules) < len(values) else {}
    for inner in modules:
        found |= public_modules(inner)
    return found


def is_ours(value: Any) -> bool:
    """Whether something is the library's own, and not NumPy's or SciPy's under our name."""
    if inspect.ismodule(value):
        return True
    return (getattr(value, "__module__", None) or type(value).__module__).startswith("autotrace")


def read_groups(lines: list[str]) -> dict[str, list[str]]:
    """The patterns of each group, from lines of a title, a colon and patterns."""
    pairs = (line.partition(":") for line in lines if line.strip())
    return {title.strip(): patterns.split() for title, _, patterns in pairs}


def fits(name: str, value: Any, pattern: str) -> bool:
    """Whether a pattern is for a name: as in a shell, ``.file`` where the value comes from, or
    ``:Class`` of which it is an instance."""
    if pattern.startswith(":"):
        return pattern[1:] == type(value).__name__
    if pattern.startswith("."):
        return pattern[1:] == (getattr(value, "__module__", None) or "").rpartition(".")[2]
    return fnmatchcase(name, pattern)


def group(module: ModuleType, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """The names of each group, each in the first that has a pattern for it.

    Modules come under "Modules", what is not ours under "As they are in NumPy and SciPy", and
    what no pattern fits under "More": a new name is never left out.
    """
    found: dict[str, list[str]] = {title: [] for title in wanted}
    rest = "More" if wanted else "Functions"
    theirs: list[str] = []
    for name in public_names(module):
        value = getattr(module, name)
        if inspect.ismodule(value):
            found.setdefault("Modules", []).append(name)
        elif not is_ours(value):
            theirs.append(name)
        else:
            titles = (t for t, ps in wanted.items() for p in ps if fits(name, value, p))
            found.setdefault(next(titles, rest), []).append(name)
    if theirs:
        found["As they are in NumPy and SciPy"] = theirs
    return {title: names for title, names in found.items() if names}


def summary(value: Any) -> str:
    """The first sentence of a docstring, on one line."""
    text = inspect.getdoc(value) or ""
    words = " ".join(text.partition("\n\n")[0].split())
    end = words.find(". ")
    return words if end < 0 else words[: end + 1]
