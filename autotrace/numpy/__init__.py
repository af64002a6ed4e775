"""NumPy's functions, on arrays and on traced values; plain ``numpy`` calls come here too."""

from . import operators, ufuncs

operators.install()
_ = ufuncs
