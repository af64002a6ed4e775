"""Programs in pickles: with their machine code, and without where that would be wrong."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from autotrace.kernels import Program, build, pickling

import autotrace as at
from autotrace.core.jaxpr import Jaxpr, check_jaxpr, check_pickles
from autotrace.core.trace import get_aval
from autotrace.transforms.evaluate import eval_jaxpr
from autotrace.transforms.stage import stage


def staged(function: Callable[..., Any], *args: Any) -> Jaxpr:
    def flat(*values: Any) -> list[Any]:
        out = function(*values)
        return list(out) if isinstance(out, tuple | list) else [out]

    return stage(flat, [get_aval(x) for x in args])


def again(x: Any) -> Any:
    return pickle.loads(pickle.dumps(x))


MATRIX = np.arange(12.0).reshape(3, 4) - 5
WEIGHTS = np.linspace(0, 1, 4)


def loss(x: Any) -> Any:
    return np.sum(np.tanh(x @ WEIGHTS) ** 2)


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "elementwise": (lambda x: np.sin(x) * 2 + x, (MATRIX,)),
    "gradient": (at.value_and_grad(loss), (MATRIX,)),
    "several kernels": (lambda x: np.exp(x) / np.sum(np.exp(x), 1, keepdims=True), (MATRIX,)),
    "batched": (at.vmap(at.grad(lambda x: np.sum(np.sin(x) * WEIGHTS))), (MATRIX,)),
    "nested": (at.jit(lambda x: at.jit(np.cos)(x) + at.checkpoint(np.sin)(x)), (MATRIX,)),
    "blas": (lambda x, y: x @ y, (np.ones((40, 50)), np.ones((50, 30)))),
    "index": (lambda x, i: x[i], (MATRIX, np.array([2, 0]))),
    "sort": (lambda x: np.sort(x, axis=0) + 1, (MATRIX,)),
    "dtypes": (
        lambda a, b, c, d: (a + b, c, ~d, a.astype(np.int8)),
        (np.float32(1.5), np.float32(2), np.arange(3, dtype=np.uint16), np.bool_(True)),
    ),
    "complex": (lambda z: z * 1j + np.conj(z), (MATRIX * (1 + 2j),)),
    "number": (lambda x: x**2 + 1, (3.0,)),
    "empty": (lambda x: x * 2, (np.empty((0, 3)),)),
    "large": (lambda x: np.sum(np.exp(np.sin(x)) * x), (np.linspace(0, 1, 200_000),)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jaxpr(name: str) -> None:
    function, args = FUNCTIONS[name]
    jaxpr = staged(function, *args)
    copied = again(jaxpr)
    check_jaxpr(copied)
    check_pickles(copied)
    assert str(copied) == str(jaxpr)
    assert copied.in_avals == jaxpr.in_avals
    assert [str(e.location) for e in copied.eqns] == [str(e.location) for e in jaxpr.eqns]
    assert [e.location.text for e in again(copied).eqns] == [e.location.text for e in jaxpr.eqns]
    for got, wanted in zip(eval_jaxpr(copied, args), eval_jaxpr(jaxpr, args), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_program(name: str) -> None:
    function, args = FUNCTIONS[name]
    program = Program(staged(function, *args))
    before = build.counts()
    for copied in (again(program), again(again(program)), copy.deepcopy(program)):
        assert str(copied.jaxpr) == str(program.jaxpr)
        assert copied.functions == program.functions
        for got, wanted in zip(copied(*args), program(*args), strict=True):
            assert type(got) is type(wanted)
            np.testing.assert_array_equal(got, wanted)
    assert build.counts()["compiled"] <= before["compiled"] + 2  # what calls any program


def elsewhere(tmp_path: Path, code: str, cache: str = "", **environment: str) -> str:
    """What code prints in another process, with another cache folder."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"AUTOTRACE_CACHE_DIR": cache, "PATH": "", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


MAKE = """
    import pickle, numpy as np, autotrace as at, autotrace.kernels
    from autotrace.core.trace import get_aval
    from autotrace.transforms.stage import stage
    W = np.linspace(0, 1, 4)
    def f(x):
        print("traced")
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return np.sum(np.tanh(e / np.sum(e, axis=1, keepdims=True) @ W))
    jaxpr = stage(lambda x: list(at.value_and_grad(f)(x)), [get_aval(np.ones((3, 4)))])
    program = autotrace.kernels.Program(jaxpr)
    print([o.tolist() for o in program(np.arange(12.0).reshape(3, 4))])
    pickle.dump(program, open("program", "wb"))
"""
LOAD = """
    import pickle, numpy as np, autotrace.kernels
    from autotrace.kernels import build
    program = pickle.load(open("program", "rb"))
    print([o.tolist() for o in program(np.arange(12.0).reshape(3, 4))])
    print(build.counts()["compiled"])
"""


@pytest.mark.parametrize("cache", ["", "folder"])
def test_another_process_compiles_and_traces_nothing(tmp_path: Path, cache: str) -> None:
    first, expected = elsewhere(tmp_path, MAKE, cache).splitlines()
    assert first == "traced"
    assert elsewhere(tmp_path, LOAD) == f"{expected}\n0\n"
    # And pickles again, though it has no cache.
    more = LOAD + '    pickle.dump(program, open("program", "wb"))\n'
    elsewhere(tmp_path, more + '    assert build.counts()["compiled"] == 0\n')
    assert elsewhere(tmp_path, LOAD) == f"{expected}\n0\n"


def test_other_names_are_compiled(tmp_path: Path) -> None:
    """As with another version of this package, of LLVM, or on another processor."""
    _, expected = elsewhere(tmp_path, MAKE).splitlines()
    other = """
    from autotrace.kernels.llvm import cache
    right = cache.name_of
    cache.name_of = lambda source: right(source + "another")
    """
    values, compiled = elsewhere(tmp_path, other + LOAD).splitlines()
    assert values == expected and int(compiled) > 1


def test_what_cannot_be_loaded_is_compiled(tmp_path: Path) -> None:
    _, expected = elsewhere(tmp_path, MAKE).splitlines()
    broken = """
    from autotrace.kernels.llvm import engine
    load, wrong = engine.load, []
    def fails_first(code, symbol):
        if symbol not in wrong:
            wrong.append(symbol)
            raise RuntimeError
        return load(code, symbol)
    engine.load = fails_first
    """
    values, compiled = elsewhere(tmp_path, broken + LOAD).splitlines()
    assert values == expected and int(compiled) > 1


def test_pieces_have_names_and_code() -> None:
    program = Program(staged(loss, MATRIX))
    pieces = pickling.pieces(step.source for step in program.native_steps)
    assert len(pieces) > len(program.kernels)
    assert all(p.code and p.name.encode() in p.code for p in pieces)


def test_errors_name_the_line_in_another_process(tmp_path: Path) -> None:
    script = tmp_path / "model.py"
    script.write_text("def pick(x, i):\n    return [x[i]]\n")
    make = """
    import pickle, numpy as np, autotrace.kernels, model
    from autotrace.core.trace import get_aval
    from autotrace.transforms.stage import stage
    args = [get_aval(np.ones(3)), get_aval(np.array([0]))]
    program = autotrace.kernels.Program(stage(model.pick, args))
    pickle.dump(program, open("program", "wb"))
    """
    elsewhere(tmp_path, make)
    load = """
    import pickle, sys, numpy as np
    try:
        pickle.load(open("program", "rb"))(np.ones(3), np.array([7]))
    except IndexError as error:
        print(error)
    print("model" in sys.modules)
    """
    out = elsewhere(tmp_path, load)
    assert f"{script}:2 (pick)" in out and "return [x[i]]" in out
    assert out.endswith("False\n")


def test_callbacks_are_refused() -> None:
    def f(x: Any) -> Any:
        return at.pure_callback(np.sin, at.ShapeDtypeStruct((), float), x) + 1

    program = Program(staged(f, 1.0))
    with pytest.raises(pickle.PicklingError) as caught:
        pickle.dumps(program)
    message = str(caught.value)
    assert "its primitive pure_callback has a Python function as its parameter callback" in message
    assert "return at.pure_callback" in message and "What to do" in message


def test_callbacks_in_a_called_jaxpr_are_refused() -> None:
    @at.checkpoint
    def f(x: Any) -> Any:
        return at.pure_callback(np.sin, at.ShapeDtypeStruct((), float), x) + 1

    with pytest.raises(pickle.PicklingError, match="pure_callback"):
        check_pickles(staged(f, 1.0))


def test_custom_rules_are_gone_from_a_program() -> None:
    @at.custom_jvp
    def f(x: Any) -> Any:
        return np.sin(x)

    f.defjvp(lambda primals, tangents: (f(*primals), 3 * tangents[0]))
    jaxpr = staged(f, 1.0)
    with pytest.raises(pickle.PicklingError, match="custom_jvp_call"):
        check_pickles(jaxpr)
    assert again(Program(jaxpr))(2.0)[0] == np.sin(2.0)
    assert again(Program(staged(at.grad(f), 1.0)))(2.0)[0] == 3


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_compiled_function(backend: str) -> None:
    f = at.jit(
        lambda d, n: {"a": np.sin(d["x"]) * n, "b": (d["x"], np.arange(3.0))},
        static_argnums=1,
        backend=backend,
    )
    x = {"x": np.ones(3)}
    lowered = f.lower(x, 2)
    if type(lowered).__reduce__ is object.__reduce__:
        pytest.skip("not wired yet")
    compiled = lowered.compile()
    for copied in (
        again(compiled),
        again(lowered).compile(),
        again(lowered._traced).lower().compile(),
    ):
        assert repr(copied) == repr(compiled) and copied.out_info == compiled.out_info
        got, wanted = copied(x), compiled(x)
        np.testing.assert_array_equal(got["a"], wanted["a"])
        np.testing.assert_array_equal(got["b"], wanted["b"])
        with pytest.raises(TypeError, match="another structure"):
            copied(np.ones(3))
    assert again(lowered).as_text() == lowered.as_text()
