"""The numbers are JAX's: recorded ones, and those of the JAX that is installed, if one is."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import random_streams

from autotrace import config, random
from autotrace.lax.random_bits import threefry2x32

RECORDED = random_streams.read()


def check(name: str, right: np.ndarray) -> None:
    exact = name in random_streams.EXACT
    out = np.asarray((random_streams.EXACT if exact else random_streams.CLOSE)[name](random))
    if not name.startswith("categorical"):  # JAX's have 32 bits in some cases
        assert out.dtype == right.dtype
    assert out.shape == right.shape
    # The interpreter has no fused multiply-adds within the normal quantile.
    if exact and not (config.backend == "numpy" and name.startswith("normal")):
        np.testing.assert_array_equal(out, right)
    else:
        places = 1e-4 if right.dtype == np.float32 else 1e-11
        np.testing.assert_allclose(out, right, rtol=places, atol=0)


@pytest.mark.parametrize("name", [*random_streams.EXACT, *random_streams.CLOSE])
def test_recorded(name):
    check(name, RECORDED[name])


def test_installed(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    path = tmp_path / "streams.json"
    subprocess.run([sys.executable, random_streams.__file__, str(path)], check=True)
    for name, right in random_streams.read(path).items():
        check(name, right)


@pytest.mark.parametrize(
    ("key", "count", "word"),
    [  # the answers that its authors give
        (0, 0, 0x6B20015999BA4EFE),
        (2**64 - 1, 2**64 - 1, 0x1CB996FCBB002BE7),
        (0x13198A2E03707344, 0x243F6A8885A308D3, 0xC4923A9C483DF7A0),
    ],
)
def test_generator(key, count, word):
    words = np.uint64(key), np.uint64(count)
    assert threefry2x32(*words) == word
    assert random.keys.staged(threefry2x32)(*words) == word
    with pytest.raises(TypeError, match="uint64"):
        threefry2x32(1.0, words[1])
