"""Recurrent nets: cells, unrolled and looped nets, decoders.

Each program is a function of `tf` and `np`, called in a fresh graph whose variables start as
`start` says. It returns a dictionary: "fetch", a list of tensors; "feed"; and, where something is
trained, "loss": `record_rnn.py` writes down the fetches before and after three steps of gradient
descent. The same source runs on Python 3.7.
"""

PROGRAMS = {}


def program(function):
    """Register a program under its function name."""
    assert function.__name__ not in PROGRAMS, function.__name__
    PROGRAMS[function.__name__] = function
    return function


def case(name, function):
    """Register a program under a name."""
    assert name not in PROGRAMS, name
    PROGRAMS[name] = function


def start(tf, np):
    """An initializer: the same numbers for the same shape, of both signs, none of them large."""

    def initial(shape, dtype=None, partition_info=None):
        count = int(np.prod([int(n) for n in shape]))
        values = np.sin(0.7 * np.arange(count) + len(shape)) * 0.6
        return tf.constant(values.reshape([int(n) for n in shape]), dtype or tf.float32)

    return initial


def data(np, *shape):
    """Numbers of both signs."""
    return np.cos(1.3 * np.arange(np.prod(shape))).reshape(shape).astype(np.float32)


def flat(tf, structure):
    """The tensors of a nest."""
    return tf.contrib.framework.nest.flatten(structure)


# ---- cells: one step and another ----------------------------------------------------------------

CELLS = {
    "basic_rnn": lambda tf, c: c.BasicRNNCell(3),
    "basic_rnn_relu": lambda tf, c: c.BasicRNNCell(3, activation=tf.nn.relu),
    "basic_rnn_named": lambda tf, c: c.BasicRNNCell(3, activation="sigmoid", name="mine"),
    "gru": lambda tf, c: c.GRUCell(3),
    "gru_initializers": lambda tf, c: c.GRUCell(
        3, bias_initializer=tf.constant_initializer(-0.5),
        kernel_initializer=tf.constant_initializer(0.1),
    ),
    "basic_lstm": lambda tf, c: c.BasicLSTMCell(3),
    "basic_lstm_forget": lambda tf, c: c.BasicLSTMCell(3, forget_bias=0.2, activation=tf.nn.elu),
    "basic_lstm_flat": lambda tf, c: c.BasicLSTMCell(3, state_is_tuple=False),
    "lstm": lambda tf, c: c.LSTMCell(3),
    "lstm_peepholes": lambda tf, c: c.LSTMCell(3, use_peepholes=True),
    "lstm_projection": lambda tf, c: c.LSTMCell(4, num_proj=3, proj_clip=0.3),
    "lstm_all": lambda tf, c: c.LSTMCell(
        4, use_peepholes=True, cell_clip=0.4, num_proj=3, initializer=tf.constant_initializer(0.2),
        state_is_tuple=False,
    ),
    "multi": lambda tf, c: c.MultiRNNCell([c.GRUCell(4), c.BasicLSTMCell(3)]),
    "multi_flat": lambda tf, c: c.MultiRNNCell(
        [c.GRUCell(4), c.BasicRNNCell(3)], state_is_tuple=False
    ),
    "residual": lambda tf, c: c.ResidualWrapper(c.BasicLSTMCell(2)),
    "residual_function": lambda tf, c: c.ResidualWrapper(
        c.BasicRNNCell(2), residual_fn=lambda x, y: 2.0 * x - y
    ),
    "device": lambda tf, c: c.DeviceWrapper(c.GRUCell(3), "/cpu:0"),
    "dropout": lambda tf, c: c.DropoutWrapper(
        c.BasicLSTMCell(3), input_keep_prob=0.7, output_keep_prob=0.6, state_keep_prob=0.5, seed=5
    ),
    "dropout_variational": lambda tf, c: c.DropoutWrapper(
        c.GRUCell(3), input_keep_prob=0.7, output_keep_prob=0.6, state_keep_prob=0.5,
        variational_recurrent=True, input_size=2, dtype=tf.float32, seed=6,
    ),
    "dropout_of_multi": lambda tf, c: c.MultiRNNCell(
        [c.DropoutWrapper(c.GRUCell(n), output_keep_prob=0.5, seed=n) for n in (4, 3)]
    ),
}  # fmt: skip


def cell_program(make):
    def run(tf, np):
        tf.set_random_seed(3)
        cell = make(tf, tf.nn.rnn_cell)
        x = tf.placeholder(tf.float32, [None, 2])
        state = cell.zero_state(3, tf.float32)
        one, state = cell(x, state)
        two, state = cell(0.5 * x, state)
        return {
            "fetch": [one, two, *flat(tf, state)],
            "loss": tf.reduce_sum(tf.square(two)) + tf.reduce_sum(one),
            "feed": {x: data(np, 3, 2)},
        }

    return run


for _name, _make in CELLS.items():
    case("cell_" + _name, cell_program(_make))


# ---- unrolled ------------------------------------------------------------------------------------


def steps_of(tf, np, n=4, rows=None):
    x = tf.placeholder(tf.float32, [rows, n, 2])
    return x, tf.unstack(x, axis=1), {x: data(np, 3, n, 2)}


@program
def static_rnn_plain(tf, np):
    _, steps, feed = steps_of(tf, np)
    out, state = tf.nn.static_rnn(tf.nn.rnn_cell.BasicRNNCell(3), steps, dtype=tf.float32)
    return {"fetch": [*out, state], "loss": tf.reduce_sum(tf.square(out[-1])), "feed": feed}


@program
def static_rnn_lengths(tf, np):
    _, steps, feed = steps_of(tf, np)
    lengths = tf.placeholder(tf.int64, [None])
    cell = tf.contrib.rnn.BasicLSTMCell(3)
    out, state = tf.contrib.rnn.static_rnn(
        cell, steps, sequence_length=lengths, dtype=tf.float32, scope="net"
    )
    feed[lengths] = [0, 4, 2]
    shown = [tf.identity(o) for o in out]
    loss = tf.add_n([tf.reduce_sum(tf.square(o)) for o in out])
    return {"fetch": shown + [tf.identity(s) for s in state], "loss": loss, "feed": feed}


@program
def static_rnn_state(tf, np):
    _, steps, feed = steps_of(tf, np, rows=3)
    cell = tf.nn.rnn_cell.MultiRNNCell(
        [tf.nn.rnn_cell.LSTMCell(3, state_is_tuple=True) for _ in range(2)]
    )
    before = tf.nn.rnn_cell.LSTMStateTuple(tf.ones([3, 3]), 0.1 * tf.ones([3, 3]))
    out, state = tf.nn.static_rnn(cell, steps, initial_state=(before, before))
    with tf.variable_scope("rnn", reuse=True):
        again, _ = cell(steps[0], (before, before))
    return {
        "fetch": [out[-1], again, *flat(tf, state)],
        "loss": tf.reduce_mean(out[-1]),
        "feed": feed,
    }


@program
def static_bidirectional(tf, np):
    _, steps, feed = steps_of(tf, np)
    lengths = tf.placeholder(tf.int32, [None])
    out, fw, bw = tf.nn.static_bidirectional_rnn(
        tf.nn.rnn_cell.GRUCell(2),
        tf.nn.rnn_cell.GRUCell(3),
        steps,
        dtype=tf.float32,
        sequence_length=lengths,
    )
    plain, _, _ = tf.contrib.rnn.static_bidirectional_rnn(
        tf.nn.rnn_cell.BasicRNNCell(2),
        tf.nn.rnn_cell.BasicRNNCell(2),
        steps,
        dtype=tf.float32,
        scope="plain",
    )
    feed[lengths] = [1, 4, 3]
    loss = tf.reduce_sum(tf.square(tf.stack(out))) + tf.reduce_sum(plain[0] * plain[-1])
    shown = [tf.identity(t) for t in [*out, fw, bw, *plain]]
    return {"fetch": shown, "loss": loss, "feed": feed}


@program
def static_rnn_scopes(tf, np):
    _, steps, feed = steps_of(tf, np)
    with tf.variable_scope("encoder"):
        a, _ = tf.nn.static_rnn(tf.nn.rnn_cell.GRUCell(2), steps, dtype=tf.float32)
    with tf.variable_scope("decoder"):
        b, _ = tf.nn.static_rnn(tf.nn.rnn_cell.GRUCell(2), a, dtype=tf.float32, scope="read")
    with tf.variable_scope("decoder", reuse=True):
        c, _ = tf.nn.static_rnn(tf.nn.rnn_cell.GRUCell(2), a, dtype=tf.float32, scope="read")
    d, _ = tf.nn.static_rnn(
        tf.nn.rnn_cell.GRUCell(2, reuse=tf.AUTO_REUSE, name="g"), a, dtype=tf.float32
    )
    return {"fetch": [a[-1], b[-1], c[-1], d[-1]], "feed": feed}


@program
def own_cell(tf, np):
    """A cell with `call` and get_variable, and one that overrides `__call__`."""

    class Mixing(tf.nn.rnn_cell.RNNCell):
        def __init__(self, units):
            super().__init__()
            self._units = units

        @property
        def state_size(self):
            return (self._units, tf.TensorShape([2]))

        @property
        def output_size(self):
            return self._units

        def call(self, inputs, state):
            h, seen = state
            w = tf.get_variable("w", [int(inputs.shape[1]), self._units])
            u = tf.get_variable("u", [self._units, self._units])
            new = tf.tanh(tf.matmul(inputs, w) + tf.matmul(h, u))
            return new, (new, seen + inputs)

    class Old(tf.nn.rnn_cell.RNNCell):
        def __init__(self, units):
            self._units = units

        @property
        def state_size(self):
            return self._units

        @property
        def output_size(self):
            return self._units

        def __call__(self, inputs, state, scope=None):
            with tf.variable_scope(scope or type(self).__name__):
                w = tf.get_variable("w", [int(inputs.get_shape()[1]) + self._units, self._units])
                new = tf.sigmoid(tf.matmul(tf.concat([inputs, state], 1), w))
            return new, new

    _, steps, feed = steps_of(tf, np)
    mixing, old = Mixing(3), Old(2)
    out, state = tf.nn.static_rnn(mixing, steps, dtype=tf.float32)
    outs, last = tf.nn.static_rnn(old, steps, dtype=tf.float32, scope="old")
    names = [v.name for v in mixing.trainable_variables]
    return {
        "fetch": [out[-1], outs[-1], last, *list(state)],
        "said": names,
        "feed": feed,
        "loss": tf.reduce_sum(out[-1]) + tf.reduce_sum(outs[-1]),
    }


@program
def zero_states(tf, np):
    c = tf.nn.rnn_cell
    x = tf.placeholder(tf.float32, [None, 2])
    cell = c.MultiRNNCell([c.DropoutWrapper(c.LSTMCell(3, num_proj=2)), c.GRUCell(4)])
    fixed = cell.zero_state(2, tf.float32)
    fed = cell.zero_state(tf.shape(x)[0], tf.float64)
    return {"fetch": flat(tf, fixed) + flat(tf, fed), "feed": {x: data(np, 3, 2)}}


# ---- contrib: cells ------------------------------------------------------------------------------

CONTRIB_CELLS = {
    "lstm_block": lambda tf, c: c.LSTMBlockCell(3),
    "lstm_block_peephole": lambda tf, c: c.LSTMBlockCell(3, cell_clip=0.5, use_peephole=True),
    "gru_block": lambda tf, c: c.GRUBlockCell(3),
    "gru_block_v2": lambda tf, c: c.GRUBlockCellV2(num_units=3),
    "input_projection": lambda tf, c: c.InputProjectionWrapper(
        c.GRUCell(3), 4, activation=tf.nn.relu
    ),
    "output_projection": lambda tf, c: c.OutputProjectionWrapper(c.BasicLSTMCell(3), 2),
    "attention": lambda tf, c: c.AttentionCellWrapper(c.GRUCell(3), 2, state_is_tuple=True),
    "attention_flat": lambda tf, c: c.AttentionCellWrapper(
        c.GRUCell(3), 3, attn_size=4, attn_vec_size=2, input_size=5, state_is_tuple=False
    ),
    "highway": lambda tf, c: c.HighwayWrapper(c.BasicRNNCell(2)),
    "highway_two_gates": lambda tf, c: c.HighwayWrapper(
        c.BasicRNNCell(2), couple_carry_transform_gates=False, carry_bias_init=0.5
    ),
    "layer_norm": lambda tf, c: c.LayerNormBasicLSTMCell(3, norm_gain=0.9, norm_shift=0.1),
    "layer_norm_without": lambda tf, c: c.LayerNormBasicLSTMCell(3, layer_norm=False),
    "ugrnn": lambda tf, c: c.UGRNNCell(3),
    "ind_rnn": lambda tf, c: c.IndRNNCell(3),
    "nas": lambda tf, c: c.NASCell(3, use_bias=True),
    "nas_projection": lambda tf, c: c.NASCell(4, num_proj=3),
    "sru": lambda tf, c: c.SRUCell(3),
}


def contrib_cell_program(make):
    def run(tf, np):
        cell = make(tf, tf.contrib.rnn)
        _, steps, feed = steps_of(tf, np, 3)
        before = cell.zero_state(3, tf.float32)
        if make is CONTRIB_CELLS["ind_rnn"]:  # it has an initializer of its own, not seeded
            with tf.variable_scope("rnn/ind_rnn_cell"):
                tf.get_variable("kernel_u", [1, 3])
            cell._reuse = tf.AUTO_REUSE
        out, state = tf.nn.static_rnn(cell, steps, initial_state=before)
        return {
            "fetch": [tf.identity(t) for t in [*out, *flat(tf, state)]],
            "loss": tf.reduce_sum(tf.square(out[-1])),
            "feed": feed,
        }

    return run


for _name, _make in CONTRIB_CELLS.items():
    case("contrib_cell_" + _name, contrib_cell_program(_make))


# ---- contrib.seq2seq, legacy ---------------------------------------------------------------------


@program
def sequence_losses(tf, np):
    logits = tf.constant(data(np, 2, 3, 4))
    targets = tf.constant([[0, 1, 2], [3, 3, 0]])
    weights = tf.constant([[1.0, 0.5, 0.0], [1.0, 0.0, 0.0]])
    loss = tf.contrib.seq2seq.sequence_loss
    options = [
        {},
        {"average_across_timesteps": False},
        {"average_across_batch": False},
        {"average_across_timesteps": False, "average_across_batch": False},
        {
            "average_across_timesteps": False,
            "average_across_batch": False,
            "sum_over_timesteps": True,
            "sum_over_batch": True,
        },
        {
            "average_across_timesteps": False,
            "average_across_batch": False,
            "sum_over_timesteps": True,
        },
        {"average_across_timesteps": False, "sum_over_timesteps": True},
        {"softmax_loss_function": lambda labels, logits: tf.reduce_sum(logits, 1)},
    ]
    return {"fetch": [tf.identity(loss(logits, targets, weights, **o)) for o in options]}


@program
def legacy_losses(tf, np):
    values = data(np, 3, 2, 4)
    logits = [tf.constant(v) for v in values]
    targets = [tf.constant(t) for t in ([0, 1], [2, 3], [3, 3])]
    weights = [tf.constant(w) for w in ([1.0, 0.5], [0.5, 0.0], [0.25, 0.0])]
    s = tf.contrib.legacy_seq2seq
    return {
        "fetch": [
            tf.identity(t)
            for t in (
                s.sequence_loss(logits, targets, weights),
                s.sequence_loss(logits, targets, weights, average_across_batch=False),
                s.sequence_loss_by_example(logits, targets, weights),
                s.sequence_loss_by_example(
                    logits, targets, weights, average_across_timesteps=False
                ),
            )
        ]
    }


def legacy_program(build):
    def run(tf, np):
        symbols = [tf.placeholder(tf.int32, [None]) for _ in range(5)]
        rows = [[1, 2], [3, 0], [0, 4], [2, 2], [4, 1]]
        read, written = symbols[:3], symbols[3:]
        outputs, state = build(tf, tf.contrib.legacy_seq2seq, read, written)
        weights = [tf.ones([2]), tf.constant([1.0, 0.0])]
        loss = tf.reduce_sum(outputs[0]) + tf.reduce_sum(tf.square(outputs[1]))
        if outputs[0].get_shape()[1].value == 5:
            loss += tf.contrib.legacy_seq2seq.sequence_loss(outputs, written, weights)
        shown = [tf.identity(t) for t in [*outputs, *flat(tf, state)]]
        return {"fetch": shown, "loss": loss, "feed": dict(zip(symbols, rows))}  # noqa: B905

    return run


def _one_hot(tf, steps):
    return [tf.one_hot(s, 5) for s in steps]


LEGACY = {
    "basic": lambda tf, s, x, y: s.basic_rnn_seq2seq(
        _one_hot(tf, x), _one_hot(tf, y), tf.nn.rnn_cell.BasicLSTMCell(3)
    ),
    "tied": lambda tf, s, x, y: s.tied_rnn_seq2seq(
        _one_hot(tf, x), _one_hot(tf, y), tf.nn.rnn_cell.GRUCell(3)
    ),
    "embedding": lambda tf, s, x, y: s.embedding_rnn_seq2seq(
        x, y, tf.nn.rnn_cell.GRUCell(3), 5, 5, 2
    ),
    "embedding_feed_previous": lambda tf, s, x, y: s.embedding_rnn_seq2seq(
        x, y, tf.nn.rnn_cell.BasicLSTMCell(3), 5, 5, 2, feed_previous=True
    ),
    "embedding_tied": lambda tf, s, x, y: s.embedding_tied_rnn_seq2seq(
        x, y, tf.nn.rnn_cell.GRUCell(3), 5, 2, feed_previous=True
    ),
    "embedding_attention": lambda tf, s, x, y: s.embedding_attention_seq2seq(
        x, y, tf.nn.rnn_cell.BasicLSTMCell(3), 5, 5, 2
    ),
    "embedding_attention_options": lambda tf, s, x, y: s.embedding_attention_seq2seq(
        x,
        y,
        tf.nn.rnn_cell.MultiRNNCell([tf.nn.rnn_cell.GRUCell(3), tf.nn.rnn_cell.GRUCell(3)]),
        5,
        5,
        2,
        num_heads=2,
        feed_previous=True,
        initial_state_attention=True,
    ),
    "projection": lambda tf, s, x, y: s.embedding_rnn_seq2seq(
        x,
        y,
        tf.nn.rnn_cell.GRUCell(3),
        5,
        5,
        2,
        output_projection=(tf.get_variable("pw", [3, 5]), tf.get_variable("pb", [5])),
        feed_previous=True,
    ),
    "decoder_loop": lambda tf, s, x, y: s.rnn_decoder(
        _one_hot(tf, y), tf.zeros([2, 5]), tf.nn.rnn_cell.GRUCell(5), lambda p, i: p * float(i)
    ),
}

for _name, _build in LEGACY.items():
    case("legacy_" + _name, legacy_program(_build))


@program
def legacy_one2many(tf, np):
    symbols = [tf.placeholder(tf.int32, [None]) for _ in range(4)]
    outputs, state = tf.contrib.legacy_seq2seq.one2many_rnn_seq2seq(
        symbols[:2], {"a": symbols[2:], "b": symbols[3:]}, tf.nn.rnn_cell.GRUCell(3),
        {"a": tf.nn.rnn_cell.GRUCell(3), "b": tf.nn.rnn_cell.GRUCell(3)}, 5, {"a": 4, "b": 5}, 2,
    )  # fmt: skip
    shown = [tf.identity(t) for t in [*outputs["a"], *outputs["b"], state["a"], state["b"]]]
    rows = [[1, 2], [3, 0], [0, 3], [2, 2]]
    return {"fetch": shown, "feed": dict(zip(symbols, rows))}  # noqa: B905


@program
def legacy_buckets(tf, np):
    symbols = [tf.placeholder(tf.int32, [None]) for _ in range(6)]
    rows = [[1, 2], [3, 0], [0, 4], [2, 2], [4, 1], [0, 0]]
    weights = [tf.ones([2]), tf.constant([1.0, 0.0]), tf.ones([2])]
    outputs, losses = tf.contrib.legacy_seq2seq.model_with_buckets(
        symbols[:3],
        symbols[3:],
        symbols[3:],
        weights,
        [(2, 1), (3, 3)],
        lambda x, y: tf.contrib.legacy_seq2seq.embedding_rnn_seq2seq(
            x, y, tf.nn.rnn_cell.GRUCell(3), 5, 5, 2
        ),
    )
    shown = [tf.identity(t) for t in losses + outputs[0] + outputs[1]]
    return {"fetch": shown, "loss": losses[1], "feed": dict(zip(symbols, rows))}  # noqa: B905


# ---- attention -----------------------------------------------------------------------------------

ATTENTION = {
    "luong": lambda s, m, n: s.LuongAttention(3, m, memory_sequence_length=n),
    "luong_scaled": lambda s, m, n: s.LuongAttention(3, m, scale=True),
    "bahdanau": lambda s, m, n: s.BahdanauAttention(4, m, memory_sequence_length=n),
    "bahdanau_normed": lambda s, m, n: s.BahdanauAttention(4, m, normalize=True),
    "hardmax": lambda s, m, n: s.LuongAttention(3, m, probability_fn=s.hardmax),
    "mask_value": lambda s, m, n: s.LuongAttention(
        3, m, memory_sequence_length=n, score_mask_value=-2.0
    ),
    "luong_monotonic": lambda s, m, n: s.LuongMonotonicAttention(3, m, memory_sequence_length=n),
    "bahdanau_monotonic": lambda s, m, n: s.BahdanauMonotonicAttention(
        4, m, normalize=True, score_bias_init=-0.5
    ),
    "monotonic_hard": lambda s, m, n: s.LuongMonotonicAttention(3, m, scale=True, mode="hard"),
    "two": lambda s, m, n: [
        s.LuongAttention(3, m),
        s.BahdanauAttention(2, m[:, ::-1], memory_sequence_length=n),
    ],
}


def attention_program(make, layer_size=None, **options):
    def run(tf, np):
        s = tf.contrib.seq2seq
        memory = tf.get_variable("memory", [3, 4, 2])
        lengths = tf.placeholder(tf.int32, [None])
        mechanism = make(s, memory, lengths)
        size = layer_size
        if size is not None and isinstance(mechanism, list):
            size = [layer_size, layer_size + 1]
        cell = s.AttentionWrapper(
            tf.nn.rnn_cell.BasicLSTMCell(3), mechanism, attention_layer_size=size, **options
        )
        _, steps, feed = steps_of(tf, np, 3, rows=3)
        before = cell.zero_state(3, tf.float32)
        out, state = tf.nn.static_rnn(cell, steps, initial_state=before)
        feed[lengths] = [4, 1, 2]
        shown = [tf.identity(t) for t in [*out, *flat(tf, state)]]
        return {"fetch": shown, "loss": tf.reduce_sum(tf.square(out[-1])), "feed": feed}

    return run


for _name, _make in ATTENTION.items():
    case("attention_" + _name, attention_program(_make, 4))

case("attention_context", attention_program(ATTENTION["luong"]))
case("attention_cell_output", attention_program(ATTENTION["bahdanau"], 2, output_attention=False))


@program
def attention_functions(tf, np):
    p = tf.constant([[0.1, 0.9, 0.4, 0.3], [0.5, 0.5, 0.2, 0.8]])
    before = tf.constant([[1.0, 0.0, 0.0, 0.0], [0.2, 0.3, 0.5, 0.0]])
    s = tf.contrib.seq2seq
    return {
        "fetch": [
            tf.identity(t)
            for t in (
                s.monotonic_attention(p, before, "parallel"),
                s.monotonic_attention(tf.round(p), before, "hard"),
                s.safe_cumprod(p, axis=1),
                s.safe_cumprod(p, axis=1, exclusive=True),
                s.hardmax(p),
            )
        ]
    }


@program
def attention_state_clone(tf, np):
    s = tf.contrib.seq2seq
    memory = tf.placeholder(tf.float32, [None, None, 2])
    mechanism = s.LuongAttention(3, memory)
    cell = s.AttentionWrapper(tf.nn.rnn_cell.GRUCell(3), mechanism)
    rows = tf.shape(memory)[0]
    state = cell.zero_state(rows, tf.float32).clone(cell_state=tf.ones([rows, 3]))
    out, state = cell(tf.ones([rows, 2]), state)
    return {"fetch": [tf.identity(out), tf.identity(state.alignments), tf.identity(state.time)],
            "feed": {memory: data(np, 3, 4, 2)}}  # fmt: skip


# ---- looped --------------------------------------------------------------------------------------

DYNAMIC = {
    "basic": (lambda c: c.BasicRNNCell(3), {}),
    "gru": (lambda c: c.GRUCell(3), {}),
    "lstm": (lambda c: c.BasicLSTMCell(3), {}),
    "lstm_lengths": (lambda c: c.BasicLSTMCell(3), {"lengths": [0, 4, 2]}),
    "lstm_short_lengths": (lambda c: c.LSTMCell(3, num_proj=2), {"lengths": [1, 0, 2]}),
    "lstm_time_major": (lambda c: c.LSTMCell(3, use_peepholes=True), {"time_major": True}),
    "gru_time_major_lengths": (
        lambda c: c.GRUCell(3), {"time_major": True, "lengths": [2, 1, 3, 3]},
    ),
    "multi": (
        lambda c: c.MultiRNNCell([c.GRUCell(4), c.DropoutWrapper(c.BasicLSTMCell(3))]),
        {"swap_memory": True, "parallel_iterations": 4, "scope": "deep"},
    ),
    "flat_state": (lambda c: c.BasicLSTMCell(3, state_is_tuple=False), {}),
    "known_sizes": (lambda c: c.GRUCell(3), {"shape": [3, 4, 2]}),
    "unknown_sizes": (lambda c: c.BasicLSTMCell(3), {"shape": [None, None, 2]}),
    "residual": (lambda c: c.ResidualWrapper(c.GRUCell(2)), {"lengths": [4, 3, 1]}),
}  # fmt: skip


def dynamic_program(make, lengths=None, shape=(None, 4, 2), **options):
    def run(tf, np):
        x = tf.placeholder(tf.float32, list(shape))
        feed = {x: data(np, 3, 4, 2)}
        if lengths is not None:
            options["sequence_length"] = n = tf.placeholder(tf.int32, [None])
            feed[n] = lengths
        out, state = tf.nn.dynamic_rnn(make(tf.nn.rnn_cell), x, dtype=tf.float32, **options)
        loss = tf.reduce_sum(tf.square(out))
        shown = [tf.identity(s) for s in flat(tf, state)]
        grad = tf.gradients(loss, x)[0]
        return {"fetch": [out, *shown, tf.identity(grad)], "loss": loss, "feed": feed}

    return run


for _name, (_make, _options) in DYNAMIC.items():
    case("dynamic_" + _name, dynamic_program(_make, **_options))


@program
def dynamic_initial_state(tf, np):
    x = tf.placeholder(tf.float32, [None, None, 2])
    cell = tf.nn.rnn_cell.MultiRNNCell([tf.nn.rnn_cell.LSTMCell(n) for n in (2, 3)])
    before = cell.zero_state(tf.shape(x)[0], tf.float32)
    out, state = tf.nn.dynamic_rnn(cell, x, initial_state=before)
    again, last = tf.nn.dynamic_rnn(cell, x[:, :2], initial_state=state)
    loss = tf.reduce_mean(again[:, -1])
    fed = {before[0].c: 0.3 * np.ones([3, 2], np.float32)}
    shown = [tf.identity(t) for t in [out, again, *flat(tf, last)]]
    return {"fetch": shown, "loss": loss, "feed": {x: data(np, 3, 4, 2), **fed}}


@program
def dynamic_two_layers(tf, np):
    x = tf.placeholder(tf.float32, [None, 4, 2])
    with tf.variable_scope("one"):
        first, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(3), x, dtype=tf.float32)
    with tf.variable_scope("two"):
        out, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(2), first, dtype=tf.float32)
    with tf.variable_scope("two", reuse=True):
        cell = tf.nn.rnn_cell.GRUCell(2)
        same, _ = tf.nn.dynamic_rnn(cell, first, dtype=tf.float32)
    return {
        "fetch": [out, same, tf.identity(state)],
        "loss": tf.reduce_sum(tf.square(out[:, -1])),
        "feed": {x: data(np, 3, 4, 2)},
    }


def bidirectional_program(lengths=None, **options):
    def run(tf, np):
        x = tf.placeholder(tf.float32, [None, 4, 2])
        feed = {x: data(np, 3, 4, 2)}
        if lengths is not None:
            options["sequence_length"] = n = tf.placeholder(tf.int64, [None])
            feed[n] = lengths
        c = tf.nn.rnn_cell
        out, state = tf.nn.bidirectional_dynamic_rnn(
            c.GRUCell(2), c.BasicLSTMCell(3), x, dtype=tf.float32, **options
        )
        joined = tf.concat(out, 2)
        loss = tf.reduce_sum(tf.square(joined))
        shown = [tf.identity(t) for t in [joined, *flat(tf, state)]]
        return {"fetch": [out[0], *shown], "loss": loss, "feed": feed}

    return run


case("bidirectional_dynamic", bidirectional_program())
case("bidirectional_dynamic_lengths", bidirectional_program([4, 1, 2]))
case("bidirectional_dynamic_time_major", bidirectional_program([3, 1, 2, 0], time_major=True))


@program
def stack_bidirectional(tf, np):
    x = tf.placeholder(tf.float32, [None, 4, 2])
    c = tf.nn.rnn_cell
    out, fw, bw = tf.contrib.rnn.stack_bidirectional_dynamic_rnn(
        [c.GRUCell(2), c.GRUCell(3)], [c.GRUCell(2), c.GRUCell(3)], x, dtype=tf.float32
    )
    outs, _, _ = tf.contrib.rnn.stack_bidirectional_rnn(
        [c.GRUCell(2), c.GRUCell(3)], [c.GRUCell(2), c.GRUCell(3)], tf.unstack(x, axis=1),
        dtype=tf.float32, scope="unrolled",
    )  # fmt: skip
    shown = [tf.identity(t) for t in [out, *fw, *bw, *outs]]
    return {"fetch": shown, "feed": {x: data(np, 3, 4, 2)}}


@program
def raw_rnn(tf, np):
    x = tf.placeholder(tf.float32, [4, None, 2])
    lengths = tf.placeholder(tf.int32, [None])
    cell = tf.nn.rnn_cell.BasicLSTMCell(3)
    inputs = tf.TensorArray(tf.float32, size=4).unstack(x)

    def loop(time, output, state, loop_state):
        if output is None:
            state = cell.zero_state(tf.shape(lengths)[0], tf.float32)
        done = time >= lengths
        following = tf.cond(
            tf.reduce_all(done), lambda: tf.zeros([tf.shape(lengths)[0], 2]),
            lambda: inputs.read(time),
        )  # fmt: skip
        following.set_shape([None, 2])
        return done, following, state, output, None

    written, state, _ = tf.nn.raw_rnn(cell, loop)
    out = written.stack()
    loss = tf.reduce_sum(tf.square(out))
    shown = [tf.identity(t) for t in [out, *state]]
    return {
        "fetch": shown, "loss": loss, "feed": {x: data(np, 4, 3, 2), lengths: [3, 1, 2]},
    }  # fmt: skip


@program
def fused_cells(tf, np):
    x = tf.placeholder(tf.float32, [4, None, 2])
    lengths = tf.placeholder(tf.int32, [None])
    r = tf.contrib.rnn
    out, state = r.LSTMBlockFusedCell(3)(x, dtype=tf.float32)
    some, last = r.LSTMBlockFusedCell(3, use_peephole=True, cell_clip=0.5, name="some")(
        x, dtype=tf.float32, sequence_length=lengths
    )
    adapted, _ = r.FusedRNNCellAdaptor(r.GRUCell(3), use_dynamic_rnn=True)(x, dtype=tf.float32)
    turned, _ = r.TimeReversedFusedRNN(r.FusedRNNCellAdaptor(r.BasicRNNCell(3)))(
        x, dtype=tf.float32, sequence_length=lengths, scope="turned"
    )
    shown = [tf.identity(t) for t in [out, *state, some, *last, adapted, turned]]
    loss = tf.reduce_sum(tf.square(out)) + tf.reduce_sum(some) + tf.reduce_sum(adapted * turned)
    return {"fetch": shown, "loss": loss, "feed": {x: data(np, 4, 3, 2), lengths: [4, 1, 2]}}


# ---- decoders ------------------------------------------------------------------------------------


def decoder_program(helper, attention=False, train=True, **options):
    def run(tf, np):
        s = tf.contrib.seq2seq
        x = tf.placeholder(tf.float32, [None, 4, 2])
        lengths = tf.placeholder(tf.int32, [None])
        table = tf.get_variable("table", [5, 2])
        encoded, state = tf.nn.dynamic_rnn(
            tf.nn.rnn_cell.GRUCell(3), x, sequence_length=lengths, dtype=tf.float32
        )
        cell = tf.nn.rnn_cell.GRUCell(3)
        if attention:
            cell = s.AttentionWrapper(
                cell, s.LuongAttention(3, encoded, memory_sequence_length=lengths),
                attention_layer_size=3,
            )  # fmt: skip
            before = cell.zero_state(tf.shape(x)[0], tf.float32)
            state = before.clone(cell_state=state)
        layer = tf.layers.Dense(5, use_bias=False, name="projection")
        decoder = s.BasicDecoder(cell, helper(tf, s, x, lengths, table), state, layer)
        outputs, last, count = s.dynamic_decode(decoder, **options)
        final = last.cell_state if attention else last
        shown = [tf.identity(t) for t in [*outputs, final, count]]
        plan = {"fetch": shown, "feed": {x: data(np, 3, 4, 2), lengths: [4, 1, 2]}}
        if train:
            plan["loss"] = tf.reduce_sum(tf.square(outputs.rnn_output))
        return plan

    return run


def _greedy(tf, s, x, lengths, table):
    return s.GreedyEmbeddingHelper(table, tf.fill([tf.shape(x)[0]], 1), 0)


def _training(tf, s, x, lengths, table):
    return s.TrainingHelper(x, lengths)


case("decode_training", decoder_program(_training))
case("decode_training_impute", decoder_program(_training, impute_finished=True))
case("decode_training_attention", decoder_program(_training, attention=True))
case("decode_training_limited", decoder_program(_training, maximum_iterations=3))
case("decode_time_major", decoder_program(_training, output_time_major=True))
case("decode_greedy", decoder_program(_greedy, train=False, maximum_iterations=6))
case(
    "decode_greedy_attention",
    decoder_program(_greedy, attention=True, train=False, maximum_iterations=4),
)
case(
    "decode_scheduled_never",
    decoder_program(
        lambda tf, s, x, n, table: s.ScheduledEmbeddingTrainingHelper(x, n, table, 0.0), train=False
    ),
)
case(
    "decode_scheduled_output",
    decoder_program(
        lambda tf, s, x, n, table: s.ScheduledOutputTrainingHelper(
            x, n, 1.0, next_inputs_fn=lambda y: y[:, :2]
        ),
        train=False,
    ),
)
case(
    "decode_inference",
    decoder_program(
        lambda tf, s, x, n, table: s.InferenceHelper(
            lambda y: y, [5], tf.float32, x[:, 0], lambda y: y[:, 0] > 100.0, lambda y: y[:, 1:3]
        ),
        train=False,
        maximum_iterations=3,
    ),
)


def _custom(tf, s, x, lengths, table):
    def initialize():
        return tf.zeros([tf.shape(x)[0]], tf.bool), x[:, 0]

    def sample(time, outputs, state):
        return tf.cast(tf.argmax(outputs, 1), tf.int32)

    def following(time, outputs, state, sample_ids):
        return time + 1 >= lengths, tf.nn.embedding_lookup(table, sample_ids), state

    return s.CustomHelper(initialize, sample, following)


case("decode_custom", decoder_program(_custom))


def beam_program(attention=False, limit=5, **options):
    def run(tf, np):
        s = tf.contrib.seq2seq
        x = tf.placeholder(tf.float32, [None, 4, 2])
        table = tf.get_variable("table", [6, 2])
        encoded, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(3), x, dtype=tf.float32)
        cell = tf.nn.rnn_cell.GRUCell(3)
        tiled = s.tile_batch(state, 3)
        if attention:
            cell = s.AttentionWrapper(cell, s.LuongAttention(3, s.tile_batch(encoded, 3)))
            before = cell.zero_state(3 * tf.shape(x)[0], tf.float32)
            tiled = before.clone(cell_state=tiled)
        layer = tf.layers.Dense(6, use_bias=False)
        decoder = s.BeamSearchDecoder(
            cell, table, tf.fill([tf.shape(x)[0]], 1), 0, tiled, 3, output_layer=layer, **options
        )
        outputs, last, count = s.dynamic_decode(decoder, maximum_iterations=limit)
        inner = outputs.beam_search_decoder_output
        shown = [outputs.predicted_ids, inner.scores, inner.parent_ids, last.lengths]
        shown += [last.log_probs, last.finished, count]
        return {
            "fetch": [tf.identity(t) for t in shown], "feed": {x: 3.0 * data(np, 2, 4, 2)},
        }  # fmt: skip

    return run


case("beam", beam_program())
case("beam_length_penalty", beam_program(length_penalty_weight=0.7))
case("beam_attention", beam_program(attention=True, coverage_penalty_weight=0.3))


@program
def beam_functions(tf, np):
    s = tf.contrib.seq2seq
    ids = tf.constant([[[1, 2, 3]], [[4, 5, 6]], [[7, 8, 9]], [[10, 10, 1]]])
    parents = tf.constant([[[0, 0, 0]], [[0, 1, 1]], [[2, 1, 2]], [[1, 0, 2]]])
    return {
        "fetch": [
            tf.identity(t)
            for t in (
                s.gather_tree(ids, parents, [4], 10),
                s.gather_tree(ids, parents, [3], 10),
                s.gather_tree(ids, parents, [0], 10),
                s.gather_tree(ids, parents, [4], 5),
                s.tile_batch(tf.constant([[1, 2], [3, 4]]), 2),
            )
        ]
    }


# ---- crf -----------------------------------------------------------------------------------------


@program
def crf(tf, np):
    c = tf.contrib.crf
    x = tf.placeholder(tf.float32, [None, 4, 3])
    tags = tf.constant([[0, 2, 1, 1], [2, 2, 0, 0], [1, 0, 0, 0]])
    lengths = tf.placeholder(tf.int32, [None])
    likelihood, transitions = c.crf_log_likelihood(x, tags, lengths)
    best, score = c.crf_decode(x, transitions, lengths)
    bitmap = tf.one_hot(tags, 3, on_value=True, off_value=False, dtype=tf.bool)
    shown = [
        likelihood, best, score, c.crf_unary_score(tags, lengths, x),
        c.crf_binary_score(tags, lengths, transitions), c.crf_log_norm(x, lengths, transitions),
        c.crf_multitag_sequence_score(x, bitmap, lengths, transitions),
    ]  # fmt: skip
    return {
        "fetch": [tf.identity(t) for t in shown],
        "loss": -tf.reduce_sum(likelihood),
        "feed": {x: 2.0 * data(np, 3, 4, 3), lengths: [4, 2, 1]},
    }


@program
def crf_one_step(tf, np):
    c = tf.contrib.crf
    x = tf.constant(data(np, 2, 1, 3))
    likelihood, transitions = c.crf_log_likelihood(x, tf.constant([[1], [0]]), tf.constant([1, 1]))
    best, score = c.crf_decode(x, transitions, tf.constant([1, 1]))
    return {"fetch": [tf.identity(t) for t in (likelihood, best, score)]}


# ---- drawing in loops ----------------------------------------------------------------------------


@program
def dynamic_dropout(tf, np):
    tf.set_random_seed(3)
    x = tf.placeholder(tf.float32, [None, 4, 2])
    keep = tf.placeholder_with_default(0.5, [])
    c = tf.nn.rnn_cell
    cell = c.DropoutWrapper(c.GRUCell(3), output_keep_prob=keep, input_keep_prob=0.8, seed=7)
    out, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, parallel_iterations=1)
    return {"fetch": [out, tf.identity(state)], "feed": {x: data(np, 3, 4, 2)}}


@program
def decode_sampled(tf, np):
    tf.set_random_seed(3)
    s = tf.contrib.seq2seq
    table = tf.get_variable("table", [5, 2])
    helper = s.SampleEmbeddingHelper(table, [1, 2, 3], 0, softmax_temperature=0.7, seed=5)
    cell = tf.nn.rnn_cell.GRUCell(5)
    decoder = s.BasicDecoder(cell, helper, cell.zero_state(3, tf.float32))
    outputs, _, count = s.dynamic_decode(decoder, maximum_iterations=6)
    return {"fetch": [tf.identity(t) for t in [*outputs, count]]}


@program
def decode_scheduled_sometimes(tf, np):
    tf.set_random_seed(3)
    s = tf.contrib.seq2seq
    x = tf.placeholder(tf.float32, [None, 4, 2])
    table = tf.get_variable("table", [5, 2])
    helper = s.ScheduledEmbeddingTrainingHelper(x, [4, 2, 3], table, 0.5, seed=4, scheduling_seed=9)
    cell = tf.nn.rnn_cell.GRUCell(5)
    decoder = s.BasicDecoder(cell, helper, cell.zero_state(3, tf.float32))
    outputs, _, count = s.dynamic_decode(decoder)
    return {"fetch": [tf.identity(t) for t in [*outputs, count]], "feed": {x: data(np, 3, 4, 2)}}


@program
def conv_lstm(tf, np):
    x = tf.placeholder(tf.float32, [2, 2, 4, 4, 1])
    r = tf.contrib.rnn
    cell = r.Conv2DLSTMCell(input_shape=[4, 4, 1], output_channels=2, kernel_shape=[3, 3])
    out, state = tf.nn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float32)
    line = r.Conv1DLSTMCell(input_shape=[4, 4], output_channels=2, kernel_shape=[3], use_bias=False)
    one, _ = tf.nn.static_rnn(line, [x[:, 0, :, :, 0]], dtype=tf.float32, scope="line")
    loss = tf.reduce_sum(tf.square(out[-1])) + tf.reduce_sum(one[0])
    shown = [tf.identity(t) for t in [out[-1], *state, one[0]]]
    return {"fetch": shown, "loss": loss, "feed": {x: data(np, 2, 2, 4, 4, 1)}}


@program
def indy_cells(tf, np):
    """The weights of the states are drawn without a seed, so they are made first."""
    fetch, feed, r = [], None, tf.contrib.rnn
    cells = [
        ("indy_gru_cell", r.IndyGRUCell(3, reuse=tf.AUTO_REUSE), {"gates/": 6, "candidate/": 3}),
        ("indy_lstm_cell", r.IndyLSTMCell(3, reuse=tf.AUTO_REUSE), {"": 12}),
    ]
    _, steps, feed = steps_of(tf, np, 3)
    for name, cell, sizes in cells:
        with tf.variable_scope("rnn/" + name):
            for prefix, n in sizes.items():
                tf.get_variable(prefix + "kernel_u", [1, n])
        out, state = tf.nn.static_rnn(cell, steps, dtype=tf.float32)
        fetch += [out[-1], *flat(tf, state)]
    return {
        "fetch": [tf.identity(t) for t in fetch],
        "loss": tf.reduce_sum(tf.square(fetch[0])) + tf.reduce_sum(fetch[1]),
        "feed": feed,
    }
