"""Draws the pictures of the design page: ``python docs/pictures/draw.py`` writes them anew.

What they show is asked of the library: programs as text from its own stages, the layers and who
imports whom from the source tree. A test draws them and compares, so they stay true.
"""

from __future__ import annotations

import ast
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

import autotrace as at

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

INK, SOFT, LINE, BOX, CODE, ACCENT = (
    "#1f2933",
    "#52606d",
    "#9aa5b1",
    "#eef6f8",
    "#f6f7f9",
    "#0a7d91",
)
SANS = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
MONO = "'DejaVu Sans Mono', Menlo, Consolas, monospace"


class Picture:
    """An SVG in the making, on a white ground."""

    def __init__(self, width: float, title: str):
        self.width = width
        self.height = 0.0
        self.title = title
        self.parts: list[str] = []

    def box(self, x, y, width, height, fill=BOX, stroke=LINE, dash="", radius=6) -> None:
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" '
            f'fill="{fill}" stroke="{stroke}"{dashes}/>'
        )
        self.height = max(self.height, y + height)

    def text(self, x, y, words, size=13, colour=INK, weight="", anchor="start", font=SANS) -> None:
        bold = f' font-weight="{weight}"' if weight else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-family="{font}" font-size="{size}" fill="{colour}" '
            f'text-anchor="{anchor}"{bold} xml:space="preserve">{escape(words)}</text>'
        )

    def lines(self, x, y, lines, size=13, colour=INK, step=None, **rest) -> None:
        for number, line in enumerate(lines):
            self.text(x, y + number * (step or 1.35 * size), line, size, colour, **rest)

    def arrow(self, *points, words="", at=None, anchor="start", colour=SOFT, dash="") -> None:
        path = " L ".join(f"{x:g} {y:g}" for x, y in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<path d="M {path}" fill="none" stroke="{colour}" stroke-width="1.5"{dashes} '
            'marker-end="url(#head)"/>'
        )
        if words:
            x, y = at or points[-1]
            self.text(x, y, words, 12, SOFT, anchor=anchor)

    def svg(self) -> str:
        height = self.height + 16
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {height:g}" '
            f'width="{self.width:g}" height="{height:g}" role="img">\n<title>{self.title}</title>\n'
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{SOFT}"/></marker>'
            f'</defs>\n<rect width="{self.width:g}" height="{height:g}" fill="#fff"/>\n'
        )
        return head + "\n".join(self.parts) + "\n</svg>\n"


# --- from a function to machine code -----------------------------------------------------------


def loss(w, x):
    """The function that the picture follows."""
    return np.sum(np.tanh(x * w) ** 2)


def pipeline() -> str:
    """What becomes of the gradient of a function, stage by stage."""
    w = x = np.ones(100)
    lowered = at.jit(at.grad(loss), backend="numba").lower(w, x)
    _, _, kernel = lowered.as_text("source").partition("def ")
    stages = [
        (
            "A Python function",
            "as it is written",
            "traced: it runs once, on tracers, which note what is done to them",
            "def loss(w, x):\n    return np.sum(np.tanh(x * w) ** 2)",
        ),
        (
            "Its jaxpr",
            "make_jaxpr(loss)",
            "differentiated: each primitive's jvp rule, the linear part transposed",
            str(at.make_jaxpr(loss)(w, x)),
        ),
        (
            "The gradient's jaxpr",
            "make_jaxpr(grad(loss))",
            "simplified: what is known, double or unused goes",
            lowered.as_text("jaxpr"),
        ),
        (
            "Simplified",
            'lower().as_text("simplified")',
            "fused: what can share a loop does, what need not be stored is not",
            lowered.as_text("simplified"),
        ),
        (
            "Fusion groups",
            'as_text("fusion")',
            "lowered: positions and strides; sizes and numbers are arguments",
            lowered.as_text("fusion"),
        ),
        (
            "A kernel's source",
            'as_text("source"), and its key',
            "translated; LLVM makes vectors of the loop and of the functions in it",
            "def " + kernel.strip(),
        ),
        (
            "LLVM's text",
            'as_text("llvm")',
            "emitted, for this processor",
            "%4 = load <8 x double>, ptr %3\n%5 = fmul <8 x double> %2, %4",
        ),
        (
            "Machine code",
            'as_text("asm"); kept on disk',
            "",
            "vmovupd  (%rsi,%r13,8), %zmm24\nvmulpd   (%r12,%r13,8), %zmm24, %zmm25",
        ),
    ]
    picture = Picture(900, "From a Python function to machine code")
    y = 16.0
    middle = {}
    for title, how, then, code in stages:
        lines = code.splitlines()
        height = max(14 * len(lines) + 18, 54)
        picture.box(16, y, 226, height)
        picture.text(30, y + 23, title, 14, weight="bold")
        picture.text(30, y + 42, how, 11, ACCENT, font=MONO)
        picture.box(258, y, 560, height, CODE, "#d9dee4")
        picture.lines(272, y + 20, lines, 11, step=14, font=MONO)
        middle[title] = y + height / 2
        y += height
        if then:
            picture.arrow((129, y + 2), (129, y + 28), words=then, at=(144, y + 19))
            y += 32
    top, bottom = middle["A kernel's source"], middle["Machine code"]
    picture.arrow((818, top), (848, top), (848, bottom), (820, bottom), colour=ACCENT, dash="5 4")
    middle_y = (top + bottom) / 2
    words = "the key is on disk: nothing is compiled"
    picture.parts.append(f'<g transform="rotate(90 862 {middle_y:g})">')
    picture.text(862, middle_y, words, 12, ACCENT, anchor="middle")
    picture.parts.append("</g>")
    return picture.svg()


# --- the layers --------------------------------------------------------------------------------

#: From the bottom to the top, as tests/test_layers.py has them, with what each is.
LAYERS = {
    "core": "pytrees, types, tracers, primitives, jaxprs, errors",
    "transforms": "traces and interpreters: what is done with rules and with programs",
    "visualize": "programs as pictures and as text that folds",
    "lax": "the primitives, by family, each with its rules",
    "numpy": "NumPy's functions, operators and methods on traced values",
    "api": "grad, vmap, jit and the others, as users call them",
    "scipy": "SciPy's functions",
    "random": "random numbers from keys",
    "nn": "activations, attention, convolutions",
}


#: Modules of the compiler, in the order of its stages.
COMPILER = {
    "fusion": "what shares a loop",
    "lowering": "loops over arrays of any size",
    "source": "their text, which is the key",
    "llvm": "translated, optimised, kept",
    "vecmath": "functions LLVM makes vectors of",
    "program": "the steps of a call",
    "runtime": "one native call takes them",
    "team": "threads",
}


def _imported_by_the_compiler() -> set[str]:
    found = set()
    for path in (ROOT / "kernels").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                found.add((node.module or "").split(".")[0])
    return found


def layers() -> str:
    """The layers of the source tree; imports go down."""
    picture = Picture(900, "The layers of the source tree")
    picture.box(16, 16, 540, 42, "#fff", ACCENT)
    picture.text(30, 42, "autotrace", 14, weight="bold")
    picture.text(124, 42, "the public names; tree, debug, testing, extend", 12.5)
    places = {}
    for number, (layer, what) in enumerate(reversed(LAYERS.items())):
        y = 72 + 50 * number
        picture.box(16, y, 540, 42)
        picture.text(30, y + 26, layer, 14, weight="bold")
        picture.text(124, y + 26, what, 12.5)
        places[layer] = y + 21
    end = places["core"] + 21
    picture.arrow((580, 24), (580, end - 4))
    picture.parts.append('<g transform="rotate(90 588 130)">')
    picture.text(588, 130, "imports go down only", 12, SOFT, anchor="middle")
    picture.parts.append("</g>")
    top = places["api"] + 34
    picture.box(624, top, 260, end - top, "#fff4e8", "#f0b27a")
    picture.text(638, top + 22, "kernels", 14, weight="bold")
    picture.text(704, top + 22, "autotrace.kernels, the compiler", 11.5)
    for number, (module, what) in enumerate(COMPILER.items()):
        picture.text(638, top + 46 + 16 * number, module, 11, ACCENT, font=MONO)
        picture.text(704, top + 46 + 16 * number, what, 11.5, SOFT)
    for layer in sorted(_imported_by_the_compiler()):
        picture.arrow((624, places[layer]), (560, places[layer]))
    picture.arrow((556, places["api"]), (754, places["api"]), (754, top - 3), dash="5 4")
    picture.text(600, places["api"] - 8, "jit, when it first compiles", 12, SOFT)
    return picture.svg()


# --- a call ------------------------------------------------------------------------------------


def call() -> str:
    """The ways that a call of a jitted function can go, the fastest at the top."""
    picture = Picture(900, "A call of a jitted function")

    def step(x, y, title, *lines, width=270, fill=BOX, stroke=LINE) -> None:
        picture.box(x, y, width, 30 + 16 * len(lines), fill, stroke)
        picture.text(x + 14, y + 20, title, 13.5, weight="bold")
        picture.lines(x + 14, y + 38, lines, 11.5, SOFT, step=16)

    picture.text(151, 26, "f(x)", 15, ACCENT, weight="bold", anchor="middle", font=MONO)
    picture.arrow((151, 34), (151, 54))
    step(
        16, 56, "The program of the last call", "a native function checks types,", "shapes, strides"
    )
    picture.arrow((151, 120), (151, 152), words="others", at=(160, 141))
    step(
        16, 154, "A program for such arguments", "found by the types and shapes of", "their arrays"
    )
    picture.arrow((151, 218), (151, 250), words="none yet", at=(160, 239))
    step(16, 252, "The signature", "structure, shapes, dtypes, static values:", "is it staged?")
    picture.arrow((151, 316), (151, 348), words="no", at=(160, 337))
    step(16, 350, "Trace", "the function runs on tracers;", "each operation is noted")
    picture.arrow((151, 414), (151, 446), words="it returns without a question", at=(160, 435))
    step(16, 448, "Compile", "kernels that are not on disk", "or in memory already")

    run = "one native call walks the steps:|kernels (threads take pieces),|"
    run += "BLAS and LAPACK, loops, host steps;|outputs are new arrays"
    step(610, 56, "Run", *run.split("|"), fill="#e9f7ef", stroke="#7dbb95")
    picture.arrow((286, 88), (606, 88), words="they fit", at=(446, 81), anchor="middle")
    picture.arrow((286, 186), (560, 186), (560, 112), (606, 112))
    picture.text(446, 179, "found", 12, SOFT, anchor="middle")
    picture.arrow((286, 284), (745, 284), (745, 154))
    picture.text(446, 277, "yes", 12, SOFT, anchor="middle")
    picture.arrow((286, 490), (870, 490), (870, 154))
    picture.text(446, 483, "the program", 12, SOFT, anchor="middle")

    cut = "if x.sum() > 0: what is noted so far is|compiled and run; the trace goes on|"
    cut += "with the answer"
    step(330, 342, "A question cuts the trace", *cut.split("|"))
    picture.arrow((286, 382), (326, 382))
    paths = "a tree of questions and answers:|calls follow their own answers,|"
    paths += "a new answer traces a new path"
    step(620, 342, "Paths", *paths.split("|"), width=230)
    picture.arrow((600, 382), (616, 382))
    picture.arrow((690, 342), (690, 154), words="part by part", at=(684, 240), anchor="end")
    return picture.svg()


PICTURES = {"pipeline.svg": pipeline, "layers.svg": layers, "call.svg": call}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw(), encoding="utf-8")
        print(name)
