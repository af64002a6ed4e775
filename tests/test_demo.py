"""The demo on real data: it runs, its checks pass, and a failed check shows in its exit code."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")

pytestmark = pytest.mark.source_tree
PATH = Path(__file__).resolve().parent.parent / "docs" / "examples" / "demo.py"


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_command_line(demo: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--quick"]) == 0
    out, err = capsys.readouterr()
    assert err == ""  # no progress bar where nobody watches
    assert "Checks: all passed." in out
    assert "FAILED" not in out
    assert "{ lambda ; a:f64[3] b:f64[3] c:f64[]. let" in out
    assert "std. error" in out


def test_metrics(demo: ModuleType) -> None:
    report = demo.run(quick=True)
    metrics = report.metrics
    assert not report.failed
    assert metrics["logistic_train_accuracy"] > 97
    assert metrics["logistic_test_accuracy"] > 95
    assert metrics["logistic_slope"] < 1e-2
    assert metrics["logistic_gradient_error"] < 1e-6
    assert metrics["hessian_error"] < 1e-10
    assert metrics["network_gradient_error"] < 1e-6
    assert metrics["network_last_loss"] < 0.2 * metrics["network_first_loss"]
    assert metrics["network_train_accuracy"] > 97
    assert metrics["network_test_accuracy"] > 95


def test_failed_check_is_told(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "HESSIAN_TOLERANCE", 0.0)
    assert demo.main(["--quick"]) == 1
    assert "1 FAILED: difference from X^T W X + ridge" in capsys.readouterr().out


def test_gradient_error_finds_a_wrong_gradient(demo: ModuleType) -> None:
    def wrong(x):
        return (x * demo.at.stop_gradient(x)).sum()  # differentiates to x instead of 2 x

    x = demo.np.array([1.0, 2.0, 3.0])
    assert demo.gradient_error(wrong, x, 3) > 0.5
    assert demo.gradient_error(lambda x: (x * x).sum(), x, 3) < 1e-9
