"""What ``import autotrace`` adds to ``import numpy``, in fresh processes."""

from __future__ import annotations

import subprocess
import sys

from bench import workers


def _import(*modules: str) -> None:
    code = f"import {', '.join(modules)}"
    # Byte code is kept, as it is after an installation; the first round writes it.
    subprocess.run([sys.executable, "-c", code], check=True, env=workers.environment())


def test_import(compare):
    compare(
        {
            "numpy and autotrace": lambda: _import("numpy", "autotrace"),
            "numpy": lambda: _import("numpy"),
        },
        rounds=11,
        calls=1,
    )
