"""What compilation takes: of first calls, of new sizes, and by the number of equations."""

from __future__ import annotations

import numpy

from .dense import BATCH, STEP_ROW, batch, mlp_by_hand, weights
from .row import Maker, Row
from .small import ROSENBROCK


def new_sizes(round_: int) -> list[tuple]:
    """Batches of twenty sizes, other ones in each of the first nine rounds."""
    sizes = [size for size in range(64, 257) if size != BATCH]
    sizes = numpy.random.default_rng(0).permutation(sizes)[20 * round_ : 20 * (round_ + 1)]
    return [(*weights(), *batch(int(size))) for size in sizes]


def equations(count: int, round_: int) -> Maker:
    """As many operations on vectors, in a chain with sums here and there; others in each round."""
    rng = numpy.random.default_rng((count, round_))
    kinds = rng.integers(5, size=count)
    factors = rng.uniform(0.5, 1.0, count)

    def make(np):
        steps = (
            lambda x, c: c * x,
            lambda x, c: x + c,
            lambda x, c: np.sin(x),
            lambda x, c: np.tanh(x),
            lambda x, c: x * (1.0 / (1.0 + x * x)),
        )

        def f(x):
            total = 0.0 * np.sum(x)
            for i, (kind, c) in enumerate(zip(kinds.tolist(), factors.tolist(), strict=True)):
                x = steps[kind](x, c)
                if i % 25 == 24:
                    total = total + np.sum(x * x)
                    x = x - c * np.sum(x) / 100
            return total + np.sum(x)

        return f

    return make


def _compile_row(count: int) -> Row:
    return Row(
        key=f"compile_{count}",
        title=f"compile the gradient of a function of {count} operations",
        make=equations(count, 0),
        variant=lambda round_: equations(count, round_),
        inputs=lambda: (numpy.linspace(0.1, 1.0, 100),),
        wanted="value_and_grad",
        kind="compile",
        libraries=("autotrace", "jax", "pytensor")[: 3 if count <= 300 else 2],
        compilers=count <= 30,
        default=count <= 300,
        curve="compile",
        x=count,
    )


GRADIENT_ROW = STEP_ROW.but(
    flops=None, wanted="value_and_grad", by_hand=mlp_by_hand, c="mlp_gradient"
)
ROWS = [
    GRADIENT_ROW.but(
        key="new_sizes",
        title="MLP, value and gradient: 20 new batch sizes in all",
        kind="new_inputs",
        new_inputs=new_sizes,
    ),
    GRADIENT_ROW.but(
        key="first_call_cold",
        title="MLP, value and gradient: first call, no disk cache",
        kind="cold",
    ),
    GRADIENT_ROW.but(
        key="first_call_warm",
        title="MLP, value and gradient: first call, with a disk cache",
        kind="warm",
    ),
    ROSENBROCK.but(
        key="import_and_gradient",
        title="import, and the first gradient of Rosenbrock's function, with a disk cache",
        kind="import",
        libraries=("autotrace", "jax", "torch", "torch_compile", "pytensor", "autograd"),
        compilers=False,
    ),
    *map(_compile_row, (10, 30, 100, 300, 1000, 3000)),
]
