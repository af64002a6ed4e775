"""A compiled jaxpr: kernels in segments that run in one native call, and host steps between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.config import config
from ..core.jaxpr import Jaxpr
from ..transforms.evaluate import eval_jaxpr
from ..transforms.simplify import simplify_jaxpr
from ..transforms.stage import as_numpy
from .build import compiled, execute
from .fusion import _STORE_FROM, Expression, HostStep, KernelDraft, Leaf, Node, Number, Plan, Root
from .lowering import Lowered, lower


class _Segment:
    """Kernels that run in one call of ``execute``."""

    def __init__(self, kernels: list[Lowered], scalar_slots: set[int]):
        words: list[int] = []
        patches = []
        steps = []
        for low in kernels:
            start = len(words)
            words += low.table
            for slot, position, offset in low.patches:
                patches.append((slot, int(slot in scalar_slots), start + position, offset))
            steps.append((compiled(low.kernel).address, start, 0, low.stop))
        self.words = np.array(words or [0], np.int64)
        self.patches = np.array(patches or [(0, 0, 0, 0)], np.int64)
        self.patch_count = len(patches)
        self.steps = np.array(steps, np.int64)
        self.patches_at = self.patches.ctypes.data
        self.steps_at = self.steps.ctypes.data
        self.step_count = len(steps)


class _Frame:
    """The memory of one call: kept by the program and used by one thread at a time."""

    def __init__(self, program: Program):
        self.slots: list[Any] = [None] * program.slot_count
        for slot, value in program.consts:
            self.slots[slot] = value
        for slot, aval in program.temporaries:
            self.slots[slot] = np.empty(aval.shape, aval.dtype)
        self.slots_at = id(self.slots)
        self.words = [s.words.copy() for s in program.segments]
        self.words_at = [w.ctypes.data for w in self.words]


#: Scalars whose value lies where ``execute`` looks for it.
_READY = frozenset((float, np.float64, np.float32, np.int64, np.bool_))


def _scalar(x: Any) -> Any:
    """A 0-d array or a Python number as a NumPy scalar."""
    return x[()] if isinstance(x, np.ndarray) else as_numpy(x)


class Program:
    """An executable: takes a NumPy array or scalar for each input, returns a list of outputs."""

    def __init__(self, jaxpr: Jaxpr):
        self.jaxpr = simplify_jaxpr(jaxpr)
        plan = Plan(self.jaxpr)
        _store_shared(plan)
        self.slot_count = plan.slot_count
        self.consts = [
            (slot, np.ascontiguousarray(c).reshape(np.shape(c))) for slot, c in plan.consts
        ]
        self.inputs = plan.inputs
        self._scalar_inputs = {
            s for s, v in zip(plan.inputs, self.jaxpr.invars, strict=True) if not v.aval.shape
        }
        self.temporaries = list(plan.temporaries.items())
        self.outputs = [(slot, a.shape, a.dtype) for slot, a in plan.outputs.items()]
        # A number that is an output without any computation takes a slot of its own.
        self._results = []
        for result, atom in zip(plan.results, self.jaxpr.outvars, strict=True):
            if type(result) is not int:
                self.consts.append((self.slot_count, result))
                result, self.slot_count = self.slot_count, self.slot_count + 1
            self._results.append((result, not atom.aval.shape))
        #: Whether each output is a new array or a scalar, whatever the inputs are.
        self.fresh_outputs = all(scalar or slot in plan.outputs for slot, scalar in self._results)
        self.segments: list[_Segment] = []
        self.steps: list[int | HostStep] = []
        self.kernels: list[Lowered] = []
        self._arrange(plan)
        self._frames: list[_Frame] = []
        self._volatile = [*self.inputs, *(slot for slot, *_ in self.outputs)]
        self._volatile += [
            s for step in self.steps if isinstance(step, HostStep) for s in step.slots
        ]
        self.call = self._write_call()

    def _arrange(self, plan: Plan) -> None:
        run: list[Lowered] = []

        def close() -> None:
            if run:
                self.steps.append(len(self.segments))
                self.segments.append(_Segment(run, self._scalar_inputs))
                run.clear()

        for step in plan.steps:
            if isinstance(step, HostStep):
                close()
                self.steps.append(step)
            else:
                low = lower(step)
                self.kernels.append(low)
                run.append(low)
        close()

    def __call__(self, *args: Any) -> list[Any]:
        return self.call(*args)

    def _write_call(self) -> Callable[..., list[Any]]:
        """One call, written out: for a small program a loop over inputs, steps and outputs takes
        longer than the kernels do (measured on one input, kernel and output: 1.4 us, written out
        0.8)."""
        names = [f"a{i}" for i in range(len(self.inputs))]
        lines = [
            f"def call({', '.join(names)}):",
            "    if config.debug_nans:",
            f"        return checked({', '.join(names)})",
            "    try:",
            "        frame = frames.pop()",
            "    except IndexError:",
            "        frame = new_frame()",
            "    slots = frame.slots",
        ]
        for slot, a in zip(self.inputs, names, strict=True):
            if slot in self._scalar_inputs:
                lines.append(f"    slots[{slot}] = {a} if type({a}) in ready else scalar({a})")
            else:
                lines.append(f"    slots[{slot}] = {a} if {a}.flags.c_contiguous else packed({a})")
        namespace: dict[str, Any] = {
            "config": config, "checked": self._checked, "frames": self._frames,
            "new_frame": lambda: _Frame(self), "ready": _READY, "scalar": _scalar,
            "packed": np.ascontiguousarray, "empty": np.empty, "execute": execute,
            "run_host": self._run_host, "quiet": lambda: np.errstate(all="ignore"),
        }  # fmt: skip
        for slot, shape, dtype in self.outputs:
            namespace[f"dtype{slot}"] = dtype
            lines.append(f"    slots[{slot}] = empty({shape}, dtype{slot})")
        indent = "    "
        if any(isinstance(step, HostStep) for step in self.steps):
            lines.append("    with quiet():")
            indent = "        "
        for number, step in enumerate(self.steps):
            if isinstance(step, HostStep):
                namespace[f"host{number}"] = step
                lines.append(f"{indent}run_host(host{number}, slots)")
            else:
                segment = self.segments[step]
                lines.append(
                    f"{indent}execute(frame.slots_at, {segment.patches_at}, "
                    f"{segment.patch_count}, frame.words_at[{step}], {segment.steps_at}, "
                    f"{segment.step_count})"
                )
        results = [f"scalar(slots[{r}])" if s else f"slots[{r}]" for r, s in self._results]
        lines.append(f"    out = [{', '.join(results)}]")
        if self._volatile:
            targets = " = ".join(f"slots[{slot}]" for slot in dict.fromkeys(self._volatile))
            lines.append(f"    {targets} = None")
        lines += ["    frames.append(frame)", "    return out"]
        exec(compile("\n".join(lines), "<call of a program>", "exec"), namespace)
        return namespace["call"]

    def _checked(self, *args: Any) -> list[Any]:
        with np.errstate(all="ignore"):
            return eval_jaxpr(self.jaxpr, [as_numpy(x) for x in args])

    def _run_host(self, step: HostStep, slots: list[Any]) -> None:
        args = [_array_of(a, slots) for a in step.args]
        for slot, made in zip(step.slots, step.call(*args), strict=True):
            made = np.asarray(made)
            # A view of an argument may be one of a temporary, which another call writes over.
            shared = made.base is not None and any(np.may_share_memory(made, a) for a in args)
            if shared or not made.flags.c_contiguous or any(made is a for a in args):
                made = np.array(made, order="C")
            slots[slot] = made


def _array_of(leaf: Leaf | Number, slots: list[Any]) -> Any:
    """What a host step is given for an operand."""
    if isinstance(leaf, Number):
        return leaf.value
    x = slots[leaf.slot]
    if not leaf.shape and not np.ndim(x):
        return _scalar(x)
    x = np.asarray(x)
    if x.shape == leaf.shape and leaf.view.is_in_order:
        return x
    if 0 in leaf.shape:  # where nothing is, a view may well point outside
        return np.empty(leaf.shape, leaf.dtype)
    size = leaf.dtype.itemsize
    strides = tuple(s * size for s in leaf.view.strides)
    view = np.ndarray(leaf.shape, leaf.dtype, x, leaf.view.offset * size, strides)
    return view if leaf.shape else view[()]


def _store_shared(plan: Plan) -> None:
    """Have the first of several kernels store what they would all compute at a cost."""
    drafts = [s for s in plan.steps if isinstance(s, KernelDraft)]
    users: dict[int, int] = {}
    for draft in drafts:
        for e in _within(draft.roots, lambda node: False):
            users[id(e)] = users.get(id(e), 0) + 1

    def shared(node: Node) -> bool:
        return node.weight >= _STORE_FROM and users[id(node)] > 1

    stored: dict[int, Leaf] = {}
    for draft in drafts:
        draft.stored = dict(stored)
        for node in _within(draft.roots, shared):
            if shared(node) and id(node) not in stored and node.shape == draft.shape:
                leaf = plan.new_array(node.shape, node.dtype)
                draft.roots.append(Root(node, leaf.slot, leaf.view))
                stored[id(node)] = leaf


def _within(roots: list[Root], stop: Callable[[Node], bool]) -> list[Node]:
    """The operations that roots are made of, down to those at which to stop."""
    found: dict[int, Node] = {}
    todo: list[Expression] = [r.expression for r in roots]
    while todo:
        e = todo.pop()
        if isinstance(e, Node) and id(e) not in found:
            found[id(e)] = e
            if not stop(e):
                todo.extend(e.args)
    return list(found.values())
