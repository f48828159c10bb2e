"""Every public function, in one place: `burngraph` re-exports `__all__`."""

from burngraph.frontend import (
    control,
    functional_attention,
    functional_conv,
    functional_create,
    functional_elementwise,
    functional_fft,
    functional_index,
    functional_linalg,
    functional_nn,
    functional_pool,
    functional_quantize,
    functional_random,
    functional_reduce,
    functional_resample,
    functional_scatter,
    functional_shape,
    functional_sort,
)
from burngraph.frontend.control import *  # noqa: F403
from burngraph.frontend.functional_attention import *  # noqa: F403
from burngraph.frontend.functional_conv import *  # noqa: F403
from burngraph.frontend.functional_create import *  # noqa: F403
from burngraph.frontend.functional_elementwise import *  # noqa: F403
from burngraph.frontend.functional_fft import *  # noqa: F403
from burngraph.frontend.functional_index import *  # noqa: F403
from burngraph.frontend.functional_linalg import *  # noqa: F403
from burngraph.frontend.functional_nn import *  # noqa: F403
from burngraph.frontend.functional_pool import *  # noqa: F403
from burngraph.frontend.functional_quantize import *  # noqa: F403
from burngraph.frontend.functional_random import *  # noqa: F403
from burngraph.frontend.functional_reduce import *  # noqa: F403
from burngraph.frontend.functional_resample import *  # noqa: F403
from burngraph.frontend.functional_scatter import *  # noqa: F403
from burngraph.frontend.functional_shape import *  # noqa: F403
from burngraph.frontend.functional_sort import *  # noqa: F403

__all__ = [
    *control.__all__,
    *functional_attention.__all__,
    *functional_conv.__all__,
    *functional_create.__all__,
    *functional_elementwise.__all__,
    *functional_fft.__all__,
    *functional_index.__all__,
    *functional_linalg.__all__,
    *functional_nn.__all__,
    *functional_pool.__all__,
    *functional_quantize.__all__,
    *functional_random.__all__,
    *functional_reduce.__all__,
    *functional_resample.__all__,
    *functional_scatter.__all__,
    *functional_shape.__all__,
    *functional_sort.__all__,
]
