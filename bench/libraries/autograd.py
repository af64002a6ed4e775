"""HIPS autograd, which has derivatives only."""

from __future__ import annotations

from importlib import metadata

import autograd
import autograd.numpy
import autograd.scipy.linalg
import autograd.scipy.special

from bench.libraries import common

VERSION = metadata.version("autograd")


def _cho_solve(factor, b):
    solve = autograd.scipy.linalg.solve_triangular
    return solve(factor, solve(factor, b, lower=True), lower=True, trans="T")


NP = common.namespace(
    autograd.numpy,
    cho_solve=_cho_solve,
    gammaln=autograd.scipy.special.gammaln,
    hessian=autograd.hessian,
    jacobian=autograd.jacobian,
    special=autograd.scipy.special,
    erf=autograd.scipy.special.erf,
    lax=common.python_loops(autograd.numpy.stack),
    sigmoid=autograd.scipy.special.expit,
    vmap=common.whole_batch,
)


def build(row):
    named = row.libraries is not None and "autograd" in row.libraries
    if row.wanted == "value" and not named:
        return None

    def hvp(f):
        return autograd.hessian_vector_product(f)

    f = row.maker("autograd")(NP)
    return common.job_maker(row, common.derived(row, f, autograd.value_and_grad, hvp))
