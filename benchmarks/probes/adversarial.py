"""What the attack of `security.adversarial` costs, and whether it tells a plain model from one trained against it.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.adversarial

On SST-2, with the recipe of `examples/sst2.toml` once as it is, and once for one epoch on the training sentences and
copies of them edited as the attacker edits. Models come from the cache or go there; predictions are made anew. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from audit import Gate, Measurement, judge, statistics
from audit.core.cache import default_folder
from audit.core.progress import Progress
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.probes.security.adversarial import adversarial, attack
from audit.run.options import Options
from audit.run.session import Session
from audit.text.adversarial_edits import apply, edits, vocabulary_of
from audit.training.finetune import train
from benchmarks import ROOT, shapes
from benchmarks.probes.timed import HEADER, MAX_LENGTH, Timed

# Every copy differs, and half of its words are edited: chance does not choose the words that matter, an attacker does.
COPIES, EDITED = 9, 0.5
GATE = Gate(max=0.7)


def edited(text: str, vocabulary: frozenset[str], rng: random.Random) -> str:
    """The text with half of its words edited by chance as the attacker would edit them."""
    return apply(text, [rng.choice(each) for each in edits(text, vocabulary, rng) if each and rng.random() < EDITED])


def augmented(examples: Examples, copies: int) -> Examples:
    """The examples and edited copies of each, with the same labels."""
    rng, vocabulary = random.Random(0), vocabulary_of(examples.texts)
    more = [edited(text, vocabulary, rng) for _ in range(copies) for text in examples.texts]
    return replace(
        examples, texts=(*examples.texts, *more), labels=np.tile(examples.labels, copies + 1), subgroups={}, rows=None
    )


def measured(scorer: Timed, session: Session) -> tuple[Measurement, Predictions]:
    """The attack on one model, on top of the predictions on the test data."""
    predictions = scorer.predict(session.inputs.test_data.texts).on(session.inputs.test_data)
    with scorer.measured():
        found = adversarial(scorer, predictions)
    return found, predictions


def base_row(session: Session, folder: Path, count: int) -> str:
    """The attack on a few sentences with a network of BERT's base size; its weights are random."""
    scorer = Timed(
        session, shapes.model(shapes.BASE, MAX_LENGTH, folder / "base", session.resources.device), folder / "base-cache"
    )
    texts = session.inputs.test_data.texts[:count]
    said = scorer.predict(texts).labels  # imports and the loading of the model are not what is measured
    with scorer.measured():
        attack(scorer, texts, said, vocabulary_of(session.inputs.test_data.texts))
    return scorer.row(f"BERT base (random weights), {count} sentences")


def main() -> None:
    """Train what is not in the cache, attack, print."""
    parser = argparse.ArgumentParser(description="Time the attack and try it on a model trained against it.")
    parser.add_argument("--base-sentences", type=int, default=8, help="for the network of BERT's base size; 0: skip it")
    asked = parser.parse_args()
    options = Options(ROOT, "examples/sst2.toml", None, "reports", None, "auto", default_folder(), "")
    session = Session(options, (), Progress(print))
    plain, train_data, resources = session.models.recipe, session.inputs.train_data, session.resources
    assert plain is not None
    assert train_data is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(HEADER)
        rows, shares = [], []
        one_epoch = plain.settings.model_copy(update={"epochs": 1})
        for label, recipe, data in (
            ("plain", plain, train_data),
            ("trained on edits", replace(plain, settings=one_epoch), augmented(train_data, COPIES)),
        ):
            model = train(recipe, data, resources.cache, resources.meter, resources.progress)
            scorer = Timed(session, model, folder / label)
            found, predictions = measured(scorer, session)
            print(scorer.row(label), flush=True)
            before, under = (row[1] for row in found.tables[0].rows)
            accuracy = float(predictions.correct.mean())
            share = f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]"
            rows.append(
                f"| {label} | {accuracy:.3f} | {before:.3f} | {under:.3f} | {share} | {judge(found, GATE)[0]} |"
            )
            shares.append((round((found.estimate or 0) * found.n), found.n))
        if asked.base_sentences:
            print(base_row(session, folder, asked.base_sentences), flush=True)
    print("\n| model | accuracy, test | of those drawn | under attack | overturned | gate ≤ 0.7 |")
    print("| --- | --- | --- | --- | --- | --- |")
    print("\n".join(rows))
    estimate, low, high = (float(bound) for bound in statistics.difference(*shares[0], *shares[1]))
    print(f"\nOverturned, plain less trained: {estimate:.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
