"""All tests run with the jaxpr checker on. Hypothesis has no deadlines, since a shared machine may
pause, and under CI the same examples each time; elsewhere it looks for new ones."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

import autotrace

autotrace.config.update("check_jaxprs", True)
settings.register_profile("suite", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("suite")


def pytest_collection_modifyitems(items):
    """Tests of the source tree are skipped where only the library is installed."""
    if not Path(__file__).parent.parent.joinpath("docs").is_dir():
        reason = "needs the source tree: it tests the files there, not the library"
        for item in items:
            if item.get_closest_marker("source_tree"):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(params=["numpy", "numba"])
def backend(request):
    """Each backend in turn as the process's."""
    before = autotrace.config.backend
    autotrace.config.update("backend", request.param)
    yield request.param
    autotrace.config.update("backend", before)
