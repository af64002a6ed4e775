"""What ``import autotrace`` adds to ``import numpy``, in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys

# Compiled byte code is kept, as it is after an installation; the first round writes it.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def _import(*modules: str) -> None:
    code = f"import {', '.join(modules)}"
    subprocess.run([sys.executable, "-c", code], check=True, env=_ENVIRONMENT)


def test_import(compare):
    compare(
        {
            "numpy and autotrace": lambda: _import("numpy", "autotrace"),
            "numpy": lambda: _import("numpy"),
        },
        rounds=11,
        calls=1,
    )
