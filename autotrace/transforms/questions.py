"""Questions, the programs between them, and the graph that they make; see ``paths``."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from ..core.avals import ShapedArray
from ..core.jaxpr import Jaxpr, Var
from ..core.source import Location, current
from ..core.trace import Tracer

Values = tuple[Any, ...]
#: How many turns of a loop make it worth compiling as one.
MANY_TURNS = 1000
Kind = Callable[[Any], Any] | None


class Failure:
    """An answer: Python's conversion failed, as ``int()`` of a NaN does."""

    def __init__(self, error: Exception):
        self.error = error


class Question:
    """What Python asked at a node.

    Attributes:
      asked: what for, in words.
      kind: what of the number the answer is; see ``Tracer.concrete``.
      location: the user's line.
      number: which variable was asked, counted from the beginning of the segment.
      equations: how many equations the segment had then.
      pinned: whether the answer is all there is to know of the value.
      shape: of the value.
    """

    __slots__ = ("_type", "asked", "equations", "kind", "location", "number", "pinned", "shape")

    def __init__(
        self,
        asked: str,
        kind: Kind,
        location: Location | None,
        number: int,
        equations: int,
        aval: ShapedArray,
    ):
        self.asked = asked
        self.kind = kind
        self.location = location
        self.number = number
        self.equations = equations
        self._type = aval.dtype.type
        self.shape = aval.shape
        self.pinned = aval.dtype.kind in "biu" and (
            kind is None
            or (aval.shape == () and (kind is bool if aval.dtype.kind == "b" else kind is int))
        )

    def answer(self, value: Any) -> Any:
        """The answer, where the value asked for is a number or a tracer of an outer trace."""
        if not isinstance(value, Tracer):
            try:
                return value if self.kind is None else self.kind(value)
            except Exception as error:
                return Failure(error)
        outside = current.location
        current.location = self.location
        try:
            return value.concrete(self.asked, self.kind)
        finally:
            current.location = outside

    def key(self, answer: Any) -> Any:
        """What tells answers apart: numbers by their bits."""
        if isinstance(answer, Failure):
            return (type(answer.error), str(answer.error))
        if self.kind is None:
            return np.asarray(answer).tobytes()
        return self._type(answer) if self.pinned else answer

    def text(self, key: Any) -> str:
        """An answer's key as text."""
        if isinstance(key, bytes):
            if self.shape == ():
                return str(np.frombuffer(key, self._type)[0])
            return f"an array of {self.shape}"
        return f"{key[0].__name__}" if isinstance(key, tuple) else str(key)

    def same(self, other: Question) -> bool:
        """Whether this is the same question at the same place."""
        return (
            self.number == other.number
            and self.equations == other.equations
            and self.asked == other.asked
            and _same_line(self.location, other.location)
        )


def _same_line(a: Location | None, b: Location | None) -> bool:
    # Once Python has specialized its code, a call may be made by an instruction before.
    if a is None or b is None:
        return a is b
    return a == b or (a.code == b.code and a.lineno == b.lineno)


class Segment:
    """The program between two questions, shared by all nodes with an equal one.

    Attributes:
      native, natives: for whoever runs it: its functions for arguments of given types.
    """

    __slots__ = ("jaxpr", "native", "natives")

    def __init__(self, jaxpr: Jaxpr):
        self.jaxpr = jaxpr
        self.forget()

    def forget(self) -> None:
        """Forget what was made to run it."""
        self.native: Callable[..., Any] = _not_yet
        self.natives: dict[Any, Callable[..., Any]] = {}


def _not_yet(*_: Any) -> Any:
    return NotImplemented


class Node:
    """A question: what to run before it, and where to go on.

    It comes with a state, a tuple of values. ``take`` picks the segment's arguments out of it
    (None: all are), ``place`` is where in the state followed by the segment's outputs the asked
    value is, and ``pick`` picks the next state out of these.

    Attributes:
      carried: what ``pick`` picks, as numbers of variables counted from the segment's beginning;
        None where the state stays as it is and the segment goes on.
      children: by the key of the answer; a node that was there before where a loop closes.
      hits: how often it was reached.
      form: how Python looked, where the question is in a loop; see ``folding``.
      parent, after: the node before it, and the answer that led here, when it was first reached.
      returns: the nodes that lead back here, where a loop closes.
      loop: what runs the turns of a loop that closes here; for whoever runs segments.
      limit: how often it is reached before ``loop`` is asked to.
      taken: the places that ``take`` picks.
    """

    __slots__ = (
        "after", "carried", "children", "form", "hits", "key", "limit", "loop", "parent", "pick",
        "place", "question", "returns", "segment", "take", "taken",
    )  # fmt: skip

    def __init__(
        self,
        question: Question,
        segment: Segment | None,
        take: Callable[[Values], Values] | None,
        place: int,
        pick: Callable[[Values], Values],
        carried: Sequence[int] | None,
        taken: tuple[int, ...] | None = None,
    ):
        self.question = question
        self.segment = segment
        self.take = take
        self.place = place
        self.pick = pick
        self.carried = carried
        self.taken = taken
        self.form: Any = None
        self.parent: Node | None = None
        self.after: Any = None
        self.returns: list[Node] = []
        self.loop: Any = None
        self.limit = math.inf
        # A NumPy bool or integer is a key as it is.
        self.key = None if question.pinned and question.kind is not None else self._key
        self.children: dict[Any, Node | End] = {}
        self.hits = 0

    def _key(self, value: Any) -> Any:
        return self.question.key(self.question.answer(value))

    def way(self) -> list[Any]:
        """The answers that lead here, without turns of loops that are one node."""
        answers = []
        node = self
        while node.parent is not None:
            answers.append(node.after)
            node = node.parent
        return answers[::-1]

    def attach(self, answer: Any, after: Node | End) -> None:
        """Let an answer lead to a node or an end."""
        self.children[self.question.key(answer)] = after
        if after.parent is None:
            after.parent, after.after = self, answer
        elif isinstance(after, Node):
            after.returns.append(self)
            after.limit = min(after.limit, after.hits + MANY_TURNS)

    def child(self, answer: Any) -> Node | End | None:
        """Where an answer leads, None where it has not been given yet."""
        return self.children.get(self.question.key(answer))


class End:
    """Where the function returned: the last segment, and where the results are.

    Attributes:
      out_tree: the structure of the output.
    """

    __slots__ = ("after", "hits", "out_tree", "parent", "pick", "segment", "take")

    def __init__(
        self,
        segment: Segment | None,
        take: Callable[[Values], Values] | None,
        pick: Callable[[Values], Values],
        out_tree: Any,
    ):
        self.segment = segment
        self.take = take
        self.pick = pick
        self.out_tree = out_tree
        self.hits = 0
        self.parent: Node | None = None
        self.after: Any = None


class Tree:
    """The paths of one signature.

    Attributes:
      root: the first question, once it has been met.
      segments: the programs, by what they compute.
      constants: the arrays that they have as constants, by content.
      size: how many nodes and ends there are.
      ends: how many paths there are.
    """

    def __init__(self) -> None:
        self.root: Node | None = None
        self.size = 0
        self.segments: dict[Any, Segment] = {}
        self.constants: dict[Any, np.ndarray] = {}
        self.ends = 0

    def segment(self, jaxpr: Jaxpr) -> Segment:
        """The segment of a program, one that computes the same where there is one."""
        key = _jaxpr_key(jaxpr)
        try:
            return self.segments.setdefault(key, Segment(jaxpr))
        except TypeError:  # a parameter that cannot be compared
            return self.segments.setdefault(id(jaxpr), Segment(jaxpr))

    def constant(self, value: Any) -> np.ndarray:
        """A constant as it is now, the same array for the same content."""
        array = np.asarray(value, order="C")
        content = hashlib.blake2b(array.data if array.size else b"", digest_size=16).digest()
        key = (array.shape, array.dtype, content)
        found = self.constants.get(key)
        if found is None:
            found = self.constants[key] = np.array(value, order="C")
        return found


def _jaxpr_key(jaxpr: Jaxpr) -> tuple:
    """What two programs that compute the same have in common: everything but their variables."""
    numbers: dict[Var, int] = {}

    def number(variables: Iterable[Var]) -> tuple:
        out = []
        for var in variables:
            numbers[var] = len(numbers)
            out.append((var.aval.shape, var.aval.dtype))
        return tuple(out)

    def read(atom: Any) -> Any:
        if type(atom) is Var:
            return numbers[atom]
        value = np.asarray(atom.value)
        return (value.dtype, value.tobytes())

    inputs = number((*jaxpr.constvars, *jaxpr.invars))
    eqns = tuple(
        (
            eqn.primitive,
            tuple([read(a) for a in eqn.invars]),
            tuple([(name, _param_key(value)) for name, value in eqn.params.items()]),
            number(eqn.outvars),
        )
        for eqn in jaxpr.eqns
    )
    outs = tuple([read(a) for a in jaxpr.outvars])
    return (tuple(map(id, jaxpr.consts)), inputs, eqns, outs)


def _param_key(value: Any) -> Any:
    if isinstance(value, Jaxpr):
        return _jaxpr_key(value)
    if isinstance(value, tuple):
        return (type(value), tuple(map(_param_key, value)))
    return (type(value), value)  # 1, 1.0 and True are equal, but not the same


def picker(places: Sequence[int]) -> Callable[[Values], Values]:
    """A function from a tuple to the tuple of its values at some places."""
    if len(places) > 1:
        return itemgetter(*places)
    if not places:
        return lambda values: ()
    (place,) = places
    return lambda values: (values[place],)


def everything(values: Values) -> Values:
    return values
