"""Programs as HTML for notebooks: text whose parts fold, with types where the pointer rests."""

from __future__ import annotations

from html import escape
from typing import Any

from ..core.jaxpr import Eqn, Jaxpr, Printer, Var, nested_params, plain_params
from ..transforms.backends import Explained, Step
from . import svg
from .graphs import Graph
from .programs import COLORS, Homes, describe, program_graph

#: How many equations and steps are shown, and how many equations are drawn.
_SHOWN, _STEPS, DRAWN = 1000, 200, 60
_PRE = "font-family:monospace;white-space:pre;line-height:1.35;margin:0"
_NAME = '<span style="color:#3b82c4" title="{}">{}</span>'


def jaxpr_html(jaxpr: Jaxpr) -> str:
    """A jaxpr: the jaxprs in it fold."""
    return f'<div style="{_PRE}">{_Text().jaxpr(jaxpr)}</div>'


def text_html(text: str, graph: Graph) -> str:
    """A text, and a picture that folds."""
    return f'<div><div style="{_PRE}">{escape(text)}</div>{_picture(graph)}</div>'


def program_html(explained: Explained, text: str) -> str:
    """A compiled program: its steps with their equations, the whole jaxpr, a picture.

    Args:
      text: the same as text: the first line says what runs it, the last one the memory it takes.
    """
    lines = _Text(explained.bodies)
    whole = lines.jaxpr(explained.jaxpr)
    homes = Homes(explained.steps)
    first, *_, last = text.splitlines() or [""]
    parts = [f"<div><b>{escape(first)}</b></div>"]
    parts += [_step(step, lines, homes) for step in explained.steps[:_STEPS]]
    if len(explained.steps) > _STEPS:
        rest = len(explained.steps) - _STEPS
        parts.append(f"<div><i>... {rest} more steps; print shows them all ...</i></div>")
    if explained.steps:
        parts.append(f"<div>{escape(last)}</div>" if last.startswith("memory") else "")
    else:
        parts.append(_fold("what runs", f'<div style="{_PRE}">{escape(explained.text)}</div>'))
    parts.append(_fold("the whole program", f'<div style="{_PRE}">{whole}</div>'))
    parts.append(_picture(program_graph(explained, DRAWN)))
    return f"<div>{''.join(parts)}</div>"


def _picture(graph: Graph) -> str:
    content = f'<div style="overflow:auto;max-height:60em">{svg.render(graph)}</div>'
    return _fold("picture", content)


def _fold(summary: str, content: str, is_open: bool = False, style: str = "") -> str:
    opened = " open" if is_open else ""
    return (
        f'<details{opened}><summary style="cursor:pointer;{style}">{escape(summary)}</summary>'
        f"{content}</details>"
    )


def _step(step: Step, text: _Text, homes: Homes) -> str:
    kind = f"kernel{homes.numbers[id(step)] % COLORS}" if step.kind == "kernel" else step.kind
    look = svg.LOOKS[kind]
    eqns = [e for e in step.eqns if step.kind != "kernel" or id(e) not in homes.own]
    lines = [f"<div>{text.lines[id(e)]}</div>" for e in eqns if id(e) in text.lines]
    content = f'<div style="{_PRE};padding-left:2em">{"".join(lines)}</div>'
    inner = "".join(_step(s, text, homes) for s in step.steps)
    content += f'<div style="padding-left:2em">{inner}</div>' if inner else ""
    title = f"together, {step.title}" if step.kind == "together" else step.title
    style = (
        f"background:{look.fill};color:#24292f;border-left:4px solid {look.line};padding-left:4px"
    )
    return _fold(title, content, step.kind != "loop" or bool(inner), style)


class _Text:
    """Jaxprs as HTML; the equations' lines are kept, by identity."""

    def __init__(self, bodies: dict[int, list[Jaxpr]] | None = None):
        self.bodies = bodies or {}
        self.lines: dict[int, str] = {}
        self.left = _SHOWN

    def jaxpr(self, jaxpr: Jaxpr) -> str:
        """The lines of a jaxpr, each a block."""
        printer = Printer()
        consts = " ".join(self.name(v, printer, True) for v in jaxpr.constvars)
        ins = " ".join(self.name(v, printer, True) for v in jaxpr.invars)
        out = [f"{{ <b>lambda</b> {consts}{' ' if consts else ''}; {ins}. <b>let</b>"]
        for number, eqn in enumerate(jaxpr.eqns):
            if self.left <= 0:
                rest = len(jaxpr.eqns) - number
                out.append(f"    <i>... {rest} more equations; print shows them all ...</i>")
                break
            self.left -= 1
            out.append("    " + self.eqn(eqn, printer))
        outs = ", ".join(self.name(a, printer) for a in jaxpr.outvars)
        comma = "," if len(jaxpr.outvars) == 1 else ""
        out.append(f"  <b>in</b> ({outs}{comma}) }}")
        return "".join(f"<div>{line}</div>" for line in out)

    def name(self, atom: Any, printer: Printer, typed: bool = False) -> str:
        if not isinstance(atom, Var):
            return escape(printer.atom(atom))
        shown = printer.binder(atom) if typed else printer.name(atom)
        return _NAME.format(escape(str(atom.aval)), escape(shown))

    def eqn(self, eqn: Eqn, printer: Printer) -> str:
        left = " ".join(self.name(v, printer) for v in eqn.outvars) or "_"
        right = " ".join(self.name(a, printer) for a in eqn.invars)
        params = escape(plain_params(eqn))
        shown = f'<span style="color:#7d8590">[{params}]</span>' if params else ""
        what = f'<b title="{escape(describe(eqn, printer))}">{escape(eqn.primitive.name)}</b>'
        line = f"{left} = {what}{shown} {right}".rstrip()
        self.lines[id(eqn)] = line
        nested = []
        for name, value in nested_params(eqn):
            for jaxpr in value if isinstance(value, tuple) else (value,):
                nested.append((name, jaxpr))
        for body in self.bodies.get(id(eqn), ()):  # for the lines of what was compiled
            self.jaxpr(body)
        for name, jaxpr in nested:
            count = len(jaxpr.eqns)
            heading = f"{name}: {count} equation{'s' if count != 1 else ''}"
            line += f'<div style="padding-left:6ch">{_fold(heading, self.jaxpr(jaxpr))}</div>'
        return line
