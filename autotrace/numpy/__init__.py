"""NumPy's functions, on arrays and on traced values; plain ``numpy`` calls come here too."""

from . import indexing, operators, ufuncs
from .indexing import at as at

operators.install()
indexing.install()
_ = ufuncs
