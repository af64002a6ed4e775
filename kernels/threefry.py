"""Threefry-2x32 on words of 64 bits, written so that LLVM vectorises loops of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .llvm.values import Value

#: How far the rounds turn the second half, by fours in turn (Salmon et al., 2011).
_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
_PARITY = 0x1BD11BDA


def _half(word: Any) -> Any:
    """The lower 32 bits."""
    return word.builder.convert(word, "uint32") if isinstance(word, Value) else np.uint32(word)


def _word(half: Any) -> Any:
    return half.builder.convert(half, "uint64") if isinstance(half, Value) else np.uint64(half)


def threefry2x32(key: Any, count: Any) -> Any:
    """The random word of a key and a count: three uint64, each two halves of a pair in order."""
    with np.errstate(over="ignore"):  # on NumPy's scalars, which warn where a sum wraps
        keys = [_half(key >> 32), _half(key)]
        keys.append(keys[0] ^ keys[1] ^ _PARITY)
        x, y = _half(count >> 32) + keys[0], _half(count) + keys[1]
        for turn in range(1, 6):
            for by in _ROTATIONS[(turn - 1) % 2]:
                x = x + y
                y = ((y << by) | (y >> (32 - by))) ^ x
            x = x + keys[turn % 3]
            y = y + keys[(turn + 1) % 3] + turn
    return (_word(x) << 32) | _word(y)
