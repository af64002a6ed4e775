"""Modules that are imported when first used, so that ``import autotrace`` stays cheap."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """Stands for a module until the first attribute is read, then passes each read on."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by inspect and doctest while they look for something else
            raise AttributeError(name)
        value = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, value)
        return value
