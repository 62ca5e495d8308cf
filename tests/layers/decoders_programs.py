"""Programs of slim's Example decoders; see `layer_harness.py`."""

PROGRAMS = {}
BMP = (
    b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x02\0\0\0\x02\0\0\0\x01\0\x18\0\0\0\0\0\x10\0\0\0"
    b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x02\x03\x04\x05\x06\0\0\x07\x08\x09\x0a\x0b\x0c\0\0"
)


def program(f):
    PROGRAMS[f.__name__] = f
    return f


def example(tf, **features):
    def feature(v):
        if isinstance(v[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=v))
        if isinstance(v[0], float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=v))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=v))

    made = {k.replace("__", "/"): feature(v) for k, v in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


def decoded(tf, data, features, handlers, items=None):
    decoder = tf.contrib.slim.tfexample_decoder.TFExampleDecoder(features, handlers)
    text = tf.placeholder(tf.string, [])
    out = decoder.decode(text, items)
    return {
        "feed": {text: data},
        "fetch": [tf.identity(t, name="v") for t in out],
        "said": list(decoder.list_items()),
    }


@program
def tensors(tf, np):
    D = tf.contrib.slim.tfexample_decoder
    data = example(tf, a=[1, 2, 3, 4], b=[0.5, 1.5], n=[2, 2], ymin=[0.1, 0.2], xmin=[0.0, 0.1],
                   ymax=[0.5, 0.6], xmax=[0.7, 0.8], w=[b"x"], at=[1, 3], v=[0.5, 1.5])  # fmt: skip
    many = tf.VarLenFeature(tf.float32)
    features = {
        "a": tf.VarLenFeature(tf.int64), "b": tf.FixedLenFeature([2], tf.float32),
        "n": tf.FixedLenFeature([2], tf.int64), "e": tf.VarLenFeature(tf.int64),
        "at": tf.VarLenFeature(tf.int64), "v": tf.VarLenFeature(tf.float32),
        "ymin": many, "xmin": many, "ymax": many, "xmax": many,
        "w": tf.FixedLenFeature((), tf.string, ""),
    }  # fmt: skip
    handlers = {
        "plain": D.Tensor("a"), "shaped": D.Tensor("a", shape=[2, 2]),
        "by_keys": D.Tensor("a", shape_keys="n"), "fixed": D.Tensor("b", shape=[2, 1]),
        "box": D.BoundingBox(), "word": D.Tensor("w"),
        "sum": D.ItemHandlerCallback(["a", "b"], lambda t: tf.reduce_sum(t["b"])),
        "backup": D.BackupHandler(D.Tensor("e"), D.Tensor("a")),
        "dense": D.SparseTensor("at", "v", shape=[5], densify=True),
    }  # fmt: skip
    return decoded(tf, data, features, handlers, sorted(handlers))


@program
def some_items(tf, np):
    D = tf.contrib.slim.tfexample_decoder
    features = {"a": tf.FixedLenFeature([3], tf.int64), "b": tf.FixedLenFeature([], tf.int64, 7)}
    handlers = {"x": D.Tensor("a"), "y": D.Tensor("b")}
    return decoded(tf, example(tf, a=[1, 2, 3]), features, handlers, ["y"])


def image(name, data, kind, **options):
    def f(tf, np):
        D = tf.contrib.slim.tfexample_decoder
        features = {
            "image/encoded": tf.FixedLenFeature((), tf.string, ""),
            "image/format": tf.FixedLenFeature((), tf.string, "jpeg"),
        }
        handlers = {"image": D.Image(**options)}
        return decoded(tf, example(tf, image__encoded=[data], image__format=[kind]), features,
                       handlers)  # fmt: skip

    PROGRAMS["image_" + name] = f


image("bmp", BMP, b"bmp")
image("raw", bytes(range(12)), b"raw", shape=[2, 2, 3])
