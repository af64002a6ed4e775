"""What ``import autotrace`` adds to ``import numpy``, in fresh processes."""

from __future__ import annotations

import subprocess
import sys


def _import(*modules: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {', '.join(modules)}"], check=True)


def test_import(compare):
    compare(
        {
            "numpy and autotrace": lambda: _import("numpy", "autotrace"),
            "numpy": lambda: _import("numpy"),
        },
        rounds=11,
        calls=1,
    )
