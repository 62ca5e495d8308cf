"""Settings, words as numbers, words as bytes: contrib.training and contrib.learn."""

import os
import tempfile

import numpy as np
import tensorflow as tf

HParams = tf.contrib.training.HParams
h = HParams(rate=0.1, n=3, name="x", flag=True, layers=[1, 2])
RESULT = {"first": h.values(), "text": str(HParams(a=1, b="x"))}
RESULT["parsed"] = h.parse("rate=0.5,n=7,name=hello,flag=false,layers=[4,5,6]").values()
RESULT["json"] = h.to_json(sort_keys=True)
RESULT["number"] = h.parse_json('{"n": 11}').n
for text in ("zz=3", "n=1.5", "n=a", "flag=maybe", "rate=[1,2]", "n=1,n=2", "rate"):
    try:
        HParams(rate=0.1, n=3, flag=True).parse(text)
        RESULT[text] = "taken"
    except ValueError:
        RESULT[text] = "refused"
for name, value in [("n", 2.5), ("n", "4"), ("layers", 3), ("flag", 1), ("name", 3)]:
    try:
        h.set_hparam(name, value)
        RESULT["set " + name] = "taken"
    except ValueError:
        RESULT["set " + name] = "refused"
docs = ["The cat sat on the mat", "the dog's well-known HTMLParser, sat!", "A a a b b"]
learn = tf.contrib.learn
v = learn.preprocessing.VocabularyProcessor(6)
rows = np.array(list(v.fit_transform(docs)))
RESULT["rows"] = rows
RESULT["back"] = list(v.reverse(rows))
RESULT["size"] = len(v.vocabulary_)
often = learn.preprocessing.VocabularyProcessor(5, min_frequency=1)
RESULT["often"] = np.array(list(often.fit_transform(docs)))
path = os.path.join(tempfile.mkdtemp(), "vocabulary")
often.save(path)
again = learn.preprocessing.VocabularyProcessor.restore(path)
RESULT["again"] = np.array(list(again.transform(["the cat sat", "b"])))
b = learn.preprocessing.ByteProcessor(6)
codes = np.array(list(b.transform(["abc", "d\u00e9fgh"])))
RESULT["codes"] = codes
RESULT["texts"] = list(b.reverse(codes))
RESULT["modes"] = [learn.ModeKeys.TRAIN, learn.ModeKeys.EVAL, learn.ModeKeys.INFER]
