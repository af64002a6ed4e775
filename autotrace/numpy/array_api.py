"""What the array API standard asks for beyond NumPy's own functions.

The standard (version 2024.12, https://data-apis.org/array-api) is what libraries write against to
work with any array type. NumPy's main namespace conforms to it, and so does this one, which has a
few keywords more than NumPy.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer
from ..transforms.held import HeldTracer
from . import manipulation
from .picking import flip

#: The version of the standard.
API_VERSION = "2024.12"
_VERSIONS = ("2021.12", "2022.12", "2023.12", API_VERSION)
_DEVICE = "cpu"

_DTYPES: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_DTYPES["integral"] = _DTYPES["signed integer"] + _DTYPES["unsigned integer"]
_DTYPES["numeric"] = _DTYPES["integral"] + _DTYPES["real floating"] + _DTYPES["complex floating"]


def check_device(device: Any) -> None:
    """Raise ValueError for a device other than the one that there is."""
    if device not in (None, _DEVICE):
        raise ValueError(
            located(f'Device not understood. Only "cpu" is allowed, but received: {device}')
        )


class NamespaceInfo:
    """What the standard's inspection functions say.

    >>> import autotrace.numpy as anp
    >>> anp.__array_namespace_info__().dtypes(kind="real floating")
    {'float32': dtype('float32'), 'float64': dtype('float64')}
    """

    def capabilities(self) -> dict[str, Any]:
        """Whether shapes may depend on data, and how many dimensions an array may have."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """The device of new arrays: there is one."""
        return _DEVICE

    def devices(self) -> list[str]:
        """All devices."""
        return [_DEVICE]

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype]:
        """The dtypes of new arrays where none is asked for."""
        check_device(device)
        return {
            "real floating": np.dtype(np.float64),
            "complex floating": np.dtype(np.complex128),
            "integral": np.dtype(np.intp),
            "indexing": np.dtype(np.intp),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype]:
        """The standard's dtypes, by name.

        Args:
          device: None or "cpu".
          kind: one of ``isdtype``'s names or a tuple of them; all of them when None.

        Raises:
          ValueError: for another device or kind.
        """
        check_device(device)
        kinds = ("bool", "numeric") if kind is None else kind if type(kind) is tuple else (kind,)
        for k in kinds:
            if k not in _DTYPES:
                raise ValueError(located(f"unsupported kind: {k!r}"))
        names = dict.fromkeys(name for k in kinds for name in _DTYPES[k])
        return {name: np.dtype(name) for name in names}


def array_namespace_info() -> NamespaceInfo:
    """The standard's inspection functions for this namespace.

    >>> array_namespace_info().default_device()
    'cpu'
    """
    return NamespaceInfo()


# --- functions ---------------------------------------------------------------------------------


def sort(
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: Any = None,
    descending: bool = False,
) -> Any:
    """As ``numpy.sort``, on arrays and traced values; also in descending order.

    >>> sort([3, 1, 2], descending=True)
    array([3, 2, 1])
    """
    out = manipulation.sort(a, axis, kind, order, stable=stable)
    return flip(out, -1 if axis is None else axis) if descending else out


def argsort(
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: Any = None,
    descending: bool = False,
) -> Any:
    """As ``numpy.argsort``, on arrays and traced values; also in descending order, in which equal
    elements keep their order where ``stable`` asks for that.

    >>> argsort([3, 1, 3], descending=True, stable=True)
    array([0, 2, 1])
    """
    if not descending:
        return manipulation.argsort(a, axis, kind, order, stable=stable)
    if axis is None:
        a, axis = manipulation.ravel(a), -1
    places = manipulation.argsort(flip(a, axis), axis, kind, order, stable=stable)
    return manipulation.shape(a)[axis] - 1 - flip(places, axis)


def _dtype_of(x: Any) -> Any:
    return x.dtype if isinstance(x, Tracer | np.ndarray | np.generic) else x


def finfo(type: Any, /) -> np.finfo:  # noqa: A002  the standard's name
    """As ``numpy.finfo``, of a dtype or of an array's.

    >>> finfo(np.ones(3, np.float32)).bits
    32
    """
    return np.finfo(_dtype_of(type))


def iinfo(type: Any, /) -> np.iinfo:  # noqa: A002  the standard's name
    """As ``numpy.iinfo``, of a dtype or of an array's.

    >>> iinfo(np.ones(3, np.int8)).max
    127
    """
    return np.iinfo(_dtype_of(type))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """As ``numpy.from_dlpack``; a traced value as it is, or a copy of it.

    >>> from_dlpack(np.arange(3))
    array([0, 1, 2])
    """
    if not isinstance(x, Tracer):
        given = {"device": device, "copy": copy}
        return np.from_dlpack(x, **{k: v for k, v in given.items() if v is not None})
    check_device(device)
    return manipulation.copy(x) if copy else x


# --- attributes of arrays ------------------------------------------------------------------------


def _array_namespace(self: Any, /, *, api_version: str | None = None) -> ModuleType:
    """The functions that go with traced arrays: ``autotrace.numpy``.

    Raises:
      ValueError: for a version of the standard that there is no support for.
    """
    if api_version not in (None, *_VERSIONS):
        raise ValueError(
            located(f'Version "{api_version}" of the Array API Standard is not supported.')
        )
    return sys.modules[__package__]


def _to_device(self: Any, device: Any, /, *, stream: Any = None) -> Any:
    """The array itself, since there is one device."""
    if stream is not None:
        raise ValueError(located("The stream argument in to_device() is not supported"))
    check_device(device)
    return self


def _dlpack(self: Any, **kwargs: Any) -> Any:
    """What other libraries read an array by: of a held one only, others have no memory."""
    if type(self) is HeldTracer:
        return self.view().__dlpack__(**kwargs)
    return self.__array__()


def install() -> None:
    """Put the standard's attributes on ``Tracer``, as far as ndarray's methods are not they."""
    attributes: dict[str, Any] = {
        "__array_namespace__": _array_namespace,
        "__dlpack__": _dlpack,
        "__dlpack_device__": lambda self: (1, 0),
        "device": property(lambda self: _DEVICE, doc='The device that it is on: "cpu".'),
        "to_device": _to_device,
    }
    for name, attribute in attributes.items():
        setattr(Tracer, name, attribute)
