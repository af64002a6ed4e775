"""NumPy's functions, on arrays and on traced values; plain ``numpy`` calls come here too."""

from . import indexing, operators, ufuncs

operators.install()
indexing.install()
_ = ufuncs
