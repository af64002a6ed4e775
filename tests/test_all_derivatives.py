"""Every differentiable function passes ``check_grads`` to second order in both modes.

Each public function has an example, or its derivative is refused, or there is a reason why it has
none. By default the first example of each function is checked to first order, since most are
checked to second order among the tests of their namespaces; with ``-m slow`` all of them are here.
The primitives themselves are checked by test_rules.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from derivative_examples import REASONS, REFUSED, SPACES, Example, examples, public_names

import autotrace as at
from autotrace.testing import check_grads

ROOT = Path(__file__).resolve().parent.parent


def given(name):
    space, function = name.rsplit(".", 1)
    return getattr(SPACES[space], function)


def with_example():
    return {name for example in examples() for name in example.names}


def with_reason():
    return {name for names in REASONS.values() for name in names.split()}


def test_every_public_function_is_accounted_for():
    sorts = [with_example(), with_reason(), set(REFUSED)]
    assert set.union(*sorts) <= public_names()
    assert sum(map(len, sorts)) == len(set.union(*sorts))
    known = {id(given(name)) for name in set.union(*sorts)}
    assert {n for n in public_names() - set.union(*sorts) if id(given(n)) not in known} == set()


@pytest.mark.source_tree
def test_samplers_have_the_derivatives_that_the_page_says():
    page = ROOT.joinpath("docs", "random.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*) \| .* \| (.*) ?\|$", page, re.MULTILINE)
    names = {f"random.{n}" for cells, _ in rows for n in re.findall(r"`(\w+)", cells)}
    plain = {f"random.{n}" for cells, which in rows if which.strip() in ("", "none")
             for n in re.findall(r"`(\w+)", cells)}  # fmt: skip
    assert names - plain - with_example() == {
        n for n in with_reason() if n in REASONS["its samples are found by rejection, "
                                                 "and have the derivative of a quantile"].split()
    }  # fmt: skip
    assert plain & with_example() == set()


def checked(example: Example, order: int) -> bool:
    """Check an example; whether there is something to differentiate."""
    with (
        at.config.override("backend", "numpy"),  # what there is to check is the rules
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        f, args = example.smooth()
        if not args or not f(*args):
            return False
        tolerance = example.tolerance
        check_grads(f, args, order, atol=tolerance, rtol=tolerance, eps=example.eps)
    return True


def check_all(space, order, chosen):
    wrong = {}
    for example in chosen:
        if (
            example.names[0].startswith(f"{space}.")
            and "." not in example.names[0][len(space) + 1 :]
        ):
            try:
                checked(example, order)
            except Exception as error:
                wrong[f"{', '.join(example.names)} at {example.args!r:.80}"] = str(error)
    assert wrong == {}


def firsts():
    """Of each function the first example."""
    seen = set()
    for example in examples():
        if not seen.issuperset(example.names):
            yield example
        seen.update(example.names)


#: Those that have numpy_coverage's examples are checked to second order by test_numpy_coverage.
HERE_ONLY = [space for space in SPACES if not space.startswith(("numpy", "nn."))]


@pytest.mark.parametrize("space", HERE_ONLY)
def test_first_order(space):
    check_all(space, 1, firsts())


@pytest.mark.slow
@pytest.mark.parametrize("space", [s for s in SPACES if s != "nn.initializers"])
def test_second_order(space):
    check_all(space, 2, examples())


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_so(name):
    matrix = np.random.default_rng(0).normal(size=(3, 3))
    with pytest.raises(at.NonDifferentiableError, match=name.rsplit(".", 1)[1]):
        at.grad(lambda a: np.sum(REFUSED[name](a)))(matrix)


def test_a_wrong_derivative_is_found():
    @at.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda primals, tangents: (cube(primals[0]), 3 * primals[0] * tangents[0]))
    with pytest.raises(AssertionError, match="forward mode"):
        checked(Example(("cube",), cube, (np.arange(3.0),)), 1)
