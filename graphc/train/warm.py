"""Variables that begin with the values of a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from graphc.checkpoint.ops import restore_v2
from graphc.checkpoint.slices import spec_text
from graphc.face import logging
from graphc.face.graph import GraphKeys, get_collection
from graphc.face.variables import Variable, global_variables
from graphc.ops import state
from graphc.train.checkpoints import latest_checkpoint, load_checkpoint

__all__ = ["init_from_checkpoint", "warm_start"]


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
        made: Any = value
        made.set_shape(v.shape)
        v._initializer_op = state.assign(v, value).node
        v._initial_value = value


def warm_start(
    ckpt_to_initialize_from: Any,
    vars_to_warm_start: Any = ".*",
    var_name_to_vocab_info: Any = None,
    var_name_to_prev_var_name: Mapping[str, str] | None = None,
) -> None:
    """Let variables begin with the values that a checkpoint has under their names.

    Parameters
    ----------
    vars_to_warm_start : str or list
        A regular expression of names of trainable variables, a list of expressions for all
        variables, or of variables; None for no more than those named below.
    var_name_to_vocab_info
        Not supported: vocabularies belong to feature columns.
    var_name_to_prev_var_name : dict, optional
        Name here → name in the checkpoint.
    """
    if var_name_to_vocab_info:
        raise NotImplementedError("graphc has no warm start of vocabularies")
    before = var_name_to_prev_var_name or {}
    init_from_checkpoint(
        ckpt_to_initialize_from,
        {before.get(v.op.name, v.op.name): v for v in _warm(vars_to_warm_start)},
    )


def _warm(wanted: Any) -> list[Any]:
    if wanted is None:
        return []
    if isinstance(wanted, str):
        return get_collection(GraphKeys.TRAINABLE_VARIABLES, scope=wanted)
    if all(isinstance(v, Variable) for v in wanted):
        return list(wanted)
    patterns = [re.compile(w) for w in wanted]
    return [v for v in global_variables() if any(p.match(v.op.name) for p in patterns)]
