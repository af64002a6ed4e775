"""PyTensor, compiled with Numba."""

from __future__ import annotations

import numpy
import pytensor
import pytensor.tensor
import pytensor.tensor.special

from bench.libraries import common

VERSION = pytensor.__version__
NP = common.namespace(
    pytensor.tensor,
    asarray=pytensor.tensor.as_tensor_variable,
    hessian=lambda f: lambda x, *more: pytensor.gradient.hessian(f(x, *more), x),
    jacobian=lambda f: lambda x, *more: pytensor.gradient.jacobian(f(x, *more), x),
    special=pytensor.tensor,
    log_softmax=pytensor.tensor.special.log_softmax,
    relu=lambda x: pytensor.tensor.maximum(x, 0),
    softmax=pytensor.tensor.special.softmax,
)


def value_and_grad(f, argnums):
    def both(*args):
        value = f(*args)
        return value, pytensor.grad(value, [args[i] for i in argnums])

    return both


def hvp(f):
    def product(x, v):
        return pytensor.gradient.hessian_vector_product(f(x), x, v)

    return product


def build(row):
    work = common.derived(row, row.maker("pytensor")(NP), value_and_grad, hvp)
    compiled = None

    def compile_for(arrays):
        # floatX is the dtype that Python's numbers take on.
        with pytensor.config.change_flags(floatX=arrays[0].dtype.name):
            symbols = [
                pytensor.tensor.tensor(dtype=x.dtype, shape=(None,) * x.ndim) for x in arrays
            ]
            results = work(*symbols)
            results = results if row.single else list(results)
            return pytensor.function(symbols, results, mode="NUMBA", trust_input=True)

    def run(*args):
        nonlocal compiled
        arrays = [numpy.asarray(x) for x in args]
        if compiled is None:
            compiled = compile_for(arrays)
        return compiled(*arrays)

    return common.job_maker(row, run)
