"""Keys: made from seeds, split into more keys, told apart by numbers.

A key is an array of two uint32. Within a sampler it is one *word*, a uint64; so are the counts
that the generator makes random words of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer
from ..lax.random_bits import counts, threefry2x32
from .staging import as_shape, staged

_IMPL = "threefry2x32"
_UINT32 = np.dtype(np.uint32)


def check_key(name: str, key: Any, batched: bool = False) -> Any:
    """The key, if it is one; ``batched``: or an array of keys."""
    if type(key) is np.ndarray and key.dtype == _UINT32 and key.shape == (2,):
        return key
    if isinstance(key, np.ndarray | Tracer) and key.dtype == _UINT32 and key.shape[-1:] == (2,):
        if batched or key.ndim == 1:
            return key
        raise ValueError(
            located(
                f"random.{name} takes one key, got an array of keys of shape {key.shape[:-1]}",
                "What to do: take one of them, or map over them with autotrace.vmap.",
            )
        )
    got = f"{key.dtype} of shape {key.shape}" if hasattr(key, "dtype") else f"{key!r:.60}"
    raise TypeError(
        located(
            f"random.{name} takes a key, a uint32 array of shape (2,), as its first argument; got "
            f"{got}",
            "What to do: make one with autotrace.random.key(seed).",
        )
    )


# --- words -------------------------------------------------------------------------------------


def word_of(key: Any) -> Any:
    """The word of a key."""
    high, low = key[..., 0].astype(np.uint64), key[..., 1].astype(np.uint64)
    return (high << np.uint64(32)) | low


def key_of(word: Any) -> Any:
    """The key of a word, or those of several words."""
    halves = [(word >> np.uint64(32)).astype(np.uint32), word.astype(np.uint32)]
    return np.stack(halves, axis=-1)


def split_word(word: Any, number: int = 2) -> list[Any]:
    """The words of the keys that ``split`` makes of a key."""
    return [threefry2x32(word, np.uint64(i)) for i in range(number)]


# --- keys --------------------------------------------------------------------------------------


def PRNGKey(seed: Any, *, impl: str | None = None) -> Any:  # noqa: N802  JAX's name
    """A key from a seed.

    Args:
      seed: an integer of up to 64 bits, or a traced scalar; the same seed gives the same key.
      impl: the generator's name; there is one, ``"threefry2x32"``.

    Returns:
      The seed's upper and lower 32 bits: uint32 of shape ``(2,)``.

    Raises:
      TypeError: when the seed is no integer or no scalar.
      OverflowError: when it has more than 64 bits.

    >>> import autotrace as at
    >>> at.random.PRNGKey(42)
    array([ 0, 42], dtype=uint32)
    """
    _check_impl("key", impl)
    if isinstance(seed, int):
        if not -(2**63) <= seed < 2**63:
            raise OverflowError(located(f"random.key takes seeds of 64 bits, got {seed}"))
        seed = np.int64(seed)
    dtype, shape = getattr(seed, "dtype", None), np.shape(seed)
    if dtype is None or dtype.kind not in "iu" or shape:
        got = f"{seed!r:.60}" if dtype is None else f"{dtype} of shape {shape}"
        raise TypeError(located(f"random.key takes one whole number as the seed, got {got}"))
    return _seeded(seed)


@staged
def _seeded(seed: Any) -> Any:
    if seed.dtype.itemsize < 8:  # without its sign, as in JAX
        seed = seed.astype(np.uint32)
    return key_of(seed.astype(np.uint64))


def key(seed: Any, *, impl: str | None = None) -> Any:
    """A key from a seed: the same as ``PRNGKey``, since keys have no type of their own here.

    Args:
      seed: an integer of up to 64 bits, or a traced scalar.
      impl: the generator's name; there is one, ``"threefry2x32"``.

    Returns:
      uint32 of shape ``(2,)``.

    >>> import autotrace as at
    >>> key = at.random.key(0)
    >>> at.random.uniform(key, 2).round(6)
    array([0.418457, 0.216295])
    """
    return PRNGKey(seed, impl=impl)


def split(key: Any, num: int | Sequence[int] = 2) -> Any:
    """New keys from one; the old one should not be used again.

    Args:
      key: a key.
      num: how many, or the shape of an array of them.

    Returns:
      uint32 of shape ``(num, 2)``, or ``(*num, 2)``.

    >>> import autotrace as at
    >>> key, subkey = at.random.split(at.random.key(0))
    >>> subkey
    array([ 928981903, 3453687069], dtype=uint32)
    """
    check_key("split", key)
    return _split(key, shape=as_shape("split", num))


@staged
def _split(key: Any, *, shape: tuple[int, ...]) -> Any:
    return key_of(threefry2x32(word_of(key), counts(shape)))


def fold_in(key: Any, data: Any) -> Any:
    """A new key from a key and a number: of a step, an example, a layer.

    Args:
      key: a key.
      data: an integer, of which the lower 32 bits count.

    Returns:
      uint32 of shape ``(2,)``.

    Raises:
      TypeError: when ``data`` is no integer or no scalar.

    >>> import autotrace as at
    >>> at.random.fold_in(at.random.key(0), 7)
    array([2716826189,  292468403], dtype=uint32)
    """
    check_key("fold_in", key)
    if isinstance(data, int):
        data = np.uint32(data % 2**32)
    dtype, shape = getattr(data, "dtype", None), np.shape(data)
    if dtype is None or dtype.kind not in "iu" or shape:
        got = f"{data!r:.60}" if dtype is None else f"{dtype} of shape {shape}"
        raise TypeError(located(f"random.fold_in takes one whole number, got {got}"))
    return _folded(key, data)


@staged
def _folded(key: Any, data: Any) -> Any:
    return key_of(threefry2x32(word_of(key), data.astype(np.uint32).astype(np.uint64)))


def key_data(keys: Any) -> Any:
    """The uint32 array of a key or keys: what they are already.

    >>> import autotrace as at
    >>> at.random.key_data(at.random.key(1))
    array([0, 1], dtype=uint32)
    """
    return check_key("key_data", keys, batched=True)


def wrap_key_data(key_bits_array: Any, *, impl: str | None = None) -> Any:
    """Keys from their uint32 array: the array itself, of shape ``(..., 2)``.

    >>> import autotrace as at, numpy as np
    >>> at.random.wrap_key_data(np.array([0, 1], np.uint32))
    array([0, 1], dtype=uint32)
    """
    _check_impl("wrap_key_data", impl)
    return check_key("wrap_key_data", key_bits_array, batched=True)


def key_impl(keys: Any) -> str:
    """The name of the keys' generator.

    >>> import autotrace as at
    >>> at.random.key_impl(at.random.key(1))
    'threefry2x32'
    """
    check_key("key_impl", keys, batched=True)
    return _IMPL


def clone(key: Any) -> Any:
    """The same key, said to be used again on purpose.

    >>> import autotrace as at
    >>> at.random.clone(at.random.key(1))
    array([0, 1], dtype=uint32)
    """
    return check_key("clone", key, batched=True)


def _check_impl(name: str, impl: str | None) -> None:
    if impl not in (None, _IMPL):
        raise ValueError(
            located(f"random.{name}: the one generator is {_IMPL!r}, got impl={impl!r}")
        )
