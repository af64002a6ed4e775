"""PyTorch, with the derivative taken and compiled as one graph."""

from __future__ import annotations

import torch

from bench.libraries import common
from bench.libraries.torch import NP, VERSION, tensor_jobs

__all__ = ["VERSION", "build"]


def value_and_grad(f, argnums):
    def both(*args):
        gradients, value = torch.func.grad_and_value(f, argnums)(*args)
        return value, gradients

    return both


def hvp(f):
    return lambda x, v: torch.func.jvp(torch.func.grad(f), (x,), (v,))[1]


def build(row):
    # The rows share code, and code has a limit, past which torch would go on uncompiled.
    torch.compiler.reset()
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    work = common.derived(row, row.maker("torch")(NP), value_and_grad, hvp)
    return tensor_jobs(row, torch.compile(work, fullgraph=True))
