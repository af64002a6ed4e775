"""Programs for callers that are not Python: functions of Numba's, and C callbacks of SciPy's.

A call from Python takes its arguments out of objects and holds the interpreter's lock. The
functions here take addresses and need neither. So that several threads may call one at once, a
*pool* has several frames of the program, made ahead; a call takes one that is free.

This module imports Numba and SciPy; nothing else here imports it.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import NumbaTypeError
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic
from numba.np.numpy_support import as_dtype
from scipy import LowLevelCallable

from ..core.avals import ShapedArray
from ..core.errors import located
from ..core.jaxpr import var_name
from ..core.source import describe
from . import runtime, team
from .build import Source, address
from .frame import frame
from .layout import WORDS
from .lowering import NO_FACTOR
from .program import Program

# --- the pool -----------------------------------------------------------------------------------

_NAMES = "LAST FRAMES YIELD IN_COUNT IN_SLOTS OUT_COUNT OUT_ROWS"
_WORDS = {f"POOL_{name}": i for i, name in enumerate(_NAMES.split())}

#: A frame that nobody uses, which is then the caller's: where to look first is chosen by a number
#: that is not the same for two threads, so that they do not wait for each other's memory.
_TAKE = """
def take(place, hint):
    pool = pointer_int64(place)
    frames = pointer_int64(pool[POOL_FRAMES])
    at = ((hint >> 20) * MIXER >> 40) & pool[POOL_LAST]
    looks = 0
    while True:
        frame = pointer_int64(frames[at])
        if atomic_load(frame, BUSY) == 0:
            if atomic_swap(frame, BUSY, 1) == 0:
                return frames[at]
        at = (at + 1) & pool[POOL_LAST]
        looks = looks + 1
        if (looks & pool[POOL_LAST]) == 0 and pool[POOL_YIELD] != 0:
            invoke(pool[POOL_YIELD], "int32()")
"""

#: What ``runtime.run`` does, for kernels only. The status: not 0 where an index is out of bounds
#: or a matrix has no factor.
_STEPS = """
def steps(frame):
    frame[STATUS] = 0
    patch(frame[PATCH_ROWS], frame[PATCH_COUNT], pointer_int64(frame[ADDRESSES]))
    for i in range(frame[STEP_COUNT]):
        step = pointer_int64(frame[STEP_ROWS] + 8 * STEP_SIZE * i)
        kernel_step(frame, step)
        if frame[STATUS] != 0:
            break
    return frame[STATUS]
"""

#: The only output, a float64, and the frame free again. A C callback cannot raise errors: what
#: would be one makes a NaN.
_NUMBER = """
def number(place, frame):
    value = np.nan
    if steps(frame) == 0:
        slots = pointer_int64(pointer_int64(place)[POOL_OUT_ROWS])
        value = pointer_float64(pointer_int64(frame[ADDRESSES])[slots[0]])[0]
    atomic_swap(frame, BUSY, 0)
    return value
"""

#: Inputs and outputs are tables of addresses. A scalar's output is copied to its address.
_RAW = """
def raw(place, inputs, outputs):
    frame = pointer_int64(take(place, inputs))
    pool = pointer_int64(place)
    addresses = pointer_int64(frame[ADDRESSES])
    given = pointer_int64(inputs)
    made = pointer_int64(outputs)
    slots = pointer_int64(pool[POOL_IN_SLOTS])
    for i in range(pool[POOL_IN_COUNT]):
        addresses[slots[i]] = given[i]
    rows = pointer_int64(pool[POOL_OUT_ROWS])
    for i in range(pool[POOL_OUT_COUNT]):
        if rows[2 * i + 1] == 0:
            addresses[rows[2 * i]] = made[i]
    status = steps(frame)
    for i in range(pool[POOL_OUT_COUNT]):
        size = rows[2 * i + 1]
        if size == 8:
            pointer_int64(made[i])[0] = pointer_int64(addresses[rows[2 * i]])[0]
        else:
            for b in range(size):
                pointer_uint8(made[i])[b] = pointer_uint8(addresses[rows[2 * i]])[b]
    atomic_swap(frame, BUSY, 0)
    return status
"""

_ONE = """
def one(x, place):
    frame = pointer_int64(take(place, place))
    row = pointer_int64(frame[ARG_ROWS])
    pointer_float64(row[ARG_SCRATCH])[0] = x
    pointer_int64(frame[ADDRESSES])[row[ARG_SLOT]] = row[ARG_SCRATCH]
    return number(place, frame)
"""

_MANY = """
def many(count, x, place):
    pool = pointer_int64(place)
    if np.int64(count) != pool[POOL_IN_COUNT]:
        return np.nan
    frame = pointer_int64(take(place, x))
    slots = pointer_int64(pool[POOL_IN_SLOTS])
    for i in range(pool[POOL_IN_COUNT]):
        pointer_int64(frame[ADDRESSES])[slots[i]] = x + 8 * i
    return number(place, frame)
"""

_WINDOW = """
def window(x, count, out, place):
    frame = pointer_int64(take(place, x))
    row = pointer_int64(frame[ARG_ROWS])
    if count != pointer_int64(row[ARG_DIMS])[0]:
        atomic_swap(frame, BUSY, 0)
        return 0
    pointer_int64(frame[ADDRESSES])[row[ARG_SLOT]] = x
    pointer_float64(out)[0] = number(place, frame)
    return 1
"""

_HELPERS = (
    *team.HELPERS,
    *runtime.NATIVE_STEPS,
    (_TAKE, ("int64", "int64"), "int64"),
    (_STEPS, ("*int64",), "int64"),
    (_NUMBER, ("int64", "*int64"), "float64"),
)
_NUMBERS = (*(WORDS | _WORDS).items(), *team.NUMBERS, ("MIXER", 0x1E3779B97F4A7C15))


def _function(text: str, dtypes: tuple[str, ...], result: str) -> int:
    return address(Source(text, dtypes, result, names=_NUMBERS, helpers=_HELPERS))


class _Pool:
    """Frames of a program, and how they are called.

    Raises:
      NotImplementedError: when the program has host steps.
    """

    def __init__(self, program: Program):
        _check_native(program)
        threads = program.threads()
        kinds = [np.ndarray] * len(program.inputs)
        count = 4
        while count < team.available():
            count *= 2
        self._frames = [frame(program, kinds, False, threads, {}) for _ in range(count)]
        results = [
            (slot, 0 if scalar is None else scalar.itemsize)
            for slot, scalar in program.plan.results
        ]
        tables = {
            "FRAMES": [words.ctypes.data for words in self._frames],
            "IN_SLOTS": [slot for slot, _ in program.inputs],
            "OUT_ROWS": [word for row in results for word in row],
        }
        self._arrays = {k: np.array(v, np.int64) for k, v in tables.items()}
        yields = getattr(ctypes.CDLL(None), "sched_yield", None)
        words = {
            "LAST": count - 1,
            "IN_COUNT": len(program.inputs),
            "OUT_COUNT": len(results),
            "YIELD": ctypes.cast(yields, ctypes.c_void_p).value if yields else 0,
            **{name: array.ctypes.data for name, array in self._arrays.items()},
        }
        self._words = np.array([words[name] for name in _NAMES.split()], np.int64)
        self.place = self._words.ctypes.data


def _check_native(program: Program) -> None:
    if not program.host_steps:
        return
    lines = []
    for step in program.host_steps:
        eqn = next((e for e in program.jaxpr.eqns if e.primitive.name == step.name), None)
        lines.append(f"  {step.name}\n{describe(eqn.location)}" if eqn else f"  {step.name}")
    raise NotImplementedError(
        "a program with host steps, which call Python, cannot be called without Python:\n"
        + "\n".join(dict.fromkeys(lines))
        + "\nWhat to do: leave these operations to a function of their own, called before or after."
    )


_pools: weakref.WeakKeyDictionary[Program, _Pool] = weakref.WeakKeyDictionary()


def _pool(program: Program) -> _Pool:
    pool = _pools.get(program)
    if pool is None:
        pool = _pools.setdefault(program, _Pool(program))
    return pool


# --- Numba --------------------------------------------------------------------------------------

#: Pools whose addresses stand in Numba's machine code, which nobody knows the end of.
_exported: dict[int, _Pool] = {}

#: The order of the kinds of numbers: one is taken for another of the same kind or a later one.
_RANKS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


def as_numba(program: Program, name: str = "program") -> CPUDispatcher:
    """A program as a function of Numba's.

    Args:
      program: a compiled program without host steps.
      name: what the function is called, in error messages too.

    Returns:
      The function. Compiled functions call it, from several threads at once (``prange``), and so
      does Python. It takes the program's inputs one by one: arrays in C order of exactly their
      dtypes and shapes, and numbers. It returns the output, or a tuple of several: new arrays, and
      numbers. It holds no lock of Python's while it runs. It pickles with the program.

    Raises:
      NotImplementedError: when the program has host steps, or dtypes that Numba does not have.

    The function raises ``ValueError`` for arrays of other shapes, ``IndexError`` for an index out
    of bounds, ``LinAlgError`` for a matrix that cannot be factored, ``TypeError`` for anything else
    that is not of the program's signature; where the caller is compiled the latter is Numba's
    ``TypingError`` when that is compiled.
    """
    avals = program.jaxpr.in_avals
    pool = _pool(program)
    outs = [(aval, _numba_type(aval)) for aval in program.jaxpr.out_avals]
    ins = [(aval, _numba_type(aval)) for aval in avals]
    _exported[pool.place] = pool
    namespace = {
        "_np": np,
        "_intrinsic": intrinsic,
        "_checked": functools.partial(_checked, name, ins),
        "_called": functools.partial(_called, pool.place, ins, outs),
        **{f"_{aval.dtype.name}": aval.dtype for aval, _ in outs},
    }
    exec(_python_source(name, avals, program.jaxpr.out_avals), namespace)
    function = namespace["_function"]
    function.__name__ = function.__qualname__ = name  # type: ignore[attr-defined]
    made = _Function(function, targetoptions={"nopython": True, "nogil": True})
    made.program = program
    return made


class _Function(CPUDispatcher):
    """A function of Numba's that knows what it takes."""

    program: Program

    def __reduce__(self) -> tuple:
        # Numba's own way would take the pool's address to another process.
        return as_numba, (self.program, self.py_func.__name__)

    def _compile_for_args(self, *args: Any, **kwargs: Any) -> Any:
        # Called from Python with types that it has not been called with before.
        avals = self.program.jaxpr.in_avals
        name = self.py_func.__name__
        if kwargs or len(args) != len(avals):
            raise TypeError(
                located(f"{name} takes {len(avals)} arguments by position, got {len(args)}")
            )
        for number, (x, aval) in enumerate(zip(args, avals, strict=True)):
            if not _fits(x, aval):
                raise TypeError(located(_refusal(name, number, aval, _description(x))))
        return super()._compile_for_args(*args)


def _fits(x: Any, aval: ShapedArray) -> bool:
    if not aval.shape:
        number = isinstance(x, bool | int | float | complex | np.generic)
        return number and _RANKS.get(np.asarray(x).dtype.kind, 9) <= _RANKS[aval.dtype.kind]
    return (
        isinstance(x, np.ndarray)
        and x.dtype == aval.dtype
        and x.ndim == len(aval.shape)
        and x.flags.c_contiguous
        and x.flags.aligned
    )


def _description(x: Any) -> str:
    if not isinstance(x, np.ndarray):
        return type(x).__name__
    order = "" if x.flags.c_contiguous and x.flags.aligned else " in another order"
    return f"an array of {x.dtype} with shape {x.shape}{order}"


def _refusal(name: str, number: int, aval: ShapedArray, got: str) -> str:
    wanted = f"an array {aval} in C order" if aval.shape else f"a number {aval}"
    return f"{name} takes {wanted} as argument {number}, got {got}"


def _numba_type(aval: ShapedArray) -> Any:
    try:
        scalar = numba.from_dtype(aval.dtype)
    except NotImplementedError:
        scalar = None
    if scalar is None or aval.dtype.kind not in _RANKS or aval.dtype == np.float16:
        raise NotImplementedError(f"Numba has no arrays of {aval.dtype}")
    return types.Array(scalar, len(aval.shape), "C") if aval.shape else scalar


def _python_source(name: str, ins: Sequence[ShapedArray], outs: Sequence[ShapedArray]) -> str:
    """The function that Numba compiles."""
    given = [var_name(i) for i in range(len(ins))]
    arrays = [f"_out_{var_name(i)}" for i, aval in enumerate(outs) if aval.shape]
    parameters = "".join(f", {x}" for x in given)
    lines = [
        "@_intrinsic",
        f"def _check(_context{parameters}):",
        f"    return _checked([{', '.join(given)}])",
        "@_intrinsic",
        f"def _call(_context{''.join(f', {x}' for x in [*given, *arrays])}):",
        f"    return _called([{', '.join([*given, *arrays])}])",
        f"def _function({', '.join(given)}):",
        f"    _check({', '.join(given)})",
    ]
    for number, (x, aval) in enumerate(zip(given, ins, strict=True)):
        if aval.shape:
            message = f"{name} takes an array of shape {aval.shape} as argument {number}"
            lines += [
                f"    if {x}.shape != {aval.shape}:",
                f"        raise ValueError({message!r})",
            ]
    for i, aval in enumerate(outs):
        if aval.shape:
            lines.append(f"    _out_{var_name(i)} = _np.empty({aval.shape}, _{aval.dtype.name})")
    message = f"{name}: an index is out of bounds"
    no_factor = f"{name}: a matrix is not positive definite, or singular"
    lines += [
        f"    _results = _call({', '.join([*given, *arrays])})",
        f"    if _results[0] == {NO_FACTOR}:",
        f"        raise _np.linalg.LinAlgError({no_factor!r})",
        "    if _results[0] != 0:",
        f"        raise IndexError({message!r})",
    ]
    results = []
    numbers = 0
    for i, aval in enumerate(outs):
        numbers += not aval.shape
        results.append(f"_out_{var_name(i)}" if aval.shape else f"_results[{numbers}]")
    value = results[0] if len(results) == 1 else f"({', '.join(results)})"
    return "\n".join([*lines, f"    return {value}", ""])


def _checked(name: str, ins: list, given: Sequence[types.Type]) -> tuple:
    """An intrinsic that refuses arguments of wrong types, and does nothing."""
    for number, ((aval, wanted), got) in enumerate(zip(ins, given, strict=True)):
        got = types.unliteral(got)
        if isinstance(wanted, types.Array):
            good = (
                isinstance(got, types.Array)
                and (got.dtype, got.ndim, got.layout) == (wanted.dtype, wanted.ndim, "C")
                and got.aligned
            )
        else:
            good = isinstance(got, types.Number | types.Boolean)
            good = good and _RANKS[as_dtype(got).kind] <= _RANKS[aval.dtype.kind]
        if not good:
            raise NumbaTypeError(_refusal(name, number, aval, str(got)))
    return types.void(*given), lambda context, builder, signature, args: context.get_dummy_value()


def _called(place: int, ins: list, outs: list, given: Sequence[types.Type]) -> tuple:
    """An intrinsic that calls a program: from its arguments, and arrays for its outputs, to its
    status and those outputs that are numbers."""
    raw = _function(_RAW, ("int64",) * 3, "int64")
    wanted = [
        got if isinstance(got, types.Array) else kind
        for got, kind in zip(given, [*(k for _, k in ins), *given[len(ins) :]], strict=True)
    ]
    numbers = [kind for aval, kind in outs if not aval.shape]
    signature = types.Tuple.from_types((types.int64, *numbers))(*wanted)

    def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        word = ir.IntType(64)

        def room(kind: Any) -> Any:
            return cgutils.alloca_once(builder, context.get_data_type(kind))

        def place_of(kind: Any, value: Any) -> Any:
            if isinstance(kind, types.Array):
                return context.make_array(kind)(context, builder, value).data
            pointer = room(kind)
            context.pack_value(builder, kind, value, pointer)
            return pointer

        def table(pointers: list) -> Any:
            words = cgutils.alloca_once(builder, word, size=max(len(pointers), 1))
            for i, pointer in enumerate(pointers):
                at = builder.gep(words, [ir.Constant(word, i)])
                builder.store(builder.ptrtoint(pointer, word), at)
            return builder.ptrtoint(words, word)

        places = [place_of(kind, x) for kind, x in zip(signature.args, args, strict=True)]
        arrays = iter(places[len(ins) :])
        rooms = {i: room(kind) for i, (aval, kind) in enumerate(outs) if not aval.shape}
        inputs = table(places[: len(ins)])
        outputs = table([rooms[i] if i in rooms else next(arrays) for i in range(len(outs))])
        # Addresses of this process: Numba must not keep such code on disk, and knows it so.
        function = context.add_dynamic_addr(builder, raw, info="autotrace")
        pool = builder.ptrtoint(context.add_dynamic_addr(builder, place, info="autotrace"), word)
        kind = ir.FunctionType(word, [word] * 3)
        function = builder.bitcast(function, kind.as_pointer())
        status = builder.call(function, [pool, inputs, outputs])
        made = [context.unpack_value(builder, outs[i][1], at) for i, at in rooms.items()]
        return context.make_tuple(builder, signature.return_type, [status, *made])

    return signature, generate


# --- SciPy --------------------------------------------------------------------------------------


class _UserData(ctypes.c_void_p):
    """A pool's address, and the pool."""

    pool: _Pool


_FLOAT, _POINTER = ctypes.c_double, ctypes.c_void_p
_OF_NUMBER = "double (double, void *)"
_OF_NUMBERS = "double (int, double *, void *)"
_OF_VECTOR = "int (double *, intptr_t, double *, void *)"
#: By C signature: the source, its types and result, and the same for ctypes.
_CALLBACKS: dict[str, tuple[str, tuple[str, ...], str, Callable]] = {
    _OF_NUMBER: (
        _ONE, ("float64", "int64"), "float64",
        ctypes.CFUNCTYPE(_FLOAT, _FLOAT, _POINTER),
    ),
    _OF_NUMBERS: (
        _MANY, ("int32", "int64", "int64"), "float64",
        ctypes.CFUNCTYPE(_FLOAT, ctypes.c_int, _POINTER, _POINTER),
    ),
    _OF_VECTOR: (
        _WINDOW, ("int64",) * 4, "int32",
        ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_ssize_t, _POINTER, _POINTER),
    ),
}  # fmt: skip


def _signatures(program: Program) -> list[str]:
    """Those that a program has."""
    ins, outs = program.jaxpr.in_avals, program.jaxpr.out_avals
    if any(aval.dtype != np.float64 for aval in (*ins, *outs)):
        return []
    if [aval.shape for aval in outs] != [()] or not ins:
        return []
    ranks = [len(aval.shape) for aval in ins]
    if ranks == [1]:
        return [_OF_VECTOR]
    if any(ranks):
        return []
    return [_OF_NUMBER, _OF_NUMBERS] if len(ins) == 1 else [_OF_NUMBERS]


def as_low_level_callable(program: Program, signature: str | None = None) -> LowLevelCallable:
    """A program as a C callback for SciPy's functions.

    ==================================================  ==========================================
    signature                                           programs, and who takes it
    ==================================================  ==========================================
    ``"double (double, void *)"``                       of one number: ``integrate.quad``
    ``"double (int, double *, void *)"``                of some numbers: ``quad`` with ``args``,
                                                        ``nquad``, ``dblquad``, ``tplquad``
    ``"int (double *, intptr_t, double *, void *)"``    of one vector: ``ndimage.generic_filter``
    ==================================================  ==========================================

    An index out of bounds makes a NaN, and so does a number of arguments that is not the
    program's: a C callback cannot raise errors.

    Args:
      program: a compiled program without host steps, of float64 numbers or of one float64 vector,
        to one float64 number.
      signature: one of the table's. When left out, the first that the program has.

    Returns:
      The callback. It keeps alive what it needs, and may be called by several threads at once.

    Raises:
      TypeError: when the program's inputs and outputs are not of the signature.
      NotImplementedError: when the program has host steps.
    """
    known = _signatures(program)
    if signature is None and known:
        signature = known[0]
    if signature not in known:
        ins = ", ".join(map(str, program.jaxpr.in_avals)) or "nothing"
        outs = ", ".join(map(str, program.jaxpr.out_avals)) or "nothing"
        wanted = f"the C signature {signature!r}" if signature else "a C callback"
        raise TypeError(
            located(
                f"a program from {ins} to {outs} does not have {wanted}",
                "What to do: C callbacks are for programs of float64 numbers, or of one float64 "
                "vector, to one float64 number.",
            )
        )
    assert signature is not None
    pool = _pool(program)
    data = _UserData(pool.place)
    data.pool = pool
    text, dtypes, result, c_type = _CALLBACKS[signature]
    return LowLevelCallable(c_type(_function(text, dtypes, result)), data, signature)
