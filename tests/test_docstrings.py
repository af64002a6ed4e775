"""Each public function says what it does: with an example that runs, or which of NumPy's or SciPy's
functions it is."""

from __future__ import annotations

import functools
import importlib
import re
import types

import pytest

import autotrace

MODULES = """
    autotrace autotrace.debug autotrace.lax autotrace.nn autotrace.nn.initializers
    autotrace.numpy autotrace.numpy.fft autotrace.numpy.linalg autotrace.random
    autotrace.scipy.cluster.vq autotrace.scipy.fft autotrace.scipy.integrate
    autotrace.scipy.interpolate autotrace.scipy.linalg autotrace.scipy.ndimage
    autotrace.scipy.optimize autotrace.scipy.signal autotrace.scipy.sparse.linalg
    autotrace.scipy.spatial.transform autotrace.scipy.special autotrace.scipy.stats
    autotrace.testing autotrace.tree
""".split()


def exists(name: str) -> bool:
    """Whether there is something of a dotted name."""
    package, *parts = name.split(".")
    module = importlib.import_module(package)
    try:
        functools.reduce(getattr, parts, module)
    except AttributeError:
        return False
    return True


def says_what_it_does(doc: str) -> bool:
    other = re.match(r"As ``((?:numpy|scipy)[\w.]*)``", doc)
    return ">>> " in doc or (other is not None and exists(other[1]))


@pytest.mark.parametrize("name", MODULES)
def test_public_functions(name):
    module = importlib.import_module(name)
    public = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
    lacking = []
    for each in public:
        found = getattr(module, each)
        if isinstance(found, types.ModuleType | type) or not callable(found):
            continue
        if not says_what_it_does(found.__doc__ or ""):
            lacking.append(each)
    assert not lacking


def test_the_rule():
    assert says_what_it_does("The sine.\n\n>>> sin(0.0)\n0.0")
    assert says_what_it_does("As ``scipy.special.gamma``, on arrays and traced values.")
    assert not says_what_it_does("As ``scipy.special.gamut``.")
    assert not says_what_it_does("The sine.")
    assert set(autotrace.__all__) <= {*dir(autotrace)}
