"""Kernels as plain Python: slow, and with every memory access checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from autotrace.kernels.fusion import HostStep
from autotrace.kernels.program import Program
from autotrace.kernels.scalars import NAMESPACE
from autotrace.kernels.source import parameters, python_source

from autotrace import lax


class Pointer:
    """An address within a buffer: indices count from it, and must stay within the buffer."""

    def __init__(self, buffer: np.ndarray, offset: int):
        self.flat = buffer.reshape(-1)
        self.flat = self.flat.view(np.uint8) if buffer.dtype == np.bool_ else self.flat
        self.offset = offset

    def _at(self, i: int) -> int:
        at = self.offset + i
        assert 0 <= at < self.flat.size, f"position {at} of {self.flat.size}"
        return at

    def __getitem__(self, i: int) -> Any:
        return self.flat[self._at(i)]

    def __setitem__(self, i: int, value: Any) -> None:
        at = self._at(i)
        assert self.flat.dtype == np.asarray(value).dtype
        self.flat[at] = value


def _function(name: str, value: Any) -> Any:
    plain = {
        "np": np, "floor": np.floor, "sqrt": np.sqrt, "maximum": np.maximum,
        "minimum": np.minimum, "select": lambda c, x, y: x if c else y,
    }  # fmt: skip
    if name.startswith("vm_"):
        return getattr(lax, name.removeprefix("vm_"), value)
    return plain.get(name, value)


_NAMESPACE = {name: _function(name, value) for name, value in NAMESPACE.items()}
_NAMESPACE["add_any_order"] = lambda total, x: total + x


def _run_kernel(low: Any, slots: list[Any], start: int, stop: int) -> None:
    namespace = dict(_NAMESPACE)
    exec(python_source(low.kernel), namespace)
    args: dict[str, Any] = dict(zip(parameters(low.kernel), low.table, strict=True))
    names = list(args)
    for slot, position, offset in low.patches:
        buffer = np.asarray(slots[slot])
        args[names[position]] = Pointer(buffer, offset // buffer.itemsize)
    for i, dtype in enumerate(low.kernel.scalars):
        word = np.array([args[f"scalar{i}"]], np.int64)
        args[f"scalar{i}"] = word.view(dtype)[0]
    namespace["loops"](*args.values(), start, stop)


def run_plainly(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """What a program returns, its kernels run as Python."""
    slots: list[Any] = [None] * program.slot_count
    for slot, value in program.consts:
        slots[slot] = value
    for slot, aval in program.temporaries:
        slots[slot] = np.zeros(aval.shape, aval.dtype)
    for slot, shape, dtype in program.outputs:
        slots[slot] = np.zeros(shape, dtype)
    for slot, x in zip(program.inputs, inputs, strict=True):
        slots[slot] = np.array(x, order="C")[()]
    kernels = iter(program.kernels)
    with np.errstate(all="ignore"):
        for step in program.steps:
            if isinstance(step, HostStep):
                program._run_host(step, slots)
            else:
                segment, at, found = program.segments[step], 0, {}
                while at < len(segment.words):
                    found[at] = next(kernels)
                    at += len(found[at].table)
                for _, table, start, stop in segment.steps.tolist():
                    _run_kernel(found[table], slots, start, stop)
    return [slots[slot][()] if scalar else slots[slot] for slot, scalar in program._results]
