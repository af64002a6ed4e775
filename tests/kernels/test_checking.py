"""check_kernels: compiled programs are compared with NumPy, and a wrong one is named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from autotrace.kernels import scalars
from autotrace.kernels.checking import agree

import autotrace as at


@pytest.fixture
def checked() -> Iterator[None]:
    with at.config.override("check_kernels", True):
        yield


@pytest.fixture
def wrong_sine(monkeypatch: pytest.MonkeyPatch) -> None:
    """sin is compiled as cos."""
    right = scalars.template

    def template(name: str, *args: Any) -> Any:
        return right("cos" if name == "sin" else name, *args)

    for module in ("fusion", "indexing", "scalars"):
        monkeypatch.setattr(f"autotrace.kernels.{module}.template", template)


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    return at.jit(function, backend="numba", **options)


X = np.linspace(-2, 2, 12).reshape(4, 3)

RIGHT: dict[str, Callable[[Any], Any]] = {
    "elementwise": lambda x: np.sin(x) * np.exp(x) + x**3,
    "reductions": lambda x: (np.sum(np.exp(x), 0), np.max(x), np.prod(x), np.mean(x, 1)),
    "softmax": lambda x: (
        np.exp(x - x.max(1, keepdims=True))
        / np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True)
    ),
    "scans": lambda x: (np.cumsum(x, 0), np.cumprod(x, 1)),
    "products": lambda x: x @ x.T @ x,
    "host steps": lambda x: np.nextafter(np.exp(x), 9.0) * 2,
    "orders": lambda x: (np.argsort(np.exp(x), 0), np.sort(-x, 1, stable=True)),
    "indexing": lambda x: x[np.array([0, 2, 1])].at[1].set(0.0),
    "integers": lambda x: (x * 3).astype(int) // 2,
    "bools": lambda x: (x > 0, x == x[::-1], ~(x < 1)),
    "complex": lambda x: np.exp(1j * x),
    "special values": lambda x: (np.log(x), 1 / (x - x), np.sqrt(x), np.inf * x),
    "gradient": at.grad(lambda x: np.sum(np.tanh(x @ x.T) ** 2)),
    "nothing": lambda x: x,
    "empty": lambda x: np.sin(x[:0]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_programs_pass(checked, name):
    jitted, plain = compiled(RIGHT[name]), at.jit(RIGHT[name], backend="numpy")
    for _ in range(2):
        found, right = jitted(X), plain(X)
        for a, b in zip(at.tree.leaves(found), at.tree.leaves(right), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def wrong_function(x):
    y = np.exp(x) * 2
    z = np.sin(y)  # the line that the error names
    return np.sum(z + x, 0)


WRONG_LINE = wrong_function.__code__.co_firstlineno + 2
MESSAGE = rf"(?s)first difference is in sin .*test_checking\.py:{WRONG_LINE}"


def test_a_wrong_program(checked, wrong_sine):
    jitted = compiled(wrong_function)
    for _ in range(3):
        with pytest.raises(at.KernelMismatchError, match=MESSAGE) as caught:
            jitted(X)
    assert isinstance(caught.value, ArithmeticError)
    assert "backend='numpy'" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 12


def test_without_the_check_nothing_is_raised(wrong_sine):
    jitted = compiled(lambda x: np.sin(x) * 2)
    np.testing.assert_allclose(jitted(X), np.cos(X) * 2, rtol=1e-14)


def test_the_check_begins_and_ends(wrong_sine):
    """A function that has been called before, with and without shortcuts."""
    jitted = compiled(lambda x: np.sin(x) * 2)
    for _ in range(3):
        for _ in range(3):
            np.testing.assert_allclose(jitted(X), np.cos(X) * 2, rtol=1e-14)
        with at.config.override("check_kernels", True):
            for _ in range(2):
                with pytest.raises(at.KernelMismatchError, match="in sin"):
                    jitted(X)


def test_the_check_for_the_process(wrong_sine):
    jitted = compiled(lambda x: (np.sin(x) * 2, x))
    jitted(X)
    jitted(X)
    at.config.update("check_kernels", True)
    try:
        for _ in range(2):
            with pytest.raises(at.KernelMismatchError, match="in sin"):
                jitted(X)
        with at.config.override("check_kernels", False):
            np.testing.assert_allclose(jitted(X)[0], np.cos(X) * 2, rtol=1e-14)
    finally:
        at.config.update("check_kernels", False)
    np.testing.assert_allclose(jitted(X)[0], np.cos(X) * 2, rtol=1e-14)


def test_shortcuts_that_are_made_while_checking(wrong_sine):
    jitted = compiled(lambda x: np.sin(x) * 2)
    with at.config.override("check_kernels", True):
        for _ in range(2):
            with pytest.raises(at.KernelMismatchError, match="in sin"):
                jitted(X)
    np.testing.assert_allclose(jitted(X), np.cos(X) * 2, rtol=1e-14)
    with at.config.override("check_kernels", True):
        right = compiled(lambda x: np.exp(x) * 2)
        np.testing.assert_allclose(right(X), np.exp(X) * 2, rtol=1e-14)
    np.testing.assert_allclose(right(X), np.exp(X) * 2, rtol=1e-14)


def test_every_way_to_call(checked, wrong_sine):
    jitted = compiled(wrong_function)
    made = jitted.lower(X).compile()
    out = np.empty(3)
    keywords = compiled(lambda x, y: np.sin(x) + y)
    calls: list[Callable[[], Any]] = [
        lambda: made(X),
        lambda: made(X, out=out),
        lambda: keywords(X, y=1.0),
        lambda: keywords(x=X, y=X),
        lambda: compiled(lambda d: np.sin(d["a"]))({"a": X}),
        lambda: compiled(lambda x: np.sin(x))(0.3),
        lambda: compiled(lambda x, n: np.sin(x) * n, static_argnums=1)(X, 2),
        lambda: compiled(lambda x: np.sin(x), donate_argnums=0)(X.copy()),
        lambda: at.vmap(compiled(lambda x: np.sin(x)))(X),
        lambda: compiled(at.grad(lambda x: np.sum(np.cos(x))))(X),
    ]
    for call in calls:
        for _ in range(2):
            with pytest.raises(at.KernelMismatchError, match="in sin"):
                call()


@pytest.mark.parametrize(
    ("primitive", "wrong", "function"),
    [
        ("add", "{0} - {1}", lambda x: (x + 1.5) * 2),
        ("mul", "{0} * {1} * 1.001", lambda x: np.exp(x * 1.5)),
        ("max", "minimum({0}, {1})", lambda x: np.maximum(x, 0.5)),
        ("gt", "{0} >= {1}", lambda x: np.floor(x) > -1),
        ("neg", "{0}", lambda x: np.sum(-x, 1)),
        ("select_n", "select({0}, {1}, {2})", lambda x: np.where(x > 0, x, 2 * x)),
    ],
)
def test_other_wrong_lowerings(checked, monkeypatch, primitive, wrong, function):
    right = scalars.template

    def template(name: str, *args: Any) -> Any:
        return wrong if name == primitive else right(name, *args)

    monkeypatch.setattr("autotrace.kernels.fusion.template", template)
    with pytest.raises(at.KernelMismatchError, match=rf"(?s)in {primitive} .*test_checking"):
        compiled(function)(X)


def test_the_first_of_several_differences_is_named(checked, wrong_sine):
    with pytest.raises(at.KernelMismatchError, match="in sin "):
        compiled(lambda x: np.exp(np.sin(np.cumsum(x, 0))) @ np.sin(x).T)(X)


def test_state_after_an_error(wrong_sine):
    jitted = compiled(lambda x, n: np.where(n > 0, np.sin(x), np.exp(x)))
    with at.config.override("check_kernels", True):
        with pytest.raises(at.KernelMismatchError):
            jitted(X, 1)
        np.testing.assert_allclose(jitted(X, -1), np.exp(X), rtol=1e-14)
    np.testing.assert_allclose(jitted(X, 1), np.cos(X), rtol=1e-14)


def test_index_errors_stay_index_errors(checked):
    jitted = compiled(lambda x, i: np.exp(x)[i])
    np.testing.assert_allclose(jitted(X, np.array([1])), np.exp(X)[[1]], rtol=1e-14)
    with pytest.raises(IndexError, match="out of bounds"):
        jitted(X, np.array([4]))


def test_the_interpreter_is_not_checked(checked, wrong_sine):
    np.testing.assert_array_equal(at.jit(np.sin, backend="numpy")(X), np.sin(X))


def test_callbacks_are_called_to_compare(checked):
    seen = []

    def host(x: Any) -> Any:
        seen.append(1)
        return x + 1

    jitted = compiled(
        lambda x: at.pure_callback(host, at.ShapeDtypeStruct((4, 3), float), np.exp(x)) * 2
    )
    np.testing.assert_allclose(jitted(X), 2 * np.exp(X) + 2, rtol=1e-14)
    assert len(seen) == 2


def test_the_environment_turns_it_on():
    code = "import autotrace; print(autotrace.config.check_kernels)"
    for value, right in (("1", "True"), ("0", "False")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "AUTOTRACE_CHECK_KERNELS": value},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == right


# --- what counts as the same


@pytest.mark.parametrize(
    ("x", "y", "right"),
    [
        (1.0, 1.0 + 1e-15, True),
        (1.0, 1.001, False),
        (0.0, -0.0, True),
        (np.nan, np.nan, True),
        (np.nan, 1.0, False),
        (np.inf, np.inf, True),
        (np.inf, -np.inf, False),
        (np.inf, 1e308, False),
        ([1.0, np.nan, np.inf], [1.0, np.nan, np.inf], True),
        ([1e10, 0.0], [1e10, 1e-6], True),  # a sum in another order
        ([1e10, 0.0], [1e10, 1.0], False),
        ([1, 2], [1, 2], True),
        ([1, 2], [1, 3], False),
        ([True], [False], False),
        ([1.0], [1], False),
        ([1.0], 1.0, False),
        (np.zeros((0, 2)), np.zeros((0, 2)), True),
        (np.zeros((0, 2)), np.zeros((0, 3)), False),
        (np.float32([1.0, 2.0]), np.float32([1.0, 2.0001]), True),
        (np.float32([1.0, 2.0]), np.float32([1.0, 2.1]), False),
        ([1 + 1j, np.nan], [1 + 1j, np.nan], True),
        ([1 + 1j], [1 - 1j], False),
    ],
)
def test_agreement(x, y, right):
    assert agree(np.asarray(x), np.asarray(y)) is right
    assert agree(np.asarray(y), np.asarray(x)) is right
