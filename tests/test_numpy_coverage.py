"""docs/numpy_coverage.md says what is true."""

from __future__ import annotations

import numpy as np
import numpy_coverage
import pytest
from numpy_checks import same

import autotrace as at
import autotrace.numpy as anp
from autotrace.numpy.host import reasons


@pytest.mark.source_tree
def test_page_is_true():
    found = numpy_coverage.measure()
    assert numpy_coverage.share(found) >= 0.95
    if np.__version__.startswith("2.4.") and at.config.backend != "numpy":
        page = numpy_coverage.PAGE.read_text(encoding="utf-8")
        assert page == numpy_coverage.render(found), "python tests/numpy_coverage.py writes it anew"


def test_every_function_has_an_example():
    names = {n for n in numpy_coverage.function_names() if n not in reasons}
    assert names == set(numpy_coverage.examples())


def test_nothing_is_missing():
    modules = {n for n in np.__all__ if isinstance(getattr(np, n), type(np))}
    public = {n for n in np.__all__ if not n.startswith("__")} - modules
    assert public - {n for n in dir(np) if hasattr(anp, n)} == set()


def test_every_function_shows_what_it_does():
    ours = [getattr(anp, n) for n in anp.__all__ if callable(getattr(anp, n))]
    ours = [f for f in ours if (getattr(f, "__module__", None) or "").startswith("autotrace.")]
    plain = {f.__name__ for f in ours if not isinstance(f, type) and ">>>" not in f.__doc__}
    assert plain == set()


def test_an_example_that_is_wrong_is_found():
    with pytest.raises(AssertionError, match="under jit"):
        numpy_coverage.run("where", "np.where(isinstance(v, np.ndarray), v, w)")


REFUSED = {
    "array2string": lambda x: np.array2string(x),
    "save": lambda x: np.save("nothing", x),
    "is_busday": lambda x: np.is_busday(x),
    "isnat": lambda x: np.isnat(x),
    "frompyfunc": lambda x: np.frompyfunc(abs, 1, 1)(x),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(name):
    with pytest.raises(TypeError, match=r"test_numpy_coverage.py"):
        at.jit(REFUSED[name])(np.ones(3))


def test_reasons_are_told():
    with pytest.raises(TypeError, match="reads or writes files"):
        at.grad(lambda x: np.save("nothing", x))(1.0)
    with pytest.raises(TypeError, match="an array of memory or text"):
        at.jit(lambda x: anp.frombuffer(x))(np.ones(2))
    same(anp.frombuffer(b"ab", np.uint8), np.array([97, 98], np.uint8))
    assert anp.matrix is np.matrix
    with pytest.raises(AttributeError, match="no attribute 'no_such_thing'"):
        anp.no_such_thing  # noqa: B018
