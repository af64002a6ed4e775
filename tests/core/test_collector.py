"""The collector's threshold is raised within a block and always restored."""

import gc
import threading

import pytest

from autotrace.core.collector import patient_collector


@pytest.fixture(autouse=True)
def _restore():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_restored_after_nesting_and_errors():
    before = gc.get_threshold()
    with patient_collector():
        assert gc.get_threshold()[0] > before[0]
        with pytest.raises(ZeroDivisionError), patient_collector():
            1 / 0  # noqa: B018
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before


def test_interleaved_threads_restore_it():
    before = gc.get_threshold()
    inside, leave = threading.Event(), threading.Event()

    def other():
        with patient_collector():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with patient_collector():
        thread.start()
        assert inside.wait(10)
    assert gc.get_threshold()[0] > before[0]
    leave.set()
    thread.join()
    assert gc.get_threshold() == before


def test_a_users_setting_is_respected():
    gc.set_threshold(0, 5, 5)
    with patient_collector():
        assert gc.get_threshold() == (0, 5, 5)
    assert gc.get_threshold() == (0, 5, 5)
