"""``tf.keras.layers``."""

from __future__ import annotations

from graphc.keras.attention import AdditiveAttention, Attention
from graphc.keras.engine import Input, InputLayer, InputSpec, Layer
from graphc.keras.layers_core import *  # noqa: F403
from graphc.keras.layers_core import __all__ as _core
from graphc.keras.layers_local import *  # noqa: F403
from graphc.keras.layers_local import __all__ as _local
from graphc.keras.layers_more import *  # noqa: F403
from graphc.keras.layers_more import __all__ as _more
from graphc.keras.layers_noise import *  # noqa: F403
from graphc.keras.layers_noise import __all__ as _noise
from graphc.keras.recurrent import *  # noqa: F403
from graphc.keras.recurrent import __all__ as _recurrent

__all__ = [
    *_core, *_local, *_more, *_noise, *_recurrent, "AdditiveAttention", "Attention", "Input",
    "InputLayer", "InputSpec", "Layer",
]  # fmt: skip
