"""Calls of ``jax.random`` and of ``autotrace.random`` that give the same numbers.

``python tests/random_streams.py FILE`` writes what JAX gives, in 64-bit mode and with its defaults
otherwise; that of 0.10.2 is recorded in ``random_streams.json``.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RECORD = Path(__file__).with_name("random_streams.json")
Call = Callable[[Any], Any]

_LONG = 2**40 + 5

#: Equal bit for bit.
EXACT: dict[str, Call] = {
    "key": lambda r: r.PRNGKey(42),
    "key_negative": lambda r: r.PRNGKey(-1),
    "key_long": lambda r: r.PRNGKey(_LONG),
    "key_int32": lambda r: r.PRNGKey(np.int32(-7)),
    "key_uint64": lambda r: r.PRNGKey(np.uint64(2**63 + 9)),
    "split": lambda r: r.split(r.PRNGKey(_LONG)),
    "split_shape": lambda r: r.split(r.PRNGKey(3), (2, 3)),
    "split_none": lambda r: r.split(r.PRNGKey(3), 0),
    "fold_in": lambda r: r.fold_in(r.PRNGKey(3), 2**32 - 1),
    "fold_in_int64": lambda r: r.fold_in(r.PRNGKey(3), np.int64(-2)),
    **{
        f"bits_{d}": lambda r, d=d: r.bits(r.PRNGKey(5), (2, 3), d)
        for d in ("uint8", "uint16", "uint32", "uint64")
    },
    **{
        f"{name}_{d}": lambda r, name=name, d=d: getattr(r, name)(r.PRNGKey(_LONG), (20,), d)
        for name in ("uniform", "normal")
        for d in ("float32", "float64")
    },
    **{
        f"uniform_between_{d}": lambda r, d=d: r.uniform(
            r.PRNGKey(1), (4, 3), d, np.array([-0.37, 1.0, -5.0], d), 7.7
        )
        for d in ("float32", "float64")
    },
    "uniform_scalar": lambda r: r.uniform(r.PRNGKey(1)),
    "uniform_float16": lambda r: r.uniform(r.PRNGKey(1), (5,), "float16"),
    **{
        f"randint_{d}": lambda r, d=d: r.randint(r.PRNGKey(2), (7,), 3, 100, d)
        for d in ("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64")
    },
    "randint_whole": lambda r: r.randint(r.PRNGKey(2), (7,), 0, 256, "uint8"),
    "randint_last": lambda r: r.randint(r.PRNGKey(2), (7,), -5, 2**31, "int32"),
    "randint_all": lambda r: r.randint(r.PRNGKey(2), (7,), -(2**31), 2**31, "int32"),
    "randint_huge": lambda r: r.randint(r.PRNGKey(2), (7,), -(2**63), 2**63 - 1),
    "randint_empty": lambda r: r.randint(r.PRNGKey(2), (3,), 5, np.array([5, 4, 7])),
    "permutation": lambda r: r.permutation(r.PRNGKey(4), 12),
    "permutation_long": lambda r: r.permutation(r.PRNGKey(4), 2000)[:20],
    "permutation_rows": lambda r: r.permutation(r.PRNGKey(4), np.arange(12).reshape(4, 3)),
    "permutation_columns": lambda r: r.permutation(r.PRNGKey(4), np.arange(12).reshape(3, 4), 1),
    "permutation_independent": lambda r: r.permutation(
        r.PRNGKey(4), np.arange(12).reshape(4, 3), independent=True
    ),
    "choice": lambda r: r.choice(r.PRNGKey(6), 10, (3, 2)),
    "choice_without": lambda r: r.choice(r.PRNGKey(6), np.arange(12).reshape(2, 6), (4,), False,
                                         axis=1),
    "choice_weighted": lambda r: r.choice(r.PRNGKey(6), 4, (9,), p=np.array([0.1, 0.2, 0.3, 0.4])),
    "choice_weighted_without": lambda r: r.choice(
        r.PRNGKey(6), 4, (3,), False, p=np.array([0.1, 0.2, 0.3, 0.4])
    ),
    "bernoulli": lambda r: r.bernoulli(r.PRNGKey(8), 0.3, (10,)),
    "bernoulli_high": lambda r: r.bernoulli(r.PRNGKey(8), np.float32(0.3), (10,), mode="high"),
    "rademacher": lambda r: r.rademacher(r.PRNGKey(8), (10,)),
    "geometric": lambda r: r.geometric(r.PRNGKey(8), 0.1, (10,)),
    "categorical": lambda r: r.categorical(r.PRNGKey(9), np.log(np.arange(1.0, 7).reshape(2, 3))),
    "categorical_axis": lambda r: r.categorical(
        r.PRNGKey(9), np.log(np.arange(1.0, 7).reshape(2, 3)), 0, (4, 3)
    ),
    "categorical_without": lambda r: r.categorical(
        r.PRNGKey(9), np.log(np.arange(1.0, 7).reshape(2, 3)), shape=(3, 2), replace=False
    ),
}  # fmt: skip

_PLAIN = "cauchy exponential gumbel laplace logistic maxwell".split()
_ALPHA = np.array([0.3, 2.0, 5.0])

#: Equal up to rounding.
CLOSE: dict[str, Call] = {
    **{name: lambda r, name=name: getattr(r, name)(r.PRNGKey(11), (6,)) for name in _PLAIN},
    "gumbel_high": lambda r: r.gumbel(r.PRNGKey(11), (6,), mode="high"),
    "normal_complex": lambda r: r.normal(r.PRNGKey(11), (6,), "complex128"),
    "double_sided_maxwell": lambda r: r.double_sided_maxwell(r.PRNGKey(12), 1.0, 2.0, (6,)),
    "lognormal": lambda r: r.lognormal(r.PRNGKey(12), 0.5, (6,)),
    "pareto": lambda r: r.pareto(r.PRNGKey(12), 3.0, (6,)),
    "rayleigh": lambda r: r.rayleigh(r.PRNGKey(12), np.array(2.0), (6,)),
    "triangular": lambda r: r.triangular(r.PRNGKey(12), 0.0, 1.0, 4.0, (6,)),
    "truncated_normal": lambda r: r.truncated_normal(r.PRNGKey(12), -1.0, 0.5, (6,)),
    "wald": lambda r: r.wald(r.PRNGKey(12), np.array(2.0), (6,)),
    "weibull_min": lambda r: r.weibull_min(r.PRNGKey(12), 3.0, 2.0, (6,)),
    "gamma": lambda r: r.gamma(r.PRNGKey(13), _ALPHA, (4, 3)),
    "loggamma": lambda r: r.loggamma(r.PRNGKey(13), _ALPHA, (4, 3)),
    "beta": lambda r: r.beta(r.PRNGKey(13), _ALPHA, 2.0),
    "dirichlet": lambda r: r.dirichlet(r.PRNGKey(13), _ALPHA, (2,)),
    "chisquare": lambda r: r.chisquare(r.PRNGKey(13), 3.0, (5,)),
    "f": lambda r: r.f(r.PRNGKey(13), 3.0, 5.0, (5,)),
    "t": lambda r: r.t(r.PRNGKey(13), 3.0, (5,)),
    "generalized_normal": lambda r: r.generalized_normal(r.PRNGKey(13), 3.0, (5,)),
    "ball": lambda r: r.ball(r.PRNGKey(13), 3, 1.5, (2,)),
    "multivariate_normal": lambda r: r.multivariate_normal(
        r.PRNGKey(13), np.array([1.0, -2.0]), np.array([[2.0, 0.5], [0.5, 1.0]]), (3,)
    ),
    "orthogonal": lambda r: r.orthogonal(r.PRNGKey(13), 3, (2,)),
    "orthogonal_flat": lambda r: r.orthogonal(r.PRNGKey(13), 2, m=3),
    "orthogonal_unitary": lambda r: r.orthogonal(r.PRNGKey(13), 2, dtype="complex128"),

}  # fmt: skip


def write(path: Path) -> None:
    """Write what JAX gives."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    found = {}
    for name, call in (EXACT | CLOSE).items():
        out = np.asarray(call(jax.random))
        parts = out.view(out.real.dtype) if out.dtype.kind == "c" else out
        numbers = [float(x).hex() if out.dtype.kind in "fc" else int(x) for x in parts.ravel()]
        found[name] = {"dtype": out.dtype.name, "shape": out.shape, "numbers": numbers}
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in found.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read(path: Path = RECORD) -> dict[str, np.ndarray]:
    """What was written, as arrays."""
    out = {}
    for name, entry in json.loads(path.read_text()).items():
        dtype = np.dtype(entry["dtype"])
        numbers = [float.fromhex(x) if isinstance(x, str) else x for x in entry["numbers"]]
        parts = np.array(numbers, np.empty(0, dtype).real.dtype)
        out[name] = (parts.view(dtype) if dtype.kind == "c" else parts).reshape(entry["shape"])
    return out


if __name__ == "__main__":
    write(Path(sys.argv[1]))
