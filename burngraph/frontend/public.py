"""Every public function, in one place, one module per family; `burngraph` re-exports `__all__`."""

from burngraph.frontend import control
from burngraph.frontend.control import *  # noqa: F403
from burngraph.frontend.functional import (
    activation,
    adaptive_pool,
    attention,
    comparison,
    contraction,
    conv,
    conversion,
    creation,
    ctc,
    cumulative,
    dtypes,
    elementwise,
    fourier,
    indexing,
    layers,
    loss,
    margin_loss,
    namespace_info,
    norm,
    padding,
    pool,
    quantization,
    random,
    rearrange,
    reduction,
    resampling,
    scattering,
    shape,
    short_time,
    sorting,
    special,
    splitting,
    trees,
    window,
)
from burngraph.frontend.functional.activation import *  # noqa: F403
from burngraph.frontend.functional.adaptive_pool import *  # noqa: F403
from burngraph.frontend.functional.attention import *  # noqa: F403
from burngraph.frontend.functional.comparison import *  # noqa: F403
from burngraph.frontend.functional.contraction import *  # noqa: F403
from burngraph.frontend.functional.conv import *  # noqa: F403
from burngraph.frontend.functional.conversion import *  # noqa: F403
from burngraph.frontend.functional.creation import *  # noqa: F403
from burngraph.frontend.functional.ctc import *  # noqa: F403
from burngraph.frontend.functional.cumulative import *  # noqa: F403
from burngraph.frontend.functional.dtypes import *  # noqa: F403
from burngraph.frontend.functional.elementwise import *  # noqa: F403
from burngraph.frontend.functional.fourier import *  # noqa: F403
from burngraph.frontend.functional.indexing import *  # noqa: F403
from burngraph.frontend.functional.layers import *  # noqa: F403
from burngraph.frontend.functional.loss import *  # noqa: F403
from burngraph.frontend.functional.margin_loss import *  # noqa: F403
from burngraph.frontend.functional.namespace_info import *  # noqa: F403
from burngraph.frontend.functional.norm import *  # noqa: F403
from burngraph.frontend.functional.padding import *  # noqa: F403
from burngraph.frontend.functional.pool import *  # noqa: F403
from burngraph.frontend.functional.quantization import *  # noqa: F403
from burngraph.frontend.functional.random import *  # noqa: F403
from burngraph.frontend.functional.rearrange import *  # noqa: F403
from burngraph.frontend.functional.reduction import *  # noqa: F403
from burngraph.frontend.functional.resampling import *  # noqa: F403
from burngraph.frontend.functional.scattering import *  # noqa: F403
from burngraph.frontend.functional.shape import *  # noqa: F403
from burngraph.frontend.functional.short_time import *  # noqa: F403
from burngraph.frontend.functional.sorting import *  # noqa: F403
from burngraph.frontend.functional.special import *  # noqa: F403
from burngraph.frontend.functional.splitting import *  # noqa: F403
from burngraph.frontend.functional.trees import *  # noqa: F403
from burngraph.frontend.functional.window import *  # noqa: F403
from burngraph.frontend.guard import guard_all

__all__ = [
    *control.__all__,
    *activation.__all__,
    *adaptive_pool.__all__,
    *attention.__all__,
    *comparison.__all__,
    *contraction.__all__,
    *conv.__all__,
    *conversion.__all__,
    *creation.__all__,
    *ctc.__all__,
    *cumulative.__all__,
    *dtypes.__all__,
    *elementwise.__all__,
    *fourier.__all__,
    *indexing.__all__,
    *layers.__all__,
    *loss.__all__,
    *margin_loss.__all__,
    *namespace_info.__all__,
    *norm.__all__,
    *padding.__all__,
    *pool.__all__,
    *quantization.__all__,
    *random.__all__,
    *rearrange.__all__,
    *reduction.__all__,
    *resampling.__all__,
    *scattering.__all__,
    *shape.__all__,
    *short_time.__all__,
    *sorting.__all__,
    *special.__all__,
    *splitting.__all__,
    *trees.__all__,
    *window.__all__,
]

# Those of control and trees call functions of the user, whose errors are the user's.
guard_all(globals(), [name for name in __all__ if name not in (*control.__all__, *trees.__all__)])
