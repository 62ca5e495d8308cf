"""Variables that begin with the values of a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.checkpoint.ops import restore_v2
from graphc.checkpoint.slices import spec_text
from graphc.errors import NotFoundError
from graphc.face import logging
from graphc.face.current import get_collection
from graphc.face.graph_keys import GraphKeys
from graphc.face.initializers import Zeros
from graphc.face.variables import Variable, global_variables
from graphc.ops import arrays, broadcasting, math, shapes, state
from graphc.train.checkpoints import latest_checkpoint, load_checkpoint

__all__ = ["VocabInfo", "init_from_checkpoint", "warm_start"]


def init_from_checkpoint(ckpt_dir_or_file: Any, assignment_map: Mapping[str, Any]) -> None:
    """Let variables begin with values of a checkpoint: their initializers read them from there.

    Parameters
    ----------
    ckpt_dir_or_file : str
        A checkpoint, or a folder with one.
    assignment_map : dict
        Name in the checkpoint → variable, its name, or a list of the slices of one; or scope
        ``"a/"`` there → scope ``"b/"`` here (``"/"`` is everything).

    Raises
    ------
    ValueError
        When there is no such tensor, variable or scope, or a shape differs.
    """
    path = ckpt_dir_or_file.decode() if isinstance(ckpt_dir_or_file, bytes) else ckpt_dir_or_file
    path = latest_checkpoint(path) or path
    reader = load_checkpoint(path)
    shapes = reader.get_variable_to_shape_map()
    for source, target in sorted(assignment_map.items()):
        if _is_target(target):
            _init(path, shapes, source, target)
        elif target in _named() and not source.endswith("/"):
            _init(path, shapes, source, _named()[target])
        else:
            _init_scope(path, shapes, source, target)


def _is_target(x: Any) -> bool:
    if isinstance(x, Variable):
        return True
    return isinstance(x, list) and bool(x) and all(isinstance(v, Variable) for v in x)


def _named() -> dict[str, Any]:
    found = [*global_variables(), *get_collection(GraphKeys.LOCAL_VARIABLES)]
    return {v.op.name: v for v in found if isinstance(v, Variable)}


def _init_scope(path: str, shapes: Mapping[str, Any], source: str, target: Any) -> None:
    if not isinstance(target, str):
        raise ValueError(f"Assignment map value {target!r} is no variable and no scope")
    if "/" not in (source[-1:], target[-1:]):
        raise ValueError(f"Assignment map with scope only name {target} should map to scope only "
                         f"{source}. Should be 'scope/': 'other_scope/'.")  # fmt: skip
    there = "" if source == "/" else source
    here = "" if target == "/" else target
    found = {n: v for n, v in _named().items() if n.startswith(here)}
    if not found:
        raise ValueError(f"Assignment map with scope only name {target}: no variables in it")
    for name, variable in found.items():
        key = there + name[len(here) :]
        if key not in shapes:
            # slots and such below a scope of its own
            raise ValueError(f"Tensor {key} ({name} in {here}) is not found in {path} checkpoint")
        _init(path, shapes, key, variable)


def _init(path: str, shapes: Mapping[str, Any], key: str, target: Any) -> None:
    if key not in shapes:
        raise ValueError(f"Tensor {key} is not found in {path} checkpoint {dict(shapes)}")
    parts = target if isinstance(target, list) else [target]
    if not isinstance(target, list):
        shape = target.shape
        if shape.is_fully_defined() and shape.as_list() != list(shapes[key]):
            raise ValueError(
                f"Shape of variable {target.name} ({shape}) doesn't match with shape of tensor "
                f"{key} ({list(shapes[key])}) from checkpoint reader."
            )
    for v in parts:
        info = v._save_slice_info
        spec = "" if info is None else spec_text(info.full_shape, info.var_offset, info.var_shape)
        _set_initializer(v, path, key, spec)
    logging.debug("Initialize variable %s from checkpoint %s with %s", parts[0].name, path, key)


def _set_initializer(v: Variable, path: str, key: str, spec: str) -> None:
    graph = v.graph
    with graph.as_default(), graph.control_dependencies(None), graph.transaction():
        (value,) = restore_v2(path, [key], [spec], [v.dtype], name="checkpoint_initializer")
        _begin_with(v, value)


def _begin_with(v: Variable, value: Any) -> None:
    value.set_shape(v.shape)
    v._initializer_op = state.assign(v, value).node
    v._initial_value = value


class VocabInfo(NamedTuple):
    """Which words the rows (or columns) of a variable are for, here and in a checkpoint.

    Attributes
    ----------
    new_vocab, old_vocab : str
        Files with a word in each line.
    new_vocab_size : int
        How many words of `new_vocab` are used.
    num_oov_buckets : int
        Rows behind them for words that are not in the file.
    old_vocab_size : int
        How many of `old_vocab` are used; -1 is all.
    backup_initializer : callable, optional
        For words that are new; they begin with zeros without it.
    axis : int
        0 for rows, 1 for columns.
    """

    new_vocab: Any
    new_vocab_size: int
    num_oov_buckets: int
    old_vocab: Any
    old_vocab_size: int = -1
    backup_initializer: Any = None
    axis: int = 0


def _words(path: Any, size: int) -> list[str]:
    name = path.decode() if isinstance(path, bytes) else path
    try:
        with open(name, encoding="utf-8") as f:
            words = [line.rstrip("\n") for line in f]
    except FileNotFoundError:
        raise NotFoundError(None, None, f"{name}; No such file or directory") from None
    if size > len(words):
        raise ValueError(f"{path} has {len(words)} words, fewer than the vocabulary size {size}")
    return words if size < 0 else words[:size]


def _init_words(
    path: str, sizes: Mapping[str, Any], key: str, parts: Sequence[Variable], info: VocabInfo
) -> None:
    """Let a variable begin with what the checkpoint has for the same words."""
    if info.axis not in (0, 1):
        raise ValueError(
            "The only supported values for the axis argument are 0 and 1.  "
            f"Provided axis: {info.axis}"
        )
    slices = [v._save_slice_info for v in parts]
    whole = parts[0].shape.as_list() if slices[0] is None else list(slices[0].full_shape)
    size = info.new_vocab_size + info.num_oov_buckets
    there = list(sizes.get(key, ()))
    other = 1 - info.axis
    if len(whole) != 2 or len(there) != 2 or whole[info.axis] != size or (
        whole[other] != there[other]
    ):  # fmt: skip
        raise ValueError(
            f"{parts[0].name} of shape {whole} cannot take the vocabulary of {size} words at axis "
            f"{info.axis} of {key}, of shape {there} in {path}"
        )
    place = {w: i for i, w in enumerate(_words(info.old_vocab, info.old_vocab_size))}
    found = [place.get(w, -1) for w in _words(info.new_vocab, info.new_vocab_size)]
    at = np.array(found + [-1] * info.num_oov_buckets, np.int64)
    new = info.backup_initializer or Zeros()
    graph, kind = parts[0].graph, parts[0].dtype.base_dtype
    with graph.as_default(), graph.control_dependencies(None), graph.transaction():
        (made,) = restore_v2(path, [key], [""], [kind], name="checkpoint_initializer")
        old: Any = made
        old.set_shape(there)
        kept = arrays.gather(old, np.maximum(at, 0), axis=info.axis)
        mask = shapes.reshape(at >= 0, [-1, 1] if info.axis == 0 else [1, -1])
        value = math.select(broadcasting.broadcast_like(mask, kept), kept, new(whole, dtype=kind))
        for v, part in zip(parts, slices, strict=True):
            mine = value if part is None else arrays.slice(value, part.var_offset, part.var_shape)
            _begin_with(v, mine)


def warm_start(
    ckpt_to_initialize_from: Any,
    vars_to_warm_start: Any = ".*",
    var_name_to_vocab_info: Mapping[str, VocabInfo] | None = None,
    var_name_to_prev_var_name: Mapping[str, str] | None = None,
) -> None:
    """Let variables begin with the values that a checkpoint has under their names.

    Parameters
    ----------
    vars_to_warm_start : str or list
        A regular expression of names of trainable variables, a list of expressions for all
        variables, or of variables; None for no more than those named below.
    var_name_to_vocab_info : dict, optional
        Name → `VocabInfo`: its rows are for words, and each begins with the row of its word.
    var_name_to_prev_var_name : dict, optional
        Name here → name in the checkpoint.

    Raises
    ------
    ValueError
        For a name in a dict that no variable has, and where a shape differs.
    """
    before = dict(var_name_to_prev_var_name or {})
    words = dict(var_name_to_vocab_info or {})
    whole: dict[str, list[Variable]] = {}
    for v in _warm(vars_to_warm_start):
        info = v._save_slice_info
        whole.setdefault(v.op.name if info is None else info.full_name, []).append(v)
    for what, given in (("prev_var_name", before), ("vocab_info", words)):
        unused = set(given) - set(whole)
        if unused:
            raise ValueError(
                f"You provided the following variables in var_name_to_{what} that were not used: "
                f"{unused}.  Perhaps you misspelled them?  Here is the list of viable variable "
                f"names: {whole.keys()}"
            )
    given_path: Any = ckpt_to_initialize_from
    path = given_path.decode() if isinstance(given_path, bytes) else given_path
    path = latest_checkpoint(path) or path
    sizes = load_checkpoint(path).get_variable_to_shape_map()
    for name, parts in whole.items():
        key = before.get(name, name)
        if name in words:
            _init_words(path, sizes, key, parts, words[name])
        else:
            _init(path, sizes, key, parts if parts[0]._save_slice_info is not None else parts[0])


def _warm(wanted: Any) -> list[Any]:
    if wanted is None:
        return []
    if isinstance(wanted, str):
        return get_collection(GraphKeys.TRAINABLE_VARIABLES, scope=wanted)
    if all(isinstance(v, Variable) for v in wanted):
        return list(wanted)
    patterns = [re.compile(w) for w in wanted]
    return [v for v in global_variables() if any(p.match(v.op.name) for p in patterns)]
