"""Images as sequences and back, the places of features, and reversible blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.contrib.framework.scoping import add_arg_scope
from graphc.contrib.framework.variables import model_variable
from graphc.contrib.layers.common import collected
from graphc.face.current import name_scope
from graphc.face.initializers import Constant, Ones
from graphc.face.scopes import variable_scope
from graphc.ops import arrays, math, nn, reduce, shapes, spaced, transposing
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made

__all__ = ["images_to_sequence", "rev_block", "sequence_to_images", "spatial_softmax"]


@add_arg_scope
def images_to_sequence(
    inputs: Any, data_format: str = "NHWC", outputs_collections: Any = None, scope: Any = None
) -> Any:
    """A batch of images as sequences of their columns: ``[width, batch * height, channels]``."""
    if data_format not in ("NCHW", "NHWC"):
        raise ValueError("data_format has to be either NCHW or NHWC.")
    with name_scope(scope, "ImagesToSequence") as sc:
        x: Any = convert_to_tensor(inputs)
        if data_format == "NCHW":
            x = transposing.transpose(x, [0, 2, 3, 1])
        n, high, wide, depth = x.shape.as_list()
        rows = n * high if n is not None and high is not None else -1
        out = shapes.reshape(transposing.transpose(x, [2, 0, 1, 3]), [wide, rows, depth])
        return collected(outputs_collections, sc, out)


@add_arg_scope
def sequence_to_images(
    inputs: Any, height: int, output_data_format: str = "channels_last",
    outputs_collections: Any = None, scope: Any = None,
) -> Any:  # fmt: skip
    """The images that `images_to_sequence` took apart."""
    with name_scope(scope, "SequenceToImages") as sc:
        x: Any = convert_to_tensor(inputs)
        wide, rows, depth = x.shape.as_list()
        n = -1 if rows is None else rows // height
        parts = shapes.reshape(x, [wide, n, height, depth])
        first = output_data_format == "channels_first"
        out = transposing.transpose(parts, [1, 3, 2, 0] if first else [1, 2, 0, 3])
        return collected(outputs_collections, sc, out)


@add_arg_scope
def spatial_softmax(
    features: Any, temperature: float | None = None, name: str | None = None,
    variables_collections: Any = None, trainable: bool = True, data_format: str = "NHWC",
) -> Any:  # fmt: skip
    """Where in an image each channel is active: the mean place, by the softmax of the channel.

    Parameters
    ----------
    temperature : float, optional
        What a variable that divides the features begins with; 1 by default.

    Returns
    -------
    tensor
        ``[batch, 2 * channels]``: (row, column) of each channel, from -1 to 1.
    """
    if data_format not in ("NCHW", "NHWC"):
        raise ValueError("data_format has to be either NCHW or NHWC.")
    with variable_scope(name, "spatial_softmax"):
        x: Any = convert_to_tensor(features)
        if data_format == "NHWC":
            x = transposing.transpose(x, [0, 3, 1, 2])
        depth = x.shape[1].value
        if depth is None:
            raise ValueError("The num_channels dimension of the inputs to `spatial_softmax` should "
                             "be defined. Found `None`.")  # fmt: skip
        size = shapes.shape(x)
        high, wide = (x.shape[i].value or size[i] for i in (2, 3))
        rows, columns = arrays.meshgrid(
            spaced.lin_space(-1.0, 1.0, high), spaced.lin_space(-1.0, 1.0, wide), indexing="ij"
        )
        start = Ones() if temperature is None else Constant(temperature)
        heat = model_variable(
            "temperature", (), initializer=start, trainable=trainable,
            collections=variables_collections if trainable else None,
        )  # fmt: skip
        made(10)  # the grid is reshaped, and transposed back
        seen: Any = nn.softmax(shapes.reshape(x, [-1, high * wide]) / heat)
        places = [
            reduce.reduce_sum(shapes.reshape(p, [-1]) * seen, 1, keepdims=True)
            for p in (rows, columns)
        ]
        out: Any = shapes.reshape(arrays.concat(places, 1), [-1, 2 * depth])
        return out


def _functions(f: Any, layers: int) -> list[Callable[..., Any]]:
    given = list(f) if isinstance(f, (list, tuple)) else [f] * layers
    if len(given) != layers:
        raise ValueError(f"Expected {layers} functions, got {len(given)}")
    return given


def rev_block(
    x1: Any, x2: Any, f: Any, g: Any, num_layers: int = 1,
    f_side_input: Sequence[Any] | None = None, g_side_input: Sequence[Any] | None = None,
    is_training: bool = True,
) -> tuple[Any, Any]:  # fmt: skip
    """Layers of two residual functions: ``y1 = x1 + f(x2)``, ``y2 = x2 + g(y1)``.

    Parameters
    ----------
    f, g : callable or list of callable
        Of one tensor and, where side inputs are given, of a list of these.
    is_training : bool
        Accepted: what a step keeps is decided by its limit of memory.
    """
    del is_training
    a, b = convert_to_tensor(x1), convert_to_tensor(x2)
    side_f, side_g = list(f_side_input or ()), list(g_side_input or ())
    pairs = zip(_functions(f, num_layers), _functions(g, num_layers), strict=True)
    with variable_scope(None, "revblock"):
        for i, (first, second) in enumerate(pairs):
            with variable_scope(f"revlayer_{i}/f", use_resource=True):
                a = math.add(a, first(b, side_f) if side_f else first(b))
            with variable_scope(f"revlayer_{i}/g", use_resource=True):
                b = math.add(b, second(a, side_g) if side_g else second(a))
    return a, b
