"""What it takes to add a primitive of one's own; ``docs/primitives.md`` walks through one."""

from .core.avals import ShapedArray, float0, tangent_aval
from .core.errors import MissingRuleError
from .core.jaxpr import Eqn, Jaxpr, Literal, Var
from .core.primitive import Primitive, primitives
from .core.tangents import LinearInput, instantiate
from .core.trace import get_aval
from .lax.families import def_linear, def_partials, elementwise, no_derivative
from .transforms.batch import Axis
from .transforms.dependence import Dependence

__all__ = [
    "Axis",
    "Dependence",
    "Eqn",
    "Jaxpr",
    "LinearInput",
    "Literal",
    "MissingRuleError",
    "Primitive",
    "ShapedArray",
    "Var",
    "def_linear",
    "def_partials",
    "elementwise",
    "float0",
    "get_aval",
    "instantiate",
    "no_derivative",
    "primitives",
    "tangent_aval",
]
