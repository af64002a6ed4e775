"""autotrace, jitted with its compiling backend."""

from __future__ import annotations

import numpy

import autotrace
from bench.libraries import common

VERSION = autotrace.__version__
#: Until the compiling backend is the default.
BACKEND = "numba"
NP = common.namespace(
    numpy,
    cho_solve=lambda factor, b: autotrace.scipy.linalg.cho_solve((factor, True), b),
    erf=autotrace.lax.erf,
    jacobians=lambda f, argnums: autotrace.vmap(autotrace.jacrev(f, argnums)),
    lax=autotrace.lax,
    random=autotrace.random,
    sigmoid=autotrace.lax.logistic,
    vmap=autotrace.vmap,
)


def build(row):
    def hvp(f):
        return lambda x, v: autotrace.hvp(f, (x,), (v,))

    f = row.maker("autotrace")(NP)
    work = common.derived(row, f, autotrace.value_and_grad, hvp)
    return common.job_maker(row, autotrace.jit(work, backend=BACKEND))
