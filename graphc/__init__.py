"""graphc: TensorFlow-1 programs as native code.

``import graphc as tf`` is the API of TensorFlow 1.15 on a compiler. Names are imported when they
are first used; `graphc.face.names` says what each of them is.
"""

import sys
from typing import TYPE_CHECKING

from graphc.face.lazy import install

__version__ = VERSION = "1.15.0"
__git_version__ = GIT_VERSION = "graphc"
__compiler_version__ = COMPILER_VERSION = "graphc"
newaxis = None

__getattr__, __dir__ = install(sys.modules[__name__])

if TYPE_CHECKING:
    from graphc.face.compat import *  # noqa: F403
    from graphc.face.config import *  # noqa: F403
    from graphc.face.control import *  # noqa: F403
    from graphc.face.convert import *  # noqa: F403
    from graphc.face.current import *  # noqa: F403
    from graphc.face.default_session import *  # noqa: F403
    from graphc.face.elements import *  # noqa: F403
    from graphc.face.fetches import *  # noqa: F403
    from graphc.face.graph import *  # noqa: F403
    from graphc.face.graph_keys import *  # noqa: F403
    from graphc.face.initializers import *  # noqa: F403
    from graphc.face.scopes import *  # noqa: F403
    from graphc.face.session import *  # noqa: F403
    from graphc.face.shape import *  # noqa: F403
    from graphc.face.templates import *  # noqa: F403
    from graphc.face.variables import *  # noqa: F403
    from graphc.ir.dtypes import *  # noqa: F403
    from graphc.ops.broadcasting import *  # noqa: F403
    from graphc.ops.diagonal import *  # noqa: F403
    from graphc.ops.fills import *  # noqa: F403
    from graphc.ops.math import *  # noqa: F403
    from graphc.ops.reduce import *  # noqa: F403
    from graphc.ops.shapes import *  # noqa: F403
    from graphc.ops.spaced import *  # noqa: F403
    from graphc.ops.state import *  # noqa: F403
    from graphc.ops.transposing import *  # noqa: F403
