"""Primitives of linear algebra as functions, with JAX's names."""

from ..transforms.held import giving_own
from .factorizations import cholesky, lu, lu_pivots_to_permutation, qr, triangular_solve
from .matrices import LinAlgError
from .spectral import eigh, svd

__all__ = [
    "LinAlgError",
    "cholesky",
    "eigh",
    "lu",
    "lu_pivots_to_permutation",
    "qr",
    "svd",
    "triangular_solve",
]

for _name in __all__[1:]:
    globals()[_name] = giving_own(globals()[_name])
