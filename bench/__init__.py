"""What autotrace takes for its work, beside other libraries and C written by hand.

- ``rows``: the work, a file for each family: each row of a table as a function of a NumPy-like
  namespace, its inputs, its result written by hand in NumPy, and the name of its function in
  reference.c.
- ``libraries``: how each library makes a function of NumPy arrays of a row.
- ``worker`` and ``workers``: each library in a process of its own, with threads as the row says.
- ``timing``: interleaved rounds. ``machine``: what it can do at most.
- ``test_rows``: the rows as tests, which write a file of results; ``results`` reads and writes it.
- ``report``, ``pictures``, ``reasons``: docs/benchmarks and the README's table, from that file.
- ``compare``: two such files, and what got slower beyond noise.
- ``test_eager``, ``test_import`` and ``test_tracing`` are comparisons within one process that are
  in no table.
- ``test_numpy_programs`` runs programs written for plain NumPy and writes a file of what it finds;
  ``programs`` makes docs/numpy_programs.md of it.

``python -m pytest bench/test_rows.py -k softmax --rounds 3`` measures some rows quickly, and
``--libraries autotrace,jax`` with some libraries.
"""
