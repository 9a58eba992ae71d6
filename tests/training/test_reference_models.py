"""The linear model on word counts is scikit-learn's, and is not fitted twice. (Twins: see test_finetune.)"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from audit import NotAssessed, demo
from audit.core.cache import Cache
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.training.reference_models import LinearModel
from tests.conftest import CLASSES, write_csv
from tests.helpers import Runner, WritePolicy, examples


def reviews(split: str, rows: int) -> Examples:
    drawn = demo.reviews("train" if split == "train" else "test", rows=rows)
    labels = np.array([CLASSES.index(str(row["label"])) for row in drawn])
    return Examples(tuple(str(row["text"]) for row in drawn), labels, CLASSES)


def test_counting_words_is_scikit_learns_and_kept(tmp_path: Path) -> None:
    train, test, meter = reviews("train", 600), reviews("test", 200), Meter("DEU")
    linear = LinearModel(train, Cache(tmp_path), meter)
    found, training = linear.predict(test.texts).on(test), linear.training
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    expected = LogisticRegression(C=10, max_iter=1000).fit(words.fit_transform(train.texts), train.labels)
    probabilities = expected.predict_proba(words.transform(test.texts))
    np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-6)
    assert training["parameters"] == len(words.vocabulary_) + expected.coef_.size + len(CLASSES)
    assert [phase.name for phase in meter.phases] == ["word counts", "score"]
    assert training["energy"]["kwh"] == meter.phases[0].kwh
    again = LinearModel(train, Cache(tmp_path), meter)
    np.testing.assert_array_equal(again.predict(test.texts).probabilities, found.probabilities)
    assert again.training == training
    assert len(meter.phases) == 2
    assert found.correct.mean() > 0.6  # it reads something: three classes, guessing reaches 0.4


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    train, test, meter = reviews("train", 200), reviews("test", 50), Meter("DEU")
    found = LinearModel(train, Cache(tmp_path), meter).predict(test.texts)
    (path,) = (tmp_path / "measurements").glob("*.npy")
    path.write_bytes(b"damaged")
    again = LinearModel(train, Cache(tmp_path), meter).predict(test.texts)
    np.testing.assert_array_equal(again.probabilities, found.probabilities)
    assert [phase.name for phase in meter.phases] == ["word counts", "score"] * 2


@pytest.mark.parametrize(
    ("labels", "texts", "reason"),
    [
        ([1, 1], ["a good film", "a fine film"], "all of class 'positive'"),
        ([], [], "none at all"),
        ([0, 1], ["\N{THUMBS DOWN SIGN}", "\N{THUMBS UP SIGN}"], "no word of two letters"),
    ],
)
def test_what_no_linear_model_can_be_trained_on_is_said(
    tmp_path: Path, labels: list[int], texts: list[str], reason: str
) -> None:
    linear = LinearModel(examples(labels, texts=texts), Cache(tmp_path), Meter("DEU"))
    for ask in (lambda: linear.predict(["a film"]), lambda: linear.training):
        with pytest.raises(NotAssessed, match=reason):
            ask()


def test_an_audit_without_words_to_count_says_so(run: Runner, write_policy: WritePolicy, reviews: Path) -> None:
    rows: list[dict[str, str | None]] = [{"text": "\N{THUMBS UP SIGN}", "label": label} for label in CLASSES]
    write_policy(data=f'train = "{write_csv(run.pytester.path / "train.csv", rows)}"\ntest = "{reviews}/test.csv"')
    run.pytester.makepyfile(
        """
        import pytest
        from audit.probes.quality import quality

        @pytest.mark.measures("quality.baseline_gain")
        def test_gain(audit, predictions, word_counts):
            audit.check(quality.baseline_gain(predictions, word_counts))
        """
    )
    run()
    finding = run.finding("quality.baseline_gain")
    assert finding["verdict"] == "not_assessed"
    assert "no word of two letters" in finding["reason"]
