"""Hypergeometric functions."""

from __future__ import annotations

from collections.abc import Callable

from .functions import NO_RULE, hosted

hyp0f1: Callable = hosted("hyp0f1", "v z", NO_RULE, lambda out, v, z: hyp0f1(v + 1, z) / v)
hyp1f1: Callable = hosted(
    "hyp1f1",
    "a b x",
    NO_RULE,
    NO_RULE,
    lambda out, a, b, x: a / b * hyp1f1(a + 1, b + 1, x),
)
hyp2f1: Callable = hosted(
    "hyp2f1",
    "a b c z",
    NO_RULE,
    NO_RULE,
    NO_RULE,
    lambda out, a, b, c, z: a * b / c * hyp2f1(a + 1, b + 1, c + 1, z),
)
hyperu: Callable = hosted(
    "hyperu", "a b x", NO_RULE, NO_RULE, lambda out, a, b, x: -a * hyperu(a + 1, b + 1, x)
)
