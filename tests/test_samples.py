"""Every sample runs, says what it promises and writes its files; the main one reaches its mark."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

if not all(map(importlib.util.find_spec, ("sklearn", "matplotlib", "tqdm"))):
    pytest.skip("what samples import", allow_module_level=True)  # they do, in their processes

SAMPLES = Path(__file__).resolve().parent.parent / "samples"

#: Sample → files it writes, and what its last line looks like.
PROMISES = {
    "train_digits": ("train_digits.png train_digits.gc", r"test accuracy 0\.\d{4}"),
    "mnist_cnn": ("mnist_cnn.png", r"test accuracy 0\.\d{4}"),
    "image_nets": ("image_nets.png", r"test accuracy vgg 0\.\d{4}, resnet 0\.\d{4}, .*"),
    "transformer_classifier": ("transformer_classifier.png", r"test accuracy 0\.\d{4}"),
    "linear_regression": ("linear_regression.png", r"mean squared error .*, least squares .*"),
    "logistic_regression": ("logistic_regression.png", r"test accuracy 0\.\d{4}"),
    "xor": ("xor.png", r"loss .*, right answers [0-4] of 4"),
    "softmax_regression": ("softmax_regression.png", r"test accuracy 0\.\d{4}"),
    "autoencoder": ("autoencoder.png", r"test error 0\.\d{5}; .*"),
    "vae": ("vae.png", r"test loss \(.*\) [\d.]+"),
    "gan": ("gan.png", r"distance to the nearest real digit .*"),
    "matrix_factorization": ("matrix_factorization.png", r"error on hidden ratings [\d.]+"),
    "word2vec": ("word2vec.png", r"loss [\d.]+ at first, [\d.]+ at last"),
    "rnn_digits": ("rnn_digits.png", r"test accuracy rnn 0\.\d{4}, lstm 0\.\d{4}, gru 0\.\d{4}"),
    "attention_reader": ("attention_reader.png", r"test accuracy 0\.\d{4}"),
    "char_rnn": ("char_rnn.txt", r"perplexity [\d.]+"),
    "seq2seq_sort": ("seq2seq_sort.png", r"sorted without a mistake [01]\.\d{4}"),
    "rare_digit": ("rare_digit.png", r"test precision .*, recall .*, F1 [01]\.\d{4}, AUC .*"),
    "backprop_by_hand": ("backprop_by_hand.png", r"test accuracy 0\.\d{4}"),
    "conv_autoencoder": ("conv_autoencoder.png", r"mean squared error .*, restored 0\.\d{4}"),
    "deep_belief_net": ("deep_belief_net.png", r"test accuracy 0\.\d{4}"),
    "dcgan": ("dcgan.png", r"of 500 drawn digits, each kind: [\d ]+"),
    "regularization": ("regularization.png", r"test accuracy none 0\.\d{4}, .*"),
    "optimizers": ("optimizers.png", r"loss \w.*"),
    "cart_pole": ("cart_pole.png", r"steps of the last episodes: policy_gradient \d+, .*"),
    "custom_op": ("custom_op.png", r"tanh: error [\d.]+ where learned, [\d.]+ beyond"),
    "custom_gradient": ("custom_gradient.png", r"test accuracy real weights 0\.\d{4}, custom .*"),
    "custom_rule": ("custom_rule.gc", r"largest relative error: .* with the rule"),
    "custom_pass": ("custom_pass.png", r" 1 bits: test accuracy 0\.\d{4}"),
}


def run(name, out, *options):
    """The lines a sample prints."""
    command = [sys.executable, "-W", "error", str(SAMPLES / f"{name}.py"), "--out", str(out)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def check(name, lines, out):
    files, last = PROMISES[name]
    assert re.fullmatch(last, lines[-1]), lines[-1]
    for file in files.split():
        assert (out / file).stat().st_size > 200


def test_every_sample_is_here():
    assert {p.stem for p in SAMPLES.glob("*.py")} == set(PROMISES)


def test_train_digits_quickly(tmp_path):
    check("train_digits", run("train_digits", tmp_path, "--steps", "30"), tmp_path)
    text = (tmp_path / "train_digits.gc").read_text(encoding="utf-8")
    assert text.startswith("graph main(b) {")
    assert "fused" in text
    assert 'update "hidden1/w"' in text


@pytest.mark.slow
def test_train_digits_to_the_end(tmp_path):
    lines = run("train_digits", tmp_path)
    check("train_digits", lines, tmp_path)
    assert float(lines[-1].split()[-1]) > 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in PROMISES if n != "train_digits"])
def test_sample_runs(name, tmp_path):
    check(name, run(name, tmp_path, "--steps", "3"), tmp_path)


@pytest.mark.slow
def test_same_seed_same_numbers(tmp_path):
    first, second = (
        [s for s in run("vae", tmp_path, "--steps", "40") if "loss" in s] for _ in range(2)
    )
    assert first == second
