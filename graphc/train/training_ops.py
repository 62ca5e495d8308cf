"""``tensorflow.python.training.training_ops``: one step of an optimizer as one operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.graphdef.training import Asked, train
from graphc.ops.convert import convert_to_tensor

__all__ = ["by_type"]

#: Name → type, inputs, and the option it has beside ``use_locking``.
_ROWS = """
ada_max: AdaMax var m v beta1_power lr beta1 beta2 epsilon grad
adadelta: Adadelta var accum accum_update lr rho epsilon grad
adagrad: Adagrad var accum lr grad update_slots=True
adagrad_da: AdagradDA var gradient_accumulator gradient_squared_accumulator grad lr l1 l2 global_step
adagrad_v2: AdagradV2 var accum lr epsilon grad update_slots=True
adam: Adam var m v beta1_power beta2_power lr beta1 beta2 epsilon grad use_nesterov=False
adam_with_amsgrad: AdamWithAmsgrad var m v vhat beta1_power beta2_power lr beta1 beta2 epsilon grad
add_sign: AddSign var m lr alpha sign_decay beta grad
centered_rms_prop: CenteredRMSProp var mg ms mom lr rho momentum epsilon grad
ftrl: Ftrl var accum linear grad lr l1 l2 lr_power
ftrl_v2: FtrlV2 var accum linear grad lr l1 l2 l2_shrinkage lr_power
gradient_descent: GradientDescent var alpha delta
keras_momentum: KerasMomentum var accum lr grad momentum use_nesterov=False
momentum: Momentum var accum lr grad momentum use_nesterov=False
power_sign: PowerSign var m lr logbase sign_decay beta grad
proximal_adagrad: ProximalAdagrad var accum lr l1 l2 grad
proximal_gradient_descent: ProximalGradientDescent var alpha l1 l2 delta
rms_prop: RMSProp var ms mom lr rho momentum epsilon grad
"""  # noqa: E501

_SPARSE = frozenset(
    "adadelta adagrad adagrad_da adagrad_v2 centered_rms_prop ftrl ftrl_v2 keras_momentum "
    "momentum proximal_adagrad proximal_gradient_descent rms_prop".split()
)

#: Those whose variables must be resources.
_RESOURCE_ONLY = frozenset(("adam_with_amsgrad", "keras_momentum"))


def _function(name: str, kind: str, args: list[str], option: dict[str, bool]) -> Any:
    keys = [*args, "use_locking", *option, "name"]

    def call(*given: Any, **more: Any) -> Any:
        if len(given) > len(keys):
            raise TypeError(f"{name}() takes at most {len(keys)} arguments, not {len(given)}")
        said = dict(zip(keys, given, strict=False))
        for key, value in more.items():
            if key not in keys:
                raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
            if key in said:
                raise TypeError(f"{name}() got multiple values for argument '{key}'")
            said[key] = value
        missing = [a for a in args if a not in said]
        if missing:
            raise TypeError(f"{name}() is missing arguments: {', '.join(missing)}")
        dtype = said["var"].dtype.base_dtype
        with name_scope(said.get("name"), kind) as scope:
            values = [_operand(a, said[a], dtype) for a in args]
            asked = Asked(kind, scope, {k: said.get(k, v) for k, v in option.items()})
            with get_default_graph().counts_as(1):
                made = train(asked, values, scope)
        return made if kind.startswith("Resource") else made.outputs[0]

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The operation {kind} of {', '.join(args)}."
    return call


def _operand(arg: str, value: Any, dtype: Any) -> Any:
    if hasattr(value, "_ref") or arg == "indices":
        return value if arg != "indices" else convert_to_tensor(value)
    return convert_to_tensor(value, "int64" if arg == "global_step" else dtype)


def _made() -> dict[str, tuple[str, Callable[..., Any]]]:
    out: dict[str, tuple[str, Callable[..., Any]]] = {}
    for line in _ROWS.strip().splitlines():
        own, _, rest = line.partition(": ")
        kind, *words = rest.split()
        args = [w for w in words if "=" not in w]
        option = {w.partition("=")[0]: w.endswith("True") for w in words if "=" in w}
        for before in ("Resource",) if own in _RESOURCE_ONLY else ("", "Resource"):
            start = before.lower() + "_" * bool(before)
            forms = [(f"{start}apply_{own}", f"{before}Apply{kind}", args)]
            if own in _SPARSE:
                rows = ["grad" if a == "delta" else a for a in args]
                rows.insert(rows.index("grad") + 1, "indices")
                forms.append((f"{start}sparse_apply_{own}", f"{before}SparseApply{kind}", rows))
            for name, full, names in forms:
                out[name] = (full, _function(name, full, names, option))
    return out


_FUNCTIONS = _made()
globals().update({name: function for name, (_, function) in _FUNCTIONS.items()})
__all__ += sorted(_FUNCTIONS)


def by_type() -> dict[str, Callable[..., Any]]:
    """Type of the operation → the function."""
    return dict(_FUNCTIONS.values())
