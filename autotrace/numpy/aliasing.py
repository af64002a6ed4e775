"""Views of traced arrays: what else changes when one of them is assigned to.

A traced value has no memory; that ``row = y[0]`` is a view of ``y`` is noted when it is made, by
``link``. ``write`` gives a handle a new value, puts that into the array it is a view of, and so on
down to the array that is no view (its *root*), and then makes all living views of them anew. So
reading costs nothing, and what nobody holds any more costs nothing either.

Whether NumPy would have made a view is asked of NumPy: the function is run on an array that lies in
memory as the root does. Where that is not known, and makes a difference, assignment is an error.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import uniform_value
from ..core.errors import AssignmentError, located
from ..core.primitive import Primitive
from ..core.trace import Tracer, innermost_staging
from ..lax import arithmetic as arith
from ..lax.dynamic_slicing import dynamic_update_slice_p
from ..lax.indexing import INDEX
from ..lax.slicing import rev_p, slice_p
from ..lax.structural import broadcast_in_dim_p, reshape, reshape_p, transpose_p
from ..transforms.held import HeldTracer
from ..transforms.stage import stage


class Place:
    """Where a handle stands among the handles on one memory.

    Attributes:
      base: the handle of which it is a view; None for a root, which is a view of none.
      make: from the base, or an ndarray in its place, to the view; its attribute ``traced`` says
        whether traced positions decide which.
      put: from the base and a new value of the view to the base's new value; None to work it out.
      index: what stood between the brackets, where the view is an index of the base.
      shares: whether NumPy would have made a view and not a copy; None until it is asked.
      writeable: whether that view can be assigned to; None until it is asked.
      views: weak references to the views that were made of it.
      order: of a root, how it lies in memory: ``"C"``, ``"F"``, or None where that is not known.
    """

    __slots__ = ("_limit", "base", "index", "make", "order", "put", "shares", "views", "writeable")

    def __init__(
        self,
        base: Any = None,
        make: Callable | None = None,
        put: Callable | None = None,
        index: Any = None,
        shares: bool | None = None,
        writeable: bool | None = None,
        order: str | None = None,
    ):
        self.base = base
        self.make = make
        self.put = put
        self.index = index
        self.shares = shares
        self.writeable = writeable
        self.order = order
        self.views: list[weakref.ref] = []
        self._limit = 16

    def add(self, view: Any) -> None:
        views = self.views
        views.append(weakref.ref(view))
        if len(views) > self._limit:
            views[:] = [v for v in views if v() is not None]
            self._limit = 2 * len(views) + 16


def place_of(x: Any) -> Place:
    """The place of a handle, made where it has none."""
    place = getattr(x, "place", None)
    if place is None:
        place = x.place = Place()
    return place


def link(base: Any, view: Any, make: Callable, *known: Any, **named: Any) -> Any:
    """Note that a handle is a view of another, and return it.

    Args:
      known, named: what else a ``Place`` is told.
    """
    if view is base:
        view = HeldTracer(base.array) if type(base) is HeldTracer else base.twin()
    place_of(base).add(view)
    view.place = Place(base, make, *known, **named)
    return view


def ordered(x: Any, order: str | None) -> Any:
    """Note how a fresh array lies in memory, and return it."""
    if order is not None and isinstance(x, Tracer) and type(x) is not HeldTracer and x.ndim > 1:
        place_of(x).order = order
    return x


# --- whether it is a view ----------------------------------------------------------------------

_ORDER_REMEDY = (
    "What to do: make it of an array that is known to lie in C order: x = x.copy() before the "
    "reshape; or do not keep the reshaped array while assigning."
)


def _shares(view: Any) -> bool:
    """Whether a handle that was made as a view is one."""
    place = view.place
    if place.shares is None:
        answers = {np.may_share_memory(*_stand_ins(view, order)) for order in _orders(view)}
        if len(answers) > 1:
            raise AssignmentError(
                located(
                    f"assignment to an array of which another, of {view.aval}, may be a view: "
                    "whether NumPy would have made a copy depends on how the array lies in "
                    "memory, which is not known of a traced one",
                    _ORDER_REMEDY,
                )
            )
        (place.shares,) = answers
    return place.shares


def _orders(view: Any) -> list[Any]:
    """The ways in which the root of a view may lie in memory, as permutations of its axes."""
    root = view
    while root.place.base is not None:
        root = root.place.base
    axes = [d for d, n in enumerate(root.shape) if n > 1]
    rest = [d for d, n in enumerate(root.shape) if n <= 1]
    if root.place.order == "C":
        return [(*rest, *axes)]
    if root.place.order == "F":
        return [(*rest, *axes[::-1])]
    if len(axes) > 4:  # enough to tell whether it matters
        return [(*rest, *axes), (*rest, *axes[::-1])]
    return [(*rest, *order) for order in itertools.permutations(axes)]


def _stand_ins(view: Any, order: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Arrays that lie in memory as a view's root and the view would."""
    place = view.place
    if place.base is None:
        root = np.empty([view.shape[d] for d in order], view.dtype)
        root = root.transpose(np.argsort(order))
        return root, root
    root, base = _stand_ins(place.base, order)
    made = place.make(base)
    if place.base.place.base is not None and not _shares(place.base):
        root = base
    return root, made


def _writeable(view: Any) -> bool:
    place = view.place
    if place.writeable is None:
        place.writeable = _stand_ins(view, _orders(view)[0])[1].flags.writeable
    return place.writeable


# --- putting a new value into the base ---------------------------------------------------------


def _put_slice(base: Any, new: Any, *, start_indices: Any, strides: Any, **_: Any) -> Any:
    # What cuts an array, such as np.split, takes no steps.
    return dynamic_update_slice_p.bind(base, new, *map(INDEX.type, start_indices))


_PUT: dict[Any, Callable] = {
    reshape_p: lambda base, new, **_: reshape(new, base.shape),
    transpose_p: lambda base, new, permutation: transpose_p.bind(
        new, permutation=tuple(int(d) for d in np.argsort(permutation))
    ),
    rev_p: lambda base, new, dimensions: rev_p.bind(new, dimensions=dimensions),
    slice_p: _put_slice,
    arith.convert_element_type_p: lambda base, new, **_: new,
    arith.real_p: lambda base, new: arith.complex(new, arith.imag(base)),
    arith.imag_p: lambda base, new: arith.complex(arith.real(base), new),
    broadcast_in_dim_p: lambda base, new, **_: reshape(new, base.shape),
}


def _put(view: Any, base_value: Any, new: Any) -> Any:
    """The base's value with a view's new value in it: what ``make`` does, undone step by step."""
    make = view.place.make
    jaxpr = stage(lambda x: [make(x)], [view.place.base.aval.strong()], "assignment")
    values = [base_value]
    steps: list[tuple[Primitive, dict]] = []
    for eqn in jaxpr.eqns:
        if eqn.primitive not in _PUT or any(s != 1 for s in eqn.params.get("strides", ())):
            raise AssignmentError(
                located(
                    "assignment to a view of a traced array that was made in a way that cannot be "
                    f"undone ({eqn.primitive.name})",
                    "What to do: assign to the array itself, y[i] = v.",
                )
            )
        steps.append((eqn.primitive, eqn.params))
        values.append(eqn.primitive.bind(values[-1], **eqn.params))
    for (primitive, params), before in zip(reversed(steps), reversed(values[:-1]), strict=True):
        new = _PUT[primitive](before, new, **params)
    return new


# --- assignment --------------------------------------------------------------------------------


def write(target: Any, value: Any) -> None:
    """Give a handle, and all that shares memory with it, a new value of the same shape and dtype.

    Args:
      target: the handle.
      value: a value that no handle of the user's stands for, traced or an array.

    Raises:
      ValueError: where NumPy's array would be read-only.
      AssignmentError: where it is not known what shares memory.
    """
    value = _as_handle(value)
    changed = []
    node = target
    while (place := getattr(node, "place", None)) is not None and place.base is not None:
        if not _shares(node):
            break
        if not _writeable(node):
            raise ValueError(located("assignment destination is read-only"))
        changed.append((node, value))
        value = place.put(place.base, value) if place.put else _put(node, place.base, value)
        value = _as_handle(value)
        node = place.base
    if type(node) is HeldTracer:
        _check_level(node, value)
        _note_order(node)
    _check_views(node)
    _become(node, value)
    known = [node]
    for handle, new in changed:
        if type(new) is not HeldTracer and type(node) is not HeldTracer:
            handle.become(new)
            known.append(handle)
    _refresh(node, known)


def _as_handle(value: Any) -> Tracer:
    """A value as something that a handle can stand for."""
    if isinstance(value, Tracer):
        return value
    return HeldTracer(np.array(value), uniform_value(value))


def _become(handle: Any, new: Any) -> None:
    handle.become(new)
    if type(new) is HeldTracer:
        handle.repeated = new.repeated
        place = getattr(handle, "place", None)
        order: Any = (None if place is None else place.order) or "K"
        # It lies as it lay, or its views would be none.
        handle.array = np.array(new.array, order=order, copy=True if new.lent else None)
        handle.lent = False


def _note_order(root: Any) -> None:
    """Keep how a held array lies in memory."""
    if root.array.ndim > 1:
        flags = root.array.flags
        place_of(root).order = "C" if flags.c_contiguous else "F" if flags.f_contiguous else None


def _refresh(handle: Any, known: Sequence[Any]) -> None:
    """Make the views of a handle anew, except those whose new value is known."""
    place = getattr(handle, "place", None)
    if place is None:
        return
    for reference in list(place.views):
        view = reference()
        if view is None or not _shares(view):
            continue
        if not any(view is k for k in known):
            if type(handle) is HeldTracer and not view.place.make.traced:
                view.become(HeldTracer(view.place.make(handle.array)))
                view.repeated = None
            else:
                view.become(view.place.make(handle))
        _refresh(view, known)


def _check_views(handle: Any) -> None:
    """Find out what is a view, or raise, before anything is changed."""
    place = getattr(handle, "place", None)
    for reference in place.views if place is not None else ():
        view = reference()
        if view is not None and _shares(view):
            _check_views(view)


def _check_level(root: Any, value: Any) -> None:
    """Refuse to put a value of an inner transform into a held array from outside of it."""
    staging = innermost_staging()
    inner = value.owner
    if type(value) is HeldTracer and staging is not None:
        inner = staging
    if inner.level > root.born:
        raise AssignmentError(
            located(
                f"an array that was made outside of the function under {inner.transform} is "
                "assigned to in it",
                "What to do: pass the array as an argument and return the new one.",
            )
        )


def write_numbers(target: Any, act: Callable[[np.ndarray], Any]) -> None:
    """Change a held array in place.

    Args:
      target: its handle.
      act: changes the ndarray.
    """
    root = target.root
    _check_level(root, root)
    if root.lent:
        root.array = root.array.copy(order="K")
        root.lent = False
        _refresh(root, [root])
    root.repeated = None
    act(target.array)
    _refresh_traced(root)


def _refresh_traced(held: Any) -> None:
    """Make the views of a held array anew that are traced, since they are at traced positions."""
    place = getattr(held, "place", None)
    for reference in place.views if place is not None else ():
        view = reference()
        if view is not None and type(view) is HeldTracer:
            _refresh_traced(view)
        elif view is not None:
            view.become(view.place.make(held))
            _refresh(view, ())
