"""``scipy.stats``'s distributions of vectors and statistics of samples, with numbers to test them
with."""

from __future__ import annotations

import numpy as np
import scipy.stats

rng = np.random.default_rng(0)
X, MU = rng.normal(size=(5, 3)), rng.normal(size=3)
ROOT = rng.normal(size=(3, 3))
COV = ROOT @ ROOT.T + np.eye(3)
ALPHA = np.array([1.3, 2.2, 0.7])
SIMPLEX = rng.dirichlet(ALPHA, 4).T
MATRICES = np.stack([COV, COV + np.eye(3)], -1)
KDE, AT, WEIGHTS = rng.normal(size=(2, 7)), rng.normal(size=(2, 4)), rng.uniform(0.5, 1, 7)
SAMPLES = rng.normal(size=(6, 3))
SHARE = np.abs(SAMPLES) + 0.1


#: By what is tested: a function of a namespace and arrays, with the arrays.
VECTORS = {
    "multivariate_normal": (lambda s, *a: s.multivariate_normal.logpdf(*a), X, MU, COV),
    "one point": (lambda s, *a: s.multivariate_normal.pdf(*a), X[0], MU, COV),
    "a diagonal": (lambda s, *a: s.multivariate_normal.logpdf(*a), X, MU, COV[0] ** 2),
    "defaults": (lambda s, *a: s.multivariate_normal.logpdf(*a), X[:, 0]),
    "normal entropy": (lambda s, *a: s.multivariate_normal.entropy(*a), MU, COV),
    "multivariate_t": (lambda s, *a: s.multivariate_t.logpdf(*a), X, MU, COV, np.array(3.2)),
    "t density": (lambda s, *a: s.multivariate_t.pdf(*a), X, MU, COV, np.array(3.2)),
    "dirichlet": (
        lambda s, a: s.dirichlet.logpdf(
            SIMPLEX if s is scipy.stats else SIMPLEX.astype(a.dtype), a
        ),
        ALPHA,
    ),
    "dirichlet without the last": (lambda s, *a: s.dirichlet.pdf(*a), SIMPLEX[:2], ALPHA),
    "dirichlet mean": (lambda s, *a: s.dirichlet.mean(*a), ALPHA),
    "dirichlet var": (lambda s, *a: s.dirichlet.var(*a), ALPHA),
    "wishart": (lambda s, *a: s.wishart.logpdf(*a), MATRICES, np.float64(5.3), COV),
    "wishart density": (lambda s, *a: s.wishart.pdf(*a), COV, np.float64(5.3), COV),
    "gaussian_kde": (lambda s, y, x: s.gaussian_kde(y).logpdf(x), KDE, AT),
    "kde with weights": (
        lambda s, y, x, w: s.gaussian_kde(y, "silverman", w).evaluate(x),
        KDE,
        AT,
        WEIGHTS,
    ),
    "kde of numbers": (lambda s, y, x: s.gaussian_kde(y, 0.4).pdf(x), KDE[0], AT[0]),
    "moment": (lambda s, y: s.moment(y, 3), SAMPLES),
    "skew without bias": (lambda s, y: s.skew(y, bias=False), SAMPLES),
    "kurtosis without bias": (lambda s, y: s.kurtosis(y, bias=False, fisher=False), SAMPLES),
    "entropy": (lambda s, y: s.entropy(y), SHARE),
    "relative entropy": (lambda s, p, q: s.entropy(p, q, base=2, axis=1), SHARE, SHARE**2),
    **{
        f"{name} {axis}": (lambda s, y, n=name, axis=axis: getattr(s, n)(y, axis=axis), SAMPLES)
        for name in ("sem", "zscore", "skew", "kurtosis")
        for axis in (0, 1, None)
    },
}
