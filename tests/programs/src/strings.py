"""Text in tensors: split, join, numbers, a table of words."""

import tensorflow as tf

lines = tf.placeholder(tf.string, [None])
words = tf.string_split(lines)
joined = tf.string_join([lines, lines], separator="-")
numbers = tf.string_to_number(tf.constant(["1.5", "-2"]))
text = tf.as_string(tf.constant([3, 14]))
table = tf.contrib.lookup.index_table_from_tensor(tf.constant(["a", "b", "c"]), default_value=-1)
ids = table.lookup(words.values)
same = tf.equal(lines, "a b")
with tf.Session() as sess:
    sess.run(tf.tables_initializer())
    feed = {lines: ["a b", "c z a"]}
    got = sess.run([words.values, joined, numbers, text, ids, same], feed)
    dense = sess.run(tf.sparse_tensor_to_dense(words, ""), feed)
RESULT = {
    "words": [w.decode() for w in got[0]],
    "joined": [w.decode() for w in got[1]],
    "numbers": got[2],
    "text": [w.decode() for w in got[3]],
    "ids": got[4],
    "same": got[5],
    "dense": [[w.decode() for w in row] for row in dense],
}
