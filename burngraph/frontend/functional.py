"""Every public function, in one place: `burngraph` re-exports `__all__`."""

from burngraph.frontend import (
    control,
    functional_activation,
    functional_adaptive,
    functional_attention,
    functional_conv,
    functional_create,
    functional_ctc,
    functional_cumulative,
    functional_dtype,
    functional_elementwise,
    functional_fft,
    functional_index,
    functional_linalg,
    functional_loss,
    functional_margin,
    functional_nn,
    functional_norm,
    functional_pool,
    functional_quantize,
    functional_random,
    functional_rearrange,
    functional_reduce,
    functional_resample,
    functional_scatter,
    functional_shape,
    functional_sort,
    functional_special,
    functional_stft,
    functional_trees,
    functional_window,
)
from burngraph.frontend.control import *  # noqa: F403
from burngraph.frontend.functional_activation import *  # noqa: F403
from burngraph.frontend.functional_adaptive import *  # noqa: F403
from burngraph.frontend.functional_attention import *  # noqa: F403
from burngraph.frontend.functional_conv import *  # noqa: F403
from burngraph.frontend.functional_create import *  # noqa: F403
from burngraph.frontend.functional_ctc import *  # noqa: F403
from burngraph.frontend.functional_cumulative import *  # noqa: F403
from burngraph.frontend.functional_dtype import *  # noqa: F403
from burngraph.frontend.functional_elementwise import *  # noqa: F403
from burngraph.frontend.functional_fft import *  # noqa: F403
from burngraph.frontend.functional_index import *  # noqa: F403
from burngraph.frontend.functional_linalg import *  # noqa: F403
from burngraph.frontend.functional_loss import *  # noqa: F403
from burngraph.frontend.functional_margin import *  # noqa: F403
from burngraph.frontend.functional_nn import *  # noqa: F403
from burngraph.frontend.functional_norm import *  # noqa: F403
from burngraph.frontend.functional_pool import *  # noqa: F403
from burngraph.frontend.functional_quantize import *  # noqa: F403
from burngraph.frontend.functional_random import *  # noqa: F403
from burngraph.frontend.functional_rearrange import *  # noqa: F403
from burngraph.frontend.functional_reduce import *  # noqa: F403
from burngraph.frontend.functional_resample import *  # noqa: F403
from burngraph.frontend.functional_scatter import *  # noqa: F403
from burngraph.frontend.functional_shape import *  # noqa: F403
from burngraph.frontend.functional_sort import *  # noqa: F403
from burngraph.frontend.functional_special import *  # noqa: F403
from burngraph.frontend.functional_stft import *  # noqa: F403
from burngraph.frontend.functional_trees import *  # noqa: F403
from burngraph.frontend.functional_window import *  # noqa: F403

__all__ = [
    *control.__all__,
    *functional_activation.__all__,
    *functional_adaptive.__all__,
    *functional_attention.__all__,
    *functional_conv.__all__,
    *functional_create.__all__,
    *functional_ctc.__all__,
    *functional_cumulative.__all__,
    *functional_dtype.__all__,
    *functional_elementwise.__all__,
    *functional_fft.__all__,
    *functional_index.__all__,
    *functional_linalg.__all__,
    *functional_loss.__all__,
    *functional_margin.__all__,
    *functional_nn.__all__,
    *functional_norm.__all__,
    *functional_pool.__all__,
    *functional_quantize.__all__,
    *functional_random.__all__,
    *functional_rearrange.__all__,
    *functional_reduce.__all__,
    *functional_resample.__all__,
    *functional_scatter.__all__,
    *functional_shape.__all__,
    *functional_sort.__all__,
    *functional_trees.__all__,
    *functional_special.__all__,
    *functional_stft.__all__,
    *functional_window.__all__,
]
