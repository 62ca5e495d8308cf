"""What programs use of ``tf.contrib.learn`` besides preprocessing."""

from __future__ import annotations

from typing import Any

from graphc.estimator.estimator import Estimator
from graphc.estimator.spec import RunConfig
from graphc.train.hooks import NanLossDuringTrainingError

__all__ = ["Estimator", "ModeKeys", "NanLossDuringTrainingError", "RunConfig"]


class ModeKeys:
    """What a model function is called for."""

    TRAIN = "train"
    EVAL = "eval"
    INFER = "infer"

    @classmethod
    def validate(cls, key: Any) -> None:
        """Refuse what is no mode.

        Raises
        ------
        ValueError
        """
        if key not in (cls.TRAIN, cls.EVAL, cls.INFER):
            raise ValueError(f"Invalid mode {key}.")
