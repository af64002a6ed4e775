"""A program's frame: the memory of one call at a time, in the form that ``runtime`` walks."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.source import current
from . import layout, runtime, team
from .expressions import HostStep, Number, Routine
from .layout import WORDS, row
from .lowering import STATUS_SLOT, Lowered
from .structure import Structured
from .tiling import Group

if TYPE_CHECKING:
    from .program import Program

#: Temporaries start at multiples of this: the size of a cache line.
ALIGNMENT = 64
#: How a value is found, for types whose value does not lie in the object itself.
_KINDS = {np.ndarray: layout.ARRAY, int: layout.WHOLE_NUMBER, bool: layout.TRUTH}


class _At(int):
    """A word that is the address of the word at this position."""


class _Words(np.ndarray):
    """A frame's words; ``kept`` is what they hold addresses of."""

    kept: list[Any]


class _Writer:
    def __init__(
        self,
        program: Program,
        types: Sequence[type],
        single: bool,
        threads: int,
        taken: dict[int, int],
        outputs: bool,
    ):
        self.program = program
        self.plan = program.plan
        #: Outputs that are written to the memory of an argument, and its number.
        self.taken = taken
        self.threads = threads
        self.words: list[int] = [0] * WORDS["HEADER_SIZE"]
        self.kept: list[Any] = [runtime.api()]
        #: The addresses of what stays where it is.
        self.fixed: dict[int, int] = {STATUS_SLOT: _At(WORDS["STATUS"])}
        #: For the others, the words that their addresses go to: position and offset.
        self.pending: dict[int, list[tuple[int, int]]] = {}
        self.place_memory()
        steps = self.rows("STEP", [*self.steps()])
        args = self.arg_rows(types)
        outs = self.out_rows()
        results = [self.result_row(slot, dtype) for slot, dtype in self.plan.results]
        early = [slot for slot, _ in program.inputs] + list(self.plan.outputs)
        patches = self.patch_rows(early)
        held = [*self.plan.outputs, *(s for step in program.host_steps for s in step.slots)]
        self.header(
            RELEASE=int(program.work >= _RELEASE_FROM),
            API=runtime.api().ctypes.data,
            ADDRESSES=self.put([self.fixed.get(s, 0) for s in range(self.plan.slot_count)]),
            OBJECTS=self.put([0] * self.plan.slot_count),
            ARG_COUNT=len(types),
            ARG_ROWS=args,
            OUT_COUNT=len(self.plan.outputs),
            OUT_ROWS=outs,
            PATCH_COUNT=len(patches),
            PATCH_ROWS=self.rows("PATCH", patches),
            STEP_COUNT=len(program.steps),
            STEP_ROWS=steps,
            RESULT_COUNT=len(results),
            RESULT_ROWS=self.rows("RESULT", results),
            SINGLE=int(single),
            HELD_COUNT=len(held),
            HELD_ROWS=self.put(held),
            GIVEN=len(self.plan.outputs) if outputs else 0,
            THREADS=threads,
            TEAM=team.place(),
        )

    def finished(self) -> _Words:
        words = np.array(self.words, np.int64).view(_Words)
        addresses = [i for i, word in enumerate(self.words) if type(word) is _At]
        words[addresses] = words.ctypes.data + 8 * words[addresses]
        words.kept = self.kept
        return words

    def put(self, words: Sequence[int]) -> _At:
        """Append words; their address."""
        self.words += words
        return _At(len(self.words) - len(words))

    def rows(self, kind: str, rows: list[dict[str, int]]) -> _At:
        return self.put([word for words in rows for word in row(kind, **words)])

    def header(self, **words: int) -> None:
        for name, word in words.items():
            self.words[WORDS[name]] = word

    def _memory(self, size: int) -> np.ndarray:
        """A block for temporaries. A group touches the first rows only of what it alone uses; of
        large pages, which NumPy asks for, that would be nearly all memory."""
        groups = (step for step in self.program.steps if isinstance(step, Group))
        if any(group.moved for group in groups) and hasattr(mmap, "MAP_ANONYMOUS"):
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            return np.frombuffer(mmap.mmap(-1, size, flags=flags), np.uint8)
        return np.empty(size, np.uint8)

    def place_memory(self) -> None:
        memory = self._memory(self.program.arena + ALIGNMENT)
        start = memory.ctypes.data + -memory.ctypes.data % ALIGNMENT
        self.kept.append(memory)
        for slot, place in self.program.places.items():
            self.fixed[slot] = start + place
        for slot, value in self.program.consts:
            self.kept.append(value)
            self.fixed[slot] = value.ctypes.data

    # --- steps ----------------------------------------------------------------------------------

    def steps(self) -> list[dict[str, int]]:
        rows: list[dict[str, int]] = []
        hosts: list[tuple[int, HostStep]] = []
        for step in self.program.steps:
            if isinstance(step, HostStep):
                hosts.append((len(rows), step))
                rows.append({})
                continue
            table = self.group(step) if isinstance(step, Group) else self.table(step)
            if isinstance(step, Structured):
                self.complete(table, step)
            rows.append(
                {"KIND": layout.KERNEL, "FUNCTION": self.program.functions[step.source],
                 "TABLE": table, "START": 0, "STOP": step.stop, "PIECE": step.piece}
            )  # fmt: skip
        for at, step in hosts:  # when all words that wait for their outputs are known
            rows[at] = self.host_row(step)
        return rows

    def table(self, step: Lowered | Routine | Structured) -> _At:
        table = self.put(step.table)
        for slot, position, offset in step.patches:
            at = int(table) + position
            where = self.fixed.get(slot)
            if where is None:
                self.pending.setdefault(slot, []).append((at, offset))
            else:
                self.words[at] = where if type(where) is _At else where + offset
        return table

    def complete(self, table: _At, step: Structured) -> None:
        """Write what a loop's table has beside addresses of arrays."""
        for at, low in zip(step.calls, step.kernels, strict=True):
            self.words[int(table) + at] = self.program.functions[low.source]
        if step.kernels:
            count, place = step.threads
            self.words[int(table) + count] = self.threads
            self.words[int(table) + place] = team.place()

    def group(self, step: Group) -> _At:
        words: list[int] = [len(step.members), step.tile, len(step.moved)]
        for low, turns in step.members:
            function, table = self.program.functions[low.source], self.table(low)
            words += [function, table, turns, len(low.table), low.stop]
        return self.put([*words, *(word for pair in step.moved for word in pair)])

    def host_row(self, step: HostStep) -> dict[str, int]:
        call = _host_call(step)
        self.kept.append(call)
        views = []
        for leaf in step.leaves:
            dtype = np.dtype(leaf.dtype.type)
            size = dtype.itemsize
            views.append(
                {"SLOT": leaf.slot, "OFFSET": leaf.view.offset * size if 0 not in leaf.shape else 0,
                 "RANK": len(leaf.shape), "DIMS": self.put(leaf.shape),
                 "STRIDES": self.put([s * size for s in leaf.view.strides]),
                 "NUMBER": dtype.num, "DTYPE": id(dtype)}
            )  # fmt: skip
        patches = self.patch_rows(step.slots)
        return {
            "KIND": layout.HOST, "FUNCTION": id(call),
            "ARG_COUNT": len(views), "ARG_ROWS": self.rows("VIEW", views),
            "OUT_COUNT": len(step.slots), "OUT_ROWS": self.put(step.slots),
            "PATCH_COUNT": len(patches), "PATCH_ROWS": self.rows("PATCH", patches),
        }  # fmt: skip

    def patch_rows(self, slots: Sequence[int]) -> list[dict[str, int]]:
        return [
            {"SLOT": slot, "WORD": _At(at), "OFFSET": offset}
            for slot in slots
            for at, offset in self.pending.get(slot, ())
        ]

    # --- arguments and results ------------------------------------------------------------------

    def arg_rows(self, types: Sequence[type]) -> _At:
        program = self.program
        wanted = [
            (kind, aval, slot, strides)
            for kind, (slot, aval), strides in zip(
                types, program.inputs, program.layouts, strict=True
            )
        ]
        # What a caller may give to be written to follows its arguments.
        wanted += [(np.ndarray, aval, slot, None) for slot, aval in self.plan.outputs.items()]
        written = {*self.taken.values(), *range(len(types), len(wanted))}
        rows = []
        for number, (kind, aval, slot, strides) in enumerate(wanted):
            size = aval.dtype.itemsize
            steps = self.put([s * size for s in strides]) if strides is not None else 0
            flags = _ALIGNED | (_IN_ORDER if strides is None else 0)
            rows.append(
                {"TYPE": id(kind), "KIND": _KINDS.get(kind, layout.IN_OBJECT),
                 "DTYPE": id(np.dtype(aval.dtype.type)), "RANK": len(aval.shape),
                 "DIMS": self.put(aval.shape), "STRIDES": steps, "SLOT": slot,
                 "SCRATCH": self.put([0, 0]),
                 "FLAGS": flags | (_WRITABLE if number in written else 0)}
            )  # fmt: skip
        return self.rows("ARG", rows)

    def out_rows(self) -> _At:
        return self.rows(
            "OUT",
            [
                {"SLOT": slot, "RANK": len(aval.shape), "DIMS": self.put(aval.shape),
                 "NUMBER": aval.dtype.num, "TAKEN": self.taken.get(slot, -1) + 1}
                for slot, aval in self.plan.outputs.items()
            ],
        )  # fmt: skip

    def result_row(self, slot: int, scalar: np.dtype | None) -> dict[str, int]:
        return {"SLOT": slot, "DTYPE": 0 if scalar is None else id(np.dtype(scalar.type))}


def _host_call(step: HostStep) -> Callable[..., tuple]:
    """What Python does in a host step: arguments as arrays and scalars over the frame's memory,
    results as arrays of their own. Errors name the line that the step comes from."""
    numbers = any(isinstance(a, Number) for a in step.args)
    kept, location = step.keeps_arguments, step.location
    quiet = np.errstate(all="ignore")(step.call)

    def call(*args: Any) -> tuple:
        if numbers:
            rest = iter(args)
            args = tuple([a.value if isinstance(a, Number) else next(rest) for a in step.args])
        if kept:
            args = tuple([np.array(a) if isinstance(a, np.ndarray) else a for a in args])
        outside, current.location = current.location, location or current.location
        try:
            made = quiet(*args)
        finally:
            current.location = outside
        return tuple([_own(x, args, kept) for x in made])

    return call


def _own(x: Any, args: Sequence[Any], kept: bool) -> np.ndarray:
    """A result in memory of its own, in C order; ``kept``: someone may hold on to it."""
    made = np.asarray(x)
    flags = made.flags
    if kept or not (flags.c_contiguous and flags.writeable):
        return np.array(made, order="C")
    for a in args:
        if made is a or (made.base is not None and np.may_share_memory(made, a)):
            return np.array(made, order="C")
    return made


def frame(
    program: Program,
    types: Sequence[type],
    single: bool,
    threads: int,
    taken: dict[int, int],
    outputs: bool = False,
) -> np.ndarray:
    """A new frame; see ``Program.bind``."""
    return _Writer(program, types, single, threads, taken, outputs).finished()


#: NumPy's flags.
_IN_ORDER, _ALIGNED, _WRITABLE = 0x1, 0x100, 0x400
#: From about this many nanoseconds of work on, other Python threads may run meanwhile.
_RELEASE_FROM = 50_000
