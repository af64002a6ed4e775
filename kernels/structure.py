"""Loops and branches as functions: what their bodies do, written into one source.

The kernels of a body are functions that the source calls; LLVM puts small ones into the place of
their calls. Small arrays that only the loop uses are *rooms*, which LLVM turns into registers where
everything that uses them has been put in place. Arrays of some size lie in the frame; of two that
trade places in each turn only the pointers do.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.jaxpr import Eqn
from . import team
from .build import Helper, Source
from .expressions import (
    REGISTERS,
    TINY_UP_TO,
    Branch,
    Control,
    KernelDraft,
    Leaf,
    Loop,
    Loops,
    Routine,
)
from .lowering import STATUS_SLOT, Lowered, lower
from .source import parameters, python_source

if TYPE_CHECKING:
    from .fusion import Plan

#: How many turns a loop is taken for that has no number.
_MANY_TURNS = 1000

_EXCHANGE = (
    """
def exchange(one, other, count):
    for i in range(count):
        kept = one[i]
        one[i] = other[i]
        other[i] = kept
""",
    ("*uint8", "*uint8", "int64"),
    "void",
)


class Structured:
    """A loop or a branch as a step of a program.

    Attributes:
      source, table, patches, slots, work, eqn: as those of a ``Routine``.
      kernels: the large kernels within: they are functions of their own, whose addresses stand in
        the table at the positions ``calls``.
      threads: the positions in the table of the number of threads and of the team's address, 0
        where there are none.
    """

    piece = 0
    stop = 1

    def __init__(self, name: str, writer: _Writer, slots: list[int], eqn: Eqn | None):
        self.name = name
        self.eqn = eqn
        self.source = writer.source()
        self.table = writer.table
        self.patches = writer.patches
        self.slots = slots
        self.work = writer.work
        self.kernels = [low for low, _ in writer.shared]
        self.calls = [at for _, at in writer.shared]
        self.threads = writer.threads
        #: What it does: for each line how deep it stands, and a text, a kernel or a routine.
        self.description = writer.description

    def uses(self) -> list[int]:
        """The slots that it reads or writes."""
        return [slot for slot, _, _ in self.patches if slot != STATUS_SLOT]


def structured(step: Control, plan: Plan) -> Structured:
    """Write a loop or a branch out."""
    writer = _Writer(plan, step)
    writer.steps([step], 1)
    return Structured(step.name, writer, step.slots, step.eqn)


def _pointer_dtype(dtype: Any) -> str:
    name = np.dtype(dtype).name
    return "uint8" if name == "bool" else name


@functools.cache
def _allocators() -> tuple[int, int]:
    library = ctypes.CDLL(None)
    found = (ctypes.cast(getattr(library, name), ctypes.c_void_p) for name in ("malloc", "free"))
    malloc, free = (pointer.value or 0 for pointer in found)
    return malloc, free


def _moving(step: Any) -> set[int]:
    """The slots whose places change while a step runs."""
    if isinstance(step, Branch):
        return {s for block in step.branches for inner in block for s in _moving(inner)}
    if isinstance(step, Loops):
        found = {slot for slot, _, _ in step.handed}
        return found | {s for loop in step.loops for s in _moving(loop)}
    if isinstance(step, Loop):
        found = {*step.carry, *step.sources}
        found |= {row[0] for row in (*step.elements, *step.outputs)}
        return found | {s for inner in (*step.body, *(step.test or ())) for s in _moving(inner)}
    return set()


def _swapped(step: Any) -> set[int]:
    """The slots that trade places with others."""
    if isinstance(step, Branch):
        return {s for block in step.branches for inner in block for s in _swapped(inner)}
    if isinstance(step, Loops):
        return {s for loop in step.loops for s in _swapped(loop)}
    if not isinstance(step, Loop):
        return set()
    pairs = zip(step.carry, step.sources, strict=True)
    found = {slot for pair in pairs if pair[0] != pair[1] for slot in pair}
    return found | {s for inner in (*step.body, *(step.test or ())) for s in _swapped(inner)}


class _Writer:
    def __init__(self, plan: Plan, step: Control):
        self.plan = plan
        self.outside = set(step.uses())
        self.moving = _moving(step)
        self.swapped = _swapped(step)
        #: The slots that a loop around the writer has taken from their places.
        self.cared_for: set[int] = set()
        self.head: list[str] = []
        self.lines: list[str] = []
        self.tail: list[str] = []
        self.depth = 1
        self.table: list[int] = []
        self.patches: list[tuple[int, int, int]] = []
        #: The name of the pointer to each slot, as things are where the writer is.
        self.pointers: dict[int, str] = {}
        self.helpers: dict[Helper, str] = {}
        self.shared: list[tuple[Lowered, int]] = []
        self.threads = (0, 0)
        self.work = 0
        self.loops = 0
        self.turns = 1
        self.checked = False
        #: The numbers that the sources of routines name.
        self.names: dict[str, int] = {}
        self.description: list[tuple[int, str | Lowered | Routine]] = []
        self.level = 0

    # --- text -----------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def source(self) -> Source:
        head = ["def control(table, start, stop):", "    words = pointer_int64(table)"]
        lines = [f"    {line}" for line in self.head], self.lines, [f"    {t}" for t in self.tail]
        text = "\n".join(itertools.chain(head, *lines)) + "\n"
        helpers: list[tuple] = [_EXCHANGE]
        if self.shared:
            helpers = [*team.HELPERS, *helpers]
        return Source(
            text,
            ("int64",) * 3,
            names=tuple((self.names | dict(team.NUMBERS if self.shared else ())).items()),
            helpers=(*helpers, *self.helpers),
            unroll=True,
        )

    def put(self, words: Sequence[int]) -> int:
        """Append words to the table; the position of the first."""
        self.table += words
        return len(self.table) - len(words)

    def word(self, value: int) -> str:
        """A whole number that stands in the table."""
        at = self.put([value])
        self.head.append(f"w{at} = words[{at}]")
        return f"w{at}"

    def scalar(self, dtype: str, bits: int) -> str:
        """A number of any type that stands in the table."""
        at = self.put([bits])
        size = 1 if dtype == "bool" else np.dtype(dtype).itemsize
        name = _pointer_dtype(dtype)
        test = " != 0" if dtype == "bool" else ""
        self.head.append(f"s{at} = pointer_{name}(table)[{at * (8 // size)}]{test}")
        return f"s{at}"

    # --- memory ---------------------------------------------------------------------------------

    def size(self, slot: int) -> int:
        return self.plan.aval(slot).size

    def dtype(self, slot: int) -> str:
        return _pointer_dtype(self.plan.aval(slot).dtype)

    def home(self, slot: int, dtype: str) -> str:
        """The pointer to a slot's place in the frame."""
        at = self.put([0])
        self.patches.append((slot, at, 0))
        self.head.append(f"p{slot} = pointer_{dtype}(words[{at}])")
        return f"p{slot}"

    def pointer(self, slot: int, dtype: str) -> str:
        """The pointer to a slot; a room where it is small and nothing outside uses it."""
        if slot not in self.pointers:
            if self.fits_room(slot):
                self.head.append(f"r{slot} = room_{dtype}({max(self.size(slot), 1)})")
                self.pointers[slot] = f"r{slot}"
            else:
                self.pointers[slot] = self.home(slot, dtype)
        return self.pointers[slot]

    def fits_room(self, slot: int) -> bool:
        """Whether an array is small, and nothing outside uses it."""
        inner = slot in self.plan.temporaries and slot not in self.outside
        return inner and self.size(slot) <= REGISTERS

    def is_room(self, slot: int) -> bool:
        return self.pointers.get(slot, "").startswith("r")

    def status(self) -> str:
        """The pointer to the program's status."""
        if STATUS_SLOT not in self.pointers:
            at = self.put([0])
            self.patches.append((STATUS_SLOT, at, 0))
            self.head.append(f"status = pointer_int64(words[{at}])")
            self.pointers[STATUS_SLOT] = "status"
        self.checked = True
        return "status"

    def element(self, leaf: Leaf) -> str:
        """The element of a leaf without dimensions."""
        pointer = self.pointer(leaf.slot, _pointer_dtype(leaf.dtype))
        return f"{pointer}[{leaf.view.offset}]"

    # --- steps ----------------------------------------------------------------------------------

    def steps(self, steps: Sequence[Any], turns: int) -> None:
        """Write steps that run so many times."""
        outer, self.turns = self.turns, turns
        before = len(self.lines)
        for step in steps:
            if isinstance(step, KernelDraft):
                for low in lower(step, self.plan.new_array):
                    self.kernel(low)
            elif isinstance(step, Loop):
                self.loop(step)
            elif isinstance(step, Branch):
                self.branch(step)
            elif isinstance(step, Loops):
                self.row(step)
            else:
                self.routine(step)
        if len(self.lines) == before:
            self.line("pass")
        self.turns = outer

    def describe(self, what: str | Lowered | Routine) -> None:
        self.description.append((self.level, what))

    def helper(self, prefix: str, text: str, old: str, **fields: Any) -> str:
        """The name of a helper function of this text, in which it is called ``old``."""
        key = Helper(text, **fields)
        for helper, name in self.helpers.items():
            if helper.text.replace(name, old, 1) == text and helper[1:] == key[1:]:
                return name
        name = f"{prefix}{len(self.helpers)}"
        self.helpers[key._replace(text=text.replace(old, name, 1))] = name
        return name

    def kernel(self, low: Lowered) -> None:
        self.describe(low)
        self.work += self.turns * low.work
        if low.piece:
            self.large_kernel(low)
            return
        tiny = math.prod(low.space) <= TINY_UP_TO
        kernel = low.kernel._replace(short=True) if tiny else low.kernel
        source = low.source
        name = self.helper(
            "loops_",
            python_source(kernel),
            "loops",
            dtypes=source.dtypes,
            parallel=source.parallel,
            inline=tiny,
        )
        places = {at: (slot, offset) for slot, at, offset in low.patches}
        names = parameters(kernel)
        args = []
        for at, dtype in enumerate(source.dtypes[:-2]):
            if at in places:
                args.append(self.place(dtype[1:], *places[at], tiny))
            elif dtype != "int64" or names[at].startswith("scalar"):
                args.append(self.scalar(dtype, low.table[at]))
            else:
                args.append(str(low.table[at]) if tiny else self.word(low.table[at]))
        args += ["0", str(low.stop) if tiny else self.word(low.stop)]
        self.line(f"{name}({', '.join(args)})")

    def place(self, dtype: str, slot: int, offset: int, tiny: bool) -> str:
        """A pointer into a slot, so many bytes from its start."""
        if slot == STATUS_SLOT:
            return self.status()
        pointer = self.pointer(slot, dtype)
        if not offset:
            return pointer
        count = offset // np.dtype(dtype).itemsize
        return f"at({pointer}, {count if tiny else self.word(count)})"

    def region(self, table: list[int], patches: Sequence[tuple[int, int, int]]) -> int:
        """Another step's table within this one's, with its addresses; its position."""
        base = self.put(table)
        for slot, at, offset in patches:
            if slot == STATUS_SLOT:
                self.status()
            if slot in self.moving or self.is_room(slot) or self.fits_room(slot):
                pointer = self.pointer(slot, self.known_dtype(slot))
                self.line(f"words[{base + at}] = address_of({pointer}, 0) + {self.word(offset)}")
            else:
                self.patches.append((slot, base + at, offset))
        return base

    def known_dtype(self, slot: int) -> str:
        return self.dtype(slot) if slot in self.plan.temporaries else "uint8"

    def routine(self, step: Routine) -> None:
        self.describe(step)
        self.work += self.turns * step.work
        base = self.region(step.table, step.patches)
        self.helpers |= {Helper(*given): "" for given in step.source.helpers}
        name = self.helper("routine_", step.source.text, "routine", dtypes=step.source.dtypes)
        self.names |= dict(step.source.names)
        self.line(f"{name}(table + {8 * base}, 0, {self.word(step.stop)})")

    def large_kernel(self, low: Lowered) -> None:
        """A kernel that threads share."""
        if not self.shared:
            self.threads = self.put([1]), self.put([0])
        base = self.region(low.table, low.patches)
        function = self.put([0])
        self.shared.append((low, function))
        count, place = self.threads
        stop, piece = self.word(low.stop), self.word(low.piece)
        self.line(f"if words[{count}] > 1:")
        self.line(
            f"    share(pointer_int64(words[{place}]), words[{function}], table + {8 * base}, 0, "
            f"{stop}, {piece}, words[{count}] - 1)"
        )
        self.line("else:")
        self.line(
            f'    invoke(words[{function}], "void(int64, int64, int64)", table + {8 * base}, 0, '
            f"{stop})"
        )

    # --- loops ----------------------------------------------------------------------------------

    def loop(self, loop: Loop) -> None:
        self.loops += 1
        number = self.loops
        carry = [slot for slot in loop.carry if self.size(slot)]
        # What others look for, unless a loop around this one takes care of it.
        visible = [slot for slot in carry if slot in self.outside - self.cared_for]
        self.cared_for |= set(visible)
        rooms = {}
        for slot in carry:
            dtype = self.dtype(slot)
            home = self.pointer(slot, dtype)
            if slot in visible and self.size(slot) <= REGISTERS:
                rooms[slot] = home
                self.head.append(f"r{slot} = room_{dtype}({self.size(slot)})")
                self.pointers[slot] = f"r{slot}"
                for i in range(self.size(slot)):
                    self.line(f"r{slot}[{i}] = {home}[{i}]")
            elif slot in visible:
                self.head.append(f"home{slot} = {home}")
        checked, self.checked = self.checked, False
        if loop.test is None:
            self.counted(loop, number)
        else:
            self.conditional(loop, number)
        self.checked = self.checked or checked
        for slot, home in rooms.items():
            for i in range(self.size(slot)):
                self.line(f"{home}[{i}] = r{slot}[{i}]")
            self.pointers[slot] = home
        self.cared_for -= set(visible)
        self.bring_home([s for s in visible if s not in rooms and s in self.swapped])

    def bring_home(self, slots: Sequence[int]) -> None:
        """Have what a loop ends with lie where others look for it. What lies there may be another
        of the loop's results, so the two are exchanged."""
        for n, slot in enumerate(slots):
            home, now = f"home{slot}", f"p{slot}"
            size = self.size(slot) * self.plan.aval(slot).dtype.itemsize
            self.line(f"if address_of({now}, 0) != address_of({home}, 0):")
            self.depth += 1
            one, other = (f"pointer_uint8(address_of({p}, 0))" for p in (home, now))
            self.line(f"exchange({one}, {other}, {self.word(size)})")
            for later in slots[n + 1 :]:
                if self.plan.aval(later) == self.plan.aval(slot):
                    self.line(f"if address_of(p{later}, 0) == address_of({home}, 0):")
                    self.line(f"    p{later} = {now}")
            self.line(f"{now} = {home}")
            self.depth -= 1

    def counted(self, loop: Loop, number: int) -> None:
        if isinstance(loop.turns, int):
            turns, count = loop.turns, self.word(loop.turns)
            self.describe(f"{loop.name}, {turns} turns:")
        else:
            self.describe("sweep of as many turns:")
            turns, count = _MANY_TURNS, f"count{number}"
            self.line(f"{count} = {self.element(loop.turns)}")
        self.line(f"for turn{number} in range({count}):")
        self.depth += 1
        at = f"turn{number}"
        if loop.reverse:
            self.line(f"from_end{number} = {count} - 1 - turn{number}")
            at = f"from_end{number}"
        for slot, leaf in loop.elements:
            offset = f"{at} * {self.word(leaf.view.strides[0])}"
            if leaf.view.offset:
                offset += f" + {self.word(leaf.view.offset)}"
            self.line(
                f"p{slot} = at({self.pointer(leaf.slot, _pointer_dtype(leaf.dtype))}, {offset})"
            )
            self.pointers[slot] = f"p{slot}"
        for slot, target, size, dtype in loop.outputs:
            pointer = self.pointer(target, _pointer_dtype(dtype))
            self.line(f"p{slot} = at({pointer}, {at} * {self.word(size)})")
            self.pointers[slot] = f"p{slot}"
        self.level += 1
        self.steps(loop.body, self.turns * max(turns, 1))
        self.level -= 1
        self.rotate(loop, number)
        self.depth -= 1

    def conditional(self, loop: Loop, number: int) -> None:
        assert loop.test is not None and loop.condition is not None
        self.line("while True:")
        self.depth += 1
        turns = self.turns * _MANY_TURNS
        self.describe("while:")
        self.level += 1
        self.steps(loop.test, turns)
        self.level -= 1
        self.describe("do:")
        self.level += 1
        self.line(f"if {self.element(loop.condition)} == 0:")
        self.line("    break")
        self.steps(loop.body, turns)
        self.level -= 1
        self.rotate(loop, number)
        if self.checked:  # what an index out of bounds gave may never end a loop
            self.line("if status[0] != 0:")
            self.line("    break")
        self.depth -= 1

    def rotate(self, loop: Loop, number: int) -> None:
        """At the end of a turn: have each carried slot hold what the next turn begins with."""
        moves = {
            slot: source
            for slot, source in zip(loop.carry, loop.sources, strict=True)
            if slot != source and self.size(slot)
        }
        copied = {s: t for s, t in moves.items() if self.is_room(s) or self.is_room(t)}
        for slot, source in copied.items():
            pointer = self.pointer(source, self.dtype(source))
            for i in range(self.size(slot)):
                self.line(f"next{number}_{slot}_{i} = {pointer}[{i}]")
        for slot in copied:
            for i in range(self.size(slot)):
                self.line(f"{self.pointers[slot]}[{i}] = next{number}_{slot}_{i}")
        swapped = {s: t for s, t in moves.items() if s not in copied}
        places = dict.fromkeys([*swapped, *swapped.values()])
        for slot in places:
            self.line(f"before{number}_{slot} = {self.pointer(slot, self.dtype(slot))}")
        goes_to = {source: slot for slot, source in swapped.items()}
        for slot in places:
            source = swapped.get(slot)
            if source is None:  # a new array: its next place is the one that becomes free
                last = slot
                while last in goes_to:
                    last = goes_to[last]
                source = last
            self.line(f"{self.pointers[slot]} = before{number}_{source}")

    # --- branches and rows of loops -------------------------------------------------------------

    def branch(self, step: Branch) -> None:
        self.loops += 1
        which = f"which{self.loops}"
        self.line(f"{which} = {self.element(step.index)}")
        outer = self.depth
        for i, block in enumerate(step.branches):
            last = i == len(step.branches) - 1
            if not last:
                self.line(f"if {which} == {i}:")
            self.depth += not last
            self.describe(f"cond, case {i}:")
            self.level += 1
            self.steps(block, self.turns)
            self.level -= 1
            if not last:
                self.depth -= 1
                self.line("else:")
                self.depth += 1
        self.depth = outer

    def row(self, step: Loops) -> None:
        self.loops += 1
        number = self.loops
        count, memory, room = f"count{number}", f"memory{number}", f"room{number}"
        self.line(f"{count} = {self.element(step.turns)}")
        malloc, free = (self.word(a) for a in _allocators())
        # One block for all that is handed on, with larger numbers first, so that all are aligned.
        # It stays for the next time in a loop around, unless that has more turns.
        handed = sorted(step.handed, key=lambda row: -row[2].itemsize)
        sizes = [size * dtype.itemsize for _, size, dtype in handed]
        self.head += [f"{memory} = 0", f"{room} = -1"]
        self.line(f"if {count} > {room}:")
        self.line(f'    invoke({free}, "void(int64)", {memory})')
        block = f"max({count} * {self.word(sum(sizes))}, 8)"
        self.line(f'    {memory} = invoke({malloc}, "int64(int64)", {block})')
        self.line(f"    {room} = {count}")
        self.line(f"if {memory} == 0:")
        self.line(f"    {room} = -1")
        self.line(f"    {self.status()}[0] = 2")
        self.line("else:")
        self.depth += 1
        for n, (slot, _, dtype) in enumerate(handed):
            at = f"address_of(pointer_uint8({memory}), {count} * {self.word(sum(sizes[:n]))})"
            self.line(f"p{slot} = pointer_{_pointer_dtype(dtype)}({at})")
            self.pointers[slot] = f"p{slot}"
        for loop in step.loops:
            self.loop(loop)
        self.depth -= 1
        release = f'invoke({free}, "void(int64)", {memory})'
        if self.turns > 1:
            self.tail.append(release)
        else:
            self.line(release)
