"""``tf.contrib.predictor``: functions of arrays, made of estimators and saved models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.estimator.spec import EstimatorSpec, ModeKeys
from graphc.face.graph import Graph
from graphc.face.session import Session
from graphc.train.monitored_session import ChiefSessionCreator, MonitoredSession, Scaffold
from graphc.train.steps import create_global_step

__all__ = ["from_contrib_estimator", "from_estimator", "from_saved_model"]

DEFAULT = "serving_default"


class Predictor:
    """Predicts in a session of its own: call it with a dict of arrays, it gives one.

    Attributes
    ----------
    graph : Graph
    session : Session
    feed_tensors, fetch_tensors : dict
        Name → tensor.
    """

    def __init__(
        self, graph: Graph, session: Any, feeds: Mapping[str, Any], fetches: Mapping[str, Any]
    ) -> None:
        self.graph, self.session = graph, session
        self.feed_tensors, self.fetch_tensors = dict(feeds), dict(fetches)

    def __repr__(self) -> str:
        return (f"{type(self).__name__} with feed tensors {self.feed_tensors} and fetch_tensors "
                f"{self.fetch_tensors}")  # fmt: skip

    def __call__(self, input_dict: Mapping[str, Any]) -> dict[str, Any]:
        """The fetched arrays by name.

        Raises
        ------
        ValueError
            When a name is none of `feed_tensors`.
        """
        unknown = set(input_dict) - set(self.feed_tensors)
        if unknown:
            raise ValueError(f"Got unexpected keys in input_dict: {unknown}\nexpected: "
                             f"{set(self.feed_tensors)}")  # fmt: skip
        feeds = {self.feed_tensors[k]: v for k, v in input_dict.items()}
        got: dict[str, Any] = self.session.run(self.fetch_tensors, feeds)
        return got


class CoreEstimatorPredictor(Predictor):
    """Of an estimator's newest checkpoint."""


class SavedModelPredictor(Predictor):
    """Of a saved model."""


def from_estimator(
    estimator: Any, serving_input_receiver_fn: Callable[..., Any], output_key: str | None = None,
    graph: Graph | None = None, config: Any = None,
) -> CoreEstimatorPredictor:  # fmt: skip
    """A predictor of an estimator's newest checkpoint.

    Parameters
    ----------
    estimator : Estimator
    serving_input_receiver_fn : callable
        Gives the ``ServingInputReceiver`` that is fed.
    output_key : str, optional
        Which of the model's export outputs is fetched; the default one if not given.
    graph : Graph, optional
        In which the model is built; a new one if not given.

    Raises
    ------
    KeyError
        When there is no such export output.
    """
    graph = graph or Graph()
    with graph.as_default():
        create_global_step(graph)
        receiver = serving_input_receiver_fn()
        spec = estimator.model_fn(receiver.features, None, ModeKeys.PREDICT, estimator.config)
        creator = ChiefSessionCreator(
            spec.scaffold or Scaffold(), config=config,
            checkpoint_filename_with_path=estimator.latest_checkpoint(),
        )  # fmt: skip
        session = MonitoredSession(creator)
    fetched = _fetched(spec, output_key)
    fed = receiver.receiver_tensors
    feeds = fed if isinstance(fed, Mapping) else {"input": fed}
    return CoreEstimatorPredictor(graph, session, feeds, fetched)


def _fetched(spec: EstimatorSpec, key: str | None) -> Mapping[str, Any]:
    given = dict(spec.export_outputs or {})
    if key is not None and key not in given:
        raise KeyError(f"output_key must be one of {given.keys()}; got {key}")
    chosen = given.get(key or DEFAULT, next(iter(given.values()), None))
    found = getattr(chosen, "outputs", spec.predictions)
    return found if isinstance(found, Mapping) else {"output": found}


def from_contrib_estimator(
    estimator: Any, prediction_input_fn: Callable[..., Any],
    input_alternative_key: str | None = None, output_alternative_key: str | None = None,
    graph: Graph | None = None, config: Any = None,
) -> Any:  # fmt: skip
    """Refuses: graphc's `contrib.learn` estimators are estimators of ``tf.estimator``."""
    raise TypeError("Expected estimator to be of type tf.contrib.learn.Estimator, but got type "
                    f"{type(estimator).__name__}. You likely want to call "
                    "from_estimator.")  # fmt: skip


def from_saved_model(
    export_dir: str, signature_def_key: str | None = None, signature_def: Any = None,
    input_names: Mapping[str, str] | None = None, output_names: Mapping[str, str] | None = None,
    tags: str | None = None, graph: Graph | None = None, config: Any = None,
) -> SavedModelPredictor:  # fmt: skip
    """A predictor of a saved model.

    Parameters
    ----------
    export_dir : str
    signature_def_key : str, optional
        Which of the model's signatures; ``serving_default`` if nothing else is given.
    signature_def : SignatureDef, optional
    input_names, output_names : dict, optional
        Name → tensor's name, in place of a signature.
    tags : str, optional
        Tags of the graph, with commas between; ``serve`` if not given.

    Raises
    ------
    ValueError
        When more than one of these is given, or there is no such signature.
    """
    from graphc.saved_model.models import load

    if (input_names is None) != (output_names is None):
        raise ValueError("input_names and output_names must both be specified or both be "
                         "unspecified.")  # fmt: skip
    if sum(x is not None for x in (signature_def_key, signature_def, input_names)) > 1:
        raise ValueError("You must specify at most one of signature_def_key OR signature_def OR"
                         "(input_names AND output_names).")  # fmt: skip
    graph = graph or Graph()
    with graph.as_default():
        session = Session(config=config)
        meta = load(session, (tags or "serve").split(","), export_dir)
    if input_names is None or output_names is None:
        if signature_def is None:
            key = signature_def_key or DEFAULT
            if key not in meta.signature_def:
                raise ValueError(f"Got signature_def_key {key!r}; the model's signatures are "
                                 f"{sorted(meta.signature_def)}")  # fmt: skip
            signature_def = meta.signature_def[key]
        input_names = {k: v.name for k, v in signature_def.inputs.items()}
        output_names = {k: v.name for k, v in signature_def.outputs.items()}
    feeds = {k: graph.get_tensor_by_name(v) for k, v in input_names.items()}
    fetches = {k: graph.get_tensor_by_name(v) for k, v in output_names.items()}
    return SavedModelPredictor(graph, session, feeds, fetches)
