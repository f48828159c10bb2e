"""`bg.burn`: what Burn's operations mean, where the array API's or PyTorch's function of that name means something else.

Operand and attribute names are Burn's. docs/burn.md lists all of Burn's operations, those that need nothing from here too.
"""

from burngraph.frontend.burn import activation, base, distributed, extremes, module, module_fft, numeric, quantization
from burngraph.frontend.burn.activation import *  # noqa: F403
from burngraph.frontend.burn.base import *  # noqa: F403
from burngraph.frontend.burn.distributed import *  # noqa: F403
from burngraph.frontend.burn.extremes import *  # noqa: F403
from burngraph.frontend.burn.module import *  # noqa: F403
from burngraph.frontend.burn.module_fft import *  # noqa: F403
from burngraph.frontend.burn.numeric import *  # noqa: F403
from burngraph.frontend.burn.quantization import *  # noqa: F403
from burngraph.frontend.guard import guard_all

__all__ = [
    *activation.__all__,
    *base.__all__,
    *distributed.__all__,
    *extremes.__all__,
    *module.__all__,
    *module_fft.__all__,
    *numeric.__all__,
    *quantization.__all__,
]

guard_all(globals(), __all__)
