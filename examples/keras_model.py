"""The network of Keras that keras.toml audits. `python keras_model.py` trains it on SST-2 first, in half a minute.

TensorFlow is of this example alone: pip install tensorflow-cpu, beside pytest-model-audit. Weights and vocabulary are
saved as plain numbers and words, since a .keras file could hold functions and counts in security.artifact.
"""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from audit import Classifier

HERE = Path(__file__).parent
WEIGHTS, VOCABULARY = HERE / "sst2.safetensors", HERE / "sst2.json"


class Sentences(Classifier):
    """Mean of word vectors, two layers; its answer is the probability of the second class."""

    labels = ("negative", "positive")
    files = (WEIGHTS, VOCABULARY)  # with this code they decide the answers, which are kept for later audits

    def __init__(self):
        self.network = build(json.loads(VOCABULARY.read_text("utf-8")))
        weights = load_file(WEIGHTS)
        self.network.set_weights([weights[str(i)] for i in range(len(weights))])
        self.inner = keras.Model(self.network.inputs, self.network.layers[-2].output)

    def predict(self, texts):
        """A row of two probabilities for each text."""
        positive = self.network(tf.constant(texts)).numpy()  # 256 texts at most; `.predict` is slow for a few
        return np.hstack([1 - positive, positive])

    def embed(self, texts):
        """What its last layer reads."""
        return self.inner(tf.constant(texts)).numpy()


def build(vocabulary):
    """The network with random weights."""
    text = keras.Input((), dtype="string")
    words = keras.layers.TextVectorization(vocabulary=vocabulary, output_sequence_length=64)
    inner = keras.layers.Embedding(len(vocabulary) + 2, 32)(words(text))
    inner = keras.layers.Dense(16, activation="relu")(keras.layers.GlobalAveragePooling1D()(inner))
    return keras.Model(text, keras.layers.Dense(1, activation="sigmoid")(inner))


def train():
    """Fit it on the training sentences and save it."""
    data = pd.read_csv(Path(os.environ["AUDIT_TEST_DATA"]) / "sst2_train.csv")
    keras.utils.set_random_seed(0)
    words = keras.layers.TextVectorization(max_tokens=20_000)
    words.adapt(data["text"].to_numpy())
    vocabulary = [str(word) for word in words.get_vocabulary(include_special_tokens=False)]
    network = build(vocabulary)
    network.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    network.fit(tf.constant(data["text"]), (data["label"] == "positive").to_numpy(float), epochs=8, verbose=2)
    save_file({str(i): weight for i, weight in enumerate(network.get_weights())}, WEIGHTS)
    VOCABULARY.write_text(json.dumps(vocabulary), "utf-8")


if __name__ == "__main__":
    train()
