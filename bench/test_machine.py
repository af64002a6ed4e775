"""What the machine can do at most, for the roofline: kept with the results."""

from __future__ import annotations

import shutil

import pytest

from bench import machine


def test_peaks(benchmark, session):
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler (cc)")
    session.found["machine"] |= benchmark.pedantic(machine.peaks, rounds=1, iterations=1)
    session.save()
    assert all(rate > 0 for rate in session.found["machine"]["flops"].values())
