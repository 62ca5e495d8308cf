"""Boosted trees: trees that each correct the sum of those before it, grown layer by layer."""

from __future__ import annotations

import collections
import math as pymath
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.estimator import canned
from graphc.estimator.estimator import Estimator
from graphc.estimator.forest import Forest
from graphc.estimator.spec import EstimatorSpec
from graphc.estimator.trees import GAIN, LEFT
from graphc.estimator.with_heads import _Given
from graphc.face.current import name_scope
from graphc.feature_column.kinds import (
    BucketizedColumn,
    CategoricalColumn,
    IndicatorColumn,
    NumericColumn,
)
from graphc.feature_column.layers import listed
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import math
from graphc.ops.script import py_func
from graphc.train.session_run_hook import SessionRunHook

__all__ = ["BoostedTreesClassifier", "BoostedTreesEstimator", "BoostedTreesRegressor"]

_MEAN = "weighted_sum_over_batch_size"
_UNSET = object()


class Inputs:
    """What trees may split at: features in the order of their columns' names, one of one number.

    Parameters
    ----------
    columns : list of feature columns
        Bucketized ones, indicators, and numbers, whose buckets are found in the data.
    """

    def __init__(self, columns: Any) -> None:
        self._columns = [_checked(c) for c in listed(columns)] if columns else []
        self.names: list[str] = []
        #: How many buckets a feature has; None where they are found in the data.
        self.buckets: list[int | None] = []
        for c in self._columns:
            many, each, name = _layout(c)
            self.names += [name] * many
            self.buckets += [each] * many
        if not self.names:
            raise ValueError(
                "boosted trees need feature columns with at least one feature: got none"
            )

    def values(self, features: Any) -> list[Value]:
        """The feature's bucket, or its number, of each example: a vector for each."""
        out: list[Value] = []
        for c in self._columns:
            if isinstance(c, BucketizedColumn):
                found: Any = math.cast(c._bucket(features), dtypes.int32)
            elif isinstance(c, IndicatorColumn):
                found = math.cast(c.dense(features, False), dtypes.int32)
            else:
                found = c.dense(features, False)
            out += [found[:, i] for i in range(_layout(c)[0])]
        return out


def _checked(column: Any) -> Any:
    if isinstance(column, BucketizedColumn):
        if column.source.width() != 1:
            raise ValueError(
                "Can not squeeze dim[1], expected a dimension of 1, got "
                f"{column.source.width()}: boosted trees take bucketized columns of one number, "
                f"not {column.name}"
            )
        return column
    if isinstance(column, (IndicatorColumn, NumericColumn)):
        return column
    if isinstance(column, CategoricalColumn):
        raise ValueError(
            f"CategoricalColumn must be wrapped by IndicatorColumn, got: {column.name}"
        )
    raise AttributeError(
        f"{type(column).__name__!r} object has no attribute 'dtype': boosted trees take numeric, "
        "bucketized and indicator columns"
    )


def _layout(column: Any) -> tuple[int, int | None, str]:
    """How many features a column is, how many buckets each has, and its name in explanations."""
    if isinstance(column, BucketizedColumn):
        return 1, column.each, column.name
    if isinstance(column, IndicatorColumn):
        return column.width(), 2, column.source.name
    return column.width(), None, column.name


class _StopAtTrees(SessionRunHook):
    """Ends training when there are enough trees, or it has been tried often enough."""

    def __init__(self, finished: Any, tried: Any, trees: int, depth: int) -> None:
        self._fetches = (finished, tried)
        self._trees, self._most = trees, 2 * trees * depth

    def after_run(self, run_context: Any, run_values: Any) -> None:
        finished, tried = run_context.session.run(self._fetches)
        if finished >= self._trees or tried > self._most:
            run_context.request_stop()


class _BoostedTrees(Estimator):
    """Boosted trees with a head."""

    def __init__(
        self, head: canned.Head, feature_columns: Any, n_batches_per_layer: Any, model_dir: Any,
        config: Any, n_trees: int, max_depth: int, learning_rate: float, l1: float, l2: float,
        tree_complexity: float, min_node_weight: float, center_bias: bool, pruning_mode: Any,
        quantile_sketch_epsilon: float, link: Callable[[Any], Any], train_in_memory: bool = False,
    ) -> None:  # fmt: skip
        self._inputs_of_trees = inputs = Inputs(feature_columns)
        self._centered, self._link = center_bias, link

        def begin(features: Any) -> Forest:
            return Forest(inputs, features, quantile_sketch_epsilon, center_bias)

        def model_fn(features: Any, labels: Any, mode: Any, config: Any) -> EstimatorSpec:
            if pruning_mode not in ("none", "pre", "post"):
                raise ValueError("pruning_mode mode must be one of: none, post, pre")
            if pruning_mode != "none" and tree_complexity <= 0:
                raise ValueError("For pruning, tree_complexity must be positive.")
            if pruning_mode == "none" and tree_complexity > 0:
                raise ValueError("Tree complexity have no effect unless pruning mode is chosen.")
            with name_scope("boosted_trees"):
                forest = begin(features)
                logits = forest.logits(max_depth)
            hooks = []

            def train(loss: Any) -> Any:
                if train_in_memory and n_batches_per_layer != 1:
                    raise AssertionError(
                        "When train_in_memory is enabled, input_fn should return the entire "
                        "dataset as a single batch, and n_batches_per_layer should be set as 1."
                    )
                if max_depth < 1:
                    raise ValueError(f"max_depth must be 1 or more, got {max_depth}")
                step = forest.trained(
                    loss, logits, n_batches_per_layer, max_depth, learning_rate, l1, l2,
                    tree_complexity, min_node_weight, pruning_mode,
                )  # fmt: skip
                hooks.append(_StopAtTrees(*forest.progress(), n_trees, max_depth))
                return step

            with name_scope("head"):
                spec = head.spec(features, labels, mode, logits, train)
            return spec._replace(training_hooks=(*spec.training_hooks, *hooks))

        def explained(features: Any, mode: Any, config: Any) -> EstimatorSpec:
            with name_scope("boosted_trees"):
                forest = begin(features)
                logits = forest.logits(max_depth)
                wanted = head.predictions(logits) if not isinstance(head, _Given) else {
                    "logits": logits
                }  # fmt: skip
                prior, parts = self._explanation(forest)
            return EstimatorSpec(mode, {**wanted, "bias": prior, "dfc": parts})

        self._explaining = explained
        super().__init__(model_fn, model_dir, config)

    def _explanation(self, forest: Forest) -> Any:
        """What is predicted without features, and what each feature adds."""
        many, link = len(self._inputs_of_trees.names), self._link

        def work(rows: Any, *ensemble: Any) -> Any:
            found = forest.ensemble(*ensemble)
            priors = np.zeros(len(rows))
            parts = np.zeros((len(rows), many))
            for i, row in enumerate(rows):
                prior, steps = found.explain(row)
                priors[i] = link(prior)
                for feature, before, after in steps:
                    parts[i, feature] += link(after) - link(before)
            return priors, parts

        return py_func(work, [forest.rows, *forest.state], [dtypes.float64] * 2, stateful=False)

    # ---- what trees say of features

    def experimental_feature_importances(self, normalize: bool = False) -> Any:
        """What splits at each feature gained, the largest first.

        Parameters
        ----------
        normalize : bool
            Whether the gains are divided by their sum.

        Returns
        -------
        OrderedDict
            Name of a column → gain.
        """
        found = Forest.stored(self.get_variable_value("boosted_trees:0_serialized"))
        if not found.trees:
            raise ValueError("Found empty serialized string for TreeEnsemble.")
        names = self._inputs_of_trees.names
        gains = dict.fromkeys(names, 0.0)
        for tree in found.trees:
            for node, value in zip(tree.nodes, tree.values, strict=True):
                if node[LEFT]:
                    gains[names[node[0]]] += value[GAIN]
        if normalize:
            total = sum(gains.values())
            if not total:
                raise ValueError("Trees are all empty or sum of gains is 0.")
            gains = {k: g / total for k, g in gains.items()}
        return collections.OrderedDict(sorted(gains.items(), key=lambda kv: -kv[1]))

    def experimental_predict_with_explanations(
        self, input_fn: Callable[..., Any], predict_keys: Any = None,
        hooks: Sequence[Any] | None = None, checkpoint_path: str | None = None,
    ) -> Iterator[Any]:  # fmt: skip
        """Predictions with what each feature adds to them: a generator of dicts.

        ``bias`` is what is predicted before any split, ``dfc`` (directional feature contributions)
        says what each column adds, the largest in size first. They add up to the prediction.

        Raises
        ------
        ValueError
            When the model was made without ``center_bias``.
        """
        if not self._centered:
            raise ValueError(
                "center_bias must be enabled during estimator instantiation when using "
                "experimental_predict_with_explanations."
            )
        keys = [predict_keys] if isinstance(predict_keys, str) else predict_keys
        if keys is not None:
            keys = [*keys, "bias", "dfc"]
        beside = Estimator(self._explaining, self.model_dir, self.config)
        names = self._inputs_of_trees.names
        for row in beside.predict(input_fn, keys, hooks, checkpoint_path):
            sums = dict.fromkeys(names, 0.0)
            for name, part in zip(names, row["dfc"], strict=True):
                sums[name] += float(part)
            row["bias"] = float(row["bias"])
            row["dfc"] = collections.OrderedDict(sorted(sums.items(), key=lambda kv: -abs(kv[1])))
            yield row


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + pymath.exp(-x))


def _itself(x: Any) -> Any:
    return x


class BoostedTreesClassifier(_BoostedTrees):
    """Boosted trees that tell two classes apart.

    Parameters
    ----------
    feature_columns : list
        Numeric, bucketized and indicator columns.
    n_batches_per_layer : int
        How many batches a layer of a tree is grown from.
    n_classes : int
        2.
    weight_column : str, optional
        A feature that weighs examples.
    label_vocabulary : list of str, optional
        Where labels are strings.
    n_trees, max_depth : int
        How many trees, of how many layers.
    learning_rate : float
        What part of a correction a tree makes.
    l1_regularization, l2_regularization : float
    tree_complexity : float
        What a split must gain, where trees are pruned.
    min_node_weight : float
        The sum of second derivatives that a node must have to be split.
    center_bias : bool
        Whether trees begin with what is best without features.
    pruning_mode : str
        ``"none"``, ``"pre"`` (no splits that do not gain) or ``"post"`` (they are taken back).
    quantile_sketch_epsilon : float
        By what share of all examples buckets of numbers may be off.
    train_in_memory : bool
        Whether each batch is all data.
    """

    def __init__(
        self, feature_columns: Any, n_batches_per_layer: int, model_dir: str | None = None,
        n_classes: Any = _UNSET, weight_column: Any = None, label_vocabulary: Any = None,
        n_trees: int = 100, max_depth: int = 6, learning_rate: float = 0.1,
        l1_regularization: float = 0.0, l2_regularization: float = 0.0,
        tree_complexity: float = 0.0, min_node_weight: float = 0.0, config: Any = None,
        center_bias: bool = False, pruning_mode: str = "none",
        quantile_sketch_epsilon: float = 0.01, train_in_memory: bool = False,
    ) -> None:  # fmt: skip
        if n_classes not in (_UNSET, 2):
            if isinstance(n_classes, int) and n_classes > 2 and pruning_mode is not None:
                raise ValueError("For now pruning is not supported with multi class.")
            raise ValueError(
                f"For now only binary classification is supported.n_classes given as {n_classes}"
            )
        super().__init__(
            canned.Classification(2, label_vocabulary, weight_column, _MEAN), feature_columns,
            n_batches_per_layer, model_dir, config, n_trees, max_depth, learning_rate,
            l1_regularization, l2_regularization, tree_complexity, min_node_weight, center_bias,
            pruning_mode, quantile_sketch_epsilon, _sigmoid, train_in_memory,
        )  # fmt: skip


class BoostedTreesRegressor(_BoostedTrees):
    """Boosted trees that predict a number: see `BoostedTreesClassifier`."""

    def __init__(
        self, feature_columns: Any, n_batches_per_layer: int, model_dir: str | None = None,
        label_dimension: Any = _UNSET, weight_column: Any = None, n_trees: int = 100,
        max_depth: int = 6, learning_rate: float = 0.1, l1_regularization: float = 0.0,
        l2_regularization: float = 0.0, tree_complexity: float = 0.0,
        min_node_weight: float = 0.0, config: Any = None, center_bias: bool = False,
        pruning_mode: str = "none", quantile_sketch_epsilon: float = 0.01,
        train_in_memory: bool = False,
    ) -> None:  # fmt: skip
        if label_dimension not in (_UNSET, 1):
            raise ValueError("For now pruning is not supported with multi-dimensionregression.")
        super().__init__(
            canned.Regression(1, weight_column, _MEAN), feature_columns, n_batches_per_layer,
            model_dir, config, n_trees, max_depth, learning_rate, l1_regularization,
            l2_regularization, tree_complexity, min_node_weight, center_bias, pruning_mode,
            quantile_sketch_epsilon, _itself, train_in_memory,
        )  # fmt: skip


class BoostedTreesEstimator(_BoostedTrees):
    """Boosted trees with a head of the user's: see `BoostedTreesClassifier`."""

    def __init__(
        self, feature_columns: Any, n_batches_per_layer: int, head: Any,
        model_dir: str | None = None, weight_column: Any = None, n_trees: int = 100,
        max_depth: int = 6, learning_rate: float = 0.1, l1_regularization: float = 0.0,
        l2_regularization: float = 0.0, tree_complexity: float = 0.0,
        min_node_weight: float = 0.0, config: Any = None, center_bias: bool = False,
        pruning_mode: str = "none", quantile_sketch_epsilon: float = 0.01,
    ) -> None:  # fmt: skip
        if head.logits_dimension != 1:
            raise ValueError(
                f"boosted trees have one logit, the head wants {head.logits_dimension}"
            )
        binary = "Class" in type(head).__name__ or "Logistic" in type(head).__name__
        super().__init__(
            _Given(head), feature_columns, n_batches_per_layer, model_dir, config, n_trees,
            max_depth, learning_rate, l1_regularization, l2_regularization, tree_complexity,
            min_node_weight, center_bias, pruning_mode, quantile_sketch_epsilon,
            _sigmoid if binary else _itself,
        )  # fmt: skip
