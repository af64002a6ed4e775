"""The objectives of ADBench: mixtures of normal distributions, LSTM, hand tracking; bundle
adjustment is in ``bundle``.

After the formulas of Srajer, Kukelova, Fitzgibbon (2018), "A benchmark of selected algorithmic
differentiation tools on some problems in computer vision and machine learning"; the data are
random, of the shapes that they have there. No derivatives are written by hand.
"""

from __future__ import annotations

import numpy
from scipy import special

from . import bundle
from .row import Row

# --- a mixture of normal distributions with full covariances -------------------------------------

POINTS, COMPONENTS, DIMENSIONS = 1000, 25, 10


def gmm(np):
    """The log likelihood with a Wishart prior on the inverse covariances, which are ``Q.T @ Q``:
    the factor Q has the exponentials of the first D parameters of a component on its diagonal and
    the others below."""
    k, d = COMPONENTS, DIMENSIONS
    places = numpy.zeros((d, d), int)  # where an element of Q is in (0, below the diagonal)
    places[numpy.tril_indices(d, -1)] = numpy.arange(1, 1 + d * (d - 1) // 2)
    places = np.asarray(places)
    freedom = d + 1
    constant = k * (-0.5 * freedom * d * numpy.log(2) - special.multigammaln(0.5 * freedom, d))
    constant -= -0.5 * POINTS * d * numpy.log(2 * numpy.pi)

    def logsumexp(x):
        largest = np.max(x, 0)
        return np.log(np.sum(np.exp(x - largest), 0)) + largest

    def f(alphas, means, factors, x):
        logs, below = factors[:, :d], factors[:, d:]
        scales = np.exp(logs)
        lower = np.concatenate([0.0 * below[:, :1], below], 1)[:, places]
        gap = x[None, :, :] - means[:, None, :]
        scaled = gap @ np.swapaxes(lower, 1, 2) + gap * scales[:, None, :]
        terms = (alphas + np.sum(logs, 1))[:, None] - 0.5 * np.sum(scaled * scaled, 2)
        prior = 0.5 * (np.sum(scales * scales) + np.sum(below * below))
        return np.sum(logsumexp(terms)) - POINTS * logsumexp(alphas) + prior - constant

    return f


def _mixture() -> tuple:
    rng = numpy.random.default_rng(0)
    k, d = COMPONENTS, DIMENSIONS
    factors = 0.3 * rng.normal(size=(k, d * (d + 1) // 2))
    return rng.normal(size=k), rng.normal(size=(k, d)), factors, rng.normal(size=(POINTS, d))


# --- a net of LSTM layers without matrices, on text ----------------------------------------------

LAYERS, LETTERS, BITS = 2, 1024, 14


def lstm(np):
    """The loss of predicting each letter's bits from those before it."""

    def cell(weight, bias, h, c, x):
        w, b = np.reshape(weight, (4, BITS)), np.reshape(bias, (4, BITS))
        keep, take = np.sigmoid(x * w[0] + b[0]), np.sigmoid(h * w[1] + b[1])
        show, new = np.sigmoid(x * w[2] + b[2]), np.tanh(h * w[3] + b[3])
        c = c * keep + take * new
        return show * np.tanh(c), c

    def f(main, extra, state, letters):
        def step(carry, pair):
            x, total = pair[0] * extra[0], carry[-1]
            after = []
            for layer in range(LAYERS):
                h, c = carry[2 * layer], carry[2 * layer + 1]
                h, c = cell(main[2 * layer], main[2 * layer + 1], h, c, x)
                after += [h, c]
                x = h
            predicted = x * extra[1] + extra[2]
            logs = predicted - np.log(2 + np.sum(np.exp(predicted)))
            return (*after, total + np.sum(pair[1] * logs)), None

        pairs = np.stack([letters[:-1], letters[1:]], 1)
        init = tuple(state[i] for i in range(2 * LAYERS))
        carry, _ = np.lax.scan(step, (*init, 0.0 * state[0, 0]), pairs)
        return -carry[-1] / ((LETTERS - 1) * BITS)

    return f


def _text() -> tuple:
    rng = numpy.random.default_rng(0)
    letters = rng.integers(2, size=(LETTERS, BITS)).astype(float)
    shapes = (2 * LAYERS, 4 * BITS), (3, BITS), (2 * LAYERS, BITS)
    return *(rng.uniform(-1, 1, shape) for shape in shapes), letters


# --- a hand, which has to be where a camera sees points of it ------------------------------------

FINGERS, JOINTS, VERTICES, SEEN = 5, 4, 544, 1000
BONES = 1 + FINGERS * JOINTS


def hand(np):
    """The distances of seen points and of vertices, which move with the bones near them (linear
    blend skinning). 26 parameters: the hand's rotation vector and place, and for each finger its
    turn sideways and how its first three joints are bent."""

    def rotations(angle, axis):
        c, s = np.cos(angle), np.sin(angle)
        o, i = np.zeros_like(c), np.ones_like(c)
        rows = (
            ([i, o, o], [o, c, -s], [o, s, c]) if axis == 0 else ([c, -s, o], [s, c, o], [o, o, i])
        )
        return np.stack([np.stack(row, -1) for row in rows], -2)

    def rotation(r):  # Rodrigues
        angle = np.sqrt(np.sum(r * r))
        u = r / angle
        o = np.zeros_like(angle)
        k = np.stack(
            [np.stack([o, -u[2], u[1]]), np.stack([u[2], o, -u[0]]), np.stack([-u[1], u[0], o])]
        )
        return np.eye(3, dtype=r.dtype) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)

    def f(theta, joints, weights, vertices, seen, nearest):
        fingers = np.reshape(theta[6:], (FINGERS, JOINTS))
        bent = rotations(fingers[:, 1:], 0)
        turn = rotations(fingers[:, 0], 2) @ bent[:, 0]
        place = joints[:, 0]  # of each finger's first joint, in the palm
        turns, places = [turn], [place]
        for j in range(1, JOINTS):
            offset = joints[:, j] - joints[:, j - 1]
            place = place + np.sum(turn * offset[:, None, :], -1)
            turn = turn @ bent[:, j] if j < JOINTS - 1 else turn
            turns.append(turn)
            places.append(place)
        turned = np.reshape(np.stack(turns, 1), (FINGERS * JOINTS, 3, 3))
        moved = np.reshape(np.stack(places, 1), (FINGERS * JOINTS, 1, 3))
        rest = np.reshape(joints, (FINGERS * JOINTS, 1, 3))
        by_bone = (vertices[None] - rest) @ np.swapaxes(turned, 1, 2) + moved
        skin = weights[0][:, None] * vertices + np.sum(weights[1:, :, None] * by_bone, 0)
        return seen - (skin[nearest] @ rotation(theta[:3]).T + theta[3:6])

    return f


def hand_jacobian(np):
    return np.jacobian_forward(hand(np))


def _hand() -> tuple:
    rng = numpy.random.default_rng(0)
    lengths = numpy.array([4.0, 7.0, 9.5, 11.0])
    joints = rng.normal(size=(FINGERS, 1, 3)) + lengths[:, None] * numpy.array([0.1, 1.0, 0.05])
    weights = rng.gamma(0.2, size=(BONES, VERTICES))
    vertices = 4 * rng.normal(size=(VERTICES, 3))
    seen, nearest = rng.normal(size=(SEEN, 3)), rng.integers(VERTICES, size=SEEN)
    return 0.3 * rng.normal(size=26), joints, weights / weights.sum(0), vertices, seen, nearest


ROWS = [
    Row(
        key="gmm",
        title="normal mixture, 25 in 10 dimensions, 1000 points: value and gradient",
        make=gmm,
        inputs=_mixture,
        wanted="value_and_grad",
        argnums=(0, 1, 2),
        libraries=("autotrace", "jax", "torch", "torch_compile", "pytensor", "autograd"),
    ),
    Row(
        key="adbench_lstm",
        title="LSTM of 2 diagonal layers of 14, 1024 letters: value and gradient",
        make=lstm,
        inputs=_text,
        wanted="value_and_grad",
        argnums=(0, 1),
        libraries=("autotrace", "jax", "torch"),
        slow=True,
    ),
    Row(
        key="hand",
        title="hand tracking, 1000 points: Jacobian, 3000 x 26",
        make=hand_jacobian,
        inputs=_hand,
        libraries=("autotrace", "jax", "torch", "torch_compile"),
    ),
    *bundle.ROWS,
]
