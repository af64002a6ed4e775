"""Why another library is faster in a row: what limits autotrace there, in a sentence or two.

Shown beside the row under "Where others are faster" in docs/benchmarks/index.md as long as one is.
A row that is not here is shown as not looked into yet.
"""

from __future__ import annotations

_RANDOM = (
    "Numbers from keys (threefry, as JAX's) cost more arithmetic than the state of NumPy's "
    "generator, which goes on from number to number."
)
_PRODUCTS = (
    "Most of the time is that of matrix products, which come from a BLAS in all libraries; what is "
    "left to win or lose are a few per cent."
)
REASONS = {
    "softmax_gradient": "Five kernels over each block of rows, each of which reads its row from "
    "the second-level cache anew, where compiled PyTorch makes one loop over a row that stays in "
    "vector registers. One division for both tangents of a quotient was tried: 0.98 of the time.",
    "layer_norm_gradient": "Nine kernels over each block of rows, each of which reads its row from "
    "the second-level cache anew; and divisions by a row's scalar stay divisions, since "
    "multiplying by the reciprocal rounds differently.",
    "new_sizes": "A new size compiles nothing, but a call with new shapes is traced and planned "
    "anew, once for each, in Python; PyTensor's and PyTorch's programs do not look at shapes.",
    "first_call_cold": "A dozen kernels are compiled one after the other through LLVM's "
    "binding, and what compiles them is imported first; JAX's compiler is one call of C++.",
    "uniform": _RANDOM,
    "normal": _RANDOM + " NumPy's ziggurat needs one table look-up for most numbers; the inverse "
    "of the error function is evaluated for each here.",
    "gamma": _RANDOM + " Rejection is a loop for each number, with numbers from a key of its own.",
    "kepler_gradient": "By hand it is the formula of the implicit function. Here each orbit's "
    "turns of Newton run three times, as numbers and not as vectors: for the solution, for what "
    "the derivative needs of each turn, and backwards.",
    "lorenz_gradient": "The body is Runge and Kutta's four slopes of three numbers, which wait for "
    "each other; its coefficients as a matrix of 3 x 3 would be three times the work of going "
    "through them backwards.",
    "interp": "A binary search for each element, as JAX makes it; both wait for loads that "
    "depend on each other.",
    "ndtri": "SciPy's function, called from the program: what differs from NumPy's column is "
    "chance. PyTorch and JAX have approximations of their own.",
    "betainc": "SciPy's function, called from the program: what differs from NumPy's column "
    "is chance.",
    "eigh_gradient": "LAPACK takes most of the time. The rest are two products of matrices "
    "with the eigenvectors, where by hand it is one.",
    "permutation": "JAX's to the bit: random keys are made and sorted, twice for a million. NumPy "
    "and PyTorch swap elements in place.",
    "memory_attention": "Parts of the batch, heads and queries take turns, and each has its arrays "
    "of queries by keys. PyTorch's blocks are smaller, and its kernels hold what is made of them "
    "in registers; through BLAS, matrix products of smaller blocks would be slow.",
    "logistic_map_gradient": "Both wait for the same chain, a product and a sum in each turn: 1.00 "
    "in runs of this row alone.",
    "gather_gradient": "Each weight is added where its index says, one after the other, since "
    "indices may repeat, and each index is checked. Read off the kernel, not profiled.",
    "mlp_step": _PRODUCTS,
    "mlp_step_small": _PRODUCTS,
    "mlp_step_threads2": _PRODUCTS,
    "softmax_gradient_threads2": "As on one thread.",
    "lorenz": "Both are the same chain of multiply-adds, one waiting for the other.",
    "attention": "Most of the time is that of matrix products, which all take from BLAS; the "
    "softmax between them makes the difference, by a few per cent.",
}
#: Of a whole family, where a row has none of its own.
OF_FAMILY = {
    "Accuracy": "What is aimed at are 2 units of the last place at most, and 1 where it costs "
    "nothing; less costs time. See [vecmath](../vecmath.md).",
}
