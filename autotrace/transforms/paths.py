"""Tracing a function whose Python asks for values: the trace behind ``jit``.

A question (``if x > 0``, ``float(x)``, ``range(int(n))``) cuts the trace. What has been noted so
far becomes a *segment*, a program of its own, which is run at once; the trace goes on with the
answer. The values that Python can still get at, those whose tracers are alive, become the inputs
of the next segment: their tracers are pointed at new variables, in place, so that whatever holds
them (the user's frames, dual tracers, the residuals of a linear program) notices nothing.

The segments of a function make a tree (``questions``): a ``Node`` for each question, with a child
for each answer that was given so far, and an ``End`` where the function returned. A call runs a
node's segment, looks at the answer, and goes to that child. Where there is none the function is
traced again from the start: up to there the equations are noted but not run, the answers being
those of this call; from there on as above. A loop in which nothing but values changes closes: its
next turn is the node before (``folding``), and the tree a graph.
"""

from __future__ import annotations

import sys
import types
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.jaxpr import Literal, Var, has_effect
from ..core.source import user_location
from ..core.trace import Tracer, active_traces, leaked, suspended, tie_within
from .folding import Form, NoProofError, active_frames, form_of_array, is_bare
from .held import HeldTracer
from .questions import (
    End,
    Failure,
    Kind,
    Node,
    Question,
    Segment,
    Tree,
    Values,
    everything,
    picker,
)
from .stage import (
    JaxprTrace,
    StagedTracer,
    checked_program,
    hoist_constants,
    hoist_tracers,
    live_eqns,
)


class Diverged(BaseException):
    """The function did not ask what it asked before, for the same answers: it depends on something
    else than its arguments. Not an ``Exception``, so that the function cannot catch it."""

    def __init__(self, question: Question):
        self.question = question


class Foreseen(BaseException):
    """What follows is known from an earlier turn of a loop: the trace is left, the call goes on
    from its ``onward``. Not an ``Exception``, so that the function cannot catch it."""


class Turn:
    """A question in a loop: the frame that asks it, and its nodes in the turns so far."""

    __slots__ = ("frame", "known")

    def __init__(self, frame: types.FrameType):
        self.frame = frame
        self.known: list[Node] = []


def _order_of_lone(tracer: Any) -> str | None:
    """How the array lies in memory that a handle stands for, where no other shares it."""
    place = getattr(tracer, "place", None)
    if place is None:
        return None
    if place.base is not None or any(view() is not None for view in place.views):
        raise NoProofError
    return place.order


#: How many turns of a loop are compared before it is left unfolded.
_MOST_TURNS = 8


class PathTrace(JaxprTrace):
    """Notes equations and answers questions.

    Args:
      tree: where nodes are added.
      run: runs a segment on its arguments, of which the first may be values that the function
        closes over.
      keep: whether nodes are added to the tree.
      values: the state at the beginning; with ``trail``, at its end.
      trail: the answers that this call has met already.

    Attributes:
      node: the last node; None before the first question.
      onward: where the call goes on without the trace, once that is known: a node or an end, and
        the state.
      closed_over: whether the path depends on tracers of an enclosing transform.
    """

    __slots__ = (
        "answered", "closed_over", "entry", "given", "keep", "node", "onward", "own", "root", "run",
        "state", "trail", "tree", "turns", "values",
    )  # fmt: skip

    def __init__(
        self,
        tree: Tree,
        run: Callable[[Segment, Values], Values],
        values: Values,
        trail: Sequence[Any] = (),
        keep: bool = True,
    ):
        super().__init__("jit", locate=not trail)
        self.made = []
        self.tree = tree
        self.run = run
        self.values = values
        self.trail = list(trail)
        self.keep = keep
        self.root = tree.root
        self.node: Node | None = None
        self.onward: tuple[Node | End, Values] | None = None
        self.answered = 0
        self.closed_over = False
        #: The variables of the state, and which of them hold values that segments have made.
        self.state = self.invars
        self.own: list[bool] = []
        #: The inputs' tracers, which the library's own frames hold too; the frame that began.
        self.given: Sequence[Any] = ()
        self.entry = 0
        #: Questions that may be the same in each turn of a loop.
        self.turns: dict[tuple, Turn] = {}

    def answer(self, tracer: StagedTracer, asked: str, kind: Kind) -> Any:
        atom = tracer.atom
        if isinstance(atom, Literal):
            if isinstance(atom.value, Tracer):
                return atom.value.concrete(asked, kind)
            return atom.value if kind is None else kind(atom.value)
        if self.onward is not None:
            raise Foreseen  # and the function caught it
        tie_within(self)
        if self.node is None:
            inputs = set(self.invars)
            self.given = [weakref.ref(t) for t in self._live() if t.atom in inputs]
        numbers = self._numbers()
        if atom not in numbers:
            raise leaked(self)
        question = Question(asked, kind, user_location(), numbers[atom], len(self.eqns), atom.aval)
        if self.answered < len(self.trail):
            node = self._next()
            if not isinstance(node, Node) or not question.same(node.question):
                raise Diverged(question)
            self._remember(node, sys._getframe(1))
            answer = self.trail[self.answered]
        else:
            node, closed = self._node(question, tracer, numbers, sys._getframe(1))
            node.hits += 1
            state = self.values + self._run(node, closed)
            with suspended(self):
                answer = question.answer(state[node.place])
            self.values = node.pick(state)
            after = node.child(answer) if self.keep else None
            if after is not None:
                self.onward = after, self.values
                raise Foreseen
            self.trail.append(answer)
        self.node = node
        self.answered += 1
        self._go_on(node, atom, answer)
        if self.answered == len(self.trail):
            self.locate = True
        if isinstance(answer, Failure):
            raise answer.error
        return answer

    def _node(
        self,
        question: Question,
        tracer: StagedTracer,
        numbers: dict[Any, int],
        caller: types.FrameType,
    ) -> tuple[Node, Values]:
        """The node of a question that is asked now, and the tracers that its segment closes over.
        It is known already where the turns of a loop are one node."""
        known = self._next() if self.keep else None
        if isinstance(known, Node) and question.same(known.question):
            self._remember(known, caller)
            return known, ()
        if known is not None:  # no function of its arguments: nothing of it is kept
            self.keep, self.tree.root = False, None
        frame = self._tested(caller)
        node, closed = self._cut(question, numbers)
        self.keep = self.keep and not closed
        if self.keep:
            if frame is not None and node.carried is not None and self.node is not None:
                node = self._folded(node, tracer, numbers, frame)
            self._attach(node)
        return node, closed

    def _tested(self, caller: types.FrameType) -> types.FrameType | None:
        """The frame of a loop that asks, where it does by testing a value and nothing else."""
        active = active_frames(caller)
        self.turns = {k: t for k, t in self.turns.items() if id(t.frame) in active}
        test = caller.f_back
        if (
            caller.f_code is not StagedTracer.concrete.__code__
            or test is None
            or test.f_code is not Tracer.__bool__.__code__
            or test.f_back is None
            or active_traces()[-1] is not self
            or not is_bare(test.f_back)
        ):
            return None
        return test.f_back

    def _turn(self, node: Node, frame: types.FrameType) -> Turn:
        """What is known of the turns in which this question was asked so."""
        key = (
            id(frame), frame.f_lasti, node.segment, node.place, node.taken,
            tuple(node.carried or ()), tuple(self.own), node.question.pinned,
        )  # fmt: skip
        if key not in self.turns:
            self.turns[key] = Turn(frame)
        return self.turns[key]

    def _remember(self, node: Node, caller: types.FrameType) -> None:
        """Note that a known node was reached."""
        frame = self._tested(caller)
        if frame is not None and node.form is not None:
            known = self._turn(node, frame).known
            if node not in known:
                known.append(node)

    def _folded(
        self, node: Node, tracer: StagedTracer, numbers: dict[Any, int], frame: types.FrameType
    ) -> Node:
        """The node of an earlier turn of the loop, where Python is as it was then; else this."""
        turn = self._turn(node, frame)
        if len(turn.known) < _MOST_TURNS:
            node.form = self._form(node, tracer, numbers, frame)
            if node.form is not None:
                for before in turn.known:
                    if before.form == node.form:
                        return before
            turn.known.append(node)
        return node

    def _form(
        self, node: Node, asked: StagedTracer, numbers: dict[Any, int], frame: types.FrameType
    ) -> Any:
        """How Python looks at a question, None where that cannot be said."""
        places = {n: place for place, n in enumerate(node.carried or ())}
        seen = {id(asked)}

        def of_atom(atom: Any) -> Any:
            if atom is asked.atom and node.question.pinned:
                return "asked"
            if type(atom) is Var and numbers.get(atom) in places:
                return places[numbers[atom]]
            if type(atom) is Var or isinstance(atom.value, Tracer):
                raise NoProofError
            return form_of_array(atom.value)

        def of(tracer: Any) -> Any:
            order = _order_of_lone(tracer)
            if type(tracer) is HeldTracer:
                return (
                    form_of_array(tracer.array),
                    order,
                    tracer.lent,
                    tracer.born,
                    None if tracer.repeated is None else form_of_array(tracer.repeated),
                )
            if type(tracer) is not StagedTracer or tracer.owner is not self:
                raise NoProofError
            seen.add(id(tracer))
            aval = tracer.aval
            return (of_atom(tracer.atom), order, aval.shape, aval.dtype, aval.weak_type)

        try:
            form = Form(frame, self.entry, of)
            given = [ref() for ref in self.given]
            inputs = [None if t is None else of(t) for t in given]
        except NoProofError:
            return None
        # What other traces have been given of an input lives as long as that.
        seen.update(id(getattr(t, "_snapshot", None)) for t in given)
        # Whatever else holds a traced value has not been looked at.
        if any(id(t) not in seen for t in self._live()):
            return None
        return (form, inputs)

    def __enter__(self) -> Any:
        self.entry = id(sys._getframe(1))
        return super().__enter__()

    def __exit__(self, *details: Any) -> None:
        self.turns = {}
        super().__exit__(*details)

    def tie(self) -> None:
        self.closed_over = True
        self.keep = False

    def _run(self, node: Node | End, closed: Values) -> Values:
        if node.segment is None:
            return ()
        given = self.values if node.take is None else node.take(self.values)
        with suspended(self):
            return self.run(node.segment, closed + given)

    def _next(self) -> Node | End | None:
        """The tree's node after the answers so far."""
        if self.node is None:
            return self.root
        return self.node.child(self.trail[self.answered - 1])

    def _attach(self, node: Node | End) -> None:
        if self.node is None:
            self.tree.root = node if isinstance(node, Node) else None
        else:
            self.node.attach(self.trail[self.answered - 1], node)
        self.tree.size += 1
        if isinstance(node, End):
            self.tree.ends += 1

    def _numbers(self) -> dict[Any, int]:
        """The variables since the last cut, in order."""
        made = [v for eqn in self.eqns for v in eqn.outvars]
        return {var: n for n, var in enumerate([*self.state, *made])}

    def _live(self) -> list[StagedTracer]:
        """The tracers that something still holds."""
        refs = self.made or []
        pairs = [(ref, ref()) for ref in refs]
        self.made = [ref for ref, tracer in pairs if tracer is not None]
        return [t for _, t in pairs if type(t) is StagedTracer and t.owner is self]

    def _cut(self, question: Question, numbers: dict[Any, int]) -> tuple[Node, Values]:
        """The node of a question, and the tracers that its segment closes over."""
        known = len(self.state)
        if (
            self.node is not None
            and question.number < known
            and not any(has_effect(eqn) for eqn in self.eqns)
        ):
            return Node(question, None, None, question.number, everything, None), ()
        variables = list(numbers)
        asked = variables[question.number]
        wanted = {numbers.get(t.atom) for t in self._live() if type(t.atom) is Var}
        wanted.discard(None)
        if question.pinned:
            wanted.discard(question.number)
        carried = sorted(n for n in wanted if n is not None)
        outs = [asked, *(variables[n] for n in carried if n >= known and n != question.number)]
        places = {var: known + n for n, var in reversed(list(enumerate(outs)))}
        segment, taken, closed = self._segment(outs, whole=self.node is None)
        take = None if taken is None else picker(taken)
        pick = picker([n if n < known else places[variables[n]] for n in carried])
        return Node(question, segment, take, known, pick, carried, taken), closed

    def _segment(
        self, outs: Sequence[Any], whole: bool = False
    ) -> tuple[Segment, tuple[int, ...] | None, Values]:
        """The equations so far as a segment, what of the state it takes, what it closes over."""
        eqns = live_eqns(self.eqns, outs)
        used = {a for eqn in eqns for a in eqn.invars if type(a) is Var}
        used.update(a for a in outs if type(a) is Var)
        places = [n for n, v in enumerate(self.state) if whole or v in used]
        invars = [self.state[n] for n in places]
        jaxpr = hoist_constants(invars, eqns, outs, self.tree.constant)
        jaxpr, closed = hoist_tracers(jaxpr)
        jaxpr = checked_program(jaxpr)
        self.closed_over = self.closed_over or bool(closed)
        taken = None if len(places) == len(self.state) else tuple(places)
        return self.tree.segment(jaxpr), taken, tuple(closed)

    def _go_on(self, node: Node, asked: Var, answer: Any) -> None:
        """Point what is alive at the inputs of the next segment."""
        question = node.question
        known: Any = None
        if question.pinned and not isinstance(answer, Failure):
            aval = asked.aval
            known = Literal(np.asarray(answer, aval.dtype)[()])
        live = self._live()
        if node.carried is None:
            for tracer in live:
                if tracer.atom is asked and known is not None:
                    tracer.atom = known
            return
        variables = list(self._numbers())
        own = [*(self.own or [False] * len(self.state)), *[True] * len(variables)]
        new = {variables[n]: Var(variables[n].aval.strong()) for n in node.carried}
        self.own = [own[n] for n in node.carried]
        if known is not None:
            new[asked] = known
        for tracer in live:
            if type(tracer.atom) is Var:
                tracer.atom = new.get(tracer.atom, tracer.atom)
        self.state = [new[variables[n]] for n in node.carried]
        self.eqns = []

    def end(self, outs: Sequence[Any], out_tree: Any) -> tuple[End, Values]:
        """The end of the path: runs the last segment.

        Returns:
          The end, and the results.
        """
        if self.answered < len(self.trail):
            expected = self._next()
            assert isinstance(expected, Node)
            raise Diverged(expected.question)
        known = len(self.state)
        places: list[int] = []
        made: list[Any] = []
        own = dict(zip(self.state, self.own, strict=True))
        for x in outs:
            atom = self.atom(x)
            if type(atom) is Var and own.pop(atom, False):
                places.append(self.state.index(atom))
            else:
                places.append(known + len(made))
                made.append(atom)
        segment, taken, closed = None, None, ()
        if made or any(has_effect(eqn) for eqn in self.eqns):
            segment, taken, closed = self._segment(made)
        take = None if taken is None else picker(taken)
        end = End(segment, take, picker(places), out_tree)
        end.hits = 1
        if self.keep and not closed:
            self._attach(end)
        return end, end.pick(self.values + self._run(end, closed))
