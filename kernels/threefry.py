"""Threefry-2x32 on words of 64 bits.

On values under translation it is a call of a function of the module, not its text: that is long,
and LLVM's time would be many times the rest's. Loops that call it are vectorised all the same,
since the call carries vector variants (LLVM's vector function ABI).

A word is a chain of sixty operations that wait for each other. Loops go through several vectors at
once, so that processors have others to do meanwhile: a million normal numbers take 8.1 ms with
four, 9.3 with two and 11.8 with one; numbers of gamma distribution 36, 39 and 49 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .llvm.values import Module, Value

#: How far the rounds turn the second half, by fours in turn (Salmon et al., 2011).
_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
_PARITY = 0x1BD11BDA
_NAME = "threefry2x32"
_WIDTHS = (2, 4, 8, 16)
_INTERLEAVED = 4


def threefry2x32(key: Any, count: Any) -> Any:
    """The random word of a key and a count: three uint64, each two halves of a pair in order."""
    value = next((x for x in (key, count) if isinstance(x, Value)), None)
    if value is None:
        return _computed(key, count)
    builder = value.builder
    key, count = builder.value(key, "uint64"), builder.value(count, "uint64")
    if _NAME not in builder.module.definitions:
        _define(builder.module)
    builder.interleaved = _INTERLEAVED
    variants = ",".join(f"{_variant(w)}({_variant(w)})" for w in _WIDTHS)
    return builder.made(
        "uint64",
        f"call i64 @{_NAME}(i64 {key.name}, i64 {count.name}) nounwind willreturn memory(none) "
        f'"vector-function-abi-variant"="{variants}"',
    )


def _computed(key: Any, count: Any) -> Any:
    """On NumPy's scalars."""
    half, by32 = np.uint32, np.uint64(32)
    with np.errstate(over="ignore"):  # they warn where a sum wraps
        keys = [half(key >> by32), half(key)]
        keys.append(keys[0] ^ keys[1] ^ half(_PARITY))
        x, y = half(count >> by32) + keys[0], half(count) + keys[1]
        for turn in range(1, 6):
            for by in _ROTATIONS[(turn - 1) % 2]:
                x = x + y
                y = ((y << by) | (y >> (32 - by))) ^ x
            x = x + keys[turn % 3]
            y = y + keys[(turn + 1) % 3] + half(turn)
    return (np.uint64(x) << by32) | np.uint64(y)


def _variant(width: int) -> str:
    return f"_ZGV_LLVM_N{width}vv_{_NAME}"


def _define(module: Module) -> None:
    module.definitions[_NAME] = _definition(module, _NAME, 0)
    for width in _WIDTHS:
        module.definitions[_variant(width)] = _definition(module, _variant(width), width)
        module.kept.append(_variant(width))


def _definition(module: Module, name: str, width: int) -> str:
    """The function on numbers, or on vectors of some width."""
    half, word = (f"<{width} x {kind}>" if width else kind for kind in ("i32", "i64"))
    turn = f"@llvm.fshl.{f'v{width}' if width else ''}i32"
    module.declare(f"declare {half} {turn}({half}, {half}, {half})")
    lines: list[str] = []

    def constant(kind: str, number: int) -> str:
        return "<" + ", ".join([f"{kind} {number}"] * width) + ">" if width else str(number)

    def made(text: str) -> str:
        lines.append(f"  %t{len(lines)} = {text}")
        return f"%t{len(lines) - 1}"

    def halves(x: str) -> list[str]:
        upper = made(f"lshr {word} {x}, {constant('i64', 32)}")
        return [made(f"trunc {word} {part} to {half}") for part in (upper, x)]

    def add(x: str, y: str) -> str:
        return made(f"add {half} {x}, {y}")

    def xor(x: str, y: str) -> str:
        return made(f"xor {half} {x}, {y}")

    keys = halves("%key")
    keys.append(xor(xor(*keys), constant("i32", _PARITY)))
    x, y = (add(*pair) for pair in zip(halves("%count"), keys, strict=False))
    for n in range(1, 6):
        for by in _ROTATIONS[(n - 1) % 2]:
            x = add(x, y)
            turned = f"{half} {y}, {half} {y}, {half} {constant('i32', by)}"
            y = xor(made(f"call {half} {turn}({turned})"), x)
        x = add(x, keys[n % 3])
        y = add(y, add(keys[(n + 1) % 3], constant("i32", n)))
    upper = made(f"shl {word} {made(f'zext {half} {x} to {word}')}, {constant('i64', 32)}")
    out = made(f"or {word} {upper}, {made(f'zext {half} {y} to {word}')}")
    head = f"define internal {word} @{name}({word} %key, {word} %count)"
    return "\n".join([f"{head} noinline nounwind {{", *lines, f"  ret {word} {out}", "}"])
