"""PyTorch, operation by operation."""

from __future__ import annotations

import os

import numpy
import torch

from bench.libraries import common

VERSION = torch.__version__
NP = common.namespace(
    torch,
    cho_solve=lambda factor, b: torch.cholesky_solve(b[:, None], factor)[:, 0],
    cross_entropy=torch.nn.functional.cross_entropy,
    arcsin=torch.asin,
    arctan=torch.atan,
    gammaln=torch.special.gammaln,
    hessian=torch.func.hessian,
    jacobian=torch.func.jacrev,
    jacobian_forward=torch.func.jacfwd,
    jvps=lambda f, x, vs: torch.func.vmap(lambda v: torch.func.jvp(f, (x,), (v,))[1])(vs),
    special=torch.special,
    jacobians=lambda f, argnums: torch.func.vmap(torch.func.jacrev(f, argnums)),
    lax=common.python_loops(torch.stack),
    layer_norm=torch.nn.functional.layer_norm,
    max=torch.amax,
    softplus=torch.nn.functional.softplus,
    vmap=common.whole_batch,
)
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


def to_tensor(x):
    return torch.from_numpy(numpy.asarray(x))


def value_and_grad(f, argnums):
    def both(*args):
        args = [x.detach().requires_grad_(i in argnums) for i, x in enumerate(args)]
        value = f(*args)
        return value.detach(), torch.autograd.grad(value, [args[i] for i in argnums])

    return both


def hvp(f):
    def product(x, v):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(f(x), x, create_graph=True)
        return torch.autograd.grad(gradient, x, v)[0]

    return product


def build(row):
    work = common.derived(row, row.maker("torch")(NP), value_and_grad, hvp)
    return tensor_jobs(row, work)


def tensor_jobs(row, work):
    """Jobs on NumPy arrays from a function of tensors."""
    return common.job_maker(row, lambda *args: work(*map(to_tensor, args)), torch.Tensor.numpy)
