"""Whether two samples of texts are told apart where they differ, and not where they do not; and accuracy in use."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata
from sklearn.metrics import roc_auc_score

from audit import Measurement, NotAssessed, statistics
from audit.core.errors import AuditError
from audit.core.evidence import Table
from audit.data.examples import Examples, Production, load_production
from audit.data.folds import folds
from audit.inference.predictions import FormerPredictions, Predictions
from audit.inference.scorer import Scorer
from audit.models.reading import Reading
from audit.policy import policy
from audit.probes.quality import in_use, two_samples
from audit.probes.quality.drift import drift
from audit.testing import PLANTED
from audit.text import languages
from audit.text.redaction import withholding
from tests.data.test_data import needs_real_data
from tests.helpers import TWO, cells, examples, is_one_sentence

WORDS = [f"word{i}" for i in range(60)]


def _texts(n: int, seed: int, more: str = "") -> list[str]:
    """Sentences of ten words drawn from one vocabulary, every second with some more."""
    rng = np.random.default_rng(seed)
    return [f"{' '.join(rng.choice(WORDS, 10))} {more if i % 2 else ''}".strip() for i in range(n)]


def _examples(n: int, seed: int, more: str = "") -> Examples:
    return examples(np.arange(n) % 2, texts=[f"{text} {more}" for text in _texts(n, seed)])


class _Model:
    """Sure of an answer by the text's first word, positive where its number is odd; embeds by counting words."""

    def __init__(self, fingerprint: str | None = "sha256:m") -> None:
        self.model = type("Model", (), {"fingerprint": fingerprint})

    def predict(self, texts: Sequence[str]) -> Predictions:
        first = np.array([int(text.split()[0].removeprefix("word") or 0) for text in texts])
        sure = 0.55 + 0.4 * (first % 10) / 10
        rows = np.column_stack([1 - sure, sure]).astype(np.float32)
        return Predictions(np.where((first % 2 == 1)[:, None], rows, rows[:, ::-1]), TWO)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[text.split().count(word) for word in WORDS[:8]] for text in texts], dtype=np.float32)


def _test(n: int = 400, seed: int = 0, **protocol: Any) -> Predictions:
    """Test examples of which nine in ten are answered rightly."""
    said = (model := _Model()).predict(texts := _texts(n, seed))
    wrong = np.random.default_rng(seed).random(n) < 0.1
    return model.predict(texts).on(examples(np.where(wrong, 1 - said.labels, said.labels), texts=texts, **protocol))


def _measured(against: str, said: Predictions | None = None, model: Any = None, **second: Any) -> Measurement:
    asked = cast("Scorer", model or _Model())
    return drift(_test() if said is None else said, against, asked, **second)


def _table(found: Measurement, caption: str) -> dict[str, list[Any]]:
    (table,) = (each for each in found.evidence if isinstance(each, Table) and caption in each.caption)
    return {str(name): rest for name, *rest in cells(table)}


def _production(texts: Sequence[str], labels: object = None) -> Production:
    none = np.full(len(texts), -1)
    return Production(tuple(texts), none if labels is None else np.asarray(labels, dtype=np.int64))


def test_samples_of_one_source_are_not_told_apart_and_others_are() -> None:
    alike = _measured("train", train_data=_test(seed=1).known)
    other = _measured("train", train_data=examples(np.arange(400) % 2, texts=_texts(400, 1, "alas")))
    assert alike.id == "quality.drift[train]"
    assert alike.low < 0.5 < alike.high < 0.65  # type: ignore[operator]
    assert other.low > 0.6  # type: ignore[operator]
    assert (alike.n, other.n) == (800, 800)
    assert set(_table(alike, "classifier")) == {"its words", "what the model makes of it", "its label"}
    assert "its words" in other.summary


def test_the_area_is_that_of_held_out_scores_ranked_within_each_fold_and_its_interval_is_widened() -> None:
    rng = np.random.default_rng(0)
    is_second = np.arange(600) % 3 == 0
    features = rng.normal(size=(600, 4)) + 0.5 * is_second[:, None]
    units = np.arange(600)
    first, second = two_samples.told_apart([("a", features, 1.0), ("b", features, 0.1)], is_second, units, 0.9, 7)
    fold = folds(units, is_second.astype(np.int64), two_samples.FOLDS, 7)
    ranks = np.empty(600)
    for number in range(two_samples.FOLDS):
        ranks[fold == number] = rankdata(first.odds[fold == number]) / (fold == number).sum()
    assert first.area.estimate == pytest.approx(roc_auc_score(is_second, ranks))
    plain = statistics.auc(ranks[is_second], ranks[~is_second], 0.9)
    assert first.area == pytest.approx(statistics.cross_fitted(plain, two_samples.FOLDS, 0, 1))
    assert first.strict.low < first.area.low
    assert second.area.estimate == pytest.approx(first.area.estimate, abs=0.02)


@pytest.mark.slow("fits hundreds of classifiers", seconds=4)
def test_an_interval_lies_above_a_half_no_more_often_than_it_says_where_samples_do_not_differ() -> None:
    rng, draws, n, above = np.random.default_rng(5), 300, 200, 0
    unwidened = 0
    for seed in range(draws):
        view = ("", rng.normal(size=(n, 3)), 1.0)
        (told,) = two_samples.told_apart([view], np.arange(n) % 2 == 0, np.arange(n), 0.9, seed)
        above += told.area.low > 0.5
        estimate, low, _ = told.area
        unwidened += estimate - (estimate - low) / statistics.cross_fit_factor(two_samples.FOLDS) > 0.5
    assert above <= 0.05 * draws + 2 * np.sqrt(0.05 * draws)
    assert unwidened > above


def test_a_text_that_stands_often_counts_once() -> None:
    texts = [*_texts(300, 1), *["The very same advertisement, sent once more!"] * 900]
    found = _measured("production", production=_production(texts), model=_Ad())
    assert found.facts["distinct other texts compared"] == 301
    assert found.low < 0.5 < found.high  # type: ignore[operator]


class _Ad(_Model):
    def predict(self, texts: Sequence[str]) -> Predictions:
        return super().predict([text if text.startswith("word") else "word1" for text in texts])


def test_nearly_equal_texts_and_texts_of_one_author_are_never_on_both_sides_of_a_fold() -> None:
    texts = ["a fine day for a walk in the park", "a fine day for a walk in a park", "no", "yes", "maybe", "alas"]
    texts += WORDS  # a family is a small part of all
    alone = two_samples.units(texts)
    assert alone[0] == alone[1]
    assert len(set(alone)) == 5 + len(WORDS)
    together = two_samples.units(texts, np.array([0, 0, 1, 1, *[-1] * (2 + len(WORDS))]))
    assert together[0] == together[1]
    assert together[2] == together[3]
    assert len(set(together)) == 4 + len(WORDS)


def test_authors_who_can_be_told_do_not_tell_the_samples() -> None:
    def by(start: int, seed: int) -> Examples:
        author = np.arange(400) // 20
        texts = [f"{text} {'sincerely' * 0}name{start + a} name{start + a}" for text, a in zip(
            _texts(400, seed), author, strict=True
        )]  # fmt: skip
        return replace(examples(np.arange(400) % 2, texts=texts), clusters=author)

    one, other = by(0, 0), by(100, 1)
    model = _Model()
    kept = _measured("train", model.predict(one.texts).on(one), train_data=other)
    apart = replace(one, clusters=None)
    loose = _measured("train", model.predict(one.texts).on(apart), train_data=replace(other, clusters=None))
    assert loose.low > 0.9  # type: ignore[operator]
    assert kept.estimate < 0.7  # type: ignore[operator]


def test_words_that_moved_are_told_but_not_what_could_be_personal_nor_any_where_texts_are_withheld() -> None:
    second = examples(np.arange(400) % 2, texts=[f"{text}{PLANTED}" for text in _texts(400, 1, "alas")])
    found = _measured("train", train_data=second)
    words = _table(found, "Words that moved")
    assert words["alas"][:3] == pytest.approx([0, 0.5, 0.5])
    assert 0 < words["alas"][3] < 0.5 < words["alas"][4]
    assert "write" in words
    assert not {"jo", "quill", "example", "de89", "3704", "7700"} & set(words)
    with withholding(True):
        hidden = _measured("train", train_data=second)
    assert not any("Words that moved" in str(getattr(each, "caption", "")) for each in hidden.evidence)
    assert hidden.estimate == found.estimate


def test_shares_of_labels_answers_lengths_and_languages_are_held_against_each_other() -> None:
    english, german = (
        "{} it is a really good device which everybody here should buy",
        ("{} es ist ein wirklich ganz schlechtes Gerät, das niemand mehr kaufen sollte"),
    )
    first = examples(np.arange(60) % 2, texts=list(map(english.format, WORDS)))
    second = [*(f"{english} indeed".format(word) for word in WORDS), *map(german.format, WORDS[:30])]
    said = _Model().predict(first.texts).on(first)
    rows = _table(_measured("production", said, production=_production(second)), "What differs")
    assert rows["in the language “de”, of those that tell theirs"][:2] == pytest.approx([0, 1 / 3])
    assert rows["answered “positive”"][:2] == pytest.approx([0.5, 0.5])
    assert rows["of more than 12 words"][:2] == pytest.approx([0, 1])
    assert not any(name.startswith("labelled") for name in rows)


def test_a_language_is_told_where_it_is_sure() -> None:
    assert languages.language_of("Das ist ein wirklich ganz schlechtes Gerät, das niemand kaufen sollte", "en") == "de"
    assert languages.language_of("This is a really bad device which nobody at all should buy again", "en") == "en"
    assert languages.language_of("fine", "en") is None


def test_a_scorer_without_embeddings_compares_words_and_labels_and_says_so() -> None:
    found = drift(_test(), "train", train_data=_test(seed=1).known)
    assert set(_table(found, "classifier")) == {"its words", "its label"}
    assert "The scorer gives no embeddings, so none were compared." in found.caveats


@pytest.mark.parametrize(
    ("against", "second", "reason"),
    [
        ("train", {}, r"no training data are known; name them with \[data\] train"),
        ("production", {}, r"no texts of use are known; name a file of them with \[data\] production"),
        ("baseline", {}, "there are no former predictions"),
        ("train", {"train_data": examples([0, 1] * 3)}, "one of the two samples has 6 different texts"),
        ("train", {"train_data": examples([0, 1] * 30, texts=["the same thing"] * 60)}, "has 1 different texts"),
        ("production", {"production": _production(["word1"] * 50)}, "has 1 different texts"),
    ],
)
def test_what_cannot_be_compared_is_refused(against: str, second: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotAssessed, match=reason):
        _measured(against, **second)


# ---- a former audit


def _former(said: Predictions, model: str | None = "sha256:m", classes: tuple[str, ...] = TWO) -> FormerPredictions:
    order = [said.classes.index(name) if name in said.classes else i for i, name in enumerate(classes)]
    return FormerPredictions(tuple(said.known.keys), said.probabilities.astype(float)[:, order], classes, model)


def test_the_same_test_data_are_no_drift() -> None:
    said = _test()
    found = _measured("baseline", said, former_predictions=_former(said))
    assert found.estimate == pytest.approx(0.5, abs=0.001)
    assert found.low < 0.5 < found.high  # type: ignore[operator]
    assert found.facts["texts in both"] == len({text for text, _, _ in said.known.keys})


def test_answers_count_where_the_model_is_the_same_in_whatever_order_it_has_its_classes() -> None:
    surer = _test(seed=1).known
    chances = np.where(np.eye(2)[surer.labels] > 0, 0.999, 0.001).astype(np.float32)
    former = Predictions(chances, TWO, surer)
    same = _measured("baseline", former_predictions=_former(former))
    turned = _measured("baseline", former_predictions=_former(former, classes=TWO[::-1]))
    other = _measured("baseline", former_predictions=_former(former, "sha256:other"))
    assert same.low > 0.6  # type: ignore[operator]
    assert (turned.estimate, turned.low) == pytest.approx((same.estimate, same.low))
    assert other.low < 0.5  # type: ignore[operator]
    assert "The former audit was of another model, so that answers say nothing of the texts." in other.caveats
    assert list(_table(same, "classifier")) == ["its answer and label"]
    assert list(_table(other, "classifier")) == ["its label"]
    assert any("leaves no texts" in caveat for caveat in same.caveats)


def test_a_shift_of_labels_is_drift_whatever_the_model() -> None:
    labels = np.arange(600) % 10 == 0
    before = examples(labels, texts=_texts(600, 3))
    former = _former(_Model().predict(before.texts).on(before), None)
    found = _measured("baseline", former_predictions=former)
    assert found.low > 0.6  # type: ignore[operator]
    assert _table(found, "What differs")["labelled “positive”"][1] == pytest.approx(0.1)


def test_a_former_audit_of_other_classes_is_refused() -> None:
    former = _former(_test())
    keys = tuple((text, "spam", n) for text, _, n in former.keys)
    with pytest.raises(NotAssessed, match="the former audit had other classes"):
        _measured("baseline", former_predictions=replace(former, keys=keys))


# ---- accuracy in use


def _labelled(n: int, share: float, right: float = 0.9, seed: int = 1) -> Production:
    """Texts of use of which a random share has labels, and so many are answered rightly."""
    texts, rng = _texts(n, seed), np.random.default_rng(seed)
    said = _Model().predict(texts).labels
    labels = np.where(rng.random(n) < right, said, 1 - said)
    return _production(texts, np.where(rng.random(n) < share, labels, -1))


def test_labels_of_a_random_sample_give_an_accuracy_with_its_interval() -> None:
    found = _measured("production", production=_labelled(1_000, 0.3, 0.7))
    rows = _table(found, "How often the answers are right")
    (name, alone), *_ = [(name, row) for name, row in rows.items() if "labelled ones alone" in name]
    number = int(name.split(" by ")[1].split(" ")[0])
    exact = binomtest(round(alone[0] * number), number).proportion_ci(0.95)
    assert alone[1:] == pytest.approx([exact.low, exact.high])
    assert alone[1] < 0.7 < alone[2]
    assert f"By {number} labelled ones" in found.summary
    # Test texts are of the same kinds, but answered rightly more often: their estimate holds if that is not so.
    assert rows["texts of use, by weighted test texts"][0] == pytest.approx(rows["test data"][0], abs=0.03)


def test_expectations_that_tell_right_from_wrong_make_the_interval_narrower() -> None:
    def odd(n: int, seed: int) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
        texts = _texts(n, seed)
        said = _Model().predict(texts)
        right = np.random.default_rng(seed).random(n) < np.where(said.probabilities.max(axis=1) > 0.7, 0.99, 0.4)
        return texts, said.labels, np.where(right, said.labels, 1 - said.labels)

    texts, _, truth = odd(1_000, 0)
    said = _Model().predict(texts).on(examples(truth, texts=texts))
    used, _, labels = odd(1_500, 1)
    known = np.where(np.random.default_rng(3).random(1_500) < 0.2, labels, -1)
    rows = _table(_measured("production", said, production=_production(used, known)), "answers are right")
    (alone,) = (row for name, row in rows.items() if "alone" in name)
    (powered,) = (row for name, row in rows.items() if "answers to all" in name)
    assert powered[2] - powered[1] < 0.92 * (alone[2] - alone[1])
    assert powered[1] < (_Model().predict(used).labels == labels).mean() < powered[2]


def test_expectations_are_of_the_probabilities_that_a_model_states_where_a_threshold_shifts_them() -> None:
    """Where the second class must be surer than 0.9, an answer of the first may be as unsure as 0.1."""

    class Shifted(_Model):
        def predict(self, texts: Sequence[str]) -> Predictions:
            return Predictions(Reading.of(TWO, "m", threshold=0.9).probabilities(own(texts)), TWO)

    def own(texts: Sequence[str]) -> NDArray[np.float32]:
        chance = np.array([zlib.crc32(text.encode()) % 997 / 997 for text in texts], dtype=np.float32)
        return np.stack([1 - chance, chance], axis=1)

    def drawn(n: int, seed: int) -> tuple[list[str], NDArray[np.int64]]:
        texts = _texts(n, seed)
        return texts, (np.random.default_rng(seed).random(n) < own(texts)[:, 1]).astype(np.int64)

    (texts, truth), (used, labels) = drawn(1_500, 0), drawn(2_000, 1)
    said = Shifted().predict(texts).on(examples(truth, texts=texts, threshold=0.9))
    known = np.where(np.random.default_rng(3).random(2_000) < 0.2, labels, -1)
    found = _measured("production", said, Shifted(), production=_production(used, known))
    rows = _table(found, "answers are right")
    (alone,) = (row for name, row in rows.items() if "alone" in name)
    (powered,) = (row for name, row in rows.items() if "answers to all" in name)
    assert powered[2] - powered[1] < 0.92 * (alone[2] - alone[1])
    assert powered[1] < (Shifted().predict(used).labels == labels).mean() < powered[2]


def test_without_labels_both_more_frequent_kinds_and_more_frequent_classes_are_allowed_for() -> None:
    def drawn(n: int, positive: float, seed: int) -> tuple[list[str], NDArray[np.int64]]:
        """Positive texts are answered rightly in 95 of 100, negative ones in 60."""
        rng = np.random.default_rng(seed)
        truth = (rng.random(n) < positive).astype(np.int64)
        right = rng.random(n) < np.where(truth == 1, 0.95, 0.6)
        odd = np.where(right, truth, 1 - truth) == 1
        return [f"word{2 * rng.integers(30) + o} {text}" for o, text in zip(odd, _texts(n, seed), strict=True)], truth

    texts, truth = drawn(1_500, 0.7, 0)
    said = _Model().predict(texts).on(examples(truth, texts=texts))
    used, labels = drawn(1_500, 0.5, 1)
    rows = _table(_measured("production", said, production=_production(used)), "answers are right")
    _, low, high = rows["texts of use, by weighted test texts"]
    assert low < (_Model().predict(used).labels == labels).mean() < high
    assert rows["test data"][1] > (_Model().predict(used).labels == labels).mean()


def test_labels_of_what_somebody_chose_are_no_sample() -> None:
    production = _labelled(1_000, 1.0)
    sure = _Model().predict(production.texts).probabilities.max(axis=1) > 0.8
    chosen = replace(production, labels=np.where(sure, production.labels, -1))
    found = _measured("production", production=chosen)
    assert any("are no random sample of them" in caveat for caveat in found.caveats)
    assert not any("alone" in name for name in _table(found, "answers are right"))


@pytest.mark.parametrize(
    ("production", "told"),
    [
        (_labelled(400, 0.0), "No text of use has a label."),
        (replace(_labelled(400, 0.3), dropped=2), "2 labelled texts of use have a label that [data] drop_labels"),
        (
            _production([f"{text} utterly other things" for text in _texts(400, 1)]),
            "hardly any of them stands for these",
        ),
    ],
)
def test_why_no_interval_would_be_honest_is_told(production: Production, told: str) -> None:
    found = _measured("production", production=production)
    assert any(told in caveat for caveat in found.caveats), found.caveats
    assert not any("answers to all" in name for name in _table(found, "answers are right"))


def test_without_labels_and_where_test_texts_are_too_unlike_nothing_is_claimed() -> None:
    found = _measured("production", production=_production([f"{text} utterly other" for text in _texts(400, 1)]))
    assert found.summary.endswith(
        "How often the answers to texts of use are right cannot be told without labels of some."
    )
    assert list(_table(found, "answers are right")) == ["test data"]


def test_rows_are_drawn_whatever_their_order_and_copies_apart() -> None:
    texts = [*["the same"] * 500, *_texts(500, 1)]
    order = in_use._rows_drawn(texts)
    assert 200 < (order[:500] < 500).sum() < 300
    turned = in_use._rows_drawn(texts[::-1])
    assert [texts[i] for i in order] == [texts[::-1][i] for i in turned]


# ---- the file


Load = Callable[..., Production]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(content: str, more: str = "", label: str = "truth", name: str = "use.csv") -> Production:
        (tmp_path / "use.csv").write_text(content, "utf-8")
        key = f'production_label = "{label}"\n' if label else ""
        text = f'[model]\nsource = "m"\n[data]\ntest = "t.csv"\nproduction = "{name}"\n{key}{more}'
        return load_production(policy.parse(text, tmp_path / "audit.toml"), TWO, tmp_path / "cache")

    return read


def test_texts_of_use_are_read_with_the_labels_that_some_have(load: Load) -> None:
    found = load("text,truth\ngood,POS\nbad,\n,negative\npoor,neg\nso,nan\n")
    assert found.texts == ("good", "bad", "poor", "so")
    assert found.labels.tolist() == [1, -1, 0, -1]
    assert "good" not in repr(found)
    assert load("text,truth\ngood,1\nbad,0\n", label="").labels.tolist() == [-1, -1]
    dropped = load("text,truth\ngood,positive\nso,neutral\n", 'drop_labels = ["neutral"]')
    assert (dropped.labels.tolist(), dropped.dropped) == ([1, -1], 1)


@pytest.mark.parametrize(
    ("content", "more", "label", "name", "message"),
    [
        ("text\na", "", "", "none.csv", "[data] production = 'none.csv'"),
        ("review\na", "", "", "use.csv", "has no column 'text' ([data] text)"),
        ("text\na", "", "truth", "use.csv", "has no column 'truth' ([data] production_label)"),
        ("text,truth\na,\nb,", "", "truth", "use.csv", "has no label in any row; label a random sample"),
        ("text,truth\n,positive", "", "truth", "use.csv", "no row has a text"),
        ("text,truth\na,great", "", "truth", "use.csv", "'great'"),
        ("", "", "", "use.csv", "the file is empty"),
        ("text\na", "", "", "demo", "the demo has no texts of use"),
    ],
)
def test_a_mistake_in_it_is_one_sentence(
    load: Load, content: str, more: str, label: str, name: str, message: str
) -> None:
    with pytest.raises(AuditError) as error:
        load(content, more, label, name)
    assert message in str(error.value)
    assert is_one_sentence(str(error.value))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('production_label = "y"', "production_label is a column of the texts of use; name their file with production"),
        ("production = 3", "[data] production: expected text in quotes"),
        ('production = ""', "[data] production: expected text that is not empty"),
        ('productions = "x.csv"', "did you mean 'production'?"),
    ],
)
def test_so_is_one_in_the_policy(keys: str, message: str) -> None:
    with pytest.raises(AuditError) as error:
        policy.parse(f'[model]\nsource = "m"\n[data]\ntest = "t.csv"\n{keys}', None)
    assert message in str(error.value)
    assert is_one_sentence(str(error.value))


# ---- real texts


@needs_real_data
@pytest.mark.slow("compares thousands of reviews", seconds=20)
def test_imdb_is_told_from_sst2_and_two_halves_of_it_are_not() -> None:
    import pandas as pd

    folder = Path(os.environ["AUDIT_TEST_DATA"])
    reviews = pd.read_parquet(folder / "imdb_test.parquet").sample(2_400, random_state=0)
    sentences = pd.read_csv(folder / "sst2_test.csv")

    def of(table: Any) -> Examples:
        return examples([TWO.index(label) for label in table["label"]], texts=[*table["text"].astype(str)])

    halves = of(reviews[:1_200]), of(reviews[1_200:])
    blind = Predictions(np.full((1_200, 2), 0.5, np.float32), TWO, halves[0])
    alike = drift(blind, "train", train_data=halves[1])
    other = drift(blind, "train", train_data=of(sentences))
    assert alike.low < 0.5 < alike.high < 0.6  # type: ignore[operator]
    assert other.low > 0.95  # type: ignore[operator]
