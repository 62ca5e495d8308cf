"""``tf.contrib.image``: projective transforms, warps by flows and splines, components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.face.current import name_scope
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops import (
    arrays,
    diagonal,
    factor,
    fills,
    linalg,
    math,
    reduce,
    shapes,
    spaced,
    transposing,
)
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op

__all__ = [
    "angles_to_projective_transforms", "bipartite_match", "compose_transforms",
    "connected_components", "dense_image_warp", "flat_transforms_to_matrices",
    "interpolate_spline", "matrices_to_flat_transforms", "rotate", "sparse_image_warp",
    "transform", "translate", "translations_to_projective_transforms",
]  # fmt: skip

# ------------------------------------------------------------------------- projective transforms


def _columns(*parts: Any) -> Any:
    """Numbers of each transform as columns; a 0 or 1 fills."""
    first = next(p for p in parts if isinstance(p, Value))
    return arrays.stack([p if isinstance(p, Value) else first * 0.0 + p for p in parts], 1)


def angles_to_projective_transforms(
    angles: Any, image_height: Any, image_width: Any, name: str | None = None
) -> Any:
    """Rotations about the middle of an image, against the clock, as 8 numbers each."""
    with name_scope(name, "angles_to_projective_transforms"):
        a: Any = convert_to_tensor(angles, dtypes.float32, name="angles")
        a = shapes.reshape(a, [1]) if a.rank == 0 else a
        high, wide = (
            math.cast(convert_to_tensor(n), dtypes.float32) - 1.0
            for n in (image_height, image_width)
        )
        sin, cos = math.sin(a), math.cos(a)
        x = (wide - (cos * wide - sin * high)) / 2.0
        y = (high - (sin * wide + cos * high)) / 2.0
        return _columns(cos, -sin, x, sin, cos, y, 0.0, 0.0)


def translations_to_projective_transforms(translations: Any, name: str | None = None) -> Any:
    """Moves by (dx, dy) as 8 numbers each."""
    with name_scope(name, "translations_to_projective_transforms"):
        t: Any = convert_to_tensor(translations, dtypes.float32, name="translations")
        if t.rank not in (1, 2):
            raise TypeError("Translations should have rank 1 or 2.")
        t = t[None] if t.rank == 1 else t
        return _columns(1.0, 0.0, -t[:, 0], 0.0, 1.0, -t[:, 1], 0.0, 0.0)


def flat_transforms_to_matrices(transforms: Any) -> Any:
    """Matrices of 3 x 3 of the 8 numbers of each transform."""
    with name_scope("flat_transforms_to_matrices"):
        t: Any = convert_to_tensor(transforms, name="transforms")
        if t.rank not in (1, 2):
            raise ValueError("Transforms should be 1D or 2D, got: {t}")
        t = shapes.reshape(t, [-1, 8])
        return shapes.reshape(arrays.concat([t, fills.ones_like(t[:, :1])], 1), [-1, 3, 3])


def matrices_to_flat_transforms(transform_matrices: Any) -> Any:
    """The 8 numbers of each matrix of 3 x 3, whose last element becomes 1."""
    with name_scope("matrices_to_flat_transforms"):
        m: Any = convert_to_tensor(transform_matrices, name="matrices")
        if m.rank not in (2, 3):
            raise ValueError(f"Matrices should be 2D or 3D, got: {m}")
        flat = shapes.reshape(m, [-1, 9])
        return (flat / flat[:, 8:9])[:, :8]


def compose_transforms(*transforms: Any) -> Any:
    """Several transforms as one: the first is applied first to the image."""
    if not transforms:
        raise ValueError("transforms cannot be empty")
    with name_scope("compose_transforms"):
        out = flat_transforms_to_matrices(transforms[0])
        for t in transforms[1:]:
            out = linalg.matmul(out, flat_transforms_to_matrices(t))
        return matrices_to_flat_transforms(out)


def _images(images: Any) -> tuple[Any, int]:
    x: Any = convert_to_tensor(images, name="images")
    rank = x.rank
    if rank is None:
        raise TypeError("Images rank must be statically known")
    if rank not in (2, 3, 4):
        raise TypeError("Images should have rank between 2 and 4.")
    return (x[None, :, :, None] if rank == 2 else x[None] if rank == 3 else x), rank


def _as_before(x: Any, rank: int) -> Any:
    return x[0, :, :, 0] if rank == 2 else x[0] if rank == 3 else x


def transform(
    images: Any, transforms: Any, interpolation: str = "NEAREST", output_shape: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Images whose pixel (x, y) is that of the input at ``k (a0 x + a1 y + a2, b0 x + b1 y + b2)``.

    Parameters
    ----------
    images : tensor
        One or many, with channels or without.
    transforms : tensor
        ``[a0, a1, a2, b0, b1, b2, c0, c1]`` of each image or of all; k is
        ``1 / (c0 x + c1 y + 1)``.
    interpolation : {"NEAREST", "BILINEAR"}
        What is outside is 0.
    output_shape : list of 2 int, optional
        Height and width; those of the input by default.
    """
    with name_scope(name, "transform"):
        x, rank = _images(images)
        t: Any = convert_to_tensor(transforms, dtypes.float32, name="transforms")
        if t.rank == 1:
            t = t[None]
        elif t.rank != 2:
            raise TypeError("Transforms should have rank 1 or 2.")
        kind = str(interpolation).upper()
        if kind not in ("NEAREST", "BILINEAR"):
            raise ValueError(f"Unknown interpolation {interpolation}")
        size = shapes.shape(x)
        if output_shape is None:
            high, wide = (x.shape[i].value or size[i] for i in (1, 2))
        else:
            known = np.asarray(output_shape) if not isinstance(output_shape, Value) else None
            if known is not None and known.shape != (2,):
                raise ValueError("output_shape must be a 1-D Tensor of 2 elements: new_height, "
                                 f"new_width, instead got {output_shape}")  # fmt: skip
            high, wide = (
                (int(known[0]), int(known[1])) if known is not None
                else (output_shape[0], output_shape[1])
            )  # fmt: skip
        across = math.cast(spaced.range(wide), dtypes.float32)[None, None, :]
        down = math.cast(spaced.range(high), dtypes.float32)[None, :, None]
        a = [t[:, i, None, None] for i in range(8)]
        k = a[6] * across + a[7] * down + 1.0
        at_x = (a[0] * across + a[1] * down + a[2]) / k
        at_y = (a[3] * across + a[4] * down + a[5]) / k
        # a transform that divides by 0 shows nothing
        at_x, at_y = (math.select(math.equal(k, 0.0), -2.0, v) for v in (at_x, at_y))
        batch = math.cast(fills.zeros_like(x[:, :1, :1, 0]), dtypes.float32)
        at_x, at_y = at_x + batch, at_y + batch
        if kind == "NEAREST":
            return _as_before(_pixels(x, math.round(at_x), math.round(at_y)), rank)
        return _as_before(_bilinear(x, at_x, at_y), rank)


def _pixels(x: Any, at_x: Any, at_y: Any) -> Any:
    """The pixels at whole places; 0 outside."""
    size = shapes.shape(x)
    high, wide = (math.cast(size[i], dtypes.float32) for i in (1, 2))
    inside = math.logical_and(
        math.logical_and(at_x >= 0.0, at_x < wide), math.logical_and(at_y >= 0.0, at_y < high)
    )
    col = math.cast(math.clip_by_value(at_x, 0.0, wide - 1.0), dtypes.int32)
    row = math.cast(math.clip_by_value(at_y, 0.0, high - 1.0), dtypes.int32)
    image = spaced.range(size[0])[:, None, None] + fills.zeros_like(row)
    found = arrays.gather_nd(x, arrays.stack([image, row, col], -1))
    return math.select(
        math.logical_and(inside[..., None], fills.ones_like(found, dtypes.bool_)), found,
        fills.zeros_like(found),
    )  # fmt: skip


def _bilinear(x: Any, at_x: Any, at_y: Any) -> Any:
    left, top = math.floor(at_x), math.floor(at_y)
    kind = x.dtype
    soft = kind if kind.is_floating else dtypes.float32
    dx, dy = (math.cast(v, soft)[..., None] for v in (at_x - left, at_y - top))
    corners = [
        math.cast(_pixels(x, left + i, top + j), soft) for j in (0.0, 1.0) for i in (0.0, 1.0)
    ]
    upper = corners[0] * (1.0 - dx) + corners[1] * dx
    lower = corners[2] * (1.0 - dx) + corners[3] * dx
    return math.cast(upper * (1.0 - dy) + lower * dy, kind)


def rotate(
    images: Any, angles: Any, interpolation: str = "NEAREST", name: str | None = None
) -> Any:
    """Images turned by angles in radians, against the clock; what comes in is 0."""
    with name_scope(name, "rotate"):
        x, rank = _images(images)
        size = shapes.shape(x)
        flat = angles_to_projective_transforms(angles, size[1], size[2])
        return _as_before(transform(x, flat, interpolation), rank)


def translate(
    images: Any, translations: Any, interpolation: str = "NEAREST", name: str | None = None
) -> Any:
    """Images moved by (dx, dy)."""
    with name_scope(name, "translate"):
        return transform(images, translations_to_projective_transforms(translations), interpolation)


# ------------------------------------------------------------------------- warps


def dense_image_warp(image: Any, flow: Any, name: str = "dense_image_warp") -> Any:
    """Images whose pixel at (row, column) is that at ``(row, column) - flow``, between pixels.

    Parameters
    ----------
    image : tensor
        ``[batch, height, width, channels]``.
    flow : tensor
        ``[batch, height, width, 2]``: rows first.
    """
    with name_scope(name):
        x, f = convert_to_tensor(image), convert_to_tensor(flow)
        size = shapes.shape(x)
        rows = math.cast(spaced.range(size[1]), f.dtype)[None, :, None]
        columns = math.cast(spaced.range(size[2]), f.dtype)[None, None, :]
        parts: Any = f
        return _between(x, rows - parts[..., 0], columns - parts[..., 1])


def _between(x: Any, row: Any, column: Any) -> Any:
    """Bilinear interpolation; places outside are moved to the edge."""
    size = shapes.shape(x)

    def split(at: Any, n: Any) -> tuple[Any, Any]:
        least = math.cast(n - 2, at.dtype)
        low = math.minimum(math.maximum(math.floor(at), 0.0), least)
        return math.cast(low, dtypes.int32), math.clip_by_value(at - low, 0.0, 1.0)[..., None]

    (top, dy), (left, dx) = split(row, size[1]), split(column, size[2])
    image = spaced.range(size[0])[:, None, None] + fills.zeros_like(top)

    def pixels(i: int, j: int) -> Any:
        return arrays.gather_nd(x, arrays.stack([image, top + i, left + j], -1))

    dx, dy = math.cast(dx, x.dtype), math.cast(dy, x.dtype)
    upper = pixels(0, 0) + dx * (pixels(0, 1) - pixels(0, 0))
    lower = pixels(1, 0) + dx * (pixels(1, 1) - pixels(1, 0))
    return upper + dy * (lower - upper)


def _distances(a: Any, b: Any) -> Any:
    """Squares of the distances of all pairs of points."""
    return reduce.reduce_sum(math.squared_difference(a[:, :, None], b[:, None]), -1)


def _radial(r: Any, order: int) -> Any:
    """The function of the squared distance that a polyharmonic spline is made of."""
    eps = 1e-10
    if order == 1:
        return math.sqrt(math.maximum(r, eps))
    if order == 2:
        return 0.5 * r * math.log(math.maximum(r, eps))
    if order == 4:
        return 0.5 * math.square(r) * math.log(math.maximum(r, eps))
    r = math.maximum(r, eps)
    if order % 2 == 0:
        return 0.5 * r ** (0.5 * order) * math.log(r)
    return r ** (0.5 * order)


def interpolate_spline(
    train_points: Any, train_values: Any, query_points: Any, order: int,
    regularization_weight: float = 0.0, name: str = "interpolate_spline",
) -> Any:  # fmt: skip
    """Values at `query_points` by polyharmonic splines through known values.

    Parameters
    ----------
    train_points, train_values : tensor
        ``[batch, points, dimensions]`` and ``[batch, points, values]``.
    order : int
        1 is linear, 2 the thin plate.
    regularization_weight : float
        The larger, the less exactly known values are met.
    """
    with name_scope(name):
        c: Any = convert_to_tensor(train_points)
        f: Any = convert_to_tensor(train_values)
        q: Any = convert_to_tensor(query_points)
        d = c.shape[-1].value
        if d is None or c.shape[1].value is None:
            raise ValueError("The dimensionality and number of points must be known")
        n = c.shape[1].value
        a = _radial(_distances(c, c), order)
        if regularization_weight > 0:
            a = a + regularization_weight * diagonal.eye(n, dtype=c.dtype)[None]
        b = arrays.concat([c, fills.ones_like(c[..., :1])], 2)
        corner = fills.zeros_like(linalg.matmul(b, b, transpose_a=True))
        left = arrays.concat([a, transposing.matrix_transpose(b)], 1)
        system = arrays.concat([left, arrays.concat([b, corner], 1)], 2)
        rhs = arrays.concat([f, fills.zeros_like(f[:, :1]) + fills.zeros([d + 1, 1], f.dtype)], 1)
        w = factor.matrix_solve(system, rhs)
        away: Any = linalg.matmul(_radial(_distances(q, c), order), w[:, :n])
        plane = arrays.concat([q, fills.ones_like(q[..., :1])], 2)
        return away + linalg.matmul(plane, w[:, n:])


def _boundary(high: int, wide: int, count: int) -> Any:
    """Points along the edges of an image: its corners, and `count` between on each side."""
    down, across = np.linspace(0, high - 1, count + 2), np.linspace(0, wide - 1, count + 2)
    rows, columns = np.meshgrid(down, across, indexing="ij")
    on = np.zeros(rows.shape, bool)
    on[[0, -1]] = on[:, [0, -1]] = True
    return np.stack([rows[on], columns[on]], -1)


def sparse_image_warp(
    image: Any, source_control_point_locations: Any, dest_control_point_locations: Any,
    interpolation_order: int = 2, regularization_weight: float = 0.0, num_boundary_points: int = 0,
    name: str = "sparse_image_warp",
) -> tuple[Any, Any]:  # fmt: skip
    """Images warped so that some points get to other places; the flow between is a spline.

    Parameters
    ----------
    source_control_point_locations, dest_control_point_locations : tensor
        ``[batch, points, 2]``, rows first.
    num_boundary_points : int
        How many points of each side of the image stay; 1 is its corners.

    Returns
    -------
    tuple
        The images and the flow.
    """
    if num_boundary_points < 0:
        raise ValueError("num_boundary_points must be at least 0")
    with name_scope(name):
        x: Any = convert_to_tensor(image)
        source: Any = convert_to_tensor(source_control_point_locations)
        target: Any = convert_to_tensor(dest_control_point_locations)
        n, high, wide, _ = x.shape.as_list()
        if None in (high, wide):
            raise ValueError("height and width must be known")
        flows = target - source
        if num_boundary_points > 0:
            edge = _boundary(high, wide, num_boundary_points - 1).astype(target.dtype.np)
            fixed = fills.zeros_like(target[:, :1]) + edge[None]
            target = arrays.concat([target, fixed], 1)
            flows = arrays.concat([flows, fills.zeros_like(fixed)], 1)
        rows, columns = np.meshgrid(np.arange(high), np.arange(wide), indexing="ij")
        grid = np.stack([rows.reshape(-1), columns.reshape(-1)], -1).astype(target.dtype.np)
        queries = fills.zeros_like(target[:, :1]) + grid[None]
        found = interpolate_spline(
            target, flows, queries, interpolation_order, regularization_weight
        )
        flow = shapes.reshape(found, [-1 if n is None else n, high, wide, 2])
        return dense_image_warp(x, flow), flow


# ------------------------------------------------------------------------- graphs of pixels


def _components(images: Any) -> Any:
    """Labels of connected pixels of one value, from 1 on, in the order of their first pixel."""
    out = np.zeros(images.shape, np.int32)
    empty: Any = b"" if images.dtype == object else 0
    label = 0
    for n, image in enumerate(images):
        for row, column in np.argwhere(image != empty).tolist():
            if out[n, row, column]:
                continue
            label += 1
            stack = [(row, column)]
            out[n, row, column] = label
            while stack:
                i, j = stack.pop()
                for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                    inside = 0 <= a < image.shape[0] and 0 <= b < image.shape[1]
                    if inside and not out[n, a, b] and image[a, b] == image[i, j]:
                        out[n, a, b] = label
                        stack.append((a, b))
    return out


components_op = op(
    "connected_components", "ImageConnectedComponents", "host", args=("images",), types="fiubs",
    numpy=_components, grad=no_grad, doc="Labels of connected pixels of one value.",
    infer=lambda inputs, attrs: [(dtypes.int32, inputs[0].static_shape)],
)  # fmt: skip


def connected_components(images: Any) -> Any:
    """For each pixel the number of the connected area of its value, from 1 on; 0 for 0."""
    with name_scope("connected_components"):
        x: Any = convert_to_tensor(images, name="images")
        if x.rank not in (2, 3):
            raise TypeError(f"images should have rank 2 (HW) or 3 (NHW). Static shape is {x.shape}")
        flat = x[None] if x.rank == 2 else x
        out: Any = build(components_op, (flat,), {}, None).outputs[0]
        return out[0] if x.rank == 2 else out


def _match(distances: Any, count: Any, *, top: int) -> tuple[Any, Any]:
    rows, columns = distances.shape
    used = int(count) if int(count) >= 0 else rows
    left = distances[:used].astype(float)
    row_to, column_to = np.full(rows, -1, np.int32), np.full(columns, -1, np.int32)
    pairs = sorted(
        ((left[i, j], i, j) for i in range(min(used, rows)) for j in range(columns)),
        key=lambda p: p[0],
    )
    for _, i, j in pairs:
        if row_to[i] < 0 and column_to[j] < 0:
            row_to[i], column_to[j] = j, i
            if top > 0 and (row_to >= 0).sum() == top:
                break
    return row_to, column_to


def _match_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape or (D.fresh(), D.fresh())
    return [(dtypes.int32, (s[0],)), (dtypes.int32, (s[1],))]


match_op = op(
    "bipartite_match", "BipartiteMatch", "host", args=("distance_mat", "num_valid_rows"),
    types="fi", numpy=_match, infer=_match_infer, grad=no_grad,
    doc="Pairs of rows and columns, the nearest first.",
)  # fmt: skip


def bipartite_match(
    distance_mat: Any, num_valid_rows: Any, top_k: int = -1, name: str = "bipartite_match"
) -> tuple[Any, Any]:
    """Greedy pairs: for each row its column and for each column its row, -1 where it has none."""
    d = convert_to_tensor(distance_mat, dtypes.float32)
    n = math.cast(convert_to_tensor(num_valid_rows), dtypes.int32)
    made = build(match_op, (d, n), {"top": int(top_k)}, name)
    return made.outputs[0], made.outputs[1]
