"""Hyper-parameters from text and messages; which operations a graph uses."""

from families import error

TYPES = {"a": int, "b": float, "c": str, "d": bool, "e": int}
FINE = (
    "a=1,b=2.5,c=hi,d=true", "e=[1,2,3],a=4", "e[1]=5,e[0]=2", "a=[1,2]", "c=a b,b=1e-3",
    "c=[x,y]", "a=-3,b=-.5", "d=False", "",
)  # fmt: skip
BAD = (
    "e=", "a=x", "z=1", "a=1,a=2", "e[1]=5,e=[1]", "d=0,d=1", "a=1.5", "a 1", "e[a]=1", "d=yes",
)  # fmt: skip


def texts(tf, say, folder):
    f = tf.contrib.training.parse_values
    say([f(text, TYPES) for text in FINE])
    say([error(f, text, TYPES) for text in BAD])
    say(f("z=1,a=2", TYPES, True))


def parsed(tf, say, folder):
    h = tf.contrib.training.HParams(a=1, b=0.5, c="x", e=[1, 2])
    say(h.parse("a=2,e=[7,8],b=1").values())
    say([error(h.parse, text) for text in BAD[:3]])


def messages(tf, say, folder):
    H = tf.contrib.training.HParams
    h = H(a=1, b=0.5, c="x", d=True, e=[1, 2], f=[0.5], g=["a", "b"], h=[True, False])
    p = h.to_proto()
    say(list(p.SerializeToString(deterministic=True)))
    say([H(hparam_def=p).values(), H.from_proto(p).values(), p.hparam["e"].int64_list.value[:]])


def operations(tf, say, folder):
    tf.add(tf.constant(1.0), 2.0)
    tf.identity(3.0)
    used = tf.contrib.util.ops_used_by_graph_def(tf.get_default_graph().as_graph_def())
    say(sorted(used))
    say(tf.contrib.layers.SPARSE_FEATURE_CROSS_DEFAULT_HASH_KEY)
