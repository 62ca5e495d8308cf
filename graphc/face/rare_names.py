"""Names of ``contrib`` and of corners of TensorFlow that few programs use, by module.

`graphc.face.names` adds this table to its own.
"""

from __future__ import annotations

__all__ = ["RARE_NAMES"]

#: (namespace, module below graphc, names).
_ROWS = (
    (
        "contrib.estimator",
        "estimator.with_heads",
        "DNNEstimator DNNLinearCombinedEstimator LinearEstimator add_metrics "
        "binary_classification_head forward_features logistic_regression_head multi_class_head "
        "multi_head multi_label_head poisson_regression_head regression_head",
    ),
    ("contrib.integrate", "contrib.integrate", "odeint odeint_fixed"),
    (
        "quantization",
        "ops.quantize",
        "fake_quant_with_min_max_args fake_quant_with_min_max_args_gradient "
        "fake_quant_with_min_max_vars fake_quant_with_min_max_vars_gradient "
        "fake_quant_with_min_max_vars_per_channel "
        "fake_quant_with_min_max_vars_per_channel_gradient",
    ),
    ("contrib.rnn", "nn.grid_lstm", "BidirectionalGridLSTMCell GridLSTMCell"),
    ("contrib.sparsemax", "contrib.sparsemax", "sparsemax sparsemax_loss"),
)

#: Path → where it is, as in `graphc.face.names.NAMES`.
RARE_NAMES: dict[str, str] = {
    f"{space}.{name}".lstrip("."): f"graphc.{module}:{name}"
    for space, module, names in _ROWS
    for name in names.split()
}
