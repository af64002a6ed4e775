"""JAX, jitted."""

from __future__ import annotations

import jax
import numpy

from bench.libraries import common

VERSION = jax.__version__
NP = common.namespace(
    jax.numpy,
    cho_solve=lambda factor, b: jax.scipy.linalg.cho_solve((factor, True), b),
    erf=jax.scipy.special.erf,
    gammaln=jax.scipy.special.gammaln,
    hessian=jax.hessian,
    jacobian=jax.jacrev,
    jacobian_forward=jax.jacfwd,
    jvps=lambda f, x, vs: jax.vmap(lambda v: jax.jvp(f, (x,), (v,))[1])(vs),
    jacobians=lambda f, argnums: jax.vmap(jax.jacrev(f, argnums)),
    lax=jax.lax,
    nn=jax.nn,
    logsumexp=jax.nn.logsumexp,
    log_softmax=jax.nn.log_softmax,
    random=jax.random,
    relu=jax.nn.relu,
    sigmoid=jax.nn.sigmoid,
    softmax=jax.nn.softmax,
    softplus=jax.nn.softplus,
    special=jax.scipy.special,
    vmap=jax.vmap,
)


def build(row):
    def hvp(f):
        return lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1]

    work = common.derived(row, row.maker("jax")(NP), jax.value_and_grad, hvp)
    return common.job_maker(row, jax.jit(work), numpy.asarray)
