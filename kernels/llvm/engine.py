"""LLVM at work: text to machine code, and machine code into this process.

Everything runs under one lock, except the optimiser, which has a context of its own for each
module, so that kernels can be compiled side by side.
"""

from __future__ import annotations

import functools
import os
import threading
from typing import Any

import llvmlite.binding as llvm

_lock = threading.Lock()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # a thread that the child does not have may hold the old one


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@functools.cache
def _start() -> tuple[str, str]:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def processor() -> str:
    """What machine code is made for: the processor's name and features."""
    return " ".join(_start())


@functools.cache
def vector_registers() -> tuple[int, int]:
    """The size of the processor's vector registers in bytes, and how many there are."""
    names = _start()[1].split(",")
    if "+avx512f" in names:
        return 64, 32
    if "+avx" in names:
        return 32, 16
    return 16, 32 if "+neon" in names else 16


def _target_machine() -> llvm.TargetMachine:
    cpu, features = _start()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=cpu, features=features, opt=3, jit=True, codemodel="jitdefault"
    )


_mine = threading.local()


def _compiler() -> llvm.TargetMachine:
    if not hasattr(_mine, "machine"):
        with _lock:
            _mine.machine = _target_machine()
    return _mine.machine


def optimised(text: str, unroll: bool = False) -> tuple[Any, Any]:
    """A module of LLVM's as text, optimised, and what to emit it with; ``unroll``: loops of a few
    turns become straight code."""
    machine = _compiler()
    module = llvm.parse_assembly(text, llvm.create_context())
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    # Of straight code over small matrices it makes shuffles: a Kalman filter of 4 states takes
    # 160 us with it and 47 us without.
    options.slp_vectorization = not unroll
    # The vectoriser interleaves loops; unrolling long ones further costs time and gains none.
    options.loop_unrolling = unroll
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return module, machine


def machine_code(text: str, unroll: bool = False) -> bytes:
    """A module of LLVM's as text, as an object file."""
    module, machine = optimised(text, unroll)
    return machine.emit_object(module)


def assembly(text: str, unroll: bool = False) -> str:
    """The same as assembly language."""
    module, machine = optimised(text, unroll)
    return machine.emit_assembly(module)


@functools.cache
def _engine() -> llvm.ExecutionEngine:
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())


def load(code: bytes, symbol: str) -> int:
    """Load an object file for as long as the process lives; the address of one of its functions.

    LLVM does not survive a damaged file: who reads one from disk checks it first.

    Raises:
      RuntimeError: when the file does not have the symbol.
    """
    with _lock:
        _engine().add_object_file(llvm.ObjectFileRef.from_data(code))
        _engine().finalize_object()
        address = _engine().get_function_address(symbol)
    if not address:
        raise RuntimeError(f"no function {symbol} in an object file")
    return address
