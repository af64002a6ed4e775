"""The demo's numbers, how a failed check shows, and the check of gradients itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")

pytestmark = pytest.mark.source_tree
EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        spec = importlib.util.spec_from_file_location("demo", EXAMPLES / "demo.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def test_output(demo: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    report = demo.Report()
    losses = demo.example(report, short=True)
    out, err = capsys.readouterr()
    assert err == ""  # no progress bar where nobody watches
    assert "FAILED" not in out
    assert "{ lambda ; a:f64[3] b:f64[3] c:f64[]. let" in out
    assert "std. error" in out
    assert not report.failed
    values = report.values
    assert values["accuracy, training (%)"] > 97
    assert values["accuracy, test (%)"] > 95
    assert values["gradient's largest entry there"] < 1e-2
    assert values["gradient's relative error"] < 1e-6
    assert values["difference from X^T W X + ridge"] < 1e-10
    assert values["network: gradient's relative error"] < 1e-6
    assert values["network: loss of the last minibatch"] < 0.2 * losses[0]
    assert values["network: accuracy, training (%)"] > 97
    assert values["network: accuracy, test (%)"] > 95


def test_failed_check_is_told(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "HESSIAN_TOLERANCE", 0.0)
    assert demo.run(demo.__doc__, demo.example, demo.picture, ["--short"]) == 1
    assert "1 FAILED: difference from X^T W X + ridge" in capsys.readouterr().out


def test_gradient_error_finds_a_wrong_gradient(demo: ModuleType) -> None:
    def wrong(x):
        return (x * demo.at.stop_gradient(x)).sum()  # differentiates to x instead of 2 x

    x = demo.np.array([1.0, 2.0, 3.0])
    assert demo.gradient_error(wrong, x, 3) > 0.5
    assert demo.gradient_error(lambda x: (x * x).sum(), x, 3) < 1e-9
