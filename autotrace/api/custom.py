"""Functions with derivative rules of their own, and recomputation in reverse mode."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, cast, overload

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray, float0, tangent_aval, zeros_of
from ..core.errors import located
from ..core.tangents import float0_zeros
from ..core.trace import get_aval
from ..lax.arithmetic import convert_element_type
from ..lax.calls import custom_jvp_call_p, custom_vjp_call_p
from ..lax.checkpointing import Policy, checkpoint_p, nothing_saveable, without_calls
from ..lax.structural import array
from ..transforms.stage import as_numpy, hoist_tracers, stage
from .arguments import (
    F,
    FlatFunction,
    P,
    R,
    as_array,
    check_callable,
    copied,
    flatten_arrays,
    global_name,
    name_of,
    normalize_argnums,
    owned,
    plain,
    signature_of,
    without_static,
)
from .transformed import wraps


class _CustomRule(Generic[P, R]):
    """What ``custom_jvp`` and ``custom_vjp`` share: argument handling."""

    _kind = ""

    def __init__(self, fun: Callable[P, R], nondiff_argnums: int | Sequence[int] = ()):
        check_callable(fun, self._kind)
        functools.update_wrapper(cast(Callable, self), fun)
        self.fun = fun
        self.nondiff_argnums = nondiff_argnums
        self._signature = signature_of(fun)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        raise NotImplementedError

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"<{self._kind} of {name_of(self.fun)}>"

    def __reduce__(self) -> Any:
        # A decorated function's name leads to this object, not to the function it wraps.
        return global_name(self) or super().__reduce__()

    def _positional(self, args: tuple, kwargs: dict) -> list[Any]:
        """The arguments in the order of the signature, with defaults filled in."""
        if self._signature is None:
            if kwargs:
                raise TypeError(
                    located(
                        f"{self._kind} of {name_of(self.fun)}: keyword arguments need a "
                        "function whose signature Python knows"
                    )
                )
            return list(args)
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        refused = [name for name in bound.kwargs if name in kwargs]
        if refused:
            raise TypeError(
                located(
                    f"{self._kind} of {name_of(self.fun)}: keyword-only arguments "
                    f"{refused} are not supported",
                    "What to do: make them positional.",
                )
            )
        return list(bound.args)

    def _split(self, args: list[Any]) -> tuple[list[Any], list[Any], Callable]:
        """Nondifferentiated arguments, the others, and a function that puts the others' values
        among the former. It keeps none of the others: programs keep it."""
        what = f"{self._kind} of {name_of(self.fun)}"
        fixed = sorted(
            normalize_argnums(self.nondiff_argnums, len(args), what, "nondiff_argnums")
            if self.nondiff_argnums != ()
            else []
        )
        positions = [i for i in range(len(args)) if i not in fixed]
        kept = [x if i in fixed else None for i, x in enumerate(args)]

        def complete(dynamic: Iterable[Any]) -> list[Any]:
            full = list(kept)
            for position, arg in zip(positions, dynamic, strict=True):
                full[position] = arg
            return full

        return [args[i] for i in fixed], [args[i] for i in positions], complete

    def _of(self, complete: Callable) -> Callable:
        """The function of the differentiated arguments."""

        def partial(*dynamic: Any) -> Any:
            return cast(Callable, self.fun)(*complete(dynamic))

        partial.__name__ = name_of(self.fun)
        return partial


class _Rule:
    """A rule of one call, as a function of flat arrays. It is equal to that of another call which
    does the same, so that a loop in whose turns it comes is seen to be one."""

    __slots__ = ("_function", "_key")

    def __init__(self, function: Callable, fixed: Sequence[Any], *same: Any):
        """
        Args:
          function: does it.
          fixed: the call's arguments that are not differentiated.
          same: what else tells calls apart, hashable.
        """
        self._function = function
        self._key: Any = (*same, *((type(x), x) for x in fixed))
        try:
            hash(self._key)
        except TypeError:
            self._key = object()

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rule) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def _rule_missing(kind: str, fun: Callable, method: str) -> AttributeError:
    return AttributeError(
        located(
            f"no derivative rule was given to the {kind} function {name_of(fun)}",
            f"What to do: give it one with {name_of(fun)}.{method}(...).",
        )
    )


class SymbolicZero:
    """A tangent that is known to be zero, in rules that ask for these: see ``custom_jvp.defjvp``.

    It is no array, and no operation takes it; a rule may return one for an output.

    Attributes:
      shape, dtype: those of the tangent.
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Sequence[int], dtype: Any):
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)

    def __repr__(self) -> str:
        return f"SymbolicZero({self.shape}, {self.dtype.name})"


class custom_jvp(_CustomRule[P, R]):  # noqa: N801  JAX's name
    """A function whose derivative is given by a rule, in forward and in reverse mode.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays.
      nondiff_argnums: positions of arguments that are not differentiated; they may be anything,
        and come first in the rule.

    The rule is set with ``defjvp`` or ``defjvps``. It must be linear in the tangents and made of
    operations that can be differentiated themselves, if higher derivatives are wanted.

    >>> import numpy as np
    >>> import autotrace as at
    >>> @at.custom_jvp
    ... def log1pexp(x):
    ...     return np.log1p(np.exp(x))
    >>> @log1pexp.defjvp
    ... def log1pexp_jvp(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), t * (1 - 1 / (1 + np.exp(x)))
    >>> at.grad(log1pexp)(100.0)
    np.float64(1.0)
    """

    _kind = "custom_jvp"

    def __init__(self, fun: Callable[P, R], nondiff_argnums: int | Sequence[int] = ()):
        super().__init__(fun, nondiff_argnums)
        self._jvp: Callable | None = None
        self._symbolic_zeros = False

    def defjvp(self, jvp: F, symbolic_zeros: bool = False) -> F:
        """Set the rule.

        Args:
          jvp: ``(*nondiff args, primals, tangents) -> (primals_out, tangents_out)`` with tuples
            of primals and tangents.
          symbolic_zeros: whether tangents that are known to be zero, those of arguments with
            respect to which nothing is differentiated, come as ``autotrace.SymbolicZero`` in
            place of arrays of zeros, so that the rule can leave out what it would multiply them
            with. Tangents of integers and booleans are such ones then. The rule may return some.

        Returns:
          ``jvp``, so that this works as a decorator.

        >>> import numpy as np
        >>> import autotrace as at
        >>> @at.custom_jvp
        ... def scaled(x, rate):
        ...     return x * np.exp(rate)
        >>> def rule(primals, tangents):
        ...     (x, rate), (t, t_rate) = primals, tangents
        ...     out = scaled(x, rate)
        ...     known = isinstance(t_rate, at.SymbolicZero)
        ...     return out, t * np.exp(rate) + (0.0 if known else t_rate * out)
        >>> _ = scaled.defjvp(rule, symbolic_zeros=True)
        >>> at.grad(scaled)(2.0, 0.0)
        np.float64(1.0)
        """
        check_callable(jvp, "defjvp")
        self._symbolic_zeros = bool(symbolic_zeros)
        self._jvp = jvp
        return jvp

    def defjvps(self, *jvps: Callable | None) -> None:
        """Set the rule as one function for each argument.

        Args:
          jvps: for each argument, ``(tangent, primal_out, *primals) -> its share of the output
            tangent``, or None where the derivative is zero.
        """
        if self.nondiff_argnums != ():
            raise TypeError("defjvps does not go with nondiff_argnums; use defjvp")

        def jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple:
            out = cast(Callable, self)(*primals)
            shares = [
                rule(t, out, *primals)
                for rule, t in zip(jvps, tangents, strict=True)
                if rule is not None
            ]
            if not shares:
                return out, tree.map(lambda x: zeros_of(tangent_aval(get_aval(x))), out)
            return out, functools.reduce(lambda a, b: tree.map(lambda x, y: x + y, a, b), shares)

        self._jvp, self._symbolic_zeros = jvp, False

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._jvp is None:
            raise _rule_missing("custom_jvp", self.fun, "defjvp")
        what = f"custom_jvp of {name_of(self.fun)}"
        fixed, dynamic, complete = self._split(self._positional(args, kwargs))
        leaves, in_tree = flatten_arrays(dynamic, f"{what}: argument ")
        leaves = [as_numpy(x) for x in leaves]
        flat = FlatFunction(self._of(complete), in_tree)
        rule, symbolic = self._jvp, self._symbolic_zeros

        def flat_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple:
            avals = [tangent_aval(get_aval(p)) for p in primals]
            given = [_given(t, a, symbolic) for t, a in zip(tangents, avals, strict=True)]
            pair = rule(
                *fixed,
                tuple(tree.unflatten(in_tree, [copied(x) for x in primals])),
                tuple(tree.unflatten(in_tree, given)),
            )
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise TypeError(
                    located(
                        f"{what}: the rule must return a pair (primals_out, tangents_out), "
                        f"got {type(pair).__name__}"
                    )
                )
            outs, flat.out_tree = tree.flatten(pair[0])
            made, tangent_tree = tree.flatten(pair[1])
            if tangent_tree != flat.out_tree:
                raise TypeError(
                    located(
                        f"{what}: the rule's tangents_out must have the structure of its "
                        f"primals_out, {flat.out_tree}, got {tangent_tree}"
                    )
                )
            outs = [array(owned(as_array(x, what))) for x in outs]
            avals = [tangent_aval(get_aval(x)) for x in outs]
            what_made = f"{what}: the rule gave a tangent"
            return outs, [_fit(t, a, what_made) for t, a in zip(made, avals, strict=True)]

        jvp = _Rule(flat_jvp, fixed, rule, symbolic, in_tree)
        outs = custom_jvp_call_p.bind(*leaves, call=flat, jvp=jvp, name=name_of(self.fun))
        return tree.unflatten(flat.out_tree, outs)


def _given(tangent: Any, aval: ShapedArray, symbolic: bool) -> Any:
    """A tangent as a rule takes it."""
    if tangent is not None and aval.dtype != float0:
        return copied(tangent)
    if symbolic:
        return SymbolicZero(aval.shape, aval.dtype)
    return float0_zeros(aval.shape) if aval.dtype == float0 else zeros_of(aval)


def _fit(made: Any, aval: ShapedArray, what: str) -> Any:
    """A tangent or cotangent that a rule made, checked; None where there can be none."""
    if aval.dtype == float0:
        return None
    if isinstance(made, SymbolicZero):
        if made.shape != aval.shape:
            raise TypeError(located(f"{what} of {made} for a value of {aval}"))
        return None
    got = get_aval(as_array(made, what))
    if got.shape != aval.shape:
        raise TypeError(located(f"{what} of {got} for a value of {aval}"))
    return convert_element_type(array(owned(made)), aval.dtype)


class custom_vjp(_CustomRule[P, R]):  # noqa: N801  JAX's name
    """A function whose reverse-mode derivative is given by a pair of functions.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays.
      nondiff_argnums: positions of arguments that are not differentiated; they may be anything,
        and come first in ``bwd``.

    The pair is set with ``defvjp``. Forward mode is an error; see ``custom_jvp``, which serves
    both. ``fun``, ``fwd`` and ``bwd`` may use values from outside, but not values with respect to
    which a surrounding function is being differentiated.

    >>> import numpy as np
    >>> import autotrace as at
    >>> @at.custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, ct: (np.clip(ct, -1, 1),))
    >>> at.grad(lambda x: 5 * clip_gradient(x))(1.0)
    np.float64(1.0)
    """

    _kind = "custom_vjp"

    def __init__(self, fun: Callable[P, R], nondiff_argnums: int | Sequence[int] = ()):
        super().__init__(fun, nondiff_argnums)
        self._fwd: Callable | None = None
        self._bwd: Callable | None = None

    def defvjp(self, fwd: Callable, bwd: Callable) -> None:
        """Set the rule.

        Args:
          fwd: takes the arguments of the function and returns ``(output, residuals)``, the
            latter any pytree of arrays.
          bwd: ``(*nondiff args, residuals, ct) -> tuple of cotangents``, one for each
            differentiated argument; None for zero.
        """
        check_callable(fwd, "defvjp")
        check_callable(bwd, "defvjp")
        self._fwd, self._bwd = fwd, bwd

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._fwd is None or self._bwd is None:
            raise _rule_missing("custom_vjp", self.fun, "defvjp")
        fixed, dynamic, complete = self._split(self._positional(args, kwargs))
        what = f"custom_vjp of {name_of(self.fun)}"
        leaves, in_tree = flatten_arrays(dynamic, f"{what}: argument ")
        leaves = [as_numpy(x) for x in leaves]
        flat = FlatFunction(self._of(complete), in_tree)
        avals = [tangent_aval(get_aval(x)) for x in leaves]
        rule = _VjpRule(self, complete, fixed, in_tree, avals, flat, what)
        same = (self._fwd, self._bwd, in_tree)
        outs = custom_vjp_call_p.bind(
            *leaves,
            call=flat,
            fwd=_Rule(rule.fwd, fixed, "fwd", *same),
            bwd=_Rule(rule.bwd, fixed, "bwd", *same),
            name=name_of(self.fun),
        )
        return tree.unflatten(flat.out_tree, outs)


class _VjpRule:
    """One call's ``fwd`` and ``bwd`` as functions of flat arrays."""

    def __init__(
        self,
        owner: custom_vjp,
        complete: Callable,
        fixed: list[Any],
        in_tree: tree.TreeDef,
        in_avals: list[ShapedArray],
        flat: FlatFunction,
        what: str,
    ):
        self.owner = owner
        self.complete = complete
        self.fixed = fixed
        self.in_tree = in_tree
        self.in_avals = in_avals
        self.flat = flat
        self.what = what
        self.residual_tree = tree.LEAF

    def fwd(self, *leaves: Any) -> tuple[list[Any], list[Any]]:
        owner, what = self.owner, self.what
        dynamic = tree.unflatten(self.in_tree, [copied(x) for x in leaves])
        pair = owner._fwd(*self.complete(dynamic))  # type: ignore[misc]
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(
                located(
                    f"{what}: fwd must return a pair (output, residuals), got {type(pair).__name__}"
                )
            )
        outs, self.flat.out_tree = tree.flatten(pair[0])
        residuals, self.residual_tree = flatten_arrays(pair[1], f"{what}: residuals")
        return [array(owned(as_array(x, what))) for x in outs], [as_numpy(x) for x in residuals]

    def bwd(self, residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        what = self.what
        out_ct = tree.unflatten(self.flat.out_tree, [copied(x) for x in cts])
        found = self.owner._bwd(  # type: ignore[misc]
            *self.fixed,
            tree.unflatten(self.residual_tree, [copied(x) for x in residuals]),
            out_ct,
        )
        children = self.in_tree.children
        if not isinstance(found, tuple | list) or len(found) != len(children):
            raise TypeError(
                located(
                    f"{what}: bwd must return a tuple of {len(children)} cotangents, one for each "
                    f"differentiated argument, got {type(found).__name__}"
                    + (f" of {len(found)}" if isinstance(found, tuple | list) else "")
                )
            )
        flat: list[Any] = []
        for child, ct in zip(children, found, strict=True):
            if ct is None:
                flat.extend([None] * child.num_leaves)
                continue
            leaves, ct_tree = tree.flatten(ct)
            if ct_tree != child:
                raise TypeError(
                    located(
                        f"{what}: bwd returned a cotangent of structure {ct_tree} for an "
                        f"argument of structure {child}"
                    )
                )
            flat.extend(leaves)
        what_made = f"{what}: bwd returned a cotangent"
        return [
            None if c is None else _fit(c, a, what_made)
            for c, a in zip(flat, self.in_avals, strict=True)
        ]


@overload
def checkpoint(
    fun: Callable[P, R],
    *,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
) -> Callable[P, R]: ...
@overload
def checkpoint(
    fun: None = None,
    *,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def checkpoint(
    fun: Callable | None = None,
    *,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
) -> Any:
    """A function whose intermediate values reverse mode computes again instead of keeping them.

    Trades time for memory: reverse mode keeps the inputs of ``fun``, and what ``policy`` says.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays. When left out, ``checkpoint``
        returns a decorator.
      policy: which values are kept where reverse mode needs them; none when None. There are some
        in ``autotrace.checkpoint_policies``; one of your own is a function ``(primitive, *avals of
        its operands, **its parameters) -> bool`` that is asked of each operation. A loop or a
        branch is one operation, a jitted function those that it is made of.
      static_argnums: positions of arguments that are Python values to the function.

    Returns:
      The function. It is traced abstractly, so Python control flow on values raises, as under
      ``jit``.

    Raises:
      TypeError: when the policy is no function.

    >>> import autotrace as at, numpy as np
    >>> f = lambda x: np.sin(np.sin(x))
    >>> np.isclose(at.grad(at.checkpoint(f))(1.0), at.grad(f)(1.0), rtol=1e-15)
    np.True_
    """
    if fun is None:
        return functools.partial(checkpoint, policy=policy, static_argnums=static_argnums)
    check_callable(fun, "checkpoint")
    what = f"checkpoint of {name_of(fun)}"
    if policy is not None and not callable(policy):
        raise TypeError(
            located(
                f"{what}: policy must be a function, got {policy!r:.80}",
                "What to do: take one of autotrace.checkpoint_policies.",
            )
        )
    keeps = nothing_saveable if policy is None else policy

    @wraps(fun, "checkpoint", policy=policy, static_argnums=static_argnums)
    def checkpoint_f(*args: Any, **kwargs: Any) -> Any:
        call, dynamic = without_static(fun, args, static_argnums, what)
        leaves, in_tree = flatten_arrays((dynamic, kwargs), f"{what}: argument ")
        flat = FlatFunction(call, in_tree)
        jaxpr = stage(flat, [get_aval(x) for x in leaves], "checkpoint")
        jaxpr, closed_over = hoist_tracers(jaxpr)
        values = [*closed_over, *map(as_numpy, leaves)]
        outs = checkpoint_p.bind(
            *values, jaxpr=without_calls(jaxpr), policy=keeps, name=name_of(fun)
        )
        return tree.unflatten(flat.out_tree, plain(outs, [*leaves, *jaxpr.consts]))

    return checkpoint_f
