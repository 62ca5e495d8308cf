"""Networks of slim: what is in them (`STRUCTURES`), and values of small ones (`PROGRAMS`)."""

import hashlib
import importlib

from layer_harness import data

STRUCTURES = {}
PROGRAMS = {}


def nets(tf, name):
    """A module of networks, as TensorFlow's users import it."""
    root = tf.__name__.partition(".")[0] if "graphc" not in tf.__name__ else "graphc"
    return importlib.import_module(root + ".contrib.slim.python.slim.nets." + name)


def lines(tf, outputs):
    """One line for each variable, layer, loss and named output."""
    graph = tf.get_default_graph()
    trained = {v.name for v in tf.trainable_variables()}
    out = [f"{v.name} {v.shape.as_list()} {v.name in trained}" for v in tf.global_variables()]
    for op in graph.get_operations():
        if op.type in ("Conv2D", "MaxPool", "AvgPool", "DepthwiseConv2dNative"):
            dilated = op.inputs[0].op.type == "SpaceToBatchND"
            if dilated or (op.type == "Conv2D" and max(op.get_attr("dilations")) > 1):
                out.append(op.name)  # one operation here, several there
                continue
            strides, padding = list(op.get_attr("strides")), op.get_attr("padding")
            padding = padding if isinstance(padding, str) else padding.decode()
            shape = op.outputs[0].shape.as_list()
            out.append(f"{op.type} {op.name} {strides} {padding} {shape} {op.inputs[0].name}")
    out += [t.name for t in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)]
    out += [t.name for t in tf.get_collection(tf.GraphKeys.UPDATE_OPS)]
    out += [v.name for v in tf.get_collection("moving_vars")]
    ends = [f"{k} {v.name} {v.shape.as_list()}" for k, v in outputs[1].items()]
    return out, [outputs[0].name, *ends]


def structure(tf, program):
    """What is compared: the named outputs, and a digest of everything else."""
    tf.reset_default_graph()
    found, ends = lines(tf, program(tf))
    text = "\n".join(found)
    return {
        "lines": len(found),
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "ends": hashlib.sha256("\n".join(ends).encode()).hexdigest(),
        "last": ends[-3:],
    }


def whole(module, f, shape, scope=None, **k):
    def program(tf):
        m = nets(tf, module)
        x = tf.placeholder(tf.float32, shape)
        defaults = getattr(nets(tf, scope[0]), scope[1])() if scope else {}
        with tf.contrib.slim.arg_scope(defaults):
            return getattr(m, f)(x, **k)

    return program


_UTILS = ("resnet_utils", "resnet_arg_scope")

STRUCTURES = {
    "alexnet": whole(
        "alexnet", "alexnet_v2", [None, 224, 224, 3], ("alexnet", "alexnet_v2_arg_scope")
    ),
    "overfeat": whole(
        "overfeat", "overfeat", [2, 231, 231, 3], ("overfeat", "overfeat_arg_scope"), num_classes=7
    ),
    "vgg_a": whole("vgg", "vgg_a", [2, 256, 256, 3], spatial_squeeze=False, is_training=False),
    "vgg_16": whole("vgg", "vgg_16", [None, 224, 224, 3], ("vgg", "vgg_arg_scope")),
    "vgg_19": whole("vgg", "vgg_19", [None, 224, 224, 3]),
    "inception_v1": whole(
        "inception", "inception_v1", [2, 224, 224, 3], ("inception", "inception_v1_arg_scope")
    ),
    "inception_v1_base": whole(
        "inception_v1", "inception_v1_base", [2, 64, 64, 3], final_endpoint="Mixed_4c"
    ),
    "inception_v2": whole(
        "inception", "inception_v2", [2, 112, 112, 3], ("inception", "inception_v2_arg_scope"),
        depth_multiplier=0.5,
    ),
    "inception_v2_unknown": whole("inception_v2", "inception_v2", [None, None, None, 3]),
    "inception_v3": whole(
        "inception", "inception_v3", [None, 299, 299, 3], ("inception", "inception_v3_arg_scope")
    ),
    "inception_v3_small": whole(
        "inception_v3", "inception_v3", [2, 150, 150, 3], num_classes=9, depth_multiplier=0.3,
        spatial_squeeze=False,
    ),
    "resnet_v1_50": whole(
        "resnet_v1", "resnet_v1_50", [None, None, None, 3], _UTILS, num_classes=5, output_stride=8
    ),
    "resnet_v1_101": whole("resnet_v1", "resnet_v1_101", [None, 224, 224, 3], _UTILS),
    "resnet_v2_50": whole(
        "resnet_v2", "resnet_v2_50", [2, 65, 65, 3], _UTILS, num_classes=5, is_training=False,
        global_pool=False, output_stride=16,
    ),
    "resnet_v2_50_224": whole("resnet_v2", "resnet_v2_50", [2, 224, 224, 3], _UTILS),
}  # fmt: skip


def program(f):
    PROGRAMS[f.__name__] = f
    return f


def run(tf, outputs, keys, trained=True):
    """The named outputs, and the gradient of the first weights."""
    y, ends = outputs
    first = tf.trainable_variables()[0]
    found = [tf.reduce_mean(ends[k], [1, 2], name="m") for k in keys]
    g = tf.gradients(tf.reduce_sum(tf.square(y)), first)[0] if trained else y
    return {"fetch": [y, *found, tf.reduce_sum(g, [0, 1], name="g")]}


@program
def residual_first(tf, np):
    m = nets(tf, "resnet_v1")
    blocks = [m.resnet_v1_block("a", 2, 2, 2), m.resnet_v1_block("b", 3, 2, 2)]
    with tf.contrib.slim.arg_scope(nets(tf, "resnet_utils").resnet_arg_scope()):
        out = m.resnet_v1(
            tf.constant(data(2, 33, 29, 3)), blocks, 3, False, output_stride=8, scope="net"
        )
    return run(tf, out, ["net/a", "net/b/unit_2/bottleneck_v1"])


@program
def residual_second(tf, np):
    m = nets(tf, "resnet_v2")
    blocks = [m.resnet_v2_block("a", 2, 2, 2), m.resnet_v2_block("b", 3, 1, 1)]
    with tf.contrib.slim.arg_scope(nets(tf, "resnet_utils").resnet_arg_scope()):
        out = m.resnet_v2(tf.constant(data(2, 33, 29, 3)), blocks, 3, True, output_stride=4)
    return run(tf, out, ["resnet_v2/a", "resnet_v2/b"], trained=False)


@program
def inception_third(tf, np):
    m = nets(tf, "inception")
    x = tf.constant(data(1, 75, 75, 3))
    out = m.inception_v3_base(x, "Mixed_5c", 2, 0.05)
    return run(tf, out, ["Conv2d_2b_3x3", "MaxPool_5a_3x3", "Mixed_5b"])


@program
def inception_second(tf, np):
    m = nets(tf, "inception")
    slim = tf.contrib.slim
    with (
        slim.arg_scope(m.inception_v2_arg_scope()),
        slim.arg_scope([slim.batch_norm], is_training=False),
    ):
        out = m.inception_v2_base(tf.constant(data(1, 48, 48, 3)), "Mixed_4a", 3, 0.05)
    return run(tf, out, ["Mixed_3b"])
