"""What checkpoint keeps for reverse mode: policies, names, and loops over checkpointed bodies."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import autotrace as at
from autotrace import checkpoint_policies as policies
from autotrace import lax

RNG = np.random.default_rng(3)
X = RNG.standard_normal(5)
W1, W2 = RNG.standard_normal((7, 5)) / 3, RNG.standard_normal((11, 7)) / 3
INPUTS = [(5,), (7, 5), (11, 7)]


def net(x, w1, w2):
    hidden = np.tanh(at.checkpoint_name(w1 @ x, "before"))
    return np.sin(at.checkpoint_name(np.exp(w2 @ hidden), "growth"))


def kept(f, *args):
    """The shapes of what the derivative at a point holds."""
    jaxpr = at.make_jaxpr(at.linearize(f, *args)[1])(*args)
    return sorted(np.shape(c) for c in jaxpr.consts)


def with_inputs(*shapes):
    return sorted([*INPUTS, *shapes])


#: Plain reverse mode keeps the tanh and its slope, the exponential, and the cosine of that.
PLAIN = with_inputs((7,), (7,), (11,), (11,))
POLICIES = {
    "none": (None, INPUTS),
    "nothing": (policies.nothing_saveable, INPUTS),
    "everything": (policies.everything_saveable, PLAIN),
    "dots": (policies.dots_saveable, with_inputs((7,), (11,))),
    "dots without batch": (policies.dots_with_no_batch_dims_saveable, with_inputs((7,), (11,))),
    "these names": (policies.save_only_these_names("before", "other"), with_inputs((7,))),
    "other names": (policies.save_any_names_but_these("before"), with_inputs((11,))),
    "anything else": (policies.save_anything_except_these_names("before"), PLAIN),
    "both": (
        policies.save_from_both_policies(
            policies.save_only_these_names("before"), policies.save_only_these_names("growth")
        ),
        with_inputs((7,), (11,)),
    ),
    "own": (lambda primitive, *avals, **params: primitive.name == "tanh", with_inputs((7,))),
}


@pytest.mark.parametrize("name", POLICIES)
def test_what_a_policy_keeps(name):
    policy, shapes = POLICIES[name]
    assert kept(at.checkpoint(net, policy=policy), X, W1, W2) == shapes
    # A policy looks into jitted functions.
    assert kept(at.checkpoint(at.jit(net), policy=policy), X, W1, W2) == shapes


@pytest.mark.parametrize("name", POLICIES)
def test_policies_change_nothing_else(name):
    policy, _ = POLICIES[name]
    loss = lambda f: lambda *args: np.sum(f(*args) ** 2)  # noqa: E731
    f = at.checkpoint(policy=policy)(net)
    for transform in (
        lambda f: f,
        lambda f: at.grad(loss(f), (0, 1, 2)),
        lambda f: at.jit(at.grad(loss(f), (0, 1, 2))),
        lambda f: lambda *args: at.jvp(f, args, args),
        lambda f: at.jit(at.hessian(loss(f))),
        lambda f: at.grad(lambda *args: np.sum(at.grad(loss(f))(*args) ** 2), 1),
        lambda f: lambda x, *w: at.vmap(at.grad(loss(f)), (0, None, None))(np.stack([x, -x]), *w),
        lambda f: (
            lambda x, *w: at.grad(
                lambda x: np.sum(at.vmap(f, (0, None, None))(np.stack([x, 2 * x]), *w))
            )(x)
        ),
    ):
        got, want = transform(f)(X, W1, W2), transform(net)(X, W1, W2)
        for a, b in zip(at.tree.leaves(got), at.tree.leaves(want), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def test_what_is_named_is_made_again():
    """Refusing a name refuses the value, whatever makes it."""
    f = lambda x: x * at.checkpoint_name(np.sin(x), "s")  # noqa: E731
    except_s = policies.save_anything_except_these_names("s")
    for policy, sines in (
        (policies.everything_saveable, 1),
        (policies.save_anything_except_these_names("t"), 1),
        (except_s, 2),
        (policies.save_from_both_policies(policies.dots_saveable, except_s), 2),
    ):
        g = at.checkpoint(f, policy=policy)
        jaxpr = at.make_jaxpr(at.value_and_grad(lambda x, g=g: np.sum(g(x))))(X)
        assert str(jaxpr).count("= sin ") == sines


def test_what_is_named_is_kept_for_all_its_uses():
    """The derivative of an exponential needs its value, which has a name only later."""
    f = lambda x: np.sin(at.checkpoint_name(np.exp(np.cos(x)), "e")) ** 2  # noqa: E731
    g = at.checkpoint(f, policy=policies.save_only_these_names("e"))
    jaxpr = at.make_jaxpr(at.value_and_grad(lambda x: np.sum(g(x))))(X)
    assert str(jaxpr).count("= exp ") == 1
    np.testing.assert_allclose(at.jacrev(g)(X), at.jacrev(f)(X))


def test_batch_dims_of_products():
    """Under vmap a product with shared weights has no batch dims, one of two values does."""

    def f(x):
        return np.tanh((W1 @ x) @ W1) * (x @ x)

    def count(policy):
        g = at.vmap(at.checkpoint(f, policy=policy))
        return kept(lambda x: g(x), np.stack([X, -X, X]))

    both, unbatched = (
        count(policies.dots_saveable),
        count(policies.dots_with_no_batch_dims_saveable),
    )
    assert both.count((3,)) == 1 and unbatched.count((3,)) == 0
    assert both.count((3, 5)) == unbatched.count((3, 5)) == 2


def test_names():
    assert policies.checkpoint_dots is policies.dots_saveable
    assert policies.checkpoint_dots_with_no_batch_dims is policies.dots_with_no_batch_dims_saveable
    for policy, _ in list(POLICIES.values())[1:-1]:
        assert pickle.loads(pickle.dumps(policy)) == policy
    tree = at.checkpoint_name({"a": X, "b": 2.0}, "n")
    np.testing.assert_array_equal(tree["a"], X)
    assert tree["b"] == 2.0
    assert "checkpoint_name[name=n]" in str(at.make_jaxpr(lambda x: at.checkpoint_name(x, "n"))(X))
    simple = at.make_jaxpr(lambda x: at.checkpoint_name(x, "n") + 1, simplify=True)(X)
    assert "checkpoint_name" not in str(simple)
    np.testing.assert_array_equal(
        at.jit(lambda n: at.checkpoint_name(n, "n"))(np.arange(3)), [0, 1, 2]
    )


def test_errors():
    with pytest.raises(TypeError, match="the name must be a string, got 3"):
        at.checkpoint_name(X, 3)
    with pytest.raises(TypeError, match="policy must be a function, got 'dots'") as e:
        at.checkpoint(net, policy="dots")
    assert "checkpoint_policies" in str(e.value)


def test_effects_happen_once():
    seen = []

    def f(x):
        at.debug.callback(seen.append, x)
        return np.sin(np.exp(x))

    for g in (at.checkpoint(f), at.checkpoint(at.checkpoint(f)), at.checkpoint(at.jit(f))):
        at.grad(g)(0.5)
        at.jit(at.grad(at.grad(g)))(0.25)
        at.grad(lambda x, g=g: lax.scan(lambda c, _: (g(c), None), x, length=1)[0])(0.125)
        assert seen == [0.5, 0.25, 0.125]
        seen.clear()


# --- loops over checkpointed bodies --------------------------------------------------------------


def body(carry, x):
    for _ in range(3):
        carry = np.sin(carry) * x + np.exp(-(carry**2))
    return carry


def test_a_scan_of_a_checkpointed_body_keeps_the_carry():
    xs = RNG.standard_normal(9)
    turn = lambda c, x: (at.checkpoint(body)(c, x), None)  # noqa: E731
    plain = lambda c, x: (body(c, x), None)  # noqa: E731
    f = lambda turn: lambda c: lax.scan(turn, c, xs)[0]  # noqa: E731
    assert kept(f(turn), X) == [(9,), (9, 5)]
    assert kept(f(plain), X).count((9, 5)) > 3
    np.testing.assert_allclose(at.jacrev(f(turn))(X), at.jacrev(f(plain))(X), rtol=1e-10)


def test_a_fori_loop_of_a_checkpointed_body_keeps_the_carry():
    f = lambda step: lambda c: lax.fori_loop(0, 9, step, c)  # noqa: E731
    without = at.checkpoint(lambda i, c: body(c, 0.5))
    assert kept(f(without), X) == [(9, 5)]
    counted = at.checkpoint(lambda i, c: body(c, 1.0 / (i + 1)))
    assert kept(f(counted), X) == [(9,), (9, 5)]
    plain = lambda i, c: body(c, 1.0 / (i + 1))  # noqa: E731
    assert kept(f(plain), X).count((9, 5)) > 3
    np.testing.assert_allclose(at.jacrev(f(counted))(X), at.jacrev(f(plain))(X), rtol=1e-10)


def test_a_policy_within_a_scan():
    w = RNG.standard_normal((5, 5)) / 3
    turn = at.checkpoint(lambda c, _: (np.sin(np.tanh(w @ c)), None), policy=policies.dots_saveable)
    assert kept(lambda c: lax.scan(turn, c, None, 4)[0], X) == [(4, 5)]


def test_a_while_loop_of_a_checkpointed_body():
    def f(step):
        turn = lambda s: (step(s[0], 0.5), s[1] + 1)  # noqa: E731
        return lambda c: lax.while_loop(lambda s: s[1] < 5, turn, (c, 0))[0]

    want = at.jacrev(f(body))(X)
    np.testing.assert_allclose(at.jacrev(f(at.checkpoint(body)))(X), want, rtol=1e-10)
    np.testing.assert_allclose(at.jit(at.jacrev(f(at.checkpoint(body))))(X), want, rtol=1e-10)
