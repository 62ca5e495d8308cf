"""Optimizers, rates, clipping and averages against what TensorFlow 1.15 computed."""

import pytest
from train_oracle import FACTS, check

NAMES = [
    n for n in FACTS
    if n.startswith(("train/", "optimizer_", "decay_", "moving_average", "clip_by_"))
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_recorded(name: str) -> None:
    check(name)
