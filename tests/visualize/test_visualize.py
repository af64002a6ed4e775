"""Jaxprs and compiled programs drawn and shown in notebooks: whole, well-formed, escaped."""

from __future__ import annotations

import pickle
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import autotrace as at
from autotrace import lax, visualize
from autotrace.visualize.programs import program_graph

SVG = "{http://www.w3.org/2000/svg}"


class Balanced(HTMLParser):
    """Checks that tags are closed in order, and keeps the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.titles = [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.titles += [value for name, value in attrs if name == "title"]
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def texts(svg):
    return [e.text for e in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def control(x, n):
    def body(c, e):
        c = np.sin(c) + e
        return c, np.where(c > 0, c * 2, np.exp(c))

    c, ys = lax.scan(body, x[0], x)
    s = lax.cond(c[0] > 0, lambda v: v * 2, lambda v: np.nextafter(np.cos(v), 9.0), c)
    w = lax.while_loop(lambda s: np.sum(s) < n, lambda s: s * 2 + 1, s)
    return ys.T @ w, np.fft.fft(s)


def softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


X = np.ones((6, 6))
JAXPR = at.make_jaxpr(control)(X, 1.0)
EXPLAINED = at.jit(control, backend="numba").explain(X, 1.0)


def test_every_equation_is_drawn():
    shown = texts(JAXPR.to_svg())
    for name in (
        "scan",
        "sin",
        "select_n",
        "cond",
        "cos",
        "nextafter",
        "while",
        "reduce_sum",
        "fft",
    ):
        assert any(f"= {name}" in text for text in shown), name
    assert {"branches[0]", "branches[1]", "cond_jaxpr", "body_jaxpr"} <= set(shown)
    assert shown.count("a:f64[6]") == 4  # inputs of the loops' and branches' jaxprs


def test_steps_are_clusters():
    shown = texts(EXPLAINED.to_svg())
    assert "kernel over (6, 6)" in shown and "scan, in machine code" in shown
    assert sum(text.startswith("host step") for text in shown) == 2
    graph = program_graph(EXPLAINED.program, 100)
    kinds = {b.lines[0]: b.kind for b in graph.all_boxes()}
    assert kinds["k = cond j e"] == kinds["n = fft k"] == "host"
    inside = {b.lines[0]: b.parent for b in graph.all_boxes()}
    assert inside["e = gt d 0.0:f64[]"].lines[0] == "kernel over (6,)"
    assert inside["e = gt d 0.0:f64[]"].parent.lines[0] == "e, f = scan d a"
    # What only changes a view stands, dashed, in the kernel that reads through it.
    slice_, *_ = (b for b in graph.all_boxes() if b.lines[0] == "g = slice e")
    assert slice_.kind == "view" and slice_.parent is inside["i = gt h 0.0:f64[]"]


def test_kernels_that_run_together():
    shown = texts(at.jit(softmax, backend="numba").explain(np.ones((2000, 1000))).to_svg())
    assert any(text.startswith("together, ") for text in shown)
    assert shown.count("kernel over (2000, 1000)") == 3


def test_what_two_kernels_compute_stands_in_both():
    def f(x):
        y = x * 2 + 1
        return np.sum(y), y - np.sum(y)

    graph = program_graph(at.jit(f, backend="numba").explain(np.ones(9)).program, 100)
    copies = [b for b in graph.all_boxes() if b.lines[0].startswith("c = add")]
    assert len({b.parent for b in copies}) == len(copies) == 2
    minus = next(b for b in graph.all_boxes() if "sub" in b.lines[0])
    own = next(b for b in copies if b.parent is minus.parent)
    assert (own, minus) in graph.edges


def test_every_kernel_has_the_equations_of_its_program():
    """Nothing is lost: each equation that is not a view stands in some step."""
    loss = at.jit(at.grad(lambda w, x: np.mean(np.tanh(x @ w) ** 2)), backend="numba")
    explained = loss.explain(np.ones(3), np.ones((5, 3))).program
    found = {id(eqn) for step in explained.steps for eqn in step.eqns}
    left = {e.primitive.name for e in explained.jaxpr.eqns if id(e) not in found}
    assert left <= {"broadcast_in_dim", "reshape", "transpose", "slice"}


@pytest.mark.parametrize("what", [JAXPR, EXPLAINED], ids=["jaxpr", "explained"])
def test_forms_are_well_formed(what):
    assert ElementTree.fromstring(what.to_svg()).tag == f"{SVG}svg"
    page = Balanced(what._repr_html_())
    assert "select_n" in page.text and "f64[6,6]" in page.titles
    dot = what.to_dot()
    unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", dot)
    assert unquoted.count("{") == unquoted.count("}") and unquoted.count("[") == unquoted.count("]")
    assert '"' not in unquoted and dot.startswith("digraph")
    named = set(re.findall(r"^ *(n\d+) \[", dot, re.MULTILINE))
    for ends in re.findall(r"(n\d+) -> (n\d+)", dot):
        assert set(ends) <= named
    assert dot.count("->") == len(re.findall(r"^  n\d+ -> ", dot, re.MULTILINE)) > 10


def test_everything_is_escaped():
    evil = '<script>alert("&")</script>\x00\x1b\ud800\uffff\U0001f600'
    p = at.extend.Primitive(f"docs_{evil}")
    p.def_impl(lambda x, text: x)
    p.def_abstract(lambda x, text: x)
    jaxpr = at.make_jaxpr(lambda x: p.bind(x, text=evil))(1.0)
    explained = at.jit(lambda x: p.bind(x, text=evil)).explain(1.0)
    for what in (jaxpr, explained):
        for text in (what.to_svg(), what._repr_html_()):
            assert "<script" not in text
        assert any("<script>" in text for text in texts(what.to_svg()))
        assert "<script>" in Balanced(what._repr_html_()).text
        assert '\\"&\\"' in what.to_dot()
    assert "<script>" in "".join(
        e.text for e in ElementTree.fromstring(jaxpr.to_svg()).iter(f"{SVG}title")
    )


def test_derivative_table_in_notebooks():
    page = Balanced(at.explain(lambda x: x * x, mode="reverse")(3.0)._repr_html_())
    assert page.text == "variableequationprimalcotangentainput36bmul a a91"


def long(x):
    for _ in range(2000):
        x = np.sin(x) + 1
    return x


def test_large_programs_are_cut_short():
    jaxpr = at.make_jaxpr(long)(1.0)
    assert len(jaxpr.eqns) == 4000
    shown = texts(jaxpr.to_svg())
    assert "... 3900 more equations" in shown and len(shown) < 300
    assert "... 3990 more equations" in texts(jaxpr.to_svg(max_equations=10))
    assert "... 3900 more equations" in jaxpr.to_dot()
    assert "... 3000 more equations; print shows them all ..." in Balanced(jaxpr._repr_html_()).text
    lines = repr(jaxpr).splitlines()
    assert len(lines) < 510 and lines[-1].startswith("  in (") and lines[1] in str(jaxpr)
    assert "more lines; print(jaxpr) shows them all" in lines[-11]
    assert len(str(jaxpr).splitlines()) == 4002


def test_large_compiled_programs_are_cut_short():
    def moved(x):
        for _ in range(300):
            x = np.nextafter(x, 9.0) + 1
        return x

    explained = at.jit(moved, backend="numba").explain(np.ones(3))
    page = Balanced(explained._repr_html_())
    assert "... 400 more steps; print shows them all ..." in page.text
    assert len(str(explained).splitlines()) > 600 > len(repr(explained).splitlines())
    assert "more lines; print shows them all" in repr(explained)
    assert "... 500 more equations" in texts(explained.to_svg())


def test_limits_count_nested_equations():
    def body(c, _):
        for _ in range(50):
            c = np.sin(c)
        return c, None

    jaxpr = at.make_jaxpr(lambda x: lax.scan(body, x, None, length=3)[0] * 2)(1.0)
    assert "... 41 more equations" in texts(jaxpr.to_svg(10))
    assert "... 1 more equations" in texts(jaxpr.to_svg(51))
    assert not any("more" in text for text in texts(jaxpr.to_svg(52)))


def test_functions_that_ask(backend):
    @at.jit
    def root(x):
        if x < 0:
            return x * 0
        y = x
        while abs(y * y - x) > 1e-9:
            y = 0.5 * (y + x / y)
        return y

    root(-1.0), root(2.0)
    explained = root.explain(2.0)
    shown = texts(explained.to_svg())
    assert "if x < 0:" in shown and "while abs(y * y - x) > 1e-9:" in shown
    assert shown.count("result") == 2 and "True (back)" in shown
    assert any("more questions and ends" in text for text in texts(explained.to_svg(1)))
    assert "asks for values" in Balanced(explained._repr_html_()).text
    assert "digraph" in explained.to_dot()


def test_the_interpreter_has_no_steps():
    explained = at.jit(softmax, backend="numpy").explain(np.ones((2, 3)))
    assert not any("kernel" in text for text in texts(explained.to_svg()))
    assert "def run" in Balanced(explained._repr_html_()).text


def test_explanations_are_strings():
    assert isinstance(EXPLAINED, str) and repr(EXPLAINED) == str(EXPLAINED)
    assert EXPLAINED.splitlines()[0] == "backend numba"
    again = pickle.loads(pickle.dumps(EXPLAINED))
    assert type(again) is str and again == EXPLAINED


def test_pictures_show_in_notebooks():
    picture = visualize.to_svg(JAXPR)
    assert picture._repr_svg_() == picture == JAXPR.to_svg()
    assert visualize.to_dot(JAXPR) == JAXPR.to_dot()
    assert visualize.to_html(JAXPR) == JAXPR._repr_html_()


@pytest.mark.parametrize("draw", [visualize.to_svg, visualize.to_dot, visualize.to_html])
def test_other_objects(draw):
    with pytest.raises(TypeError, match=r"takes a jaxpr, of make_jaxpr.*got function"):
        draw(control)


def test_of_nothing():
    assert texts(at.jit(lambda: (), backend="numba").explain().to_svg()) == []
    assert "Any" not in at.make_jaxpr(lambda x: x)(1.0).to_dot()


@pytest.mark.source_tree
def test_the_picture_of_the_page_is_of_its_program():
    page = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "softmax.svg"
    drawn = texts(at.jit(softmax, backend="numba").explain(np.ones((100, 10))).to_svg())
    kept = texts(page.read_text(encoding="utf-8"))
    assert [t for t in kept if " = " in t] == [t for t in drawn if " = " in t]
