"""All tests run with the jaxpr checker on. Hypothesis has no deadlines, since a shared machine may
pause, and under CI the same examples each time; elsewhere it looks for new ones."""

import os

import pytest
from hypothesis import settings

import autotrace

autotrace.config.update("check_jaxprs", True)
settings.register_profile("suite", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("suite")


@pytest.fixture(params=["numpy", "numba"])
def backend(request):
    """Each backend in turn as the process's."""
    before = autotrace.config.backend
    autotrace.config.update("backend", request.param)
    yield request.param
    autotrace.config.update("backend", before)
