"""The turns of a Python loop as one program.

Where a loop closes (``transforms.folding``) the nodes of its turns are a natural loop of the graph:
its *head*, and what lies between the head and the nodes that lead back to it. Answers are all that
the next node depends on, so the turns are a ``while_loop`` whose body runs the segments and
chooses by ``cond``; a loop in it that closes too is a ``while_loop`` in the body.

The program is left at a *stop*: a node whose answer leads out of the loop, or has not been given
yet. Its state is the result, and the call goes on from there. The program also stops after a number
of turns, at the head of whichever loop that happens in, so that Python gets to look at signals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.avals import ShapedArray
from ..core.jaxpr import has_effect
from ..core.trace import get_aval
from ..lax.branching import cond, switch
from ..lax.looping import while_loop
from ..transforms.evaluate import eval_jaxpr
from ..transforms.questions import End, Node, Segment, Tree, Values
from ..transforms.stage import stage

#: How many nodes a loop may have.
_MOST_NODES = 24
#: How long a program may run before Python looks at signals, in seconds.
_SLICE = 0.05
#: How many turns a program takes before it stops, at first.
_FIRST_SLICE = 1 << 12
_GOING = np.int64(-1)

#: A state with what follows from a question: the values at all places, None where not needed.
State = Sequence[Any]


def natural_loop(head: Node) -> list[Node]:
    """The nodes of the loop that closes at a node, the head first; none where there are too many
    or a question is none that a program can answer."""
    found: dict[int, Node] = {id(head): head}
    waiting = list(head.returns)
    while waiting:
        node = waiting.pop()
        if id(node) not in found:
            if len(found) == _MOST_NODES or node.parent is None:
                return []
            found[id(node)] = node
            waiting += [node.parent, *node.returns]
    nodes = list(found.values())
    return nodes if all(map(_can_be_run, nodes)) else []


def _is_nested(loop: _Loop) -> bool:
    """Whether the loops that close within a loop lie within it. Paths that meet again make nodes of
    two loops one, and then a loop may be entered elsewhere than at its head."""
    inner = [natural_loop(node) for node in loop.nodes[1:] if node.returns]
    return all(nodes and all(map(loop.has, nodes)) for nodes in inner)


def outermost(head: Node) -> Node:
    """The head of the outermost loop in which another closes; that itself where there is none."""
    found = node = head
    while node.parent is not None:
        node = node.parent
        if node.returns and head in natural_loop(node):
            found = node
    return found


def _can_be_run(node: Node) -> bool:
    if node.question.kind is not bool or node.question.shape != ():
        return False
    return node.segment is None or not any(has_effect(e) for e in node.segment.jaxpr.eqns)


class _Loop:
    """A natural loop, and where it is left.

    Attributes:
      stops: the nodes at which it may be left, the head first.
    """

    def __init__(self, head: Node):
        self.head = head
        self.nodes = natural_loop(head)
        self._known = set(map(id, self.nodes))
        self.stops = [n for n in self.nodes if n is head or n.returns or not all(self.ways(n))]

    def has(self, node: Node | End | None) -> bool:
        return id(node) in self._known

    def ways(self, node: Node) -> tuple[bool, bool]:
        """Whether the answers True and False stay in the loop."""
        return self.has(node.child(True)), self.has(node.child(False))

    def form(self) -> Any:
        """What its program depends on."""
        return [(id(n), self.ways(n), len(n.returns)) for n in self.nodes]


class _Layout:
    """What is kept of the state at a node: what the question and any answer need."""

    def __init__(self, node: Node, avals: Sequence[ShapedArray | None]):
        self.size = len(avals)
        self.places = sorted({*node.pick(tuple(range(self.size))), node.place})
        kept = [avals[place] for place in self.places]
        self.avals = [a.strong() for a in kept if a is not None]
        assert len(self.avals) == len(self.places)

    def kept(self, state: State) -> tuple[Any, ...]:
        return tuple([state[place] for place in self.places])

    def state(self, kept: Sequence[Any]) -> tuple[Any, ...]:
        values: list[Any] = [None] * self.size
        for place, value in zip(self.places, kept, strict=True):
            values[place] = value
        return tuple(values)

    def zeros(self) -> tuple[Any, ...]:
        return tuple([np.broadcast_to(a.dtype.type(0), a.shape)[()] for a in self.avals])


class _Taken(NamedTuple):
    """How many turns have been taken, and how often each node has been reached."""

    turns: Any
    counts: tuple[Any, ...]


class _Writer:
    """Writes the program of a loop.

    What a loop carries is a tuple: the number of the stop it is left at, ``_GOING`` before; the
    turns taken; what is kept at the head; and what is kept at each other stop, zeros before it is
    reached.

    Args:
      loop: the outermost.
      avals: the types of the state after the head's segment.

    Attributes:
      limit: of turns, a traced number.
    """

    limit: Any

    def __init__(self, loop: _Loop, avals: Sequence[ShapedArray | None]):
        self.numbers = {id(node): n for n, node in enumerate(loop.nodes)}
        self.layouts = {id(loop.head): _Layout(loop.head, avals)}
        self._lay_out(loop, loop.head, avals)

    def _lay_out(self, loop: _Loop, node: Node, avals: Sequence[ShapedArray | None]) -> None:
        for after in node.children.values():
            if isinstance(after, Node) and loop.has(after) and id(after) not in self.layouts:
                made = [] if after.segment is None else after.segment.jaxpr.out_avals
                found = [*node.pick(tuple(avals)), *made]
                self.layouts[id(after)] = _Layout(after, found)
                self._lay_out(loop, after, found)

    def layout(self, node: Node) -> _Layout:
        return self.layouts[id(node)]

    def turns(self, loop: _Loop, state: State, taken: _Taken) -> Any:
        """Take turns of a loop from its head on; returns what it carries."""

        def going(carry: Any) -> Any:
            return (carry[0] < 0) & (carry[1].turns < self.limit)

        def body(carry: Any) -> Any:
            _, taken, kept, stopped = carry
            state = self.layout(loop.head).state(kept)

            def answered(answer: bool) -> Any:
                return self._enter(loop, loop.head, answer, state, taken, stopped)

            return self._choose(loop.ways(loop.head), loop.head, state, answered)

        stopped = tuple([self.layout(node).zeros() for node in loop.stops[1:]])
        kept = self.layout(loop.head).kept(state)
        return while_loop(going, body, (self._label(loop, state), taken, kept, stopped))

    def _choose(
        self, ways: tuple[bool, bool], node: Node, state: State, follow: Callable[[bool], Any]
    ) -> Any:
        """What follows a question, for the answers that it may have."""
        if not all(ways):
            return follow(ways[0])
        return cond(state[node.place], lambda: follow(True), lambda: follow(False))

    def _label(self, loop: _Loop, state: State) -> Any:
        """Whether a loop goes on from its head."""
        head = loop.head
        true, false = (_GOING if stays else np.int64(0) for stays in loop.ways(head))
        if true == false:
            return true
        return cond(state[head.place], lambda: true, lambda: false)

    def _enter(
        self, loop: _Loop, node: Node, answer: bool, state: State, taken: _Taken, stopped: Any
    ) -> Any:
        """Go on in a loop from a node with an answer; returns what the loop carries."""
        after = node.child(answer)
        if not isinstance(after, Node) or not loop.has(after):
            return self._stop(loop, node, state, taken, stopped)
        given = node.pick(tuple(state))
        state = given
        if after.segment is not None:
            args = given if after.take is None else after.take(given)
            state = (*given, *eval_jaxpr(after.segment.jaxpr, args))
        number = self.numbers[id(after)]
        counts = tuple([c + 1 if n == number else c for n, c in enumerate(taken.counts)])
        taken = _Taken(taken.turns, counts)
        if after is loop.head:
            kept = self.layout(after).kept(state)
            return self._label(loop, state), _Taken(taken.turns + 1, counts), kept, stopped
        if after.returns:
            return self._inner(loop, after, state, taken, stopped)
        return cond(
            state[after.place],
            lambda: self._enter(loop, after, True, state, taken, stopped),
            lambda: self._enter(loop, after, False, state, taken, stopped),
        )

    def _inner(self, loop: _Loop, head: Node, state: State, taken: _Taken, stopped: Any) -> Any:
        """Take the turns of a loop within a loop, and go on where they stop."""
        inner = _Loop(head)
        label, taken, kept, inside = self.turns(inner, state, taken)

        def follow(node: Node, kept: Sequence[Any]) -> Any:
            state = self.layout(node).state(kept)

            def answered(answer: bool) -> Any:
                if inner.has(node.child(answer)):  # it was stopped there
                    return self._stop(loop, node, state, taken, stopped)
                return self._enter(loop, node, answer, state, taken, stopped)

            # Its turns are stopped at heads; elsewhere an answer has led out of it.
            true, false = (bool(node.returns) or not stays for stays in inner.ways(node))
            return self._choose((true, false), node, state, answered)

        branches = [
            lambda node=node, kept=kept: follow(node, kept)
            for node, kept in zip(inner.stops, [kept, *inside], strict=True)
        ]
        return switch(label, branches) if len(branches) > 1 else branches[0]()

    def _stop(self, loop: _Loop, node: Node, state: State, taken: _Taken, stopped: Any) -> Any:
        """Leave a loop at a node."""
        number = loop.stops.index(node)
        kept = self.layout(node).kept(state)
        if number == 0:
            return np.int64(0), taken, kept, stopped
        stopped = (*stopped[: number - 1], kept, *stopped[number:])
        return np.int64(number), taken, self.layout(loop.head).zeros(), stopped


class Turns:
    """Runs the turns of a loop that closes at a node.

    Args:
      head: the node.
      tree: of the nodes.
      state: of the head, followed by its segment's outputs.

    Attributes:
      segment: the program; None where there is none.
    """

    __slots__ = ("_form", "_layouts", "_loop", "_size", "limit", "segment")

    def __init__(self, head: Node, tree: Tree, state: Values):
        self._size = tree.size
        self._loop = _Loop(head)
        self._form = self._loop.form()
        self.limit = _FIRST_SLICE
        self.segment: Segment | None = None
        if not self._loop.nodes or not _is_nested(self._loop):
            return
        writer = _Writer(self._loop, [None if x is None else get_aval(x) for x in state])
        self._layouts = [writer.layout(node) for node in self._loop.stops]

        def program(limit: Any, *kept: Any) -> list[Any]:
            writer.limit = limit
            none = _Taken(np.int64(0), tuple([np.int64(0) for _ in self._loop.nodes]))
            given = self._layouts[0].state(kept)
            label, taken, kept, stopped = writer.turns(self._loop, given, none)
            return [label, *taken.counts, *kept, *[x for values in stopped for x in values]]

        avals = [get_aval(_GOING), *self._layouts[0].avals]
        self.segment = tree.segment(stage(program, avals))

    def holds(self, tree: Tree) -> bool:
        """Whether the program is still that of the loop: the graph may have grown."""
        if self._size != tree.size:
            if self._form != _Loop(self._loop.head).form():
                return False
            self._size = tree.size
        return True

    def take(self, state: Values, run: Callable[[Segment, Values], Values]) -> tuple[Node, Values]:
        """Take turns.

        Args:
          state: at the head.
          run: runs a program.

        Returns:
          Where the loop was left, and the state there.
        """
        assert self.segment is not None
        head = self._loop.head
        while True:
            if not self._loop.has(head.child(head.question.answer(state[head.place]))):
                return head, state
            began = time.perf_counter()
            label, *outs = run(self.segment, (np.int64(self.limit), *self._layouts[0].kept(state)))
            took = time.perf_counter() - began
            for node in self._loop.nodes:
                node.hits += int(outs.pop(0))
            if label < 0 and took < _SLICE / 2 and self.limit < 1 << 60:
                self.limit *= 2
            elif took > 2 * _SLICE and self.limit > 1:
                self.limit //= 2
            for number, layout in enumerate(self._layouts):
                kept = outs[: len(layout.places)]
                del outs[: len(layout.places)]
                if number == max(label, 0):
                    state = layout.state(kept)
            if label > 0:
                return self._loop.stops[label], state
