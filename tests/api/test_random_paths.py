"""Random programs that ask for values, jitted and not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from path_checks import BACKENDS, traces

from autotrace import grad, jit, jvp

pytestmark = pytest.mark.usefixtures("backend")


NAMES = ["a", "b", "c"]
_EXPRESSIONS = st.sampled_from(
    "a b c a*b a+c b-c a*0.5 np.sin(a) np.cos(b)*c b*b-0.5 a/(1+b*b) abs(c) max(a,b) min(b,c) "
    "np.tanh(a+b) float(a>b)*c (a,b,c)[int(abs(c))%3] -a 0.3".split()
)
_QUESTIONS = st.sampled_from(
    "a>b b>0 a<c<1.5 not_a>0.2 abs(c)>0.7 a>0_and_b>0 a>0_or_c<0 int(a*2)%2==0 round(b)==0 "
    "max(a,b)>c".split()
).map(lambda text: text.replace("_", " "))
_ASSIGNMENTS = st.tuples(st.sampled_from(NAMES), _EXPRESSIONS).map(" = ".join)


def _indented(block):
    return [f"    {line}" for line in block]


@st.composite
def _blocks(draw, depth=2):
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        kinds = ["set", "set", "if", "else", "for", "while", "return", "call"]
        kind = draw(st.sampled_from(kinds if depth else ["set"]))
        if kind == "set":
            lines.append(draw(_ASSIGNMENTS))
        elif kind == "return":
            lines += [f"if {draw(_QUESTIONS)}:", f"    return {draw(_EXPRESSIONS)} + a*c"]
        elif kind == "call":
            name = draw(st.sampled_from(NAMES))
            lines.append(f"{name} = inner({draw(_EXPRESSIONS)})")
        elif kind == "while":
            turns = f"turns{depth}"
            lines += [f"{turns} = 0", f"while ({draw(_QUESTIONS)}) and {turns} < 3:"]
            lines += _indented([*draw(_blocks(depth - 1)), f"{turns} += 1"])
        elif kind == "for":
            count = draw(st.sampled_from(["2", "int(abs(a)*2)%4", "int(b > a) + 1"]))
            lines += [f"for k in range({count}):", *_indented(draw(_blocks(depth - 1)))]
            lines.append(f"    if {draw(_QUESTIONS)}:")
            lines.append(f"        {draw(st.sampled_from(['break', 'continue', 'a = a + k']))}")
        else:
            lines += [f"if {draw(_QUESTIONS)}:", *_indented(draw(_blocks(depth - 1)))]
            if kind == "else":
                lines += ["else:", *_indented(draw(_blocks(depth - 1)))]
    return lines


def _compiled_text(lines, inner):
    body = [*lines, "return a + 2.0*b*c"]
    text = "\n".join(["def f(a, b, c):", *_indented(body)])
    namespace = {"np": np, "inner": inner}
    exec(compile(text, "<program>", "exec"), namespace)
    return namespace["f"]


def _inner(x):
    return np.sin(x) if x > 0.4 else x * x


_POINTS = st.lists(st.tuples(*[st.floats(-2, 2, width=16)] * 3), min_size=2, max_size=4)


@pytest.mark.parametrize("backend", BACKENDS, indirect=True)
def test_random_programs(backend):
    examples = 80 if backend == "numpy" else 12  # compiling takes its time
    settings(max_examples=examples)(given(_blocks(), _POINTS)(_check_random_program))()


def _check_random_program(lines, points):
    plain = _compiled_text(lines, _inner)
    f = jit(_compiled_text(lines, jit(_inner)))
    points = [tuple(map(np.float64, point)) for point in points]
    wanted = [plain(*point) for point in points]
    for _ in range(2):
        for point, want in zip(points, wanted, strict=True):
            np.testing.assert_allclose(f(*point), want, rtol=1e-9, atol=1e-9)
    known = traces(f)
    assert known == f.stats()["paths"]
    for point in points[:3]:
        slopes = grad(plain, (0, 1, 2))(*point)
        for compiled in (grad(f, (0, 1, 2)), jit(grad(plain, (0, 1, 2)))):
            np.testing.assert_allclose(compiled(*point), slopes, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(
            jvp(f, point, (1.0, -2.0, 0.5))[1],
            slopes[0] - 2 * slopes[1] + 0.5 * slopes[2],
            rtol=1e-7,
            atol=1e-7,
        )
    assert traces(f) == known  # derivatives follow the paths that values have taken
