"""A reason of each kind is given, and its remedy, applied, does away with it."""

import pytest
from why_cases import CASES, Case

import graphc as tf


def explained(case: Case, changed: bool):
    config = tf.ConfigProto(**case.config) if changed else None
    with tf.Graph().as_default() as g, tf.Session(graph=g, config=config) as session:
        what, fetches, *feeds = case.build(changed)
        return tf.explain(what, fetches, feeds[0] if feeds else None, session)


def found(case: Case, answer: tf.explain) -> list:
    return [r for r in answer.because(case.kind) if case.text in r.text]


@pytest.mark.parametrize("name", CASES)
def test_reason(name: str) -> None:
    case = CASES[name]
    answer = explained(case, False)
    assert not answer.error
    reasons = found(case, answer)
    assert reasons, f"not said in:\n{answer}"
    assert any(case.remedy in r.remedy for r in reasons), reasons[0].remedy
    assert reasons[0].text in str(answer)


@pytest.mark.parametrize("name", CASES)
def test_remedy(name: str) -> None:
    case = CASES[name]
    answer = explained(case, True)
    assert not answer.error
    assert not found(case, answer), f"still said in:\n{answer}"
    if case.together:
        (place,) = [p for p in answer.places if set(answer.nodes) & set(p.nodes)]
        inside = {n.name for n in (*place.nodes, *place.others)}
        assert set(case.together) <= inside
