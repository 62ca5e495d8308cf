"""Clusters as messages: texts of TensorFlow 1.15."""

import graphc as tf


def test_messages() -> None:
    spec = tf.train.ClusterSpec({"worker": ["a:1", "b:2"], "ps": {3: "c:9"}})
    made = spec.as_cluster_def()
    assert isinstance(made, tf.train.ClusterDef)
    assert [j.name for j in made.job] == ["ps", "worker"]
    assert dict(made.job[0].tasks) == {3: "c:9"}
    assert tf.train.ClusterSpec(made) == spec
    assert tf.train.ClusterSpec(made).as_dict() == {"ps": {3: "c:9"}, "worker": ["a:1", "b:2"]}
    given = tf.train.ServerDef(cluster=made, job_name="worker", task_index=1, protocol="grpc")
    assert str(given).endswith('job_name: "worker"\ntask_index: 1\nprotocol: "grpc"\n')
    assert tf.train.Server(given).server_def == given
    local = tf.train.Server.create_local_server().server_def
    assert (local.job_name, local.task_index, local.protocol) == ("local", 0, "grpc")
    assert str(tf.train.JobDef(name="x", tasks={0: "h:1"})) == (
        'name: "x"\ntasks {\n  key: 0\n  value: "h:1"\n}\n'
    )
