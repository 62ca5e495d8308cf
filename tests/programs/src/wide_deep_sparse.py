"""Ready-made estimators on examples whose features are sparse, as files of records give them."""

import tempfile

import numpy as np
import tensorflow as tf

tf.logging.set_verbosity("ERROR")
fc = tf.feature_column
rng = np.random.RandomState(0)
RESULT = {}


def example():
    made = tf.train.Example()
    f = made.features.feature
    f["age"].float_list.value.append(float(rng.randint(18, 70)))
    f["job"].bytes_list.value.append([b"a", b"b", b"c", b"zz"][rng.randint(4)])
    f["tags"].int64_list.value.extend([int(v) for v in rng.randint(0, 10, rng.randint(0, 4))])
    f["y"].int64_list.value.append(int(rng.randint(2)))
    return made.SerializeToString()


data = [example() for _ in range(120)]
age = fc.numeric_column("age")
job = fc.categorical_column_with_vocabulary_list("job", ["a", "b", "c"])
tags = fc.categorical_column_with_identity("tags", 10)
cross = fc.crossed_column(["job", fc.bucketized_column(age, [30.0, 50.0])], 20)
wide = [fc.bucketized_column(age, [25.0, 35.0, 50.0]), job, tags, cross]
deep = [age, fc.indicator_column(job), fc.embedding_column(tags, 4)]
spec = fc.make_parse_example_spec(wide + deep)
spec["y"] = tf.FixedLenFeature([], tf.int64)


def parsed(batch):
    features = tf.parse_example(batch, spec)
    return features, features.pop("y")


def inputs():
    return tf.data.Dataset.from_tensor_slices(data).repeat(3).batch(32).map(parsed)


config = tf.estimator.RunConfig(tf_random_seed=7)
for name, estimator in {
    "linear": tf.estimator.LinearClassifier(wide, tempfile.mkdtemp(), config=config),
    "dnn": tf.estimator.DNNClassifier([8], deep, tempfile.mkdtemp(), config=config),
    "both": tf.estimator.DNNLinearCombinedClassifier(
        tempfile.mkdtemp(), wide, dnn_feature_columns=deep, dnn_hidden_units=[8, 4], config=config
    ),
}.items():
    estimator.train(inputs, steps=8)
    found = estimator.evaluate(inputs, steps=2)
    weights = [n for n in estimator.get_variable_names() if n.split("/")[-1] in
               ("kernel", "bias", "weights", "bias_weights", "embedding_weights")]  # fmt: skip
    RESULT[name] = [
        float(found["loss"]), float(found["auc"]),
        {n: float(np.sum(np.abs(estimator.get_variable_value(n)))) for n in sorted(weights)},
    ]  # fmt: skip
