"""What works of NumPy on traced values: an example of each function, run under each transform.

``python tests/numpy_coverage.py`` writes docs/numpy_coverage.md; test_numpy_coverage.py checks that
the page says what comes out.
"""

from __future__ import annotations

import dataclasses
import re
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import autotrace as at
import autotrace.numpy as anp
from autotrace.core.trace import Tracer
from autotrace.numpy.host import reasons

PAGE = Path(__file__).resolve().parent.parent / "docs" / "numpy_coverage.md"

# --- what the examples are given ---------------------------------------------------------------


def inputs(seed: int) -> dict[str, Any]:
    """Arguments by name: two seeds give arrays of the same shapes, as examples of a batch."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((3, 3))
    return {
        "b": rng.permutation([True, False, True, True, False]),
        "d": root @ root.T + 2 * np.eye(3),
        "g": rng.uniform(1.1, 3.0, 5),
        "i": rng.permutation(5)[:3],
        "k": rng.integers(0, 256, 5, np.uint8),
        "m": rng.permutation([3, 1, 4, 1, 5]),
        "q": root + 3 * np.eye(3),
        "s": np.float64(rng.uniform(0.4, 0.6)),
        "t": np.sort(rng.uniform(0.0, 5.0, 6)) + np.arange(6),
        "u": rng.uniform(0.1, 0.9, 5),
        "v": rng.permutation([-1.3, -0.4, 0.3, 1.2, 2.1]) + rng.uniform(0, 0.1, 5),
        "w": rng.standard_normal(5),
        "x": rng.permutation(np.linspace(-2.1, 2.4, 12)).reshape(3, 4),
        "z": rng.standard_normal(4) + 1j * rng.standard_normal(4),
    }


def changed(function: Callable, a: Any, *args: Any) -> Any:
    """The array that a function leaves behind which changes its first argument."""
    a = a.copy()
    function(a, *args)
    return a


def assigned(made: Any, value: Any) -> Any:
    """An array that was made in the function, with something assigned to it."""
    made[..., 0] = value
    return made


def with_zeros(v: Any) -> Any:
    return np.concatenate([np.zeros(2), v, np.zeros(1)])


_NAMES = {"anp": anp, "assigned": assigned, "changed": changed, "np": np, "with_zeros": with_zeros}

# --- the examples ------------------------------------------------------------------------------

_UNARY = {
    "v": "abs absolute arcsinh arctan asinh atan cbrt ceil conj conjugate cos cosh deg2rad degrees "
    "exp exp2 expm1 fabs fix floor frexp i0 isfinite isinf isnan isneginf isposinf isreal modf "
    "nan_to_num negative positive rad2deg radians reciprocal rint sign signbit sin sinc sinh "
    "spacing square tan tanh trunc",
    "u": "acos arccos arcsin arctanh asin atanh log log10 log1p log2 sqrt",
    "g": "acosh arccosh",
    "m": "bitwise_count bitwise_invert bitwise_not invert",
    "b": "logical_not",
    "z": "angle imag iscomplex real sort_complex",
    "x": "all amax amin any argmax argmin argwhere average count_nonzero cumprod cumsum fliplr "
    "flipud matrix_transpose max mean median min nanargmax nanargmin nancumprod nancumsum nanmax "
    "nanmean nanmedian nanmin nanprod nanstd nansum nanvar nonzero flatnonzero prod ptp ravel "
    "std sum transpose tril triu unstack var atleast_1d atleast_2d atleast_3d diagonal copy around "
    "round asarray asanyarray ascontiguousarray asfortranarray array squeeze argsort sort",
}
_BINARY = {
    "v, w": "add arctan2 atan2 copysign divide fmax fmin hypot logaddexp logaddexp2 maximum "
    "minimum multiply nextafter subtract true_divide allclose array_equal array_equiv equal "
    "greater greater_equal isclose less less_equal not_equal logical_and logical_or logical_xor "
    "convolve correlate dot heaviside inner kron outer vdot vecdot cov corrcoef polyadd polymul "
    "polysub setdiff1d setxor1d union1d intersect1d isin append",
    "g, w": "float_power pow power",
    "v, u": "divmod floor_divide fmod mod remainder",
    "m, i[0]": "bitwise_and bitwise_or bitwise_xor gcd lcm bitwise_left_shift bitwise_right_shift "
    "left_shift right_shift",
}
_OTHERS = """
abs np.abs(z)
apply_along_axis np.apply_along_axis(lambda r: np.cumsum(r) * r[0], 1, x)
apply_over_axes np.apply_over_axes(np.sum, x, (0, 1))
arange np.arange(5) * v
argpartition np.argpartition(x, 1)[:, 1]
array np.array([v[0], [s, 1][0], w[2]])
array_split np.array_split(x, 3, axis=1)
asarray_chkfinite np.asarray_chkfinite(x)
astype np.astype(x, np.complex128)
average np.average(v, weights=g)
bartlett np.bartlett(5) * v
bincount np.bincount(m, weights=w)
blackman np.blackman(5) * v
block np.block([[x, x[:, :1]], [np.ones((1, 5))]])
broadcast_arrays np.broadcast_arrays(x, s)
broadcast_shapes np.zeros(np.broadcast_shapes(x.shape, (1, 4))) + s
broadcast_to np.broadcast_to(v, (2, 5))
c_ np.c_[v, w]
can_cast np.can_cast(x.dtype, np.float32) * s
choose np.choose(i % 2, [v[:3], w[:3]])
clip np.clip(v, -1.0, s)
column_stack np.column_stack([v, w])
common_type np.zeros(1, np.common_type(x)) + s
compress np.compress(b, v)
concat np.concat([v, w])
concatenate np.concatenate([x, x[:1]])
copyto changed(np.copyto, v, w)
cross np.cross(x[:, :3], q)
cumulative_prod np.cumulative_prod(v)
cumulative_sum np.cumulative_sum(v, include_initial=True)
delete np.delete(v, i[0])
diag np.diag(v)
diag_indices q[np.diag_indices(3)]
diag_indices_from q[np.diag_indices_from(q)]
diagflat np.diagflat(x[0])
diff np.diff(x)
digitize np.digitize(v, t)
dsplit np.dsplit(np.reshape(x, (1, 3, 4)), 2)
dstack np.dstack([v, w])
ediff1d np.ediff1d(v)
einsum np.einsum("ij,kj,k->i", x, x, x[:, 0])
einsum_path len(np.einsum_path("ij,jk", q, q)[0]) * s
empty assigned(np.empty(1), s)
empty_like assigned(np.empty_like(x[:1, :1]), s)
expand_dims np.expand_dims(v, 0)
extract np.extract(b, v)
eye assigned(np.eye(3), v[:3])
fill_diagonal changed(np.fill_diagonal, q, s)
flip np.flip(x, 1)
fromfunction np.fromfunction(lambda i, j: s * i + j, (2, 3))
fromiter np.fromiter((2 * a for a in v), float)
full np.full((2, 3), s)
full_like np.full_like(x, s)
geomspace np.geomspace(s, 9 * s, 5)
gradient np.gradient(x, t[:4], axis=1)
hamming np.hamming(5) * v
hanning np.hanning(5) * v
histogram np.histogram(v, bins=4, weights=w)
histogram2d np.histogram2d(v, w, bins=3, weights=u)
histogram_bin_edges np.histogram_bin_edges(v, bins=4)
histogramdd np.histogramdd(np.reshape(x, (6, 2)), bins=(2, 3), range=[(-3, 3), (-4, 4)])
hsplit np.hsplit(x, 2)
hstack np.hstack([v, w])
identity assigned(np.identity(3), v[:3])
index_exp x[np.index_exp[1, ::2]]
indices np.indices((3, 4)) * x
insert np.insert(v, 1, s)
interp np.interp(v + 2, t, w[np.arange(6) % 5])
iscomplexobj np.iscomplexobj(z) * s
isdtype np.isdtype(x.dtype, "real floating") * s
isfortran anp.isfortran(x) * s
isrealobj np.isrealobj(z) * s
isscalar np.isscalar(x) * s
issubdtype np.issubdtype(x.dtype, np.floating) * s
iterable np.iterable(x) * s
ix_ x[np.ix_(i % 3, [0, 2])]
kaiser np.kaiser(5, g[0])
ldexp np.ldexp(v, m)
lexsort np.lexsort((v, m))
linspace np.linspace(s, v, 4)
logspace np.logspace(s, 2 * s, 4)
mask_indices q[np.mask_indices(3, np.triu)]
matmul np.matmul(q, x)
matvec np.matvec(q, x[:, 0])
may_share_memory np.may_share_memory(v, w) * s
meshgrid np.meshgrid(v, u)
mgrid np.mgrid[0:s:3j, 1:4] * s
min_scalar_type np.zeros(1, np.min_scalar_type(x)) + s
mintypecode len(np.mintypecode("f")) * s
moveaxis np.moveaxis(x, 0, 1)
nanpercentile np.nanpercentile(np.where(x > 2, np.nan, x), 30, axis=1)
nanquantile np.nanquantile(np.where(x > 2, np.nan, x), s)
ndenumerate sum((a + b) * y for (a, b), y in np.ndenumerate(x))
ndim np.ndim(x) * s
ndindex sum(x[a] * a[0] for a in np.ndindex(*x.shape))
ogrid np.ogrid[0:s:3j, 1:4]
ones assigned(np.ones(1), s)
ones_like assigned(np.ones_like(x), x[:, 1])
packbits np.packbits(b)
pad np.pad(x, 1, mode="linear_ramp", end_values=s)
partition np.partition(x, 1)[:, 1]
percentile np.percentile(x, 30, axis=1)
permute_dims np.permute_dims(x, (1, 0))
piecewise np.piecewise(v, [v < 0, v >= 0], [np.exp, lambda y: y**3])
place changed(np.place, v, b, w)
poly np.poly(v)
poly1d np.poly1d(v)(s)
polyder np.polyder(v)
polydiv np.polydiv(v, g[:2])
polyfit np.polyfit(t, w[np.arange(6) % 5], 2)
polyint np.polyint(v)
polyval np.polyval(v, u)
promote_types np.zeros(1, np.promote_types(x.dtype, np.float32)) + s
put changed(np.put, v, i, w[:3])
put_along_axis changed(np.put_along_axis, v, i, s, 0)
putmask changed(np.putmask, v, b, w)
quantile np.quantile(x, s, axis=0)
r_ np.r_[v, s, 1:3]
ravel_multi_index np.ravel_multi_index((i % 3, i % 4), (3, 4))
real_if_close np.real_if_close(x)
repeat np.repeat(x, 2, axis=1)
require np.require(x)
reshape np.reshape(x, (2, 6))
resize np.resize(v, (2, 4))
result_type np.zeros(1, np.result_type(x, np.float32)) + s
roll np.roll(v, 2)
rollaxis np.rollaxis(x, 1)
roots np.roots(with_zeros(v + 1j * w))
rot90 np.rot90(x)
row_stack anp.row_stack([v, w])
s_ x[np.s_[1, ::2]]
searchsorted np.searchsorted(t, v)
select np.select([v < 0, v > 1], [v**2, w], s)
shape np.reshape(x, np.shape(x)[::-1])
shares_memory np.shares_memory(v, w) * s
size np.size(x) * s
split np.split(x, 3)
stack np.stack([v, w], axis=1)
swapaxes np.swapaxes(x, 0, 1)
take np.take(v, i)
take_along_axis np.take_along_axis(v, i, 0)
tensordot np.tensordot(x, x, ([1], [1]))
tile np.tile(v, (2, 2))
trace np.trace(q)
trapezoid np.trapezoid(w, t[:5])
tri assigned(np.tri(3), v[:3])
tril_indices q[np.tril_indices(3)]
tril_indices_from q[np.tril_indices_from(q)]
trim_zeros np.trim_zeros(with_zeros(v))
triu_indices q[np.triu_indices(3)]
triu_indices_from q[np.triu_indices_from(q)]
typename len(np.typename("d")) * s
unique np.unique(v)
unique_all np.unique_all(v)
unique_counts np.unique_counts(v)
unique_inverse np.unique_inverse(v)
unique_values np.unique_values(v)
unpackbits np.unpackbits(k)
unravel_index np.unravel_index(i, (3, 4))
unwrap np.unwrap(3 * v)
vander np.vander(v, 4)
vecmat np.vecmat(x[:, 0], q)
vectorize np.vectorize(lambda a, b: a * b)(v, s)
vsplit np.vsplit(x, 3)
vstack np.vstack([v, w])
where np.where(b, v, w)
zeros assigned(np.zeros(1), s)
zeros_like assigned(np.zeros_like(x), x[:, 1])
linalg.cholesky np.linalg.cholesky((d + d.T) / 2)
linalg.cond np.linalg.cond(q)
linalg.cross np.linalg.cross(x[:, :3], q)
linalg.det np.linalg.det(q)
linalg.diagonal np.linalg.diagonal(q)
linalg.eig np.linalg.eig(q + 1j * d)[0]
linalg.eigh np.linalg.eigh((d + d.T) / 2)[0]
linalg.eigvals np.linalg.eigvals(q + 1j * d)
linalg.eigvalsh np.linalg.eigvalsh((d + d.T) / 2)
linalg.inv np.linalg.inv(q)
linalg.lstsq np.linalg.lstsq(x[:, :2], v[:3])[0]
linalg.matmul np.linalg.matmul(q, x)
linalg.matrix_norm np.linalg.matrix_norm(q)
linalg.matrix_power np.linalg.matrix_power(q, 3)
linalg.matrix_rank np.linalg.matrix_rank(q)
linalg.matrix_transpose np.linalg.matrix_transpose(x)
linalg.multi_dot np.linalg.multi_dot([q, x, x.T])
linalg.norm np.linalg.norm(x, axis=1)
linalg.outer np.linalg.outer(v, w)
linalg.pinv np.linalg.pinv(x)
linalg.qr np.linalg.qr(q)
linalg.slogdet np.linalg.slogdet(q)
linalg.solve np.linalg.solve(q, x)
linalg.svd np.linalg.svd(x, full_matrices=False)[1]
linalg.svdvals np.linalg.svdvals(x)
linalg.tensordot np.linalg.tensordot(q, x, axes=1)
linalg.tensorinv np.linalg.tensorinv(q, ind=1)
linalg.tensorsolve np.linalg.tensorsolve(q, v[:3])
linalg.trace np.linalg.trace(q)
linalg.vecdot np.linalg.vecdot(x, x[0])
linalg.vector_norm np.linalg.vector_norm(x, axis=1)
fft.fft np.fft.fft(z)
fft.fft2 np.fft.fft2(x)
fft.fftfreq np.fft.fftfreq(5) * v
fft.fftn np.fft.fftn(x)
fft.fftshift np.fft.fftshift(v)
fft.hfft np.fft.hfft(z)
fft.ifft np.fft.ifft(z)
fft.ifft2 np.fft.ifft2(x)
fft.ifftn np.fft.ifftn(x)
fft.ifftshift np.fft.ifftshift(v)
fft.ihfft np.fft.ihfft(v)
fft.irfft np.fft.irfft(z)
fft.irfft2 np.fft.irfft2(x + 1j * x**2)
fft.irfftn np.fft.irfftn(x + 1j * x**2)
fft.rfft np.fft.rfft(v)
fft.rfft2 np.fft.rfft2(x)
fft.rfftfreq np.fft.rfftfreq(9) * v
fft.rfftn np.fft.rfftn(x)
"""


def examples() -> dict[str, str]:
    """An expression for each name, in the inputs' names."""
    table = {}
    for grouped in (_UNARY, _BINARY):
        for args, names in grouped.items():
            for name in names.split():
                table[name] = f"np.{name}({args})"
    for line in _OTHERS.strip().splitlines():
        name, expression = line.split(" ", 1)
        table[name] = expression
    if not hasattr(np, "row_stack"):  # since NumPy 2.5
        del table["row_stack"]
    return table


def function_names() -> list[str]:
    """The public functions of NumPy's main namespace, of its linalg and its fft, and what its
    main namespace has that is used like one."""
    like_functions = "c_ index_exp mgrid ndenumerate ndindex ogrid poly1d r_ s_ vectorize".split()
    names = [
        n
        for n in np.__all__
        if n in like_functions
        or (callable(getattr(np, n)) and not isinstance(getattr(np, n), type))
    ]
    for module in ("linalg", "fft"):
        space = getattr(np, module)
        functions = (n for n in space.__all__ if not isinstance(getattr(space, n), type))
        names.extend(f"{module}.{n}" for n in functions)
    return sorted(n for n in names if not n.startswith("__"))


# --- running them ------------------------------------------------------------------------------


@dataclasses.dataclass
class Found:
    """What an example showed.

    Attributes:
      refused: the reason why it does not work, None where it does.
      derivative: ``"yes"``, ``"0"`` where it is zero, ``"-"`` where nothing is floating.
      jit: ``"yes"``, or ``"asks"`` where it asks for numbers, which become paths.
      vmap: ``"yes"``, or ``"-"`` where the shape depends on numbers.
      host: the steps of the compiled program that are NumPy's.
    """

    refused: str | None = None
    derivative: str = "-"
    jit: str = "yes"
    vmap: str = "yes"
    host: tuple[str, ...] = ()


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, tuple | list):
        return [y for part in x for y in _leaves(part)]
    return [x]


def is_inexact(x: Any) -> bool:
    """Whether a value, which may be traced, is of real or complex floating numbers."""
    return (x if isinstance(x, Tracer) else np.asarray(x)).dtype.kind in "fc"


def _assert_same(actual: Any, expected: Any, what: str) -> None:
    got, wanted = _leaves(actual), _leaves(expected)
    assert len(got) == len(wanted), what
    for a, e in zip(got, wanted, strict=True):
        a, e = np.asarray(a), np.asarray(e)
        assert a.dtype == e.dtype, (what, a.dtype, e.dtype)
        tolerance = 1e-12 if e.dtype.itemsize >= 8 else 1e-5
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance, err_msg=what)


def function_of(expression: str) -> tuple[Callable, list[str]]:
    """The function that an example is, and the names of its arguments."""
    names = [n for n in inputs(0) if re.search(rf"(?<![\w.\"]){n}(?![\w\"=])", expression)]
    bound = re.findall(r"(?:lambda|for) ([^:]*?)(?::| in )", expression)
    inner = {n for part in bound for n in re.findall(r"\w+", part)}
    names = [n for n in names if n not in inner]
    code = compile(f"lambda {', '.join(names)}: {expression}", f"<{expression}>", "eval")
    return eval(code, dict(_NAMES)), names


def run(name: str, expression: str) -> Found:
    """Run an example under each transform.

    Raises:
      AssertionError: when something else comes out than NumPy gives.
    """
    f, names = function_of(expression)
    args, others = ([inputs(seed)[n] for n in names] for seed in (0, 1))
    expected = f(*args)
    found = Found()
    jitted = at.jit(f)
    try:
        found.jit = _jitted(jitted, f, args, expected, name)
    except TypeError as error:
        if "not supported" not in str(error) and not isinstance(error, at.TracerArrayError):
            raise
        return Found(str(error).splitlines()[0])
    found.derivative = _differentiated(f, args, expected, name)
    found.vmap = _mapped(f, args, others, name)
    if at.config.backend != "numpy":
        found.host = tuple(sorted(set(re.findall(r"host step (\w+)", jitted.explain(*args)))))
    return found


def _jitted(jitted: Callable, f: Callable, args: list, expected: Any, name: str) -> str:
    _assert_same(jitted(*args), expected, f"{name} under jit")
    try:
        at.make_jaxpr(f)(*args)
    except at.ConcretizationError:
        return "asks"
    return "yes"


def _differentiated(f: Callable, args: list, expected: Any, name: str) -> str:
    places = [n for n, a in enumerate(args) if is_inexact(a)]
    floats = tuple(args[n] for n in places)

    def of_floats(*values: Any) -> Any:
        given = list(args)
        for n, value in zip(places, values, strict=True):
            given[n] = value
        return [y for y in _leaves(f(*given)) if is_inexact(y)]

    if not floats:
        return "-"
    wanted = [e for e in _leaves(expected) if is_inexact(e)]
    value, pull = at.vjp(of_floats, *floats)
    _assert_same(value, wanted, f"{name} under vjp")
    if not wanted:
        return "-"
    if name != "nextafter":  # which has none, though its differences are those of its argument
        at.testing.check_grads(of_floats, floats, order=2, atol=1e-4, rtol=1e-4)
    cts = pull([(np.arange(1.0, np.size(e) + 1).reshape(np.shape(e)) + 0 * e)[()] for e in value])
    return "yes" if any(np.any(c != 0) for c in cts) else "0"


def _mapped(f: Callable, args: list, others: list, name: str) -> str:
    both = [np.stack([a, o]) for a, o in zip(args, others, strict=True)]
    try:
        out = at.vmap(f)(*both)
    except at.ConcretizationError:
        return "-"
    for n, row in enumerate((args, others)):
        _assert_same([y[n] for y in _leaves(out)], f(*row), f"{name} under vmap")
    return "yes"


def measure() -> dict[str, Found]:
    """What each function does, by name."""
    table = examples()
    found = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name in function_names():
            if name in reasons:
                found[name] = Found(reasons[name])
            else:
                found[name] = run(name, table[name])
    return found


# --- the page ----------------------------------------------------------------------------------

_HEAD = """# What works of NumPy

Each function of NumPy 2.4's main namespace, of `numpy.linalg` and of `numpy.fft`, as an example of
each behaves on traced values. `python tests/numpy_coverage.py` runs them all and writes this page;
a test runs them again and compares. Every example gives what NumPy gives, in value, dtype and
shape, under `jit`, `grad` and `vmap`, and derivatives agree with finite differences up to the
second order in both modes.

- *derivative*: "0" where it is zero everywhere, "-" where nothing is floating.
- *jit*: "asks" where it asks for a number, such as the number of True elements, on which the shape
  depends; then each answer is a path of its own.
- *vmap*: "-" where the shape depends on numbers, which may differ among examples. `size=` of
  `autotrace.numpy`'s functions makes it static.
- *host steps*: primitives of the compiled program that are NumPy's or SciPy's functions.
"""


def share(found: dict[str, Found]) -> float:
    """The share that works of the functions that have to do with arrays."""
    of_arrays = [x for name, x in found.items() if name not in reasons]
    return sum(x.refused is None for x in of_arrays) / len(of_arrays)


def render(found: dict[str, Found]) -> str:
    """The page."""
    count = sum(name not in reasons for name in found)
    works = {name: x for name, x in found.items() if x.refused is None}
    lines = [_HEAD, f"{len(works)} of {count} functions that have to do with arrays work.\n"]
    for title, prefix in (("numpy", ""), ("numpy.linalg", "linalg."), ("numpy.fft", "fft.")):
        lines.append(f"## {title}\n\n| function | derivative | jit | vmap | host steps |")
        lines.append("|---|---|---|---|---|")
        for name, x in works.items():
            if (prefix and name.startswith(prefix)) or (not prefix and "." not in name):
                cells = (x.derivative, x.jit, x.vmap, ", ".join(x.host))
                lines.append(f"| `{name.removeprefix(prefix)}` | " + " | ".join(cells) + " |")
        lines.append("")
    lines += ["## Refused on traced values\n", "With ordinary arrays these are NumPy's own.\n"]
    by_reason: dict[str, list[str]] = {}
    for name, x in found.items():
        if x.refused is not None:
            by_reason.setdefault(reasons.get(name, "not there yet"), []).append(name)
    for reason, names in sorted(by_reason.items()):
        lines.append(f"- {reason}: " + ", ".join(f"`{n}`" for n in names) + ".")
    plain = [n for n in dir(np) if not n.startswith("_") and _is_plain(n)]
    lines += ["", "## Types and constants\n", ", ".join(f"`{n}`" for n in plain) + "."]
    return "\n".join(lines) + "\n"


def _is_plain(name: str) -> bool:
    """Whether a name is a type or a constant that autotrace.numpy has, too."""
    value = getattr(np, name)
    if name in reasons or name in function_names() or isinstance(value, types.ModuleType):
        return False
    return name in np.__all__ and hasattr(anp, name)


if __name__ == "__main__":
    PAGE.write_text(render(measure()), encoding="utf-8")
