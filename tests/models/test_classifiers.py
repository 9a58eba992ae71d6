"""A user's own classifier: found by its source, identified, and its answers taken for what they are, or refused."""

from __future__ import annotations

import pickle
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import AuditError, Classifier, NotAssessed
from audit.core.errors import NotFiniteError
from audit.inference.predictions import Decisions
from audit.models.classifiers import skops_files, sources
from audit.models.classifiers.model import ClassifierModel, FailedError
from audit.models.files import artifact
from audit.models.reading import Reading
from audit.text.redaction import withholding
from tests.helpers import TWO, is_one_sentence

TEXTS = ["a good film", "a bad film", ""]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ClassifierModel]]:
    """Loads `source` from a folder with this module; what it imports is forgotten afterwards."""
    import sys

    before = dict(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def load(code: str, source: str = "ours:model", labels: tuple[str, ...] = ()) -> ClassifierModel:
        (tmp_path / "ours.py").write_text(textwrap.dedent(code))
        sys.modules.pop("ours", None)
        return sources.load(source, tmp_path, labels)

    yield load
    for name in sys.modules.keys() - before.keys():
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def wrapped(answer: object) -> ClassifierModel:
    """A model of two classes whose predict gives this, or what this function makes of the texts."""

    class Own(Classifier):
        labels = TWO

        def predict(self, texts: list[str]) -> Any:
            return answer(texts) if callable(answer) else answer

    return ClassifierModel("ours:model", Own(), TWO, {}, None)


HALVES = np.full((3, 2), 0.5)
OBJECT = """
    class Own:
        labels = ["negative", "positive"]
        def predict(self, texts):
            return [[0.2, 0.8] for _ in texts]
"""


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("ours:model", "model = Own()"),
        ("ours:Own", ""),
        ("ours:make", "def make(): return Own()"),
        ("ours:Shelf.inner", "class Shelf: inner = Own()"),
    ],
)
def test_an_object_a_class_and_a_factory_are_found_by_their_names(
    load: Callable[..., ClassifierModel], source: str, more: str
) -> None:
    model = load(textwrap.dedent(OBJECT) + more, source)
    assert model.labels == TWO
    np.testing.assert_allclose(model.answer(TEXTS).rows, [[0.2, 0.8]] * 3, rtol=1e-6)
    assert model.answer(TEXTS).graded


@pytest.mark.parametrize(
    "kind",
    [list, np.array, np.float32, lambda rows: np.array(rows).tolist(), "torch", "frame"],
    ids=["list", "array", "float32", "nested", "torch", "frame"],
)
def test_answers_may_be_of_any_kind_of_array(kind: Any) -> None:
    import pandas as pd
    import torch

    known = {"torch": torch.tensor, "frame": pd.DataFrame}
    rows = [[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]]
    np.testing.assert_array_equal(wrapped(known.get(kind, kind)(rows)).answer(TEXTS).rows, rows)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "gave a NoneType for 3 texts"),
        (0.7, "gave a float for 3 texts"),
        ([[0.5, 0.5]], "gave 1 answers for 3 texts"),
        ([[0.5, 0.5]] * 4, "gave 4 answers for 3 texts"),
        ([[1.0]] * 3, "of shape (3, 1)"),
        (np.full((3, 3), 1 / 3), "of shape (3, 3)"),
        ([0.2, 0.4, 0.6], "of shape (3,)"),
        ([0, 1, 1], "of shape (3,)"),
        ([[0.5, 0.5], [0.5], [0.5, 0.5]], "gave a list for 3 texts"),
        ([["0.5", "0.5"]] * 3, "of shape (3, 2)"),
        ([[None, None]] * 3, "of shape (3, 2)"),
        (HALVES * np.array([[1], [np.nan], [np.inf]]), "NaN or infinity for 2 of 3 texts"),
        (HALVES * 2, "(1, 1) for a text"),
        ([[1.5, -0.5]] * 3, "(1.5, -0.5) for a text"),
        ([[3.1, -2.0]] * 3, "softmax of the scores"),
        (["negative", "positive", "mixed"], "the label 'mixed'"),
        (["negative", "positive", "Positive"], "the label 'Positive'"),
    ],
)
def test_what_is_no_answer_is_refused_in_one_sentence(answer: object, says: str) -> None:
    with pytest.raises(AuditError) as refused:
        wrapped(answer).answer(TEXTS)
    message = str(refused.value)
    assert says in message
    assert is_one_sentence(message)
    assert message.startswith("model 'ours:model': predict gave")
    assert "negative, positive" in message or "softmax" in message


def test_no_number_is_never_an_answer() -> None:
    with pytest.raises(NotFiniteError):
        wrapped(HALVES * np.nan).answer(TEXTS)


def test_an_exception_is_no_answer_and_says_whose_it_is() -> None:
    def broken(texts: list[str]) -> object:
        raise KeyError("weights")

    def excused(texts: list[str]) -> object:
        raise NotAssessed("not today")

    with pytest.raises(FailedError, match=r"ours:model.*predict raised KeyError"):
        wrapped(broken).answer(TEXTS)
    with pytest.raises(FailedError, match="NotAssessed"):  # code under audit cannot excuse itself
        wrapped(excused).answer(TEXTS)
    with pytest.raises(AuditError, match=r"KeyError.*asked about any text"):
        wrapped(broken).try_out()


def test_nothing_that_came_of_a_text_is_quoted_where_no_text_is_to_be_shown() -> None:
    def broken(texts: list[str]) -> object:
        raise ValueError(f"cannot read {texts[0]!r}")

    for withheld in (False, True):
        for answer in (broken, [*TEXTS]):  # an error over a text, and texts in the place of labels
            with withholding(withheld), pytest.raises((FailedError, AuditError)) as raised:
                wrapped(answer).answer(TEXTS)
            assert (TEXTS[0] in str(raised.value)) is not withheld


def test_labels_without_probabilities_are_decisions_which_nothing_takes_for_sureness() -> None:
    said = wrapped(["negative", "positive", "negative"]).answer(TEXTS)
    assert not said.graded
    np.testing.assert_array_equal(said.rows, [[1, 0], [0, 1], [1, 0]])
    decisions = Decisions(said.rows, TWO)
    assert decisions.labels.tolist() == [0, 1, 0]
    assert decisions.take([1]).labels.tolist() == [1]
    assert Decisions.joined([decisions, decisions]).labels.tolist() == [0, 1, 0] * 2
    with pytest.raises(NotAssessed, match="without probabilities"):
        _ = decisions.probabilities
    with pytest.raises(NotAssessed, match="without probabilities"):
        _ = decisions.take([0]).probabilities


@pytest.mark.parametrize(
    ("code", "source", "says"),
    [
        ("", "nowhere:model", "there is no module nowhere"),
        ("import nowhere", "ours:model", "importing ours raised ModuleNotFoundError"),
        ("1 / 0", "ours:model", "importing ours raised ZeroDivisionError"),
        ("raise SystemExit(0)", "ours:model", "importing ours raised SystemExit"),
        ("def (", "ours:model", "importing ours raised SyntaxError"),
        ("", "ours:model", "ours has no model"),
        ("def model(a): pass", "ours:model", "calling model() raised TypeError"),
        ("model = 7", "ours:model", "is a int without `predict`"),
        ("class model:\n def predict(self, texts): pass", "ours:model", "without `labels`"),
        ("class model:\n labels = ('a',)\n def predict(self, t): pass", "ours:model", "two classes or more"),
        ("class model:\n labels = ('a', 'a')\n def predict(self, t): pass", "ours:model", "two classes or more"),
        ("class model:\n labels = 'ab'\n def predict(self, t): pass", "ours:model", "two classes or more"),
        ("class model:\n labels = (0, 1)\n def predict(self, t): pass", "ours:model", "two classes or more"),
        (
            "class model:\n labels = ('a', 'b')\n files = ['no.npz']\n def predict(self, t): pass",
            "ours:model",
            "no.npz, which is no file",
        ),
        (
            "class model:\n labels = ('a', 'b')\n files = 'no.npz'\n def predict(self, t): pass",
            "ours:model",
            "no list of paths",
        ),
        (
            "class model:\n labels = ('a', 'b')\n fingerprint = 3\n def predict(self, t): pass",
            "ours:model",
            "its fingerprint is a int",
        ),
    ],
)
def test_a_source_that_gives_no_classifier_is_refused_in_one_sentence(
    load: Callable[..., ClassifierModel], code: str, source: str, says: str
) -> None:
    with pytest.raises(AuditError) as refused:
        load(code, source)
    assert says in str(refused.value)
    assert is_one_sentence(str(refused.value))
    assert f"model '{source}'" in str(refused.value)


def test_labels_of_the_policy_that_are_others_are_refused(load: Callable[..., ClassifierModel]) -> None:
    assert load(OBJECT, "ours:Own", TWO).labels == TWO
    with pytest.raises(AuditError, match=r"\[model\] labels says positive, negative"):
        load(OBJECT, "ours:Own", TWO[::-1])


def test_a_file_whose_name_is_taken_by_a_loaded_module_is_refused(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("model = None")
    with pytest.raises(AuditError, match="a module of the name json is loaded already"):
        sources.load("json:model", tmp_path)


@pytest.mark.parametrize(
    "source",
    ["bert-base-uncased", "owner/name", "./folder", r"C:\models\mine", "http://host:80/x", "a:b:c", "a.b", ":x"],
)
def test_other_sources_name_no_code(source: str) -> None:
    assert not sources.names_code(source)


def test_the_fingerprint_follows_code_and_files_or_is_the_objects_own(
    load: Callable[..., ClassifierModel], tmp_path: Path
) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"1")
    code = textwrap.dedent(OBJECT)
    assert load(code, "ours:Own").fingerprint is None
    with_files = code + "    files = ['weights.bin']\n"
    first = load(with_files, "ours:Own")
    assert first.fingerprint == load(with_files, "ours:Own").fingerprint
    assert set(first.files) == {"ours.py", "weights.bin"}
    weights.write_bytes(b"2")
    assert load(with_files, "ours:Own").fingerprint != first.fingerprint
    weights.write_bytes(b"1")
    assert load(with_files + "# other\n", "ours:Own").fingerprint != first.fingerprint
    (tmp_path / "features.py").write_text("")  # the module may import it
    assert load(with_files, "ours:Own").fingerprint != first.fingerprint
    own = load(code + "    fingerprint = 'v1'\n", "ours:Own").fingerprint
    assert own is not None
    assert own == load(code + "    fingerprint = 'v1'  # other\n", "ours:Own").fingerprint
    assert own != load(code + "    fingerprint = 'v2'\n", "ours:Own").fingerprint


def test_without_a_fingerprint_no_other_run_has_the_same_key(load: Callable[..., ClassifierModel]) -> None:
    first, second = load(OBJECT, "ours:Own"), load(OBJECT, "ours:Own")
    assert first.key == first.key != second.key


def test_the_probabilities_of_a_pipeline_are_its_own(load: Callable[..., ClassifierModel]) -> None:
    pipeline = """
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC
        texts = ["good film", "bad film", "good", "bad"]
        def fit(last, labels): return make_pipeline(CountVectorizer(), last).fit(texts, labels)
        words = fit(LogisticRegression(), ["positive", "negative"] * 2)
        numbers = fit(LogisticRegression(), [1, 0, 1, 0])
        hard = fit(LinearSVC(), [1, 0, 1, 0])
        unfitted = make_pipeline(CountVectorizer(), LogisticRegression())
    """
    import sys

    words = load(pipeline, "ours:words")
    assert words.labels == TWO
    rows = words.answer(TEXTS).rows
    np.testing.assert_allclose(rows, sys.modules["ours"].words.predict_proba(TEXTS), rtol=1e-6)
    numbers = load(pipeline, "ours:numbers", TWO)
    assert numbers.labels == TWO
    np.testing.assert_allclose(numbers.answer(TEXTS).rows, rows, rtol=1e-5)
    hard = load(pipeline, "ours:hard", TWO).answer(TEXTS[:2])
    assert not hard.graded
    assert hard.rows.argmax(axis=1).tolist() == [1, 0]
    with pytest.raises(AuditError, match=r"classes are 0, 1; name them .* \[model\] labels"):
        load(pipeline, "ours:numbers")
    with pytest.raises(AuditError, match="fitted pipeline"):
        load(pipeline, "ours:unfitted")


@pytest.fixture
def dumped(tmp_path: Path) -> Callable[..., Path]:
    """Writes a fitted pipeline that ends in this step to model.skops, after steps before the counting."""
    io = pytest.importorskip("skops.io")

    def dump(labels: list[Any], *before: Any, last: Any = None) -> Path:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        pipeline = make_pipeline(*before, TfidfVectorizer(), LogisticRegression() if last is None else last)
        io.dump(pipeline.fit(["good film", "bad film", "good", "bad"], labels), path := tmp_path / "model.skops")
        return path

    return dump


def test_a_file_of_skops_answers_as_its_pipeline_and_is_told_by_its_hash(dumped: Callable[..., Path]) -> None:
    import skops.io

    path = dumped(["positive", "negative"] * 2)
    model = skops_files.load("model.skops", path)
    assert (model.labels, model.runs_code) == (TWO, False)
    own = skops.io.load(path, trusted=[])
    np.testing.assert_allclose(model.answer(TEXTS).rows, own.predict_proba(TEXTS), rtol=1e-6)
    assert model.fingerprint == skops_files.load("model.skops", path).fingerprint
    assert not artifact.inspect_files(model.paths, model.files).problems
    assert model.fingerprint != skops_files.load("model.skops", dumped(["negative", "positive"] * 2)).fingerprint
    with pytest.raises(AuditError, match=r"name them in this order with \[model\] labels"):
        skops_files.load("model.skops", dumped([0, 1] * 2))


def shout(texts: list[str]) -> list[str]:
    return [text.upper() for text in texts]


def test_types_that_could_run_code_are_refused_by_name_and_nothing_of_them_runs(
    dumped: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.preprocessing import FunctionTransformer

    path = dumped([0, 1] * 2, FunctionTransformer(shout))
    ran: list[object] = []
    monkeypatch.setattr(f"{__name__}.shout", lambda texts: ran.append(texts))
    with pytest.raises(AuditError, match=r"types that could run code \(.*shout\)") as refused:
        skops_files.load("model.skops", path, TWO)
    assert is_one_sentence(str(refused.value))
    assert not ran


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is no file"),
        (b"", "is no file of skops"),
        (b"PK\x03\x04", "is no file of skops"),
        (pickle.dumps({"a": 1}), "is no file of skops"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n", "git lfs pull"),
        ({"other.json": "{}"}, "skops cannot read"),
        ({"schema.json": "{}"}, "skops cannot read"),
        ({"schema.json": "[" * 100_000}, "skops cannot read"),
    ],
    ids=["none", "empty", "cut", "pickle", "pointer", "without", "nothing", "deep"],
)
def test_what_skops_did_not_write_is_refused_in_one_sentence(tmp_path: Path, content: Any, says: str) -> None:
    pytest.importorskip("skops.io")
    path = tmp_path / "model.skops"
    if isinstance(content, dict):
        with zipfile.ZipFile(path, "w") as file:
            for name, text in content.items():
                file.writestr(name, text)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(AuditError) as refused:
        skops_files.load("model.skops", path)
    assert says in str(refused.value)
    assert is_one_sentence(str(refused.value))


def test_what_reads_it_is_named_where_it_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skops_files, "find_spec", lambda name: None)
    (tmp_path / "model.skops").write_bytes(b"")
    with pytest.raises(AuditError, match="pip install 'pytest-model-audit\\[skops\\]'"):
        skops_files.load("model.skops", tmp_path / "model.skops")


def test_embeddings_are_held_to_be_a_row_for_each_text() -> None:
    class Own(Classifier):
        labels = TWO

        def predict(self, texts: list[str]) -> Any:
            return HALVES

        def embed(self, texts: list[str]) -> Any:
            return given[0]

    model = ClassifierModel("ours:model", Own(), TWO, {}, None)
    assert model.embeds
    assert not wrapped(HALVES).embeds
    given: list[Any] = [np.ones((3, 5))]
    assert model.embed(TEXTS).shape == (3, 5)
    for wrong in (np.ones((2, 5)), np.ones(3), [[1, 2], [1], [1]], None):
        given[0] = wrong
        with pytest.raises(AuditError, match=r"embed gave an? .* for 3 texts; expected a row of numbers"):
            model.embed(TEXTS)
    given[0] = np.full((3, 5), np.nan)
    with pytest.raises(NotFiniteError):
        model.embed(TEXTS)


def test_own_classes_are_merged_shared_out_and_left_out() -> None:
    three = ("negative", "neutral", "positive")
    rows = np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0], [0.1, 0.2, 0.7]])

    def read(merge: dict[str, Any], answer: object, head: Any = "softmax") -> ClassifierModel:
        model = replace(wrapped(answer), labels=three)
        return model.read_as(Reading.of(three, "ours:model", merge, head))

    shared = read({"neutral": TWO}, rows)
    assert shared.labels == TWO
    np.testing.assert_allclose(shared.answer(TEXTS).rows, [[0.65, 0.35], [0.5, 0.5], [0.2, 0.8]], rtol=1e-6)
    with pytest.raises(AuditError, match="for 1 of 3 texts all probability is of classes that"):
        read({"neutral": ""}, rows).answer(TEXTS)
    said = ["negative", "neutral", "positive"]
    decided = read({"neutral": "negative"}, said).answer(TEXTS)
    assert not decided.graded
    assert decided.rows.argmax(axis=1).tolist() == [0, 0, 1]
    with pytest.raises(AuditError, match="shares one out to several"):
        read({"neutral": TWO}, said).answer(TEXTS)
    assert shared.key != read({"neutral": "negative"}, rows).key


def test_sigmoids_of_a_classifier_need_not_sum_to_one() -> None:
    reading = Reading.of(TWO, "ours:model", {}, "sigmoid")
    for answer in ([0.2, 0.5, 0.9], [[0.2], [0.5], [0.9]]):  # of the second class alone
        rows = wrapped(answer).read_as(reading).answer(TEXTS).rows
        np.testing.assert_allclose(rows, [[0.8, 0.2], [0.5, 0.5], [0.1, 0.9]], rtol=1e-6)
    rows = wrapped([[0.2, 0.6]] * 3).read_as(reading).answer(TEXTS).rows
    np.testing.assert_allclose(rows, [[0.25, 0.75]] * 3, rtol=1e-6)
    with pytest.raises(AuditError, match="each is from 0 to 1; give predict_proba, or the sigmoid"):
        wrapped([[-1.0, 0.6]] * 3).read_as(reading).answer(TEXTS)
