"""Machine code for the sources that this package writes, compiled once and kept on disk."""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ..core.work import note
from .llvm import cache, engine
from .llvm.language import BUILTINS, Translator, builds
from .llvm.values import REGISTER, Builder, Module, Value
from .llvm.vectors import NAMES as VECTORS
from .scalars import NAMESPACE

_FUNCTIONS = BUILTINS | NAMESPACE | VECTORS


class Helper(NamedTuple):
    """A function that a source may call, in the same language.

    Attributes:
      inline: whether each call becomes its text; see ``Source`` for the rest.
    """

    text: str
    dtypes: tuple[str, ...]
    result: str = "void"
    parallel: bool = False
    inline: bool = False


class Source(NamedTuple):
    """A function in the language of ``llvm.language``.

    Attributes:
      text: its source.
      dtypes: the type of each parameter.
      result: the type of its result.
      table: whether callers pass the address of a table of int64 with an argument a word, except
        for the last two, and these two: the form of all kernels, ``void (table, start, stop)``.
      parallel: whether the turns of its innermost loops leave each other's memory alone.
      names: numbers that the source may name.
      helpers: functions that it may call: ``Helper`` or its first fields.
      unroll: whether short loops are unrolled, for values in small arrays to become registers.
    """

    text: str
    dtypes: tuple[str, ...]
    result: str = "void"
    table: bool = False
    parallel: bool = False
    names: tuple[tuple[str, int], ...] = ()
    helpers: tuple[tuple, ...] = ()
    unroll: bool = False


_lock = threading.Lock()
_addresses: dict[Source, int] = {}
_counts = {"compiled": 0, "loaded": 0}


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # a thread that the child does not have may hold the old one


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def counts() -> dict[str, int]:
    """How many functions this process has compiled, and how many it has loaded from disk."""
    return dict(_counts)


def name_of(source: Source) -> str:
    """The name of a source's machine code: on disk, in pickles, and as a symbol."""
    return cache.name_of(repr(tuple(source)))


def address(source: Source) -> int:
    """The address of a source's machine code."""
    return addresses([source])[0]


def addresses(sources: Iterable[Source]) -> list[int]:
    """The same for several, compiled side by side."""
    sources = list(sources)
    missing = [s for s in dict.fromkeys(sources) if s not in _addresses]
    if missing:
        with _lock:
            missing = [s for s in missing if s not in _addresses]
            names = {s: name_of(s) for s in missing}
            anew = [s for s in missing if not _load(s, names[s])]
            compiled = _told(_compile(anew, names), len(missing) - len(anew), len(missing))
            for source, code in compiled:
                _addresses[source] = engine.load(code, names[source])
                _counts["compiled"] += 1
                cache.write(names[source], code)
    return [_addresses[s] for s in sources]


def _load(source: Source, name: str) -> bool:
    code = cache.read(name)
    if code is None:
        return False
    try:
        _addresses[source] = engine.load(code, name)
    except RuntimeError:
        return False
    _counts["loaded"] += 1
    return True


def _compile(sources: list[Source], names: dict[Source, str]) -> Iterator[tuple[Source, bytes]]:
    texts = {s: llvm_text(s, names[s]) for s in sources}
    # The longest first, so that two threads are done at about the same time: for the gradient of a
    # small network that is five sixths of the time in the order of the steps.
    sources = sorted(sources, key=lambda s: len(texts[s]), reverse=True)
    jobs = [texts[s] for s in sources], [s.unroll for s in sources]
    if len(texts) < 2:
        yield from zip(sources, map(engine.machine_code, *jobs), strict=True)
        return
    # LLVM runs without the interpreter's lock: two kernels compile in little more time than one.
    with ThreadPoolExecutor(2) as pool:
        yield from zip(sources, pool.map(engine.machine_code, *jobs), strict=True)


def _told(
    codes: Iterable[tuple[Source, bytes]], done: int, total: int
) -> Iterator[tuple[Source, bytes]]:
    """The same, with a word to who waits for them."""
    note(f"{done} of {total} kernels")
    for number, code in enumerate(codes, done + 1):
        note(f"{number} of {total} kernels")
        yield code


def machine_code(source: Source, name: str) -> bytes:
    """A source compiled, whether or not it has been before."""
    return engine.machine_code(llvm_text(source, name), source.unroll)


def llvm_text(source: Source, name: str = "kernel") -> str:
    """A source as LLVM's text, before it is optimised."""
    module = Module()
    functions = _FUNCTIONS | dict(source.names)
    helpers = [Helper(*given) for given in source.helpers]
    for helper in helpers:
        node = _parse(helper.text)
        functions[node.name] = _caller(f"{name}_{node.name}", helper.dtypes, helper.result)

    def translate(given: Source | Helper, symbol: str, head: str, inline: bool = False) -> str:
        translator = Translator(module, functions, given.parallel)
        node = _parse(given.text)
        return translator.function(node, given.dtypes, symbol, head, given.result, inline=inline)

    texts = [
        translate(helper, f"{name}_{_parse(helper.text).name}", "define internal", helper.inline)
        for helper in helpers
    ]
    if source.table:
        texts.append(translate(source, f"{name}_body", "define internal"))
        texts.append(_entry(source.dtypes, name))
    else:
        texts.append(translate(source, name, "define"))
    return module.text(texts)


def _parse(text: str) -> ast.FunctionDef:
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.FunctionDef)
    return node


def _caller(symbol: str, dtypes: tuple[str, ...], result: str) -> Any:
    """A function of the language that calls another function of its module."""

    @builds
    def call(builder: Builder, *args: Any) -> Value | None:
        values = [builder.value(a, t) for a, t in zip(args, dtypes, strict=True)]
        return builder.call_symbol(f"@{symbol}", result, values)

    return call


def _entry(dtypes: tuple[str, ...], name: str) -> str:
    """A function that takes its body's arguments from a table."""
    lines, given = [], []
    for i, dtype in enumerate(dtypes[:-2]):
        lines.append(f"  %p{i} = getelementptr i64, ptr %table, i64 {i}")
        if dtype.startswith("*"):
            lines.append(f"  %w{i} = load ptr, ptr %p{i}")
            given.append(f"ptr %w{i}")
            continue
        memory = "i8" if dtype == "bool" else REGISTER[dtype]
        lines.append(f"  %w{i} = load {memory}, ptr %p{i}")  # the low bytes of the word come first
        if dtype == "bool":
            lines.append(f"  %b{i} = icmp ne i8 %w{i}, 0")
        given.append(f"{REGISTER[dtype]} %{'b' if dtype == 'bool' else 'w'}{i}")
    given += ["i64 %start", "i64 %stop"]
    return "\n".join(
        [
            f"define void @{name}(ptr %table, i64 %start, i64 %stop) nounwind {{",
            *lines,
            f"  call void @{name}_body({', '.join(given)})",
            "  ret void",
            "}",
        ]
    )
