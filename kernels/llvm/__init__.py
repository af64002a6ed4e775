"""From Python's plainest loops to machine code, through LLVM.

``values`` writes LLVM's instructions, ``language`` translates functions in a small part of Python,
``engine`` has LLVM optimise, emit and load them, ``cache`` keeps machine code on disk. Nothing here
knows of jaxprs or kernels.
"""
