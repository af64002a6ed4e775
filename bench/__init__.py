"""What autotrace takes for its work, beside other libraries and C written by hand.

- ``rows``: the work, by subject: each row of the table as a function of a NumPy-like namespace,
  its inputs, its result written by hand in NumPy, and the name of its function in reference.c.
- ``libraries``: how each library makes a function of NumPy arrays of a row.
- ``worker`` and ``workers``: each library in a process of its own, with one thread.
- ``timing`` and ``report``: interleaved rounds; the table in docs/benchmarks.md.
- ``test_rows``: the rows as tests; ``test_eager``, ``test_import`` and ``test_tracing`` are
  comparisons within one process that are not in the table.

``python -m pytest bench -k softmax --rounds 3`` measures some rows quickly.
"""
