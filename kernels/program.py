"""A compiled jaxpr: its steps, where they keep temporaries, and calls of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.config import config
from ..core.jaxpr import Jaxpr, check_pickles
from ..core.work import note
from ..transforms.evaluate import eval_jaxpr
from ..transforms.simplify import simplify_jaxpr
from ..transforms.stage import as_numpy
from . import pickling, runtime, team
from .arena import arranged
from .build import addresses
from .checking import check
from .expressions import Control, HostStep, KernelDraft, Routine
from .frame import ALIGNMENT, frame
from .fusion import Plan
from .lowering import Lowered, lower
from .structure import Structured, structured
from .tiling import Group, grouped, kernels_of

#: For each input its strides, counted in elements, or None for C order.
Layouts = tuple[tuple[int, ...] | None, ...]
#: How many layouts of its inputs a program is made for; others are copied.
_MOST_VARIANTS = 16


class Program:
    """An executable: takes a NumPy array or scalar for each input, returns a tuple of outputs.

    A program has a frame (its memory for one call at a time) for each combination of argument
    types that it meets, and more where several threads call it at once.

    Attributes:
      jaxpr: the simplified jaxpr.
      plan: what is computed together and what is stored.
      steps: what runs, in order: kernels and host steps.
      fresh_outputs: True: each output is a new array or a scalar.
    """

    fresh_outputs = True

    def __init__(self, jaxpr: Jaxpr, simplify: bool = True, layouts: Layouts = ()):
        self.jaxpr = simplify_jaxpr(jaxpr) if simplify else jaxpr
        #: Where inputs are not in C order: the strides of each, or None.
        self.layouts = layouts or (None,) * len(self.jaxpr.invars)
        self._variants: dict[Layouts, Program] = {}
        note(f"planning {len(self.jaxpr.eqns)} equations")
        self.plan = plan = Plan(self.jaxpr, self.layouts)
        steps: list[Lowered | Routine | HostStep | Structured] = []
        for step in plan.steps:
            if isinstance(step, KernelDraft):
                steps += lower(step, plan.new_array)
            else:
                steps.append(structured(step, plan) if isinstance(step, Control) else step)
        self.steps: list[Lowered | Routine | HostStep | Structured | Group] = grouped(steps)
        self._reuse_memory()
        self.kernels = kernels_of(self.steps)
        self.host_steps = [step for step in self.steps if isinstance(step, HostStep)]
        self.native_steps = [step for step in self.steps if not isinstance(step, HostStep)]
        sources = [step.source for step in (*self.native_steps, *self.kernels)]
        # A first call needs this one too: it is compiled beside the others.
        sources.append(runtime.source())
        #: The address of each source's machine code.
        self.functions = dict(zip(sources, addresses(sources), strict=True))
        #: A rough count of nanoseconds of a call.
        self.work = sum(step.work for step in self.native_steps)
        self.inputs = list(zip(plan.inputs, self.jaxpr.in_avals, strict=True))
        self.consts = [(slot, _contiguous(value)) for slot, value in plan.consts]
        #: Whether a caller can give the memory of those outputs that are arrays: kernels make them.
        arrays = [slot for slot, scalar in plan.results if scalar is None]
        self.takes_outputs = arrays == list(plan.outputs)
        self.places, self.arena = self._arrange()
        self._calls: dict[tuple, list[Callable[..., Any]]] = {}

    def __reduce__(self) -> tuple:
        """With its machine code: see ``pickling``.

        Raises:
          PicklingError: when the program calls a Python function that cannot be pickled.
        """
        check_pickles(self.jaxpr)
        return _restored, (self.jaxpr, pickling.pieces(self.functions))

    def _arrange(self) -> tuple[dict[int, int], int]:
        """Places for temporaries in one block of memory, in bytes, and its size: temporaries that
        are not in use at the same step may share a place."""
        used: dict[int, tuple[int, int]] = {}
        for at, step in enumerate(self.steps):
            for slot in step.uses():
                if slot in self.plan.temporaries:
                    used[slot] = used.get(slot, (at, at))[0], at
        for slot, _ in self.plan.results:  # scalars: read when all is done
            if slot in used:
                used[slot] = used[slot][0], len(self.steps)
        avals = {slot: self.plan.temporaries[slot] for slot in used}
        sizes = {slot: aval.size * aval.dtype.itemsize for slot, aval in avals.items()}
        places = arranged(used, {s: -(-n // ALIGNMENT) * ALIGNMENT for s, n in sizes.items()})
        return places, max([places[slot] + n for slot, n in sizes.items()], default=0)

    def bind(
        self,
        types: Sequence[type],
        single: bool = False,
        donated: Sequence[int] = (),
        outputs: bool = False,
    ) -> Callable[..., Any]:
        """A built-in function for arguments of exactly these types.

        Args:
          types: for each input ``np.ndarray``, NumPy's scalar type, or ``float``, ``int``, ``bool``
            or ``complex`` where that is the input's dtype.
          single: return the only output itself, not in a tuple.
          donated: inputs whose memory outputs may take, where that is possible.
          outputs: take arrays to write the outputs to after the arguments; only for a program that
            ``takes_outputs``.

        Returns:
          The function. It returns ``NotImplemented`` for other arguments and while another
          thread uses it, ``Ellipsis`` for an index out of bounds: then ``__call__`` knows what to
          do.
        """
        threads = self.threads()
        taken = self._take_over(donated) if donated else {}
        call = runtime.bound(frame(self, types, single, threads, taken, outputs))
        if not taken:
            return call
        apart = self.bind(types, single)

        def call_donating(*args: Any) -> Any:
            """As long as no other argument lies in the memory that is written to."""
            if len(args) != len(types):
                return NotImplemented
            for number in taken.values():
                mine = args[number]
                for other, x in enumerate(args):
                    if other != number and np.may_share_memory(mine, x):
                        return apart(*args)
            return call(*args)

        return call_donating

    def _reuse_memory(self) -> None:
        """Tell groups which intermediate values nothing else uses."""
        used = Counter(slot for step in self.steps for slot in {*step.uses()})
        returned = {slot for slot, _ in self.plan.results}
        for step in self.steps:
            if isinstance(step, Group):
                written = {slot for low, _ in step.members for slot in low.writes()}
                own = {s for s in written & self.plan.temporaries.keys() if used[s] == 1}
                step.reuse(own - returned)

    def threads(self) -> int:
        """How many threads a call may use: one where all its steps are small."""
        shared = any(
            s.piece or (isinstance(s, Structured) and s.kernels) for s in self.native_steps
        )
        return team.ensure(config.num_threads or team.available()) if shared else 1

    def bind_like(
        self,
        leaves: Sequence[Any],
        single: bool = False,
        donated: Sequence[int] = (),
        outputs: bool = False,
    ) -> Callable[..., Any]:
        """``bind`` for arguments of the types and the memory layouts of these."""
        types = [type(x) for x in leaves]
        return self._variant(_layouts(leaves)).bind(types, single, donated, outputs)

    def _variant(self, layouts: Layouts) -> Program:
        """The same program for inputs of some layouts, read where they lie; this one itself where
        there are too many layouts."""
        if layouts == self.layouts:
            return self
        found = self._variants.get(layouts)
        if found is None and len(self._variants) < _MOST_VARIANTS:
            found = Program(self.jaxpr, simplify=False, layouts=layouts)
            self._variants[layouts] = found
        return found or self

    def _take_over(self, donated: Sequence[int]) -> dict[int, int]:
        """For outputs that can be written where a donated input lies, the number of the input: it
        has been read by then, or is read element by element as the output is written."""
        taken: dict[int, int] = {}
        free = list(donated)
        for out, aval in self.plan.outputs.items():
            for number in free:
                slot, given = self.inputs[number]
                if (
                    self.layouts[number] is None
                    and given.shape == aval.shape
                    and given.dtype == aval.dtype
                    and self._follows(out, slot)
                ):
                    taken[out] = number
                    free.remove(number)
                    break
        return taken

    def _follows(self, out: int, read: int) -> bool:
        """Whether a slot is written only after another one has been read."""
        first_write = min(
            (at for at, step in enumerate(self.steps) if out in step.uses()), default=0
        )
        for at, step in enumerate(self.steps):
            if read not in step.uses() or at < first_write:
                continue
            if at > first_write or not isinstance(step, Lowered) or not step.in_place(out, read):
                return False
        # What may fail is done again, for the error, and needs its arguments then.
        later = self.steps[first_write:]
        return not any(isinstance(step, Routine) and step.may_fail for step in later)

    def __call__(self, *args: Any) -> Sequence[Any]:
        values = [_as_wanted(x, aval) for x, (_, aval) in zip(args, self.inputs, strict=True)]
        for x, (_, aval) in zip(values, self.inputs, strict=True):
            if x.shape != aval.shape or x.dtype != aval.dtype:
                raise TypeError(f"a program takes {aval}, got {x.dtype}{list(x.shape)}")
        if config.debug_nans:
            return [np.array(x) if isinstance(x, np.ndarray) else x for x in self._evaluate(values)]
        variant = self._variant(_layouts(values))
        if variant is self:
            values = [np.ascontiguousarray(x) if np.ndim(x) else x for x in values]
        outs = variant.run(*values)
        if config.check_kernels:
            check(self, values, outs)
        return outs

    def run(self, *values: Any) -> Sequence[Any]:
        """The outputs for arrays and scalars of exactly the inputs' types and layouts."""
        types = tuple(map(type, values))
        calls = self._calls.setdefault((types, config.num_threads), [])
        outs = NotImplemented
        for call in list(calls):
            outs = call(*values)
            if outs is not NotImplemented:
                break
        else:
            call = self.bind(types)
            outs = call(*values)
            calls.append(call)
        if outs is ...:
            # Raises the error that names the user's line; or memory was short within a loop, or
            # a matrix is singular for LAPACK here and not for NumPy's.
            found = self._evaluate(values)
            if any(isinstance(s, Structured | Routine) for s in self.steps):
                return found
            raise IndexError("an index is out of bounds")
        return outs

    def _evaluate(self, values: list[Any]) -> list[Any]:
        with np.errstate(all="ignore"):
            return eval_jaxpr(self.jaxpr, values)


def _restored(jaxpr: Jaxpr, pieces: list[pickling.Piece]) -> Program:
    pickling.adopt(pieces)
    return Program(jaxpr, simplify=False)


def _contiguous(x: Any) -> np.ndarray:
    return np.ascontiguousarray(x).reshape(np.shape(x))


def _layouts(values: Sequence[Any]) -> Layouts:
    return tuple(
        None
        if not isinstance(x, np.ndarray) or x.flags.c_contiguous
        else tuple(s // x.itemsize for s in x.strides)
        for x in values
    )


def _as_wanted(x: Any, aval: Any) -> Any:
    """An argument as a program takes it: aligned, in the machine's byte order."""
    if not aval.shape:
        return x[()] if isinstance(x, np.ndarray) else as_numpy(x)
    if type(x) is not np.ndarray:
        x = np.asarray(x)
    if not x.flags.aligned or any(s % x.itemsize for s in x.strides):
        x = x.copy()
    if not x.dtype.isnative:
        x = x.astype(x.dtype.newbyteorder("="))
    # An array may have a dtype object of its own, for example out of a pickle.
    return x.view(np.dtype(aval.dtype.type)) if x.dtype == aval.dtype else x
