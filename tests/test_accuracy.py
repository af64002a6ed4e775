"""The page of accuracy: its tables hold, and it is the one that its script writes."""

from __future__ import annotations

import re

import accuracy_tables as tables
import pytest

import autotrace as at

pytestmark = pytest.mark.skipif(at.config.backend == "numpy", reason="of compiled code")


@pytest.mark.parametrize("name", tables.SUMS)
def test_sums(name):
    numpys, ours = tables.sum_errors(name)
    assert ours <= max(2 * numpys, 4.0)  # the order follows the vectors' width


def test_long_sums_are_nearly_exact():
    for name in tables.SUMS:
        if "`sum`" in name:
            assert tables.sum_errors(name)[1] <= 1.0


@pytest.mark.parametrize("name", tables.DERIVATIVES)
def test_derivatives(name):
    differences, *exact = tables.derivative_errors(name, 8)
    assert max(exact) < 1e-13 < differences


def test_units():
    assert tables.units(1.0, tables.Fraction(1)) == 0
    assert tables.units(1.0 + 2**-52, tables.Fraction(1)) == 1
    assert tables.units(1.0, tables.Fraction(1) + tables.Fraction(1, 2**53)) == 0.5


@pytest.mark.source_tree
def test_each_elementary_function_is_in_the_summary():
    found = tables.elementary()
    assert len(found) > 50 and max(found.values()) <= tables.CLASSES[-1]


@pytest.mark.source_tree
def test_page():
    """The script writes this page, but for the figures of sums and derivatives."""
    page = tables.PAGE.read_text(encoding="utf-8")
    text = tables._TEXT.format(
        elementary="\n".join(tables._elementary_rows()), sums="SUMS", derivatives="DERIVATIVES"
    )
    sums = "".join(rf"\| {re.escape(n)} \| [\d.]+ \| [\d.]+ \|\n" for n in tables.SUMS)
    derivatives = "".join(
        rf"\| `{re.escape(n)}` (\| \de-\d\d ){{4}}\|\n" for n in tables.DERIVATIVES
    )
    pattern = re.escape(text).replace("SUMS\\\n", sums).replace("DERIVATIVES\\\n", derivatives)
    assert re.fullmatch(pattern, page), "python tests/accuracy_tables.py writes it anew"
