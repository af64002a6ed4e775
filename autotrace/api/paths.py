"""A jitted function whose Python asks for values: calls that follow its paths.

See ``autotrace.transforms.paths`` for what a path is. A call starts at the root of the signature's
tree and goes from question to question; where its answer is new the function is traced again.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray
from ..core.collector import patient_collector
from ..core.config import attention
from ..core.errors import ConcretizationError, located
from ..core.jaxpr import Jaxpr
from ..core.source import Location, describe
from ..core.trace import Tracer, any_staging
from ..core.work import working
from ..lax.calls import jit_p
from ..transforms.backends import Executable
from ..transforms.paths import Diverged, Foreseen, PathTrace
from ..transforms.questions import MANY_TURNS, End, Node, Segment, Tree, Values
from ..transforms.stage import as_numpy, hoist_tracers
from .arguments import FlatFunction, plain
from .reasons import log_path, log_trace
from .staged import StagedProgram, checking, clock, staging
from .turns import Turns, outermost

#: How many layouts of its arguments a segment keeps native functions for.
_MOST_LAYOUTS = 8
#: How many answers of a question, and how many paths, ``describe`` lists.
_MOST_LINES = 20
#: After so many questions in a trace a state of as many values is one that grows with each.
_MANY_QUESTIONS = 400


class Paths:
    """The paths of one signature of a jitted function.

    Args:
      name: the function's, for messages.
      flat: makes the function of arrays to be traced, anew for each trace.
      avals: the types of its arguments.
      compile: from a jaxpr and a backend to an executable.
      max_paths: how many paths are kept.
      counts: where ``traces`` are counted.
    """

    def __init__(
        self,
        name: str,
        flat: Callable[[], FlatFunction],
        avals: Sequence[ShapedArray],
        compile: Callable[[Jaxpr, str], Executable],  # noqa: A002
        max_paths: int,
        counts: dict[str, int],
    ):
        self.name = name
        self._flat = flat
        self._avals = avals
        self._compile = compile
        self._max_paths = max_paths
        self._warned = False
        self._warned_of_growth = False
        self.tree = Tree()
        self._counts = counts
        #: As of a ``StagedProgram``.
        self.once = False
        #: Whether results of the process's backend share memory with nothing.
        self._fresh = False
        #: When it was last used, as ``StagedProgram`` has it.
        self.used = next(clock)

    def touch(self) -> None:
        """Note that it is being used."""
        self.used = next(clock)

    def forget(self) -> None:
        """Forget what was made for the settings in force."""
        for segment in list(self.tree.segments.values()):
            segment.forget()

    # --- tracing -------------------------------------------------------------------------------

    def begin(self, leaves: Sequence[Any], backend: str) -> tuple[StagedProgram | None, Any]:
        """Trace for the first time.

        Returns:
          The program, where the function asked for no values; else None, and the result.
        """
        return self._trace(tuple(map(as_numpy, leaves)), (), backend, leaves)

    def _trace(
        self, values: Values, trail: Sequence[Any], backend: str, leaves: Sequence[Any]
    ) -> tuple[StagedProgram | None, Any]:
        self._counts["traces"] += 1
        keep = self.tree.ends < self._max_paths
        if not keep:
            self._warn_of_many()
        trace = PathTrace(
            self.tree, lambda s, args: self._met(trace, s, args, backend), values, trail, keep
        )
        job = working(f"tracing {self.name}", lambda: f"{len(trace.eqns)} equations")
        flat = self._flat()
        try:
            with job, patient_collector(), trace:
                outs = flat(*[trace.new_input(a) for a in self._avals])
                if trace.node is None and not trail:
                    jaxpr, closed_over = hoist_tracers(trace.program(outs))
                    return StagedProgram(jaxpr, flat.out_tree, closed_over, trace.closed_over), None
                if trace.onward is None:
                    end, results = trace.end(outs, flat.out_tree)
                    log_path(self.name, _last_question(end), self.tree.ends)
        except (Foreseen, Exception):
            if trace.onward is None:
                raise
        self.once = self.once or trace.closed_over
        if trace.onward is not None:
            return None, self._go_on(leaves, backend, *trace.onward)
        return None, self._result(end, results, leaves)

    def _extend(self, values: Values, trail: list[Any], backend: str, leaves: Sequence[Any]) -> Any:
        """Trace a path that no call has taken yet, from where it leaves the known ones."""
        log_trace(self.name, self._avals, lambda: "a path not taken before")
        try:
            return self._trace(values, trail, backend, leaves)[1]
        except Diverged as error:
            location = error.question.location
        _warn(
            located(
                f"jit of {self.name}: traced again for a path not taken before, the function did "
                "not ask for the same values as the first time; its paths are forgotten",
                "What to do: let the function depend on its arguments only; pass what changes "
                "between calls (an attribute, a global, a random state) as an argument, or mark "
                "it static (static_argnums, static_argnames).",
                location,
            ),
            location,
        )
        self.tree = Tree()
        return self._anew(leaves, backend)

    def _anew(self, leaves: Sequence[Any], backend: str) -> Any:
        program, result = self.begin(leaves, backend)
        if program is None:
            return result
        args = (*program.closed_over, *map(as_numpy, leaves))
        results = self._run(Segment(program.jaxpr), args, backend)
        return _rebuilt(program.out_tree, self._owned(results, leaves))

    def _met(self, trace: PathTrace, segment: Segment, args: Values, backend: str) -> Values:
        """Run a segment that has been met for the first time."""
        if trace.answered == _MANY_QUESTIONS and len(trace.state) >= _MANY_QUESTIONS:
            self._warn_of_growth(len(trace.state), trace.node)
        return self._run(segment, args, backend)

    def _warn_of_growth(self, count: int, node: Node | None) -> None:
        """Say once that a path keeps more values with each question."""
        if self._warned_of_growth or node is None:
            return
        self._warned_of_growth = True
        location = node.question.location
        _warn(
            located(
                f"jit of {self.name}: after {_MANY_QUESTIONS} questions for values this path keeps "
                f"{count} of them, and more with each; it is traced ever more slowly",
                "What to do: a loop whose derivative is taken within jit keeps all of its turns; "
                "take it from outside, grad(jit(f)), or use autotrace.lax.while_loop. Lists that "
                "grow in a loop are better an array.",
                location,
            ),
            location,
        )

    def _warn_of_many(self) -> None:
        """Say once that there are too many paths, and which question makes them."""
        if self._warned:
            return
        self._warned = True
        nodes = [node for node in self.nodes() if isinstance(node, Node)]
        most = max(nodes, key=lambda node: len(node.children))
        location = most.question.location
        _warn(
            located(
                f"jit of {self.name} has {self.tree.ends} paths for one signature, as many as "
                f"max_paths allows; {most.question.asked} has had {len(most.children)} different "
                "answers here; from now on a call that takes a new path traces it anew, which is "
                "slow",
                "What to do: for a choice or a loop that depends on values use autotrace.lax.cond, "
                "lax.while_loop or np.where, which are compiled once; mark arguments that are few "
                "values in all as static (static_argnums); or raise max_paths.",
                location,
            ),
            location,
        )

    def nodes(self) -> list[Node | End]:
        """Each node and end, parents first."""
        found: dict[int, Node | End] = {}
        waiting: list[Node | End] = [] if self.tree.root is None else [self.tree.root]
        while waiting:
            node = waiting.pop()
            if id(node) not in found:
                found[id(node)] = node
                if isinstance(node, Node):
                    waiting.extend(reversed(node.children.values()))
        return list(found.values())

    def describe(self) -> str:
        """The questions with their answers so far, and the paths."""
        nodes = self.nodes()
        questions = [node for node in nodes if isinstance(node, Node)]
        arrivals = Counter(id(after) for node in questions for after in node.children.values())
        guards: dict[tuple, list[Node]] = {}
        for node in questions:
            guards.setdefault(_guard(node), []).append(node)
        numbers = {guard: number for number, guard in enumerate(guards, 1)}
        out = [f"{self.name} asks for values:"]
        for guard, number in numbers.items():
            told = [f"{text} {_times(n)}" for text, n in _answers(guards[guard], arrivals).items()]
            if len(told) > _MOST_LINES:
                told[_MOST_LINES:] = [f"{len(told) - _MOST_LINES} others"]
            question = guards[guard][0].question
            out.append(f"[{number}] {question.asked}: {', '.join(told)}")
            out.append(describe(question.location))
        ends = [node for node in nodes if isinstance(node, End)]
        out.append(f"{len(ends)} path{'s' if len(ends) != 1 else ''}:")
        out += [f"  {_way_text(end, numbers)}: {_times(end.hits)}" for end in ends[:_MOST_LINES]]
        if len(ends) > _MOST_LINES:
            out.append(f"  and {len(ends) - _MOST_LINES} more")
        return "\n".join(out)

    # --- calls ---------------------------------------------------------------------------------

    def call(self, leaves: Sequence[Any], backend: str) -> Any:
        """The result for arrays, numbers or tracers."""
        self.touch()
        if attention.count or checking():
            return self._follow(leaves, backend)
        return self.walk(tuple(leaves), backend)

    def _go_on(self, leaves: Sequence[Any], backend: str, node: Node | End, state: Values) -> Any:
        """The result of a call that has come to a node."""
        if attention.count or checking() or any(isinstance(x, Tracer) for x in leaves):
            return self._follow(leaves, backend, node, state)
        return self._walk(tuple(leaves), backend, node, state)

    def bind_like(self, leaves: Sequence[Any], backend: str) -> Callable[..., Any] | None:
        """A function for arguments like these, which checks them itself: it returns
        ``NotImplemented`` or ``Ellipsis`` where it has done nothing. None where there is none."""
        root = self.tree.root
        if root is None or root.segment is None or not leaves:
            return None
        if not hasattr(self._compile(root.segment.jaxpr, backend), "bind_like"):
            return None
        walk = self.walk
        return lambda *args: walk(args, backend, False)

    def walk(self, leaves: Values, backend: str, fitting: bool = True) -> Any:
        """The result for arrays and numbers, with the settings of the process.

        Args:
          leaves: the arguments.
          backend: the process's.
          fitting: whether they are known to be of the signature.
        """
        root = self.tree.root
        if root is None:
            return self._first(leaves, backend)
        return self._walk(leaves, backend, root, leaves, None if fitting else root)

    def _walk(
        self,
        leaves: Values,
        backend: str,
        node: Node | End,
        state: Values,
        unsure: Node | None = None,
    ) -> Any:
        """The result from a node on, without tracers.

        Args:
          unsure: the root, where the state may not fit it; then what its native function says of
            that is returned.
        """
        while True:
            node.hits += 1
            segment = node.segment
            if segment is not None:
                args = state if node.take is None else node.take(state)
                outs = segment.native(*args)
                if type(outs) is not tuple:
                    if node is unsure:
                        return outs
                    outs = self._bound(segment, args, backend)
                state = state + outs
            if isinstance(node, End):
                return self._result(node, node.pick(state), leaves, self._fresh)
            # Interpreted, a program of turns takes three times as long as they take here.
            if node.hits >= node.limit and backend != "numpy":
                node, state = self._turn(node, state, self._call, backend)
            value = state[node.place]
            after = node.children.get(value if node.key is None else node.key(value))
            if after is None:
                return self._new_answer(node, value, state, leaves, backend)
            state = node.pick(state)
            node = after

    def _call(self, segment: Segment, args: Values, backend: str) -> Values:
        """Run a segment on arrays and numbers."""
        outs = segment.native(*args)
        return outs if type(outs) is tuple else self._bound(segment, args, backend)

    def _bound(self, segment: Segment, args: Values, backend: str) -> Values:
        """Run a segment on arguments that its native function does not take."""
        layouts = tuple(
            [
                (type(x), x.strides if type(x) is np.ndarray and not x.flags.c_contiguous else None)
                for x in args
            ]
        )
        native = segment.natives.get(layouts)
        if native is None:
            executable = self._compile(segment.jaxpr, backend)
            self._fresh = getattr(executable, "fresh_outputs", False)
            if not args or not hasattr(executable, "bind_like"):
                return tuple(executable(*args))
            native = executable.bind_like(args)
            if len(segment.natives) < _MOST_LAYOUTS:
                segment.natives[layouts] = native
        segment.native = native
        outs = native(*args)
        if type(outs) is tuple:
            return outs
        return tuple(self._compile(segment.jaxpr, backend)(*args))

    def _follow(
        self,
        leaves: Sequence[Any],
        backend: str,
        node: Node | End | None = None,
        state: Values = (),
    ) -> Any:
        """As ``walk``, for tracers too, with any settings, and from any place on."""
        if node is None:
            node = self.tree.root
            state = tuple(map(as_numpy, leaves))
        if node is None:
            return self._first(leaves, backend)
        whole = True  # whether turns of a loop can be one program
        while True:
            node.hits += 1
            if node.segment is not None:
                args = state if node.take is None else node.take(state)
                state = state + self._run(node.segment, args, backend)
            if isinstance(node, End):
                return self._result(node, node.pick(state), leaves)
            answer = node.question.answer(state[node.place])
            if (
                node.returns
                and whole
                and not any_staging()
                and not checking()
                and (
                    # A turn with tracers takes as long as a thousand without.
                    any(isinstance(x, Tracer) for x in state)
                    or (node.hits >= node.limit and backend != "numpy")
                )
            ):
                try:
                    node, state = self._turn(node, state, self._run, backend)
                    answer = node.question.answer(state[node.place])
                except ConcretizationError:
                    whole = False  # a derivative rule in it asks for a value
            after = node.child(answer)
            state = node.pick(state)
            if after is None:
                with staging.lock:
                    after = node.child(answer)
                    if after is None:
                        return self._extend(state, [*node.way(), answer], backend, leaves)
            node = after

    def _turn(
        self,
        node: Node,
        state: Values,
        run: Callable[[Segment, Values, str], Values],
        backend: str,
    ) -> tuple[Node, Values]:
        """Take the turns of a loop that closes at a node, where they can be one program.

        Returns:
          Where the call goes on, a node whose segment has been run, and the state there.
        """
        if node.loop is None:
            outer = outermost(node)
            if outer is not node and outer.hits < outer.limit:  # the turn of that one comes first
                outer.limit, node.limit = outer.hits, node.hits + MANY_TURNS
                return node, state
        if node.loop is None or not node.loop.holds(self.tree):
            with staging.lock:
                node.loop = Turns(node, self.tree, state)
        if node.loop.segment is None:
            node.limit = math.inf  # until another way back to it is found
            return node, state
        return node.loop.take(state, lambda segment, args: run(segment, args, backend))

    def _first(self, leaves: Sequence[Any], backend: str) -> Any:
        with staging.lock:
            if self.tree.root is None:
                return self._anew(leaves, backend)
        return self._follow(leaves, backend)

    def _new_answer(
        self,
        node: Node,
        value: Any,
        state: Values,
        leaves: Values,
        backend: str,
    ) -> Any:
        """Go on where ``walk`` cannot."""
        answer = node.question.answer(value)
        with staging.lock:
            after = node.child(answer)
            if after is None:
                trail = [*node.way(), answer]
                return self._extend(node.pick(state), trail, backend, leaves)
        return self._follow(leaves, backend, after, node.pick(state))

    def _run(self, segment: Segment, args: Values, backend: str) -> Values:
        if any(isinstance(x, Tracer) for x in args):
            outs = jit_p.bind(*args, jaxpr=segment.jaxpr, backend=backend, name=self.name)
        else:
            outs = self._compile(segment.jaxpr, backend)(*args)
        return tuple(outs)

    def _result(self, end: End, results: Values, leaves: Sequence[Any], fresh: bool = False) -> Any:
        return _rebuilt(end.out_tree, results if fresh else self._owned(results, leaves))

    def _owned(self, results: Values, leaves: Sequence[Any]) -> Sequence[Any]:
        """Results that share memory with nothing."""
        if any(isinstance(x, Tracer) for x in leaves):
            return results  # whoever made the tracers sees to it
        return plain(results, [*leaves, *self.tree.constants.values()])


def _last_question(end: End) -> str:
    """What was asked last before an end, where, and what the answer was."""
    if end.parent is None:
        return "it asks for nothing"
    question = end.parent.question
    return f"{question.asked} is {question.text(question.key(end.after))} at {question.location}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _guard(node: Node) -> tuple:
    return (str(node.question.location), node.question.asked)


def _answers(nodes: Sequence[Node], arrivals: Counter) -> dict[str, int]:
    """How often each answer of a question was given."""
    answers: dict[str, int] = {}
    for node in nodes:
        # A node that is reached from several has not kept from which how often.
        single = [after.hits for after in node.children.values() if arrivals[id(after)] == 1]
        shared = [key for key, after in node.children.items() if arrivals[id(after)] > 1]
        rest = node.hits - sum(single)
        for key, after in node.children.items():
            text = node.question.text(key)
            count = after.hits if key not in shared else rest // len(shared)
            answers[text] = answers.get(text, 0) + count
    return answers


def _way_text(end: End, numbers: dict[tuple, int]) -> str:
    """The questions and answers on the way to an end; of a loop that is one node, one turn."""
    steps: list[tuple[str, int]] = []
    at: Node | End = end
    while at.parent is not None:
        key = at.parent.question.key(at.after)
        step = f"[{numbers[_guard(at.parent)]}] {at.parent.question.text(key)}"
        steps.append((step, steps.pop()[1] + 1 if steps and steps[-1][0] == step else 1))
        at = at.parent
    return ", ".join(s if n == 1 else f"{s} ({n} times)" for s, n in reversed(steps))


def _rebuilt(out_tree: tree.TreeDef, results: Sequence[Any]) -> Any:
    return results[0] if out_tree is tree.LEAF else tree.unflatten(out_tree, results)


def _warn(text: str, location: Location | None) -> None:
    if location is None:
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    else:
        warnings.warn_explicit(text, RuntimeWarning, location.filename, location.lineno)


class Follow:
    """As ``Shortcut``, for a signature with paths."""

    __slots__ = ("_backend", "_paths", "native", "way")

    #: The results need nothing more.
    rebuild = None

    def __init__(self, paths: Paths, leaves: Sequence[Any], backend: str):
        self._paths = paths
        self._backend = backend
        self.native = paths.bind_like(leaves, backend)
        self.way: Any = None

    def touch(self) -> None:
        """Note that the paths have been used."""
        self._paths.touch()

    def __call__(self, leaves: Sequence[Any]) -> Any:
        return self._paths.call(leaves, self._backend)
