"""Texts that the tokenizer makes the same of are answered once; what is on disk is found without a tokenizer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer, BertTokenizerFast

from audit import demo
from audit.core import progress
from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.inference import keys, runner
from audit.inference import scorer as scorers
from audit.inference.scorer import Scorer
from audit.inference.store import Store
from audit.models.model import Model
from audit.probes.security.perturbation import perturbation
from audit.training.reference_models import LinearModel
from tests.conftest import CLASSES
from tests.helpers import examples, save_tiny
from tests.inference.test_scorer import by_hand, make_scorer

TEXTS = [str(row["text"]) for row in demo.reviews("test", rows=60)]
CAPITALS = [text.upper() for text in TEXTS]


def watched(scorer: Scorer) -> list[int]:
    """How many texts the network gets in each batch, counted at its first layer."""
    seen: list[int] = []
    words = scorer.model.network.get_input_embeddings()
    words.register_forward_hook(lambda layer, given, made: seen.append(len(made)))
    return seen


def cased(untrained: Path, folder: Path) -> Path:
    """The same model behind a tokenizer that minds capitals."""
    Model("test", untrained, CLASSES, 32).network.save_pretrained(folder)
    words = AutoTokenizer.from_pretrained(untrained).get_vocab()
    BertTokenizerFast(vocab=words, do_lower_case=False).save_pretrained(folder)
    return folder


def test_capitals_cost_a_model_that_knows_none_no_pass(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    seen, about = watched(scorer), examples([i % 3 for i in range(60)], CLASSES, texts=TEXTS)
    predictions = scorer.predict(TEXTS).on(about)
    assert scorer.counts.forward_passes == len(set(TEXTS))
    batches = list(seen)
    found = perturbation(scorer, predictions, "case")
    assert found.estimate == 0
    assert found.facts["share of changed texts whose scores moved at all"] == 0
    assert seen == batches
    assert scorer.counts.forward_passes == len(set(TEXTS))
    assert scorer.counts.texts == scorer.counts.forward_passes + scorer.counts.cache_hits


def test_a_model_that_minds_capitals_is_asked(untrained: Path, tmp_path: Path) -> None:
    folder = cased(untrained, tmp_path / "model")
    scorer = make_scorer(folder, tmp_path / "cache")
    found = scorer.predict([*TEXTS, *CAPITALS]).probabilities
    assert scorer.counts.forward_passes > len(set(TEXTS))
    np.testing.assert_allclose(found, by_hand(folder, [*TEXTS, *CAPITALS]), atol=1e-5)


@pytest.mark.parametrize("ask", [lambda scorer, texts: scorer.predict(texts).probabilities, Scorer.embed])
def test_texts_of_the_same_tokens_share_an_answer_within_a_call_and_over_audits(
    ask: Callable[[Scorer, Sequence[str]], np.ndarray], untrained: Path, tmp_path: Path
) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    seen = watched(scorer)
    first = ask(scorer, [*TEXTS, *(text.title() for text in TEXTS)])
    # One more than there are: of the first batch one text is run alone, to see whether padding changes its answer.
    assert sum(seen) == scorer.counts.forward_passes + 1 == len(set(TEXTS)) + 1
    np.testing.assert_array_equal(first[:60], first[60:])
    again = make_scorer(untrained, tmp_path / "cache")
    np.testing.assert_array_equal(ask(again, CAPITALS), first[:60])
    assert again.counts.forward_passes == 0
    assert "network" not in vars(again.model)  # though the tokenizer had to be asked
    once_more = make_scorer(untrained, tmp_path / "cache")
    np.testing.assert_array_equal(ask(once_more, [*CAPITALS, *TEXTS]), first)
    assert "tokenizer" not in vars(once_more.model)
    assert "network" not in vars(once_more.model)


def test_texts_that_differ_only_beyond_the_maximum_are_one_pass(untrained: Path, tmp_path: Path) -> None:
    longer = [f"{'a good lamp ' * 12}{end}" for end in ("", "breaks", "is fine")]
    scorer = make_scorer(untrained, tmp_path / "cache")
    found = scorer.predict(longer).probabilities
    assert scorer.counts.forward_passes == 1
    np.testing.assert_allclose(found, by_hand(untrained, longer), atol=1e-5)
    whole = Scorer(Model("test", untrained, CLASSES, 64), Cache(tmp_path / "cache"), Meter("DEU"), Progress())
    whole.predict(longer)
    assert whole.counts.forward_passes == 3


class Typed:
    """A tokenizer that knows no capitals, but gives the words of a text without them another type."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, texts: Any, **settings: Any) -> dict[str, Any]:
        ids = self._tokenizer(texts, **settings)["input_ids"]
        if isinstance(texts, str):
            return {"input_ids": ids, "token_type_ids": [int(texts.islower())] * len(ids)}
        types = [[int(text.islower())] * len(row) for text, row in zip(texts, ids, strict=True)]
        return {"input_ids": ids, "token_type_ids": types}


class TypedModel(Model):
    @cached_property
    def tokenizer(self) -> Any:
        return Typed(super().tokenizer)


def test_the_same_tokens_of_other_types_are_two_passes(untrained: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    scorer = Scorer(TypedModel("test", untrained, CLASSES, 32), cache, Meter("DEU"), Progress())
    small, mixed, large = scorer.predict(["a good lamp", "A good lamp", "A GOOD LAMP"]).probabilities
    assert scorer.counts.forward_passes == 2
    assert np.abs(small - large).max() > 1e-5
    np.testing.assert_array_equal(mixed, large)


def test_without_a_usable_cache_a_call_still_asks_once(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorers, "PART", {"cpu": 7})
    cache = Cache(tmp_path / "cache")
    cache.given_up = True
    scorer = Scorer(Model("test", untrained, CLASSES, 32), cache, Meter("DEU"), Progress())
    found = scorer.predict([*TEXTS, *CAPITALS]).probabilities
    assert scorer.counts.forward_passes == len(set(TEXTS))
    np.testing.assert_array_equal(found[:60], found[60:])
    np.testing.assert_allclose(found[:60], by_hand(untrained, TEXTS), atol=1e-5)


def test_a_piece_at_a_time_asks_as_often(untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TOKENIZED", {"cpu": 7})  # as on a GPU
    scorer = make_scorer(untrained, tmp_path / "cache")
    mixed = [text for pair in zip(TEXTS, CAPITALS, strict=True) for text in pair]
    found = scorer.predict(mixed).probabilities
    assert scorer.counts.forward_passes == len(set(TEXTS))
    np.testing.assert_allclose(found, by_hand(untrained, mixed), atol=1e-5)


def test_progress_ends_at_the_number_of_texts(untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LIVE_EVERY_S", 0.0)
    lines: list[str] = []
    shown = Progress(lines.append, live=True)
    scorer = Scorer(Model("test", untrained, CLASSES, 32), Cache(tmp_path), Meter("DEU"), shown)
    for texts in (TEXTS[:20], [*TEXTS, *TEXTS[:5], *CAPITALS], CAPITALS):
        scorer.predict(texts)
        *_, last, _ = lines  # what follows removes it
        assert f"score: {len(texts)}/{len(texts)} texts" in last


def test_a_digest_that_was_changed_on_disk_gives_no_wrong_answer(untrained: Path, tmp_path: Path) -> None:
    first = make_scorer(untrained, tmp_path / "cache").predict(TEXTS).probabilities
    with closing(sqlite3.connect(Cache(tmp_path / "cache").predictions)) as connection, connection:
        whole = connection.execute("SELECT scope, text, numbers FROM rows WHERE length(numbers) = 16").fetchall()
        assert len(whole) == len(set(TEXTS))
        for (scope, text, _), (*_, numbers) in pairwise(whole):
            connection.execute("UPDATE rows SET numbers = ? WHERE scope = ? AND text = ?", (numbers, scope, text))
    again = make_scorer(untrained, tmp_path / "cache")
    np.testing.assert_array_equal(again.predict(TEXTS).probabilities, first)
    assert again.counts.forward_passes == 0


# ---- keys


class Named(Model):
    """A model of which all is fixed that a key depends on, but for the tokenizer's words."""

    fingerprint = "sha256:0"  # type: ignore[assignment]


KEYED = ["good film", "GOOD FILM", "the bad film", ""]
# Scopes and keys as they stand in caches. Where one changes, all that is kept there is computed again: a change that
# nobody meant.
ROWS = bytes.fromhex("9caae008d0a743e7937985ff9d359f55")
EMBEDDINGS = bytes.fromhex("fdd236877f7a1366dc720237082b022a")
DIGESTS = bytes.fromhex("a381aa79c5dba25b975d39b1382dec70")
TEXT_KEYS = [
    bytes.fromhex("952317a5f018c6712fd295b83d0ca244"),
    bytes.fromhex("329659145696b54a9be36a5ef52c1a3a"),
    bytes.fromhex("f5753f060c3dfe4c0b49cf80051d8bae"),
    bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb924"),
]
GOOD, BAD, EMPTY = (
    bytes.fromhex("202fb492822c8f157e28a84f93f969dd"),
    bytes.fromhex("80fba98c856e5b3b443684079b576690"),
    bytes.fromhex("3907f2d0e965c8cc562122110a8bcecb"),
)


@pytest.fixture
def keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scorer:
    """A scorer whose keys depend on neither the machine nor the installed versions."""
    monkeypatch.setattr(keys, "version", lambda name: "1")
    save_tiny(tmp_path / "model", num_labels=3)
    return Scorer(Named("test", tmp_path / "model", CLASSES, 8), Cache(tmp_path / "cache"), Meter("DEU"), Progress())


def test_rows_are_kept_under_the_keys_of_always(keyed: Scorer, tmp_path: Path) -> None:
    keyed.predict(KEYED)
    keyed.embed(KEYED[:1])
    with closing(sqlite3.connect(Cache(tmp_path / "cache").predictions)) as connection:
        rows = connection.execute("SELECT scope, text, numbers FROM rows").fetchall()
    kept = {(scope, key): numbers for scope, key, numbers in rows}
    digests = dict(zip(TEXT_KEYS, (GOOD, GOOD, BAD, EMPTY), strict=True))
    assert {key: numbers for (scope, key), numbers in kept.items() if scope == DIGESTS} == digests
    assert kept.keys() == {
        *((DIGESTS, key) for key in TEXT_KEYS),
        *((ROWS, digest) for digest in (GOOD, BAD, EMPTY)),
        (EMBEDDINGS, GOOD),
    }


def test_what_former_versions_kept_by_text_is_found(keyed: Scorer, tmp_path: Path) -> None:
    former = {key: np.array([i, 0, 1], "f4") for i, key in enumerate(TEXT_KEYS)}
    Store(Cache(tmp_path / "cache"), ROWS).put(former)
    np.testing.assert_array_equal(keyed.predict(KEYED).probabilities, list(former.values()))
    assert not {"tokenizer", "network"} & vars(keyed.model).keys()
    keyed.embed(KEYED)  # which makes digests known
    np.testing.assert_array_equal(keyed.predict(KEYED).probabilities, list(former.values()))
    assert keyed.counts.forward_passes == 3


@pytest.mark.parametrize("changed", ["max_length", "fingerprint", "version"])
def test_another_tokenizer_is_asked_anew(
    changed: str, keyed: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A digest of another one must not be taken for its own: here all texts had one answer."""
    keyed.predict(KEYED)
    digests = Store(Cache(tmp_path / "cache"), DIGESTS, dtype="u1")
    digests.put({key: np.frombuffer(GOOD, "u1") for key in TEXT_KEYS})
    assert len(np.unique(keyed.predict(KEYED).probabilities, axis=0)) == 1
    model = Named("test", keyed.model.folder, CLASSES, 7 if changed == "max_length" else 8)
    if changed == "fingerprint":
        monkeypatch.setattr(Named, "fingerprint", "sha256:1")
    if changed == "version":
        monkeypatch.setattr(keys, "version", lambda name: "2")
    other = Scorer(model, Cache(tmp_path / "cache"), Meter("DEU"), Progress())
    assert len(np.unique(other.predict(KEYED).probabilities, axis=0)) == 3


class Words(LinearModel):
    fingerprint = "sha256:0"  # type: ignore[assignment]


def test_a_model_without_a_tokenizer_keeps_texts_as_keys(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    words = Words(examples([0, 1, 0, 1], texts=["bad film", "good film", "bad", "good"]), cache, Meter("DEU"))
    for text in ("good film", "GOOD FILM"):
        words.predict([text])
    assert {path.name.split("-")[2] for path in cache.measurements.glob("word-counts-*.npy")} == {
        "d7ecc48b775da5dd0a090ae2b19fa51b",
        "e40e24606516de17522d5e4210c7cc32",
    }
