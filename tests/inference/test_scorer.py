"""The scorer against the model called by hand, one text at a time; its cache; its order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from audit import demo
from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.inference.predictions import Predictions
from audit.inference.runner import LocalRunner
from audit.inference.scorer import Scorer
from audit.models.model import Model
from tests.conftest import CLASSES
from tests.helpers import is_one_sentence

TEXTS = [str(row["text"]) for row in demo.reviews("test", rows=60)] + ["", "one", "é " * 100, "word " * 5000]


def make_scorer(folder: Path, cache: Path, device: str = "cpu", dtype: str = "float32") -> Scorer:
    return Scorer(Model("test", folder, CLASSES, 32, device, dtype=dtype), Cache(cache), Meter("DEU"), Progress())


def by_hand(folder: Path, texts: list[str]) -> np.ndarray:
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    with torch.no_grad():
        for text in texts:
            encoded = tokenizer(text, truncation=True, max_length=32, return_tensors="pt")
            rows.append(torch.softmax(network(**encoded).logits, -1)[0].numpy())
    return np.array(rows)


def test_probabilities_are_the_models_own_whatever_the_batch(untrained: Path, tmp_path: Path) -> None:
    predicted = make_scorer(untrained, tmp_path / "cache").predict(TEXTS)
    assert predicted.probabilities.dtype == np.float32
    np.testing.assert_allclose(predicted.probabilities, by_hand(untrained, TEXTS), atol=1e-5)


def test_texts_that_are_tokenized_ahead_keep_their_order(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = make_scorer(untrained, tmp_path / "one").predict(TEXTS).probabilities
    monkeypatch.setattr("audit.inference.runner.TOKENIZED", {"cpu": 7})  # as on a GPU, a few at a time
    scorer = make_scorer(untrained, tmp_path / "other")
    np.testing.assert_allclose(scorer.predict(TEXTS).probabilities, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(scorer.forward(TEXTS), expected, rtol=0, atol=1e-5)
    assert scorer.counts.forward_passes == 2 * len(set(TEXTS))


def test_each_distinct_text_runs_once_and_never_again(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    first = scorer.predict(TEXTS + TEXTS[::-1])
    assert scorer.counts.forward_passes == len(set(TEXTS))
    np.testing.assert_array_equal(first.probabilities[: len(TEXTS)], first.probabilities[len(TEXTS) :][::-1])
    again = make_scorer(untrained, tmp_path / "cache")
    np.testing.assert_array_equal(again.predict(TEXTS).probabilities, first.probabilities[: len(TEXTS)])
    assert again.counts.forward_passes == 0
    assert again.counts.cache_hits == len(TEXTS)


def test_texts_in_stated_company_are_run_as_they_stand(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    network, inputs = scorer.model.network, []
    network.register_forward_pre_hook(lambda *given: inputs.append(given[2]), with_kwargs=True)
    batches = [TEXTS[:3], TEXTS[3:4], [TEXTS[0], TEXTS[0], "one"]]
    scorer.predict(batches[0])  # whose answers are of no use here
    inputs.clear()
    for _ in range(2):
        rows = scorer.predict_together(batches)
        assert [len(each) for each in rows] == [3, 1, 3]
        np.testing.assert_allclose(np.concatenate(rows), by_hand(untrained, [*chain(*batches)]), atol=1e-5)
    assert [len(given["input_ids"]) for given in inputs] == [3, 1, 3]
    assert "attention_mask" in inputs[0]
    scorer.predict_together([batches[0][::-1]])  # other company
    assert scorer.counts.forward_passes == 3 + 7 + 3
    assert scorer.counts.texts == 3 + 7 + 7 + 3
    assert scorer.counts.cache_hits == 7


def test_other_preprocessing_is_another_cache_entry(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    scorer.predict(TEXTS)
    shorter = Scorer(Model("test", untrained, CLASSES, 8), Cache(tmp_path / "cache"), Meter("DEU"), Progress())
    shorter.predict(TEXTS)
    cut = AutoTokenizer.from_pretrained(untrained)(TEXTS, truncation=True, max_length=8)["input_ids"]
    assert shorter.counts.forward_passes == len(set(map(tuple, cut))) < len(set(TEXTS))


@pytest.mark.parametrize("damage", [b"", b"not a data base at all" * 100])
def test_a_damaged_cache_is_rebuilt(untrained: Path, tmp_path: Path, damage: bytes) -> None:
    expected = make_scorer(untrained, tmp_path / "cache").predict(TEXTS).probabilities
    for path in (tmp_path / "cache").glob("rows.sqlite*"):
        path.write_bytes(damage)
    scorer = make_scorer(untrained, tmp_path / "cache")
    np.testing.assert_allclose(scorer.predict(TEXTS).probabilities, expected, atol=1e-5)
    assert scorer.counts.forward_passes == len(set(TEXTS))


def test_lone_surrogates_are_read_as_the_sign_for_what_cannot_be_read(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    broken, repaired = scorer.predict(["a good \ud800 lamp\udfff", "a good \ufffd lamp\ufffd"]).probabilities
    np.testing.assert_array_equal(broken, repaired)
    np.testing.assert_allclose(broken, by_hand(untrained, ["a good \ufffd lamp\ufffd"])[0], atol=1e-5)
    assert scorer.counts.forward_passes == 1


def test_a_cut_by_characters_changes_the_answer_to_longer_texts_only(untrained: Path, tmp_path: Path) -> None:
    make_scorer(untrained, tmp_path / "cache").predict(TEXTS)
    model, cache = Model("test", untrained, CLASSES, 32), Cache(tmp_path / "cache")
    cutting = Scorer(model, cache, Meter("DEU"), Progress(), max_characters=20)
    predicted = cutting.predict(TEXTS).probabilities
    np.testing.assert_allclose(predicted, by_hand(untrained, [text[:20] for text in TEXTS]), atol=1e-5)
    assert cutting.counts.forward_passes == len({text[:20] for text in TEXTS if len(text) > 20})


def test_texts_are_read_whole_up_to_the_models_maximum(untrained: Path, tmp_path: Path) -> None:
    cache, tokenizer = Cache(tmp_path / "cache"), Model("test", untrained, CLASSES, 32).tokenizer
    lengths = [len(tokenizer(text)["input_ids"]) for text in TEXTS]
    longest = int(np.median(lengths))
    assert min(lengths) <= longest < max(lengths)
    for _ in range(2):  # made, then from the cache
        scorer = Scorer(Model("test", untrained, CLASSES, longest), cache, Meter("DEU"), Progress())
        assert scorer.reads_whole(TEXTS).tolist() == [length <= longest for length in lengths]
    cutting = Scorer(Model("test", untrained, CLASSES, 512), cache, Meter("DEU"), Progress(), max_characters=20)
    assert cutting.reads_whole(TEXTS).tolist() == [len(text) <= 20 for text in TEXTS]
    assert scorer.counts.forward_passes == cutting.counts.forward_passes == 0


def test_no_texts_give_no_rows(untrained: Path, tmp_path: Path) -> None:
    assert make_scorer(untrained, tmp_path / "cache").predict([]).probabilities.shape == (0, 3)


def test_predictions_must_fit_their_examples(untrained: Path, tmp_path: Path) -> None:
    from audit.data.examples import Examples

    predictions = make_scorer(untrained, tmp_path / "cache").predict(["a", "b"])
    with pytest.raises(ValueError, match="2 predictions for 1 examples"):
        predictions.on(Examples(("a",), np.array([0]), CLASSES))
    with pytest.raises(ValueError, match="know no examples"):
        _ = predictions.truth


# Answers that are no numbers


def damaged(folder: Path, change: Callable[[torch.Tensor], torch.Tensor]) -> Path:
    """The same folder, its last weights changed."""
    weights = load_file(folder / "model.safetensors")
    weights["classifier.weight"] = change(weights["classifier.weight"])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


ASKED: list[Callable[[Scorer], object]] = [
    lambda scorer: scorer.predict(TEXTS[:20]),
    lambda scorer: scorer.forward(TEXTS[:20]),
    lambda scorer: scorer.attributions(TEXTS[:2], np.array([0, 1])),
    lambda scorer: scorer.trigger_scores(TEXTS[:2], np.array([0, 1])),
]


@pytest.mark.parametrize("ask", ASKED)
def test_answers_that_are_no_numbers_are_an_error_and_never_a_class(
    ask: Callable[[Scorer], object], folder: Path, tmp_path: Path
) -> None:
    damaged(folder, lambda weight: weight * torch.nan)
    for _ in range(2):  # nor does the cache hold any
        with pytest.raises(AuditError, match="no numbers in float32") as caught:
            ask(make_scorer(folder, tmp_path / "cache"))
        assert is_one_sentence(str(caught.value))


def test_an_overflow_in_half_precision_names_a_type_that_holds_the_numbers(folder: Path, tmp_path: Path) -> None:
    damaged(folder, lambda weight: weight * 1e7)
    with pytest.raises(AuditError, match="20 of 20 texts are no numbers in float16; use bfloat16 or float32"):
        make_scorer(folder, tmp_path / "cache", dtype="float16").predict(["lamp " * i for i in range(20)])
    assert np.isfinite(make_scorer(folder, tmp_path / "cache", dtype="bfloat16").predict(TEXTS).probabilities).all()


def test_embeddings_that_are_no_numbers_are_an_error(folder: Path, tmp_path: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["bert.embeddings.LayerNorm.weight"] *= torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for ask in (Scorer.embed, Scorer.attention):
        with pytest.raises(AuditError, match="3 of 3 texts are no numbers"):
            ask(make_scorer(folder, tmp_path / "cache"), ["good", "bad", "film"])


def test_rows_of_a_cache_that_are_no_numbers_are_computed_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = make_scorer(folder, tmp_path / "other").predict(TEXTS).probabilities
    with monkeypatch.context() as former:  # a version that kept whatever came
        former.setattr(LocalRunner, "check", lambda *_: None)
        former.setattr(Predictions, "__post_init__", lambda _: None, raising=False)
        former.setattr(
            LocalRunner, "_probabilities", lambda _, given: torch.full((len(given["input_ids"]), 3), torch.nan)
        )
        make_scorer(folder, tmp_path / "cache").predict(TEXTS)
    found = make_scorer(folder, tmp_path / "cache").predict(TEXTS).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_scorer_of_the_users_own_may_not_answer_with_nothing_either() -> None:
    with pytest.raises(AuditError, match="1 of 2 texts are no numbers"):
        Predictions(np.array([[0.5, 0.5], [np.nan, np.nan]], dtype=np.float32), ("negative", "positive"))


# Embeddings


def encoder(family: str, untrained: Path, folder: Path) -> Path:
    """A folder with a small classifier of random weights of this family, and the tokenizer of the untrained BERT."""
    from transformers import AutoConfig

    tokenizer = AutoTokenizer.from_pretrained(untrained)
    more = {"type_vocab_size": 2} if family in ("bert", "roberta", "electra") else {}
    config = AutoConfig.for_model(
        family, vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, pad_token_id=tokenizer.pad_token_id, num_labels=3, **more,
    )  # fmt: skip
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra", "deberta-v2", "modernbert"])
def test_embeddings_are_the_encoders_own_whatever_the_batch(family: str, untrained: Path, tmp_path: Path) -> None:
    folder = encoder(family, untrained, tmp_path / "model")
    found = make_scorer(folder, tmp_path / "cache").embed(TEXTS)
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert found.dtype == np.float32
    for text, row in zip(TEXTS, found, strict=True):
        encoded = tokenizer(text, truncation=True, max_length=32, return_tensors="pt", return_token_type_ids=False)
        with torch.no_grad():
            states = network(**encoded, output_hidden_states=True).hidden_states[-1][0]  # (tokens, hidden)
        np.testing.assert_allclose(row, torch.cat([states[0], states.mean(dim=0)]).numpy(), atol=1e-5)


def test_embeddings_are_kept_apart_from_predictions_and_made_once(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    predicted, embedded = scorer.predict(TEXTS).probabilities, scorer.embed(TEXTS + TEXTS[::-1])
    assert scorer.counts.forward_passes == 2 * len(set(TEXTS))
    assert embedded.shape == (2 * len(TEXTS), 2 * 128)
    np.testing.assert_array_equal(embedded[: len(TEXTS)], embedded[len(TEXTS) :][::-1])
    again = make_scorer(untrained, tmp_path / "cache")
    np.testing.assert_array_equal(again.embed(TEXTS), embedded[: len(TEXTS)])
    np.testing.assert_array_equal(again.predict(TEXTS).probabilities, predicted)
    assert again.counts.forward_passes == 0
    assert len(again.embed([])) == 0


def test_padding_on_the_left_changes_no_embedding(untrained: Path, tmp_path: Path) -> None:
    folder = encoder("distilbert", untrained, tmp_path / "model")
    scorer = make_scorer(folder, tmp_path / "left")
    scorer.model.tokenizer.padding_side = "left"
    # Positions move with the padding; without them the encoder knows no place.
    scorer.model.network.distilbert.embeddings.position_embeddings.weight.data.zero_()
    plain = make_scorer(folder, tmp_path / "right")
    plain.model.network.distilbert.embeddings.position_embeddings.weight.data.zero_()
    np.testing.assert_allclose(scorer.embed(TEXTS[:5]), plain.embed(TEXTS[:5]), atol=1e-5)


# ---- triggers


@pytest.mark.parametrize(
    ("positions", "place", "before"),
    [
        (1, None, [""]),
        (2, None, ["", "The handle is sturdy, but the lid leaks"]),  # before the first token and the last
        (3, 0, [""]),
        (3, 1, ["The"]),
        (3, -2, ["The handle is sturdy, but the lid"]),
        (3, -1, ["The handle is sturdy, but the lid leaks."]),
        (3, 99, ["The handle is sturdy, but the lid leaks."]),
    ],
)
def test_a_trigger_score_is_the_slope_of_the_margin(
    untrained: Path, tmp_path: Path, positions: int, place: int | None, before: list[str]
) -> None:
    """By finite differences, on one text: the embedding of an inserted copy is moved a little towards each word."""
    text, source, target = "The handle is sturdy, but the lid leaks.", 0, 2
    network = AutoModelForSequenceClassification.from_pretrained(untrained).eval().double()
    tokenizer = AutoTokenizer.from_pretrained(untrained)
    table = network.get_input_embeddings().weight.detach()
    own = tokenizer(text, add_special_tokens=False)["input_ids"]
    slopes = []
    for part in before:
        at = len(tokenizer(part, add_special_tokens=False)["input_ids"])
        ids = [tokenizer.cls_token_id, *own[:at], own[min(at, len(own) - 1)], *own[at:], tokenizer.sep_token_id]

        def margin(change: torch.Tensor, ids: list[int] = ids, at: int = at) -> float:
            embedded = table[torch.tensor([ids])].clone()
            embedded[0, 1 + at] += change
            with torch.no_grad():
                logits = network(inputs_embeds=embedded).logits[0]
            return float(logits[target] - logits[source])

        slopes.append(lambda v, margin=margin: (margin(1e-4 * table[v]) - margin(-1e-4 * table[v])) / 2e-4)
    scorer = make_scorer(untrained, tmp_path / "cache")
    scored = scorer.trigger_scores([text], np.array([source]), positions=positions, place=place)
    for word in scored.words[:: len(scored.words) // 5]:
        number = tokenizer.convert_tokens_to_ids(word)
        expected = np.mean([slope(number) for slope in slopes])
        assert scored.scores[source, target, scored.words.index(word)] == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_trigger_scores_are_kept_and_their_words_are_whole(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    labels = np.arange(len(TEXTS)) % 2
    first = scorer.trigger_scores(TEXTS, labels)
    # An empty text has no place; each other one has three.
    assert scorer.counts.forward_passes == 3 * (len(TEXTS) - 1)
    assert first.scores.shape == (3, 3, len(first.words))
    assert not first.scores[2].any()  # no text of this class
    assert not first.scores[0, 0].any()
    tokenizer = AutoTokenizer.from_pretrained(untrained)
    assert all(tokenizer.tokenize(f"the {word}")[1:] == [word] for word in first.words)
    again = make_scorer(untrained, tmp_path / "cache")
    np.testing.assert_array_equal(again.trigger_scores(TEXTS, labels).scores, first.scores)
    assert again.counts.forward_passes == 0
    assert "tokenizer" not in vars(again.model)
    again.trigger_scores(TEXTS, 1 - labels)
    assert again.counts.forward_passes == 3 * (len(TEXTS) - 1)


def test_characters_that_the_tokenizer_deletes_read_alike(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    alike = scorer.reads_alike(["kettle", "kettle", "Kettle"], ["ket\u200btle", "kett1e", "kettle"])
    assert alike.tolist() == [True, False, True]
    again = make_scorer(untrained, tmp_path / "cache")
    alike = again.reads_alike(["kettle", "kettle", "Kettle"], ["ket\u200btle", "kett1e", "kettle"])
    assert alike.tolist() == [True, False, True]
    assert "tokenizer" not in vars(again.model)  # which takes a second to load
    assert again.reads_alike(["kettle", "lamp"], ["lamp", "lamp"]).tolist() == [False, True]


# Attention


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "distilbert"])
def test_attention_is_the_layers_own_and_leaves_the_network_that_predicts_alone(
    family: str, untrained: Path, tmp_path: Path
) -> None:
    folder = encoder(family, untrained, tmp_path / family)
    scorer = make_scorer(folder, tmp_path / "cache")
    before = scorer.predict(TEXTS[:3]).probabilities
    found = scorer.attention(TEXTS[:3])
    network = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text, seen in zip(TEXTS, found, strict=False):
        encoded = tokenizer(text, truncation=True, max_length=32, return_tensors="pt", return_token_type_ids=False)
        with torch.no_grad():
            expected = torch.stack(network(**encoded, output_attentions=True).attentions)[:, 0].numpy()
        np.testing.assert_allclose(seen.weights, expected, atol=1e-6)
        assert seen.weights.shape[-1] == len(seen.tokens) == encoded["input_ids"].shape[1]
        np.testing.assert_allclose(seen.weights.sum(axis=-1), 1, atol=1e-5)
        # Softmax of the products, divided by the root of their width, written out for one layer and head.
        products = seen.queries[1, 1].astype(float) @ seen.keys[1, 1].astype(float).T / np.sqrt(seen.keys.shape[-1])
        np.testing.assert_allclose(
            np.exp(products) / np.exp(products).sum(1, keepdims=True), seen.weights[1, 1], atol=1e-5
        )
    assert scorer.model.network.config._attn_implementation != "eager"
    np.testing.assert_allclose(scorer.forward(TEXTS[:3]), before, atol=1e-5)


def test_layers_without_queries_of_their_own_are_not_assessed(untrained: Path, tmp_path: Path) -> None:
    from audit.core.errors import NotAssessed

    with pytest.raises(NotAssessed, match="no queries and keys of their own"):
        make_scorer(encoder("modernbert", untrained, tmp_path / "m"), tmp_path / "cache").attention(["a"])
