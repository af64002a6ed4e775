"""Settings."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import autotrace as at
from autotrace import config


def in_thread(function):
    out = []
    thread = threading.Thread(target=lambda: out.append(function()))
    thread.start()
    thread.join()
    return out[0]


def test_update_is_for_all_threads():
    before = config.jit_cache_size
    try:
        config.update("jit_cache_size", 17)
        assert config.jit_cache_size == 17
        assert in_thread(lambda: config.jit_cache_size) == 17
    finally:
        config.update("jit_cache_size", before)
    assert in_thread(lambda: config.jit_cache_size) == before


def test_override_is_for_this_thread_and_block():
    before = config.jit_cache_size
    with config.override("jit_cache_size", 3):
        assert config.jit_cache_size == 3
        assert in_thread(lambda: config.jit_cache_size) == before
        with config.override("jit_cache_size", 4):
            assert config.jit_cache_size == 4
        assert config.jit_cache_size == 3
    assert config.jit_cache_size == before


def test_override_ends_on_error():
    with pytest.raises(KeyError), config.override("debug_nans", True):
        raise KeyError
    assert config.debug_nans is False


def test_unknown_setting():
    with pytest.raises(AttributeError, match="no setting 'nans'; it has: debug_nans, check_jaxprs"):
        config.update("nans", True)
    with pytest.raises(AttributeError, match="no setting"), config.override("nans", True):
        pass


def test_at_most_six_settings():
    assert len(type(config).__annotations__) <= 6


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_environment(backend):
    code = (
        "import autotrace; c = autotrace.config; "
        "print(c.debug_nans, c.check_jaxprs, c.jit_cache_size, c.backend, c.num_threads)"
    )
    env = {
        **os.environ,
        "AUTOTRACE_DEBUG_NANS": "1",
        "AUTOTRACE_CHECK_JAXPRS": "True",
        "AUTOTRACE_JIT_CACHE_SIZE": "9",
        "AUTOTRACE_BACKEND": backend,
        "AUTOTRACE_NUM_THREADS": "3",
    }
    out = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["True", "True", "9", backend, "3"]


def test_backend_of_functions_that_name_none():
    free, named = at.jit(lambda x: x + 1), at.jit(lambda x: x + 1, backend="numpy")
    for backend in ("numpy", "numba"):
        with config.override("backend", backend):
            assert free(1.0) == named(1.0) == 2.0
            for function, shown in ((free, backend), (named, "numpy")):
                assert f"backend={shown} " in str(at.make_jaxpr(lambda x, f=function: f(x))(1.0))


def test_debug_nans_context():
    with at.debug_nans():
        assert config.debug_nans
        with at.debug_nans(False):
            assert not config.debug_nans
            assert np.isnan(at.jit(np.log)(-1.0))
        with pytest.raises(at.NanError):
            at.jit(np.log)(-1.0)
    assert not config.debug_nans
