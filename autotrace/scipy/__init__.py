"""SciPy's functions for traced code, under SciPy's names."""
