"""Keras' words and sequences; under TensorFlow 1.15 it writes preprocessing.json.

python preprocessing_cases.py
"""

import json
import pathlib
import random
from typing import Any

import numpy as np

HERE = pathlib.Path(__file__).parent
TEXTS: Any = [
    "The cat sat on the mat.",
    "The dog, the DOG; ate my homework!",
    "",
    ["A", "list", "of", "The"],
]
TOKENIZERS: Any = [
    {},
    {"num_words": 4},
    {"oov_token": "<OOV>"},
    {"num_words": 4, "oov_token": "<OOV>"},
    {"char_level": True},
    {"lower": False, "filters": "."},
    {"split": "t"},
]
PAIRS: Any = [
    {},
    {"shuffle": False},
    {"negative_samples": 0.0},
    {"categorical": True},
    {"negative_samples": 2.5, "window_size": 1},
]
SERIES: Any = [
    {},
    {"sampling_rate": 2},
    {"stride": 3, "batch_size": 2},
    {"start_index": 3, "end_index": 12},
    {"reverse": True},
]


def tokenized(text: Any, options: Any) -> Any:
    t = text.Tokenizer(**options)
    t.fit_on_texts(TEXTS[:3] if "split" in options or "char_level" in options else TEXTS)
    more = ["the cat zzz mat", "nothing"]
    modes = ("binary", "count", "freq", "tfidf")
    return [
        sorted(t.word_index.items(), key=lambda x: x[1]),
        t.document_count,
        t.texts_to_sequences(more),
        t.sequences_to_texts([[1, 2, 99], [5]]),
        sorted(t.index_docs.items()),
        sorted(t.word_docs.items()),
        list(t.word_counts.items()),
        [np.round(t.texts_to_matrix(more + TEXTS[:2], m), 6).tolist() for m in modes],
        sorted(t.get_config()),
    ]


def batches(sequence: Any, options: Any) -> Any:
    data = np.arange(20)
    made = sequence.TimeseriesGenerator(data, data * 10, 4, **{"batch_size": 3, **options})
    return [len(made), [[x.tolist() for x in made[i]] for i in range(len(made))]]


def pairs(sequence: Any, options: Any) -> Any:
    random.seed(3)
    return sequence.skipgrams([1, 2, 0, 3, 4, 5], 8, seed=5, **options)


def answers(tf: Any) -> Any:
    """All of it, as JSON has it."""
    text, sequence = tf.keras.preprocessing.text, tf.keras.preprocessing.sequence
    random.seed(3)
    table = sequence.make_sampling_table(8, 0.05)
    found = {
        "tokenizers": [tokenized(text, o) for o in TOKENIZERS],
        "words": text.text_to_word_sequence("Hello, World! a-b c_d  x"),
        "hashes": [text.hashing_trick("Hello world again", 50, "md5"),
                   text.hashing_trick("a bb ccc", 7, len)],
        "sampled": sequence.skipgrams([1, 2, 3, 4, 5], 8, sampling_table=table, seed=5),
        "table": np.round(sequence.make_sampling_table(10), 8).tolist(),
        "pairs": [pairs(sequence, o) for o in PAIRS],
        "series": [batches(sequence, o) for o in SERIES],
    }  # fmt: skip
    return json.loads(json.dumps(found))


if __name__ == "__main__":
    import tensorflow

    (HERE / "preprocessing.json").write_text(json.dumps(answers(tensorflow)) + "\n")
