"""Whether a run of the benchmarks is slower than another one, on made-up results."""

from __future__ import annotations

import json

import pytest

compare = pytest.importorskip("bench.compare", reason="needs the source tree")


def cell(median, spread=0.02):
    return {"median": median, "low": median * (1 - spread / 2), "high": median * (1 + spread / 2)}


def made_up(unit="s", **rows):
    """Results of rows given as dicts from libraries to medians or cells."""
    return {
        "rows": {
            key: {
                "title": f"the row {key}",
                "unit": unit,
                "cells": {
                    name: cell(found) if isinstance(found, float) else found
                    for name, found in cells.items()
                },
            }
            for key, cells in rows.items()
        }
    }


def slower(old, new):
    changes, gone = compare.compare(old, new)
    return [c.key for c in changes if c.worse], gone


def test_the_same_is_no_regression():
    old = made_up(a={"autotrace": 1e-3, "c": 1e-3}, b={"autotrace": 2e-6})
    assert slower(old, old) == ([], [])


def test_slower_beyond_noise():
    old = made_up(a={"autotrace": 1e-3, "c": 1e-3}, b={"autotrace": 2e-6, "c": 1e-6})
    new = made_up(a={"autotrace": 1.3e-3, "c": 1e-3}, b={"autotrace": 2.1e-6, "c": 1e-6})
    assert slower(old, new) == (["a"], [])
    assert slower(new, old) == ([], [])
    changes, _ = compare.compare(new, old)
    assert [c.key for c in changes if c.better] == ["a"]


def test_a_noisy_cell_needs_more():
    quiet, noisy = cell(1.3e-3), cell(1.3e-3, spread=0.3)
    old = made_up(a={"autotrace": 1e-3, "c": 1e-3})
    assert slower(old, made_up(a={"autotrace": quiet, "c": 1e-3})) == (["a"], [])
    assert slower(old, made_up(a={"autotrace": noisy, "c": 1e-3})) == ([], [])
    twice = made_up(a={"autotrace": cell(2e-3, spread=0.3), "c": 1e-3})
    assert slower(old, twice) == (["a"], [])


def test_a_slower_machine_is_no_regression():
    rows = {f"row{i}": {"autotrace": 1e-3, "plain": 2e-3} for i in range(9)}
    half = {f"row{i}": {"autotrace": 2e-3, "plain": 4e-3} for i in range(9)}
    old, new = made_up(**rows), made_up(**half)
    assert slower(old, new) == ([], [])
    new["rows"]["row3"]["cells"]["autotrace"] = cell(3e-3)
    assert slower(old, new) == (["row3"], [])
    (found,) = [c for c in compare.compare(old, new)[0] if c.key == "row3"]
    assert found.reference == "plain" and found.ratio == pytest.approx(1.5)


def test_a_noisy_reference_is_not_used():
    reference = {"c": cell(1e-3, spread=0.8)}
    old = made_up(a={"autotrace": 1e-3, **reference}, b={"autotrace": 1e-3, "c": 1e-3})
    new = made_up(a={"autotrace": 1.3e-3, **reference}, b={"autotrace": 1e-3, "c": 1e-3})
    changes, _ = compare.compare(old, new)
    assert [(c.key, c.reference) for c in changes if c.worse] == [("a", None)]


def test_what_is_gone_or_fails():
    old = made_up(a={"autotrace": 1e-3}, b={"autotrace": 1e-3}, c={"jax": 1e-3})
    new = made_up(b={"autotrace": {"fails": "no rule for this"}}, d={"autotrace": 1.0})
    worse, gone = slower(old, new)
    assert worse == []
    assert [line.split(":")[0] for line in gone] == ["a", "b"]
    assert "no rule for this" in gone[1]


@pytest.mark.parametrize("unit", ["B", "ulp"])
def test_what_is_no_time_has_no_reference(unit):
    old = made_up(unit, a={"autotrace": cell(1.0, 0.0), "plain": 1.0})
    new = made_up(unit, a={"autotrace": cell(1.5, 0.0), "plain": 1.5})
    assert slower(old, new) == (["a"], [])


def test_exit_codes(tmp_path, capsys):
    old = made_up(a={"autotrace": 1e-3, "c": 1e-3}, b={"autotrace": 1e-3, "c": 1e-3})
    new = made_up(a={"autotrace": 2e-3, "c": 1e-3})
    for name, results in (("old", old), ("new", new)):
        (tmp_path / f"{name}.json").write_text(json.dumps(results))
    paths = str(tmp_path / "old.json"), str(tmp_path / "new.json")
    assert compare.main([paths[0], paths[0]]) == 0
    assert compare.main([*paths]) == 1
    out = capsys.readouterr().out
    assert "a: 1.00 ms -> 2.00 ms, ratio 2.00" in out and "b: not measured any more" in out
    assert compare.main([paths[1], paths[0], "--partial"]) == 0
    assert compare.main([*paths, "--partial"]) == 1
