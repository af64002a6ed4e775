"""Imports go one way: down the list of layers, at the top of a file, and to few libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.source_tree
PACKAGE = Path(__file__).parent.parent / "autotrace"
#: From the bottom to the top; a layer imports from itself and from those before it.
LAYERS = ["core", "transforms", "visualize", "lax", "numpy", "api", "scipy", "random", "nn"]
FILES = sorted(PACKAGE.rglob("*.py"))


def _imports(path: Path) -> list[tuple[ast.AST, str]]:
    """Each import of the package's own modules, as a dotted path from the package."""
    found = []
    folder = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = folder[: len(folder) - node.level + 1]
            module = (*base, *(node.module.split(".") if node.module else ()))
            names = [(*module, a.name) for a in node.names] if not node.module else [module]
            found += [(node, ".".join(name)) for name in names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    layer = path.relative_to(PACKAGE).parts[0]
    if layer not in LAYERS:
        return  # the public modules at the top may import from every layer
    allowed = LAYERS[: LAYERS.index(layer) + 1]
    for node, module in _imports(path):
        assert module.split(".")[0] in allowed, f"{path}:{node.lineno} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_import_inside_a_function(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            inner = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{path}:{inner[0].lineno}"


def test_import_is_cheap():
    code = "import sys, autotrace; print(sorted({m.split('.')[0] for m in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'numpy'" in out.stdout
    for heavy in ("scipy", "numba", "llvmlite"):
        assert f"'{heavy}'" not in out.stdout


KERNELS = PACKAGE.parent / "kernels"
#: What the compiler may import of the package; its own packages ``llvm`` and ``vecmath`` import
#: nothing of it, and of each other only the one below.
BELOW = {"llvm": ["llvm"], "vecmath": ["vecmath", "llvm"]}


@pytest.mark.parametrize("path", sorted(KERNELS.rglob("*.py")), ids=lambda p: p.name)
def test_imports_of_the_compiler_go_down(path):
    folder = path.relative_to(KERNELS).parent.parts
    if path.name == "accuracy.py":
        return  # a program that measures, at the top
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        depth = len(folder) + 1 - node.level
        module = [*folder[: max(depth, 0)], *(node.module or "").split(".")]
        if depth < 0:
            assert module[0] in ("core", "transforms"), f"{path}:{node.lineno}"
            assert not folder, f"{path}:{node.lineno}"
        elif folder:
            assert module[0] in BELOW[folder[0]], f"{path}:{node.lineno}"
