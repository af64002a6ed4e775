"""How a program lies in memory: the positions of words in its frame and in its rows.

A frame is one array of int64 words: a header, rows of several kinds, the kernels' tables. Rows
hold addresses of other rows as plain words. ``program`` writes frames, ``runtime`` reads them.
"""

from __future__ import annotations

_HEADER = """
    BUSY RELEASE STATUS API ADDRESSES OBJECTS
    ARG_COUNT ARG_ROWS OUT_COUNT OUT_ROWS PATCH_COUNT PATCH_ROWS STEP_COUNT STEP_ROWS
    RESULT_COUNT RESULT_ROWS SINGLE HELD_COUNT HELD_ROWS GIVEN THREADS TEAM
"""
_ROWS = {
    # What an argument has to be: its type, how its value is found, and for arrays the rest.
    "ARG": "TYPE KIND DTYPE RANK DIMS STRIDES SLOT SCRATCH FLAGS",
    # An output to make, or to write to the memory of an argument: its number, counted from 1.
    "OUT": "SLOT RANK DIMS NUMBER TAKEN",
    # A word of a table that is the address of a slot's data and an offset.
    "PATCH": "SLOT WORD OFFSET",
    # A kernel over part of its range, or a host step.
    "STEP": "KIND FUNCTION TABLE START STOP PIECE ARG_COUNT ARG_ROWS OUT_COUNT OUT_ROWS "
    "PATCH_COUNT PATCH_ROWS",
    # An array or a scalar that a host step is given.
    "VIEW": "SLOT OFFSET RANK DIMS STRIDES NUMBER DTYPE",
    # A result: an array's object, or a scalar made of a slot's data.
    "RESULT": "SLOT DTYPE",
}


def _positions(names: str, prefix: str = "") -> dict[str, int]:
    return {f"{prefix}{name}": i for i, name in enumerate(names.split())}


_PLACES = {kind: _positions(names) for kind, names in _ROWS.items()}

#: The Python objects and C functions that the runtime needs, in the order of its table.
API = """
    PyArray_New PyArray_Scalar PyTuple_New PyTuple_SetItem PyTuple_GetItem PyObject_CallObject
    Py_IncRef Py_DecRef PyLong_AsLongLongAndOverflow PyEval_SaveThread PyEval_RestoreThread
    ndarray NotImplemented Ellipsis True
""".split()

#: Kinds of arguments.
ARRAY, IN_OBJECT, WHOLE_NUMBER, TRUTH = range(4)
#: Kinds of steps.
KERNEL, HOST = range(2)

#: Every position by name: ``BUSY`` in a frame, ``ARG_TYPE`` in a row, ``API_ndarray`` in the table.
WORDS: dict[str, int] = {
    **_positions(_HEADER),
    "HEADER_SIZE": len(_HEADER.split()),
    **{k: v for kind, names in _ROWS.items() for k, v in _positions(names, f"{kind}_").items()},
    **{f"{kind}_SIZE": len(names.split()) for kind, names in _ROWS.items()},
    **{f"API_{name}": i for i, name in enumerate(API)},
    "ARRAY": ARRAY, "IN_OBJECT": IN_OBJECT, "WHOLE_NUMBER": WHOLE_NUMBER, "TRUTH": TRUTH,
    "KERNEL": KERNEL, "HOST": HOST,
}  # fmt: skip


def row(kind: str, **words: int) -> list[int]:
    """A row's words; those that are not given are 0."""
    places = _PLACES[kind]
    made = [0] * len(places)
    try:
        for name, word in words.items():
            made[places[name]] = word
    except KeyError as error:
        raise ValueError(f"a {kind} row has no {error}") from None
    return made
