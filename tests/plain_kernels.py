"""Kernels as plain Python: slow, and with every memory access checked."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from autotrace.kernels.build import address
from autotrace.kernels.expressions import HostStep, Leaf, Routine
from autotrace.kernels.lowering import STATUS_SLOT, Lowered
from autotrace.kernels.program import Program
from autotrace.kernels.scalars import NAMESPACE
from autotrace.kernels.source import parameters, python_source
from autotrace.kernels.structure import Structured

from autotrace import lax


class Pointer:
    """An address within a buffer: indices count from it, and must stay within the buffer."""

    def __init__(self, buffer: np.ndarray, offset: int = 0):
        self.flat = buffer.reshape(-1)
        self.offset = offset

    def _at(self, i: int) -> int:
        at = self.offset + i
        assert 0 <= at < self.flat.size, f"position {at} of {self.flat.size}"
        return at

    def __getitem__(self, i: int) -> Any:
        return self.flat[self._at(i)]

    def __setitem__(self, i: int, value: Any) -> None:
        at = self._at(i)
        if type(value) in (int, float):  # takes on the type of what it meets
            assert self.flat.dtype.kind == "f" or type(value) is int
        else:
            assert self.flat.dtype == np.asarray(value).dtype
        self.flat[at] = value


def quotient(x: Any, y: Any) -> Any:
    """Integers divided, rounded towards zero."""
    whole = abs(int(x)) // abs(int(y))
    return type(x)(whole if (x < 0) == (y < 0) else -whole)


def rest(x: Any, y: Any) -> Any:
    """What a quotient leaves; it has the sign of ``x``."""
    whole = abs(int(x)) % abs(int(y))
    return type(x)(-whole if x < 0 else whole)


def _function(name: str, value: Any) -> Any:
    if name.startswith("vm_"):
        return getattr(lax, name.removeprefix("vm_"), value)
    return value


_DTYPES = "float64 float32 int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
#: What sources may name, as functions of NumPy's scalars.
NAMES: dict[str, Any] = {name: _function(name, value) for name, value in NAMESPACE.items()} | {
    "np": np,
    "floor": np.floor,
    "sqrt": np.sqrt,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "add_any_order": lambda total, x: total + x,
    "select": lambda condition, x, y: x if condition else y,
    "quotient": quotient,
    "rest": rest,
    "one_by_one": range,
    **{f"room_{d}": lambda n, d=d: Pointer(_unwritten((n,), d)) for d in _DTYPES},
}


def _run_kernel(low: Lowered, slots: dict[int, np.ndarray]) -> None:
    namespace = dict(NAMES)
    exec(python_source(low.kernel), namespace)
    args: dict[str, Any] = dict(zip(parameters(low.kernel), low.table, strict=True))
    names = list(args)
    for slot, position, offset in low.patches:
        buffer = slots[slot].reshape(-1)
        buffer = buffer.view(np.uint8) if buffer.dtype == np.bool_ else buffer
        args[names[position]] = Pointer(buffer, offset // buffer.itemsize)
    for i, dtype in enumerate(low.kernel.scalars):
        word = np.array([args[f"scalar{i}"]], np.int64)
        args[f"scalar{i}"] = word.view(dtype)[0]
    namespace["loops"](*args.values(), 0, low.stop)


class Address:
    """A place in some bytes, as a number would be."""

    def __init__(self, data: np.ndarray, offset: int = 0):
        self.data = data
        self.offset = offset

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Address):
            return False  # a number: memory that there is not
        same = self.data.ctypes.data == other.data.ctypes.data
        return same and self.offset == other.offset

    __hash__ = None


class Table(list):
    """A loop's table: its words, of which some are addresses."""

    def typed(self, dtype: str) -> np.ndarray:
        words = [0 if isinstance(w, Address) else w for w in self]
        return np.array(words, np.int64).view(dtype)


def _bytes(buffer: np.ndarray) -> np.ndarray:
    return buffer.reshape(-1).view(np.uint8)


def _pointer_to(dtype: str) -> Callable:
    def pointer(place: Any) -> Any:
        if isinstance(place, Table):
            return place if dtype == "int64" else place.typed(dtype)
        return Pointer(place.data.view(dtype), place.offset // np.dtype(dtype).itemsize)

    return pointer


def _invoked(function: Any, types: str, *args: Any) -> Any:
    """``malloc`` and ``free``: nothing else is called by a loop that runs plainly."""
    if types == "int64(int64)":
        return Address(_bytes(_unwritten((-(-int(args[0]) // 8),), np.int64)))
    assert types == "void(int64)"
    return None


_LOOP_NAMES: dict[str, Any] = {
    **{f"pointer_{d}": _pointer_to(d) for d in _DTYPES},
    "at": lambda pointer, i: Pointer(pointer.flat, pointer.offset + int(i)),
    "address_of": lambda p, i: Address(_bytes(p.flat), (p.offset + i) * p.flat.itemsize),
    "invoke": _invoked,
}


def _run_loops(step: Structured, slots: dict[int, np.ndarray]) -> None:
    if "invoke(words[" in step.source.text or "routine_" in step.source.text:
        _run_routine(step, slots)  # it has steps that call native libraries, or threads
        return
    table = Table(step.table)
    for slot, position, offset in step.patches:
        table[position] = Address(_bytes(slots[slot]), offset)
    namespace = NAMES | _LOOP_NAMES
    for helper in step.source.helpers:
        exec(helper[0], namespace)
    exec(step.source.text, namespace)
    namespace["control"](table, 0, 1)


def _run_routine(step: Routine | Structured, slots: dict[int, np.ndarray]) -> None:
    """A routine calls native libraries: it runs compiled."""
    table = np.array(step.table, np.int64)
    for slot, position, offset in step.patches:
        table[position] = slots[slot].ctypes.data + offset
    types = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
    ctypes.CFUNCTYPE(None, *types)(address(step.source))(table.ctypes.data, 0, step.stop)


def _elements(leaf: Leaf, slots: dict[int, np.ndarray]) -> Any:
    """What a host step is given for a leaf: an element for each position of its view."""
    at = np.full(leaf.shape, leaf.view.offset)
    for d, stride in enumerate(leaf.view.strides):
        line = np.arange(leaf.shape[d]).reshape([-1 if e == d else 1 for e in range(at.ndim)])
        at = at + stride * line
    flat = slots[leaf.slot].reshape(-1)
    return (flat[at] if at.size else np.empty(leaf.shape, leaf.dtype))[()]


def _unwritten(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An array of bytes that nothing computes."""
    made = np.empty(shape, dtype)
    made.reshape(-1).view(np.uint8)[:] = 0xA5
    return made


def run_plainly(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """What a program returns, its kernels run as Python; each temporary has memory of its own."""
    plan = program.plan
    status = np.zeros((), np.int64)
    slots: dict[int, np.ndarray] = {STATUS_SLOT: status, **dict(program.consts)}
    for slot, aval in (plan.temporaries | plan.outputs).items():
        slots[slot] = _unwritten(aval.shape, aval.dtype)
    for (slot, aval), x in zip(program.inputs, inputs, strict=True):
        slots[slot] = np.array(x, aval.dtype, order="C")
    with np.errstate(all="ignore"):
        for step in program.steps:
            if isinstance(step, HostStep):
                args = [_elements(a, slots) if isinstance(a, Leaf) else a.value for a in step.args]
                for slot, made in zip(step.slots, step.call(*args), strict=True):
                    slots[slot] = np.array(made, order="C")
            elif isinstance(step, Routine):
                _run_routine(step, slots)
            elif isinstance(step, Structured):
                _run_loops(step, slots)
            else:
                _run_kernel(step, slots)
            if status:
                raise IndexError("an index is out of bounds")
    return [
        slots[slot] if scalar is None else slots[slot].reshape(-1)[0]
        for slot, scalar in plan.results
    ]
