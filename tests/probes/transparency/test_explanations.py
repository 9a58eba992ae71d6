"""Integrated gradients agree with a closed form, and explanations that say nothing of the model fail their test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
import transformers
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from scipy.stats import spearmanr
from transformers import AutoTokenizer

from audit.core.cache import Cache
from audit.core.errors import NotAssessed
from audit.core.evidence import Attributions
from audit.core.measurement import Measurement
from audit.core.probe import stopped_by
from audit.core.progress import Progress
from audit.core.verdict import Gate, Verdict, judge
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.batches import Batches, filler, inputs
from audit.inference.feature_attributions import TOLERANCE, Attribution, integrated_gradients, shuffled
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.policy.policy import Finetune
from audit.probes.transparency import explanations as probe
from audit.probes.transparency.explanations import explanations
from audit.run.stopping import Stopping
from audit.text.redaction import redact_parts, withholding
from audit.training.finetune import Recipe, train
from tests import helpers

GOOD, BAD = ("good", "lovely", "solid"), ("bad", "awful", "broken")
FILLERS = "the of my it in a lamp kettle bag shop colour handle box street friend week".split()
CLASSES = ("negative", "positive")


def reviews(n: int, seed: int) -> Examples:
    """Texts of ten words, one or two of which decide."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for label in rng.integers(0, 2, n):
        words = list(rng.choice(FILLERS, 10))
        for at in rng.choice(10, rng.integers(1, 3), replace=False):
            words[at] = str(rng.choice((BAD, GOOD)[label]))
        texts.append(" ".join(words))
        labels.append(int(label))
    return Examples(tuple(texts), np.array(labels), CLASSES)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small BERT that has learnt to read such texts."""
    settings = Finetune(epochs=4, batch_size=32, learning_rate=1e-3, initialise="scratch", validation=0.0)
    recipe = Recipe("small-bert", None, None, True, settings, 32, "cpu")
    return train(recipe, reviews(800, 0), Cache(tmp_path_factory.mktemp("cache")), Meter("DEU"), Progress())


def scorer(model: Model, folder: Path) -> Scorer:
    return Scorer(model, Cache(folder), Meter("DEU"), Progress())


def measured(asked: Scorer, test: Examples) -> Measurement:
    return explanations(asked, asked.predict(test.texts).on(test))


class Linear(torch.nn.Module):
    """Logits that are a mean over the tokens' embeddings times weights: what each token does is known."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.out = torch.nn.Embedding(tokens, 6), torch.nn.Linear(6, 2)

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return self.embedding

    def forward(self, inputs_embeds: torch.Tensor, attention_mask: torch.Tensor | None = None) -> Any:
        real = torch.ones(inputs_embeds.shape[:2]) if attention_mask is None else attention_mask
        mean = (inputs_embeds * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True)
        return SimpleNamespace(logits=self.out(mean))


def of_linear(network: Linear, tokenizer: Any, texts: Sequence[str], targets: Sequence[int]) -> list[Attribution]:
    def padded(ids: Sequence[list[int]]) -> dict[str, torch.Tensor]:
        return inputs({"input_ids": ids}, filler(tokenizer), tokenizer.padding_side, "cpu")

    with Progress().bar("explain", len(texts), "texts") as bar:
        return integrated_gradients(cast(Any, network), tokenizer, texts, targets, 32, padded, Batches("cpu"), bar)


def test_a_linear_model_has_the_attributions_of_its_closed_form(untrained: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(untrained)
    network = Linear(len(tokenizer)).eval()
    texts = ["a good  lamp, unbelievably good", "bad", ""]
    found = of_linear(network, tokenizer, texts, [1, 0, 1])
    weights = (network.out.weight[1] - network.out.weight[0]).detach().numpy()  # log-odds of class 1 of two
    table = network.embedding.weight.detach().numpy()
    for text, each, sign in zip(texts, found, (1, -1, 1), strict=True):
        encoded = tokenizer(text, return_offsets_mapping=True)
        n = len(encoded["input_ids"])
        expected: dict[int, float] = {}
        for number, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
            if end > start:
                word = len(text[:end].split()) - 1
                moved = sign * (table[number] - table[tokenizer.pad_token_id]) @ weights / n
                expected[word] = expected.get(word, 0.0) + moved
        assert [text[start:end] for start, end in each.spans] == text.split()
        np.testing.assert_allclose(each.scores, list(expected.values()), atol=1e-5)
        assert each.moved == pytest.approx(sum(expected.values()), abs=1e-5)
        assert each.gap < 0.01 or not each.spans


@pytest.mark.slow("trains a model", seconds=8)
def test_words_that_decide_are_named_and_the_explanations_hold(model: Model, tmp_path: Path) -> None:
    test = reviews(200, 1)
    asked = scorer(model, tmp_path)
    assert asked.predict(test.texts).on(test).correct.mean() > 0.95
    found = measured(asked, test)
    assert judge(found, Gate(max=0.3))[0] is Verdict.PASS
    assert (found.n, found.sample) == (100, "explanations")
    (attributions,) = found.shown(Attributions)
    for each in attributions.answers:
        strongest = max(each.parts, key=lambda part: part[1])[0]
        assert strongest in (*GOOD, *BAD)
        assert each.answer in CLASSES
    ran = asked.counts.forward_passes
    assert 3 * 100 * 5 < ran < 3 * 100 * 20
    again = scorer(model, tmp_path)
    assert measured(again, test) == found
    assert again.counts.forward_passes == 0


@pytest.mark.slow("trains a model")
def test_attributions_of_a_real_network_add_up(model: Model, tmp_path: Path) -> None:
    test, asked = reviews(20, 2), scorer(model, tmp_path)
    said = asked.predict(test.texts)
    blank = [" ".join(["[PAD]"] * len(text.split())) for text in test.texts]
    odds = [np.log(p / (1 - p)) for p in (said.probabilities, asked.predict(blank).probabilities)]
    for i, each in enumerate(asked.attributions(test.texts, said.labels)):
        target = said.labels[i]
        assert each.gap < 0.05
        assert sum(each.scores) == pytest.approx(odds[0][i, target] - odds[1][i, target], rel=0.06, abs=0.02)


@pytest.mark.slow("trains a model")
def test_attributions_are_those_of_captum_with_many_steps_and_no_point_is_asked_about_twice(
    model: Model, tmp_path: Path
) -> None:
    test, asked = reviews(40, 2), scorer(model, tmp_path)
    said = asked.predict(test.texts).labels
    ran, seen = asked.counts.forward_passes, Counter[bytes]()

    def counted(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        embedded, mask = named["inputs_embeds"].detach(), named.get("attention_mask")
        for i, each in enumerate(embedded):
            seen[(each if mask is None else each[mask[i] > 0]).numpy().tobytes()] += 1

    with model.network.register_forward_pre_hook(counted, with_kwargs=True):
        found = asked.attributions(test.texts, said)
    # This network is steep; the most is 129 points.
    assert asked.counts.forward_passes - ran == sum(seen.values()) < 33 * len(test)
    # The blanked texts look alike, all being of ten words; all else is asked once.
    assert sorted(seen.values()) == [1] * (len(seen) - 1) + [len(test)]
    for each in found:
        assert each.gap <= TOLERANCE
        of_words = captums(model, each.text, each.target)
        assert each.scores == pytest.approx(of_words, abs=TOLERANCE * np.abs(of_words).max())


def captums(model: Model, text: str, target: int) -> NDArray[np.float64]:
    """Integrated gradients of the log-odds by captum with 200 points, by word; none of these words has two tokens."""
    embed = model.network.get_input_embeddings()
    encoded = model.tokenizer(text, return_tensors="pt", return_special_tokens_mask=True)
    own, ids = encoded["special_tokens_mask"].bool(), encoded["input_ids"]

    def odds(embedded: torch.Tensor) -> torch.Tensor:
        logits = model.network(inputs_embeds=embedded).logits
        return cast(torch.Tensor, logits[:, target] - logits[:, 1 - target])

    with torch.no_grad():
        whole, start = embed(ids), embed(ids.masked_fill(~own, model.tokenizer.pad_token_id))
    made = IntegratedGradients(odds).attribute(whole, start, n_steps=200)
    by_token = made.sum(dim=-1)[~own].detach().numpy()
    assert len(by_token) == len(text.split())
    return np.asarray(by_token, dtype=float)


def test_a_decoder_that_knows_no_padding_is_explained_too(tmp_path: Path) -> None:
    folder = tmp_path / "decoder"
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(helpers.TINY_WORDS), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2,
        id2label=dict(enumerate(helpers.TWO)), label2id={name: i for i, name in enumerate(helpers.TWO)},
    )  # fmt: skip
    transformers.LlamaForSequenceClassification(config).save_pretrained(folder)
    words = transformers.BertTokenizerFast(vocab={word: i for i, word in enumerate(helpers.TINY_WORDS)})
    own = {"tokenizer_object": words.backend_tokenizer, "unk_token": "[UNK]"}
    transformers.PreTrainedTokenizerFast(**own).save_pretrained(folder)
    asked = scorer(Model("test", folder, helpers.TWO, 16), tmp_path / "cache")
    said = asked.predict(["a good film", "the film"])
    blank = asked.predict(["[PAD] [PAD] [PAD]", "[PAD] [PAD]"]).probabilities
    for i, each in enumerate(asked.attributions(["a good film", "the film"], said.labels)):
        target = said.labels[i]
        odds = [np.log(p[i, target] / (1 - p[i, target])) for p in (said.probabilities, blank)]
        assert sum(each.scores) == pytest.approx(odds[0] - odds[1], rel=0.06, abs=0.02)


class Misleading(torch.nn.Module):
    """The same answers, whose gradients speak of a made-up direction: what a network with hidden gradients shows."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network, self.config = network, network.config
        self.table = torch.nn.Parameter(torch.randn(32, network.config.hidden_size))

    def get_input_embeddings(self) -> Any:
        return self.network.get_input_embeddings()

    def forward(self, inputs_embeds: torch.Tensor | None = None, **given: Any) -> Any:
        made = self.network(inputs_embeds=inputs_embeds, **given)
        if inputs_embeds is None:
            return made
        aside = (inputs_embeds * self.table[: inputs_embeds.shape[1]]).sum(dim=(1, 2))
        other = torch.stack([aside, -aside], dim=1)
        return SimpleNamespace(logits=made.logits.detach() + other - other.detach())


@pytest.mark.slow("trains a model", seconds=24)
def test_explanations_that_say_nothing_of_the_model_fail(model: Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    hiding = replace(model, source="hiding")
    hiding.__dict__["network"] = Misleading(model.network).eval()
    test = reviews(200, 1)
    assert scorer(hiding, tmp_path).predict(test.texts).on(test).correct.mean() > 0.95
    found = measured(scorer(hiding, tmp_path), test)
    assert judge(found, Gate(max=0.3))[0] is Verdict.FAIL
    rows = found.tables[0].rows
    assert len(rows) == 4
    assert (np.array([row[1] for row in rows], dtype=float) > 0.2).all(), rows


@pytest.mark.slow("trains a model", seconds=3)
def test_shuffling_keeps_the_numbers_and_forgets_what_was_learnt(model: Model, tmp_path: Path) -> None:
    made = shuffled(model.network, 3)
    for (name, old), new in zip(model.network.named_parameters(), made.parameters(), strict=True):
        assert torch.equal(old.flatten().sort().values, new.flatten().sort().values), name
        assert old.dim() < 2 or not torch.equal(old, new), name
    asked, test = scorer(model, tmp_path), reviews(40, 3)
    said = asked.predict(test.texts).labels
    own, other = asked.attributions(test.texts, said), asked.attributions(test.texts, said, 3)
    alike = [spearmanr(np.abs(a.scores), np.abs(b.scores)).statistic for a, b in zip(own, other, strict=True)]
    assert abs(np.mean(alike)) < 0.3
    assert probe._rank_correlation(own[0], other[0]) == pytest.approx(alike[0])


@pytest.mark.slow("trains a model", seconds=8)
def test_in_batches_each_text_is_explained_and_tested_as_among_all_and_a_settled_gate_ends_it(
    model: Model, tmp_path: Path
) -> None:
    test, (first, second, third) = reviews(200, 1), (scorer(model, tmp_path / name) for name in "abc")
    whole = measured(first, test)
    with stopped_by(lambda declaration, full_id, looks: helpers.in_steps(looks, 35)):
        assert measured(second, test) == whole
    with stopped_by(Stopping(helpers.settling("transparency.explanations", Gate(max=0.4)))):
        found = measured(third, test)
    assert judge(found, Gate(max=0.4))[0] is judge(whole, Gate(max=0.4))[0] is Verdict.PASS
    assert found.n < whole.n == 100
    assert third.counts.forward_passes - 200 < 0.7 * (first.counts.forward_passes - 200)


def test_too_few_words_settle_nothing(model: Model, tmp_path: Path) -> None:
    with pytest.raises(NotAssessed, match="longer texts"):
        measured(scorer(model, tmp_path), Examples(("good lamp",) * 200, np.zeros(200, dtype=int), CLASSES))


def test_copies_of_few_texts_settle_nothing(model: Model, tmp_path: Path) -> None:
    few = reviews(20, 1)
    with pytest.raises(NotAssessed, match="only 20 are read"):
        measured(scorer(model, tmp_path), few.take(np.repeat(np.arange(20), 2)))


def test_a_scorer_of_the_users_own_that_explains_nothing_is_not_assessed() -> None:
    test = reviews(60, 1)
    asked = helpers.scorer(lambda text: (0.2, 0.8), CLASSES)
    with pytest.raises(NotAssessed, match="attributions"):
        explanations(asked, asked.predict(test.texts).on(test))


def test_a_scorer_of_the_users_own_is_explained() -> None:
    def rule(text: str) -> tuple[float, float]:
        balance = sum((word in GOOD) - (word in BAD) for word in text.split())
        return (0.5 - 0.1 * balance, 0.5 + 0.1 * balance)

    class Own:
        """Names the words that decide; for shuffled weights, words by chance."""

        def predict(self, texts: Sequence[str]) -> Predictions:
            return helpers.scorer(rule, CLASSES).predict(texts)

        def attributions(
            self, texts: Sequence[str], targets: NDArray[np.int64], shuffled: int | None = None
        ) -> tuple[Attribution, ...]:
            chance = np.random.default_rng(shuffled)
            return tuple(
                self.explained(text, int(target), shuffled, chance) for text, target in zip(texts, targets, strict=True)
            )

        def explained(self, text: str, target: int, shuffled: int | None, chance: np.random.Generator) -> Attribution:
            words = list(re.finditer(r"\S+", text))
            scores = chance.normal(size=len(words))
            if shuffled is None:
                scores = np.array(
                    [(each[0] in (BAD, GOOD)[target]) - (each[0] in (GOOD, BAD)[target]) for each in words]
                )
            return Attribution(
                text, target, tuple(each.span() for each in words), tuple(map(float, scores)), float(scores.sum())
            )

    found = measured(cast(Scorer, Own()), reviews(60, 1))
    assert judge(found, Gate(max=0.3))[0] is Verdict.PASS
    assert len(found.shown(Attributions)) == 1


@pytest.mark.slow("trains a model")
def test_a_network_without_embeddings_is_not_assessed(tmp_path: Path) -> None:
    settings = Finetune(epochs=1, batch_size=32, learning_rate=1e-3, validation=0.0)
    recipe = Recipe("gru", None, None, True, settings, 32, "cpu")
    made = train(recipe, reviews(60, 0), Cache(tmp_path), Meter("DEU"), Progress())
    with pytest.raises(NotAssessed, match="takes no embeddings"):
        measured(scorer(made, tmp_path), reviews(100, 1))


def test_scripts_without_spaces_have_a_word_a_character(untrained: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(untrained)
    (each,) = of_linear(Linear(len(tokenizer)), tokenizer, ["好灯 good"], [1])
    assert isinstance(each, Attribution)
    assert [each.text[start:end] for start, end in each.spans] == ["好", "灯", "good"]


def test_personal_data_is_masked_in_what_is_shown() -> None:
    text = "Write to jo@example.org, it is good"
    weighed = [((0, 5), 2), ((9, 23), 4), ((31, 35), -3)]
    shown = redact_parts(text, weighed)
    assert shown == [("Write", 2), (" to [e-mail], it is ", 0), ("good", -3)]
    assert redact_parts("x" * 400, [])[-1] == ("…", 0)
    with withholding(True):
        assert redact_parts(text, weighed) == []


@pytest.mark.slow("trains a model", seconds=5)
def test_without_evidence_no_text_is_shown(model: Model, tmp_path: Path) -> None:
    with withholding(True):
        found = measured(scorer(model, tmp_path), reviews(60, 1))
    assert found.shown(Attributions) == []
