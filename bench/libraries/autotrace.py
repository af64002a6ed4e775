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
    gammaln=autotrace.scipy.special.gammaln,
    hessian=autotrace.hessian,
    jacobian=autotrace.jacrev,
    jacobian_forward=autotrace.jacfwd,
    jvps=lambda f, x, vs: autotrace.vmap(lambda v: autotrace.jvp(f, (x,), (v,))[1])(vs),
    jacobians=lambda f, argnums: autotrace.vmap(autotrace.jacrev(f, argnums)),
    lax=autotrace.lax,
    nn=autotrace.nn,
    random=autotrace.random,
    sigmoid=autotrace.lax.logistic,
    special=autotrace.scipy.special,
    vmap=autotrace.vmap,
)


def build(row):
    def hvp(f):
        return lambda x, v: autotrace.hvp(f, (x,), (v,))

    f = row.maker("autotrace")(NP)
    work = common.derived(row, f, autotrace.value_and_grad, hvp)
    return common.job_maker(row, autotrace.jit(work, backend=BACKEND))
