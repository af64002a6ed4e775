"""Jaxprs and compiled programs as graphs: an equation a box, what runs together a cluster.

An equation that a kernel computes stands in the kernel's cluster, once for each kernel that does.
One that has no step of its own, since it only changes through which view an array is read, stands
where its result is used. Jaxprs within equations are clusters with inputs and outputs of their own.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from ..core.jaxpr import Eqn, Jaxpr, Printer, Var, nested_params, plain_params
from ..transforms.backends import Explained, Step
from .graphs import Box, Graph

#: How wide headings of clusters are, and texts in boxes, in characters.
_HEADING, _TEXT = 40, 44
#: How many colors kernels take turns with.
COLORS = 6


def program_graph(explained: Explained, max_equations: int) -> Graph:
    """The graph of a program, or of a jaxpr alone, which has no steps.

    Args:
      max_equations: how many equations are drawn; a box says how many more there are.
    """
    drawing = _Drawing(explained, max_equations)
    drawing.region(explained.jaxpr, None, bool(explained.steps))
    drawing.note_rest()
    return drawing.graph


class Homes:
    """Which steps compute an equation, of those that have it as a whole: host steps and loops;
    and of the kernels."""

    def __init__(self, steps: Sequence[Step]):
        self.own: dict[int, list[Step]] = {}
        self.kernels: dict[int, list[Step]] = {}
        #: The step that a kernel is a part of, and a number for each kernel.
        self.around: dict[int, Step] = {}
        self.numbers: dict[int, int] = {}
        for step, around in _flat(steps, None):
            table = self.kernels if step.kind == "kernel" else self.own
            for eqn in step.eqns:
                table.setdefault(id(eqn), []).append(step)
            if step.kind == "kernel":
                self.numbers[id(step)] = len(self.numbers)
            if around is not None:
                self.around[id(step)] = around
        for key in self.own:  # kernels only bring its operands into place
            self.kernels.pop(key, None)

    def of(self, jaxpr: Jaxpr) -> list[list[Step | None]]:
        """For each equation the kernels in which it stands; None is none of them."""
        wanted: dict[Any, dict[int, Step | None]] = {}
        for atom in jaxpr.outvars:
            wanted.setdefault(atom, {})[0] = None
        found: list[list[Step | None]] = []
        for eqn in reversed(jaxpr.eqns):
            kernels: dict[int, Step | None] = {id(s): s for s in self.kernels.get(id(eqn), ())}
            if not kernels and id(eqn) not in self.own:  # a change of view: where it is used
                for var in eqn.outvars:
                    kernels |= wanted.get(var, {})
            kernels = kernels or {0: None}
            for atom in eqn.invars:
                wanted.setdefault(atom, {}).update(kernels)
            found.append(list(kernels.values()))
        return found[::-1]


def _flat(steps: Sequence[Step], around: Step | None) -> Iterator[tuple[Step, Step | None]]:
    for step in steps:
        if step.kind != "together":
            yield step, around
        yield from _flat(step.steps, step if step.kind == "together" else None)


class _Drawing:
    def __init__(self, explained: Explained, max_equations: int):
        self.graph = Graph()
        self.left = max_equations
        self.bodies = explained.bodies
        self.homes = Homes(explained.steps)
        self.clusters: dict[int, Box] = {}

    def region(
        self, jaxpr: Jaxpr, parent: Box | None, compiled: bool
    ) -> tuple[list[Box], list[Box]]:
        """Draw a jaxpr, compiled or not, into a cluster; its inputs and its outputs."""
        graph, printer = self.graph, Printer()
        #: By variable: by the kernel that has it, where it comes from.
        sources: dict[Any, dict[int, Box]] = {}

        def connect(atom: Any, target: Box, home: Step | None) -> None:
            found = sources.get(atom) if isinstance(atom, Var) else None
            if found:
                source = found.get(id(home)) or next(iter(found.values()))
                graph.connect(source, target, printer.binder(atom))

        inputs = []
        for number, var in enumerate([*jaxpr.constvars, *jaxpr.invars]):
            what = "constant" if number < len(jaxpr.constvars) else "input"
            box = graph.add([printer.binder(var)], what, f"{what} {printer.binder(var)}", parent)
            sources[var] = {id(None): box}
            inputs.append(box)
        more: Box | None = None
        for eqn, homes in zip(jaxpr.eqns, self.homes.of(jaxpr), strict=True):
            if self.left <= 0:
                if more is None:
                    count = len(jaxpr.eqns) - jaxpr.eqns.index(eqn)
                    more = graph.add([f"... {count} more equations"], "more", "", parent)
                for atom in eqn.invars:
                    if atom in sources and more not in sources[atom].values():
                        connect(atom, more, None)
                sources.update((v, {id(None): more}) for v in eqn.outvars)
                continue
            self.left -= 1
            for home in homes:
                entries, exits = self.equation(eqn, printer, self.cluster(home, parent), compiled)
                for atom, targets in zip(eqn.invars, entries, strict=True):
                    for target in targets:
                        connect(atom, target, home)
                for var, box in zip(eqn.outvars, exits, strict=True):
                    sources.setdefault(var, {})[id(home)] = box
        outputs = []
        for atom in jaxpr.outvars:
            text = printer.binder(atom) if isinstance(atom, Var) else printer.atom(atom)
            box = graph.add([text], "output", f"output {text}", parent)
            connect(atom, box, None)
            outputs.append(box)
        return inputs[len(jaxpr.constvars) :], outputs

    def cluster(self, home: Step | None, parent: Box | None) -> Box | None:
        """The cluster of a kernel, within another one."""
        if home is None:
            return parent
        found = self.clusters.get(id(home))
        if found is None:
            around = self.homes.around.get(id(home))
            if around is not None:
                if id(around) not in self.clusters:
                    heading = [f"together, {around.title}"]
                    self.clusters[id(around)] = self.graph.add(
                        heading, "together", "", parent, True
                    )
                parent = self.clusters[id(around)]
            first, *rest = home.title.split(": ")
            heading = [first, *textwrap.wrap(rest[0] if rest else "", _HEADING)]
            kind = f"kernel{self.homes.numbers[id(home)] % COLORS}"
            found = self.graph.add(heading, kind, home.title, parent, True)
            self.clusters[id(home)] = found
        return found

    def equation(
        self, eqn: Eqn, printer: Printer, parent: Box | None, compiled: bool
    ) -> tuple[list[list[Box]], list[Box]]:
        """Draw an equation; for each operand where it goes, for each result where it comes from."""
        left = ", ".join(printer.name(v) for v in eqn.outvars) or "_"
        right = " ".join(printer.atom(a) for a in eqn.invars)
        steps = self.homes.own.get(id(eqn), [])
        title = "\n".join([describe(eqn, printer), *(step.title for step in steps)])
        kind = steps[0].kind if steps else "equation"
        if not steps and compiled and id(eqn) not in self.homes.kernels:
            kind = "view"
        bodies = self.bodies_of(eqn)
        if not bodies:
            types = ", ".join(str(v.aval) for v in eqn.outvars)
            lines = [f"{left} = {eqn.primitive.name} {right}".rstrip(), types]
            if kind in ("host", "routine"):
                lines += [short(step.title) for step in steps]
            box = self.graph.add([short(line) for line in lines], kind, title, parent)
            return [[box]] * len(eqn.invars), [box] * len(eqn.outvars)
        head = [short(f"{left} = {eqn.primitive.name} {right}".rstrip())]
        head += [
            short(text) for text in (plain_params(eqn), *(step.title for step in steps)) if text
        ]
        kind = "nested" if kind == "equation" else kind
        outer = self.graph.add(head, kind, title, parent, True)
        entries: list[list[Box]] = [[] for _ in eqn.invars]
        exits = [outer] * len(eqn.outvars)
        for number, (name, jaxpr) in enumerate(bodies):
            inside = outer
            if len(bodies) > 1:
                inside = self.graph.add([name], "nested", name, outer, True)
            inputs, outputs = self.region(jaxpr, inside, compiled and id(eqn) in self.bodies)
            places = _places(eqn, number, len(jaxpr.invars), len(bodies))
            for place, box in zip(places, inputs, strict=False):
                entries[place].append(box)
            if len(bodies) == 1 and len(outputs) == len(exits):
                exits = outputs
        return [boxes or [outer] for boxes in entries], exits

    def bodies_of(self, eqn: Eqn) -> list[tuple[str, Jaxpr]]:
        """The jaxprs that an equation runs, with names."""
        named = []
        for name, value in nested_params(eqn):
            many = value if isinstance(value, tuple) else (value,)
            jaxprs = [v for v in many if isinstance(v, Jaxpr)]
            named += [
                (f"{name}[{i}]" if len(jaxprs) > 1 else name, j) for i, j in enumerate(jaxprs)
            ]
        compiled = self.bodies.get(id(eqn), [])
        if len(compiled) == len(named):
            return [(name, jaxpr) for (name, _), jaxpr in zip(named, compiled, strict=True)]
        return named

    def note_rest(self) -> None:
        """Say what is not drawn."""
        kernels = [step for step in self.homes.numbers if step not in self.clusters]
        if kernels and self.left > 0:
            count = len(kernels)
            self.graph.notes.append(
                f"Not drawn: {count} kernel{'s that copy' if count > 1 else ' that copies'} arrays "
                "into place."
            )


def _places(eqn: Eqn, number: int, inputs: int, bodies: int) -> range | list[int]:
    """Which operands the inputs of one of an equation's jaxprs are; nothing where only the
    primitive knows."""
    operands = len(eqn.invars)
    if eqn.primitive.name == "while":  # the body's, then the condition's
        test, body = eqn.params["cond_consts"], eqn.params["body_consts"]
        consts = range(test, test + body) if number == 0 else range(test)
        return [*consts, *range(test + body, operands)]
    if eqn.primitive.name == "cond":
        return range(operands - inputs, operands)
    return range(operands) if bodies == 1 and inputs == operands else []


def describe(eqn: Eqn, printer: Printer) -> str:
    """An equation with its parameters and types, and the user's line."""
    left = printer.binders(eqn.outvars) or "_"
    right = " ".join(
        printer.binder(a) if isinstance(a, Var) else printer.atom(a) for a in eqn.invars
    )
    params = plain_params(eqn)
    text = f"{left} = {eqn.primitive.name}{f'[{params}]' if params else ''} {right}"
    if eqn.location is not None:
        place = f"{os.path.basename(eqn.location.filename)}:{eqn.location.lineno}"
        text += f"\n{place} ({eqn.location.code.co_name}): {eqn.location.text}"
    return text


def short(text: str) -> str:
    """Text that fits into a box."""
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 3]}..."
