"""The intermediate representation: typed, in single-assignment form, printable, checkable.

``{ lambda c:f64[3] ; a:f64[]. let b:f64[3] = mul c a in (b,) }`` reads: with the constant ``c``
and the input ``a``, the one equation makes ``b``, which is the output. Constants are inputs whose
values the jaxpr carries; only scalars stand in equations as literals.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .avals import ShapedArray, aval_of
from .errors import JaxprTypeError, located
from .primitive import Primitive
from .showing import Drawable, shortened
from .source import Location
from .trace import Tracer, get_aval


class Var:
    """A variable: an aval and an identity."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __repr__(self) -> str:
        return f"Var({self.aval})"


class Literal:
    """A value that stands in an equation: a scalar, or any constant while tracing goes on."""

    __slots__ = ("_aval", "value")

    def __init__(self, value: Any):
        self.value = value
        self._aval: ShapedArray | None = None

    @property
    def aval(self) -> ShapedArray:
        if self._aval is None:
            self._aval = get_aval(self.value)
        return self._aval

    def __repr__(self) -> str:
        return f"Literal({self.value})"


Atom = Var | Literal


class Eqn:
    """One equation: ``outvars = primitive[params] invars``, and the user's line it comes from."""

    __slots__ = ("invars", "location", "outvars", "params", "primitive")

    def __init__(
        self,
        primitive: Primitive,
        invars: Sequence[Any],
        outvars: Sequence[Var],
        params: dict[str, Any],
        location: Location | None,
    ):
        self.primitive = primitive
        self.invars = invars
        self.outvars = outvars
        self.params = params
        self.location = location

    def __repr__(self) -> str:
        return "\n".join(Printer().eqn(self))

    def __reduce__(self) -> tuple:
        return (Eqn, (self.primitive, self.invars, self.outvars, self.params, self.location))


class Jaxpr(Drawable):
    """A function of arrays as a list of equations.

    ``print`` shows all of it, ``repr`` and notebooks the beginning of a long one; ``to_svg`` and
    ``to_dot`` draw it.

    Attributes:
      constvars: the variables of the constants.
      consts: their values.
      invars: the inputs.
      eqns: the equations, in an order in which they can be run.
      outvars: the outputs: variables or literals.
    """

    __slots__ = ("__weakref__", "consts", "constvars", "eqns", "invars", "outvars")

    def __init__(
        self,
        constvars: Sequence[Var],
        consts: Sequence[Any],
        invars: Sequence[Var],
        eqns: list[Eqn],
        outvars: Sequence[Any],
    ):
        self.constvars = list(constvars)
        self.consts = list(consts)
        self.invars = list(invars)
        self.eqns = eqns
        self.outvars = list(outvars)

    @property
    def in_avals(self) -> list[ShapedArray]:
        return [v.aval for v in self.invars]

    @property
    def out_avals(self) -> list[ShapedArray]:
        return [v.aval for v in self.outvars]

    @property
    def effectful(self) -> bool:
        return any(eqn.primitive.effectful or _calls_effects(eqn) for eqn in self.eqns)

    def __str__(self) -> str:
        return "\n".join(Printer().jaxpr(self))

    def __repr__(self) -> str:
        return shortened(Printer().jaxpr(self), "print(jaxpr) shows them all")


def _calls_effects(eqn: Eqn) -> bool:
    # Asked of each equation several times; most have no parameters, or numbers only.
    for value in eqn.params.values():
        if type(value) is Jaxpr:
            if value.effectful:
                return True
        elif type(value) is tuple:
            for v in value:
                if type(v) is Jaxpr and v.effectful:
                    return True
    return False


def sub_jaxprs(params: dict[str, Any]) -> Iterator[Jaxpr]:
    """The jaxprs among an equation's parameters."""
    for value in params.values():
        if isinstance(value, Jaxpr):
            yield value
        elif isinstance(value, tuple):
            yield from (v for v in value if isinstance(v, Jaxpr))


def check_pickles(jaxpr: Jaxpr) -> None:
    """Check that the functions among the parameters of a jaxpr's equations can be pickled.

    Raises:
      PicklingError: naming the equation's primitive and its line.
    """
    for eqn in jaxpr.eqns:
        for name, value in eqn.params.items():
            if not callable(value):
                continue
            try:
                pickle.dumps(value)
            except Exception as error:
                raise pickle.PicklingError(
                    located(
                        f"a program cannot be pickled: its primitive {eqn.primitive.name} has a "
                        f"Python function as its parameter {name}, which cannot be: {error}",
                        "What to do: pickle a program without callbacks and custom rules, or pickle"
                        " the function it is made from and compile that in the other process.",
                        eqn.location,
                    )
                ) from None
        for sub in sub_jaxprs(eqn.params):
            check_pickles(sub)


def has_effect(eqn: Eqn) -> bool:
    """Whether an equation must be kept even when nothing uses its outputs."""
    return eqn.primitive.effectful or _calls_effects(eqn)


def var_name(index: int) -> str:
    """0 -> a, 25 -> z, 26 -> ba, as a jaxpr names its variables."""
    name = ""
    while True:
        index, digit = divmod(index, 26)
        name = chr(ord("a") + digit) + name
        if index == 0:
            return name


def plain_params(eqn: Eqn) -> str:
    """The parameters of an equation as text, without jaxprs and functions."""
    shown = [
        f"{name}={value}"
        for name, value in sorted(eqn.params.items())
        if value is not None and not callable(value) and not _has_jaxprs(value)
    ]
    return " ".join(shown)


def nested_params(eqn: Eqn) -> list[tuple[str, Any]]:
    """The parameters of an equation that are jaxprs or tuples with jaxprs in them."""
    return [(name, value) for name, value in sorted(eqn.params.items()) if _has_jaxprs(value)]


def _has_jaxprs(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(isinstance(v, Jaxpr) for v in value)
    return isinstance(value, Jaxpr)


class Printer:
    """A jaxpr as text. Variables are named in the order in which they are met."""

    def __init__(self) -> None:
        self.names: dict[Any, str] = {}

    def name(self, var: Any) -> str:
        return self.names.setdefault(var, var_name(len(self.names)))

    def binder(self, var: Var) -> str:
        return f"{self.name(var)}:{var.aval}"

    def atom(self, atom: Any) -> str:
        if isinstance(atom, Var):
            return self.name(atom)
        value = atom.value
        if isinstance(value, Tracer) or np.ndim(value):
            return str(atom.aval)
        text = repr(value.item() if isinstance(value, np.generic | np.ndarray) else value)
        return f"{text}:{atom.aval}"

    def binders(self, variables: Iterable[Var]) -> str:
        return " ".join(self.binder(v) for v in variables)

    def jaxpr(self, jaxpr: Jaxpr) -> list[str]:
        head = f"{{ lambda {self.binders(jaxpr.constvars)} ; {self.binders(jaxpr.invars)}."
        head = head.replace("lambda  ;", "lambda ;").replace("; .", ";")
        body = [line for eqn in jaxpr.eqns for line in self.eqn(eqn)]
        outs = [self.atom(a) for a in jaxpr.outvars]
        result = f"({', '.join(outs)}{',' if len(outs) == 1 else ''})"
        if not body:
            return [f"{head} let in {result} }}"]
        return [f"{head} let", *(f"    {line}" for line in body), f"  in {result} }}"]

    def eqn(self, eqn: Eqn) -> list[str]:
        params = plain_params(eqn)
        nested = []
        for name, value in nested_params(eqn):
            if isinstance(value, Jaxpr):
                lines = Printer().jaxpr(value)
                nested += [f"  {name}={lines[0]}", *(f"  {line}" for line in lines[1:])]
            else:
                nested.append(f"  {name}=(")
                nested += [f"    {line}" for v in value for line in Printer().jaxpr(v)]
                nested.append("  )")
        left = self.binders(eqn.outvars) or "_"
        right = " ".join(self.atom(a) for a in eqn.invars)
        if not nested:
            bracket = f"[{params}]" if params else ""
            return [f"{left} = {eqn.primitive.name}{bracket} {right}".rstrip()]
        return [
            f"{left} = {eqn.primitive.name}[{params}",
            *(f"  {line}" for line in nested),
            f"] {right}".rstrip(),
        ]


def check_jaxpr(jaxpr: Jaxpr, after: str = "") -> None:
    """Type-check a jaxpr: each variable is defined once and before its use, and each equation's
    outputs have the types that the primitive's type rule gives.

    Args:
      after: the pass that made it, for the message.

    Raises:
      JaxprTypeError: naming the equation.
    """
    where = f" after {after}" if after else ""
    defined: set[Any] = set()

    def define(var: Any, what: str) -> None:
        if not isinstance(var, Var):
            raise JaxprTypeError(f"{what} is not a variable{where}: {var!r}\n{jaxpr}")
        if var in defined:
            raise JaxprTypeError(f"{what} is defined twice{where}: {var!r}\n{jaxpr}")
        defined.add(var)

    def use(atom: Any, what: str) -> None:
        if isinstance(atom, Var):
            if atom not in defined:
                raise JaxprTypeError(f"{what} uses an undefined variable{where}\n{jaxpr}")
        elif not isinstance(atom, Literal) or atom.aval.shape:
            raise JaxprTypeError(f"{what} uses what is no variable or scalar{where}: {atom!r}")

    if len(jaxpr.constvars) != len(jaxpr.consts):
        raise JaxprTypeError(f"constvars and consts differ in number{where}")
    for var, const in zip(jaxpr.constvars, jaxpr.consts, strict=True):
        define(var, "a constant")
        _check_same(get_aval(const), var.aval, f"a constant{where}")
    for var in jaxpr.invars:
        define(var, "an input")
    for eqn in jaxpr.eqns:
        what = f"the equation `{str(eqn).splitlines()[0]}`"
        for atom in eqn.invars:
            use(atom, what)
        avals = [a.aval for a in eqn.invars]
        try:
            expected = eqn.primitive.out_avals(avals, eqn.params)
        except Exception as error:
            raise JaxprTypeError(f"{what} does not type-check{where}: {error}") from error
        if len(expected) != len(eqn.outvars):
            raise JaxprTypeError(f"{what} should have {len(expected)} outputs{where}")
        for var, aval in zip(eqn.outvars, expected, strict=True):
            define(var, what)
            _check_same(aval, var.aval, what + where)
        for sub in sub_jaxprs(eqn.params):
            check_jaxpr(sub, after)
    for atom in jaxpr.outvars:
        use(atom, "an output")


def _check_same(expected: ShapedArray, actual: ShapedArray, what: str) -> None:
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        raise JaxprTypeError(f"{what}: the type rule gives {expected}, the variable has {actual}")


def literal_or_none(value: Any) -> Literal | None:
    """A literal for a concrete scalar, None for what has to be a constant."""
    if isinstance(value, Tracer) or aval_of(value).shape:
        return None
    return Literal(value)
