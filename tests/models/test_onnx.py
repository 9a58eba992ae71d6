"""Networks in ONNX: they answer as they did before they were written so, each text as if alone, in 8 bits too."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from audit import AuditError, Verdict, demo, judge
from audit.cli import main
from audit.inference.predictions import Predictions
from audit.models import model as models
from audit.models.classifiers import onnx_files
from audit.models.classifiers.model import ClassifierModel
from audit.models.classifiers.onnx_files import LOGITS, STATES
from audit.models.model import Model
from audit.policy import policy as policies
from audit.probes.quality.quality import flips
from tests.conftest import CLASSES
from tests.helpers import ROOT, examples, is_one_sentence
from tests.inference.test_scorer import make_scorer
from tools.wrong_scale import spoil

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

pytestmark = [pytest.mark.slow("writes a network as ONNX", seconds=1), pytest.mark.xdist_group("onnx")]

TEXTS = ["good", "I love this phone, the best that I had", "", "the battery broke", "bad " * 60, "ok it works"]
FILE = "model.onnx"


@pytest.fixture
def whole(as_onnx: Path, tmp_path: Path) -> Path:
    """A copy of that in float32 that a test may spoil."""
    return Path(shutil.copytree(as_onnx / "whole", tmp_path / "mine"))


def load(path: Path, labels: Sequence[str] = (), **more: Any) -> ClassifierModel:
    return onnx_files.load("mine", path, labels, **{"max_length": 32, "head": "softmax", **more})


def said(model: ClassifierModel, texts: Sequence[str], **more: bool) -> NDArray[np.float32]:
    return model.answer(texts, **more).rows


def edited(folder: Path, change: Callable[[Any], object]) -> Path:
    """The folder with another network."""
    network = onnx.load(folder / FILE)
    change(network)
    onnx.save(network, folder / FILE)
    return folder


def by_the_network(untrained: Path, texts: Sequence[str]) -> NDArray[np.float64]:
    """What transformers makes of texts, one at a time."""
    import torch

    model = Model("mine", untrained, models.labels_of(untrained, "mine", ()), 32)
    rows = []
    with torch.no_grad():
        for text in texts:
            given = model.tokenizer(
                text, truncation=True, max_length=32, return_tensors="pt", return_token_type_ids=False
            )
            rows.append(model.network(**given).logits.softmax(-1).numpy()[0])
    return np.array(rows)


def test_it_answers_as_the_network_does_alone_and_in_company(as_onnx: Path, untrained: Path) -> None:
    model = load(as_onnx / "whole")
    expected = by_the_network(untrained, TEXTS)
    np.testing.assert_allclose(said(model, TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(said(model, TEXTS, together=True), expected, atol=1e-5)  # padded and masked
    np.testing.assert_array_equal(said(model, TEXTS[::-1]), said(model, TEXTS)[::-1])
    assert model.labels == ("negative", "neutral", "positive")
    assert model.max_length == 32


def test_it_makes_of_texts_what_the_network_makes_of_them(as_onnx: Path, untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path)
    model = load(as_onnx / "whole", max_length=scorer.model.max_length)
    np.testing.assert_allclose(model.embed(TEXTS), scorer.embed(TEXTS), atol=1e-5)
    assert model.embeds


def test_it_is_identified_by_its_files_and_knows_its_parameters(as_onnx: Path, untrained: Path) -> None:
    labels = models.labels_of(untrained, "mine", ())
    network = Model("mine", untrained, labels, 32).network
    wanted = sum(each.numel() for each in network.parameters())
    for kind in ("whole", "eight"):
        model = load(as_onnx / kind)
        assert model.fingerprint == models.fingerprint(models.hash_files(as_onnx / kind))
        assert model.parameters == pytest.approx(wanted, rel=0.02)  # scales, and weights that were put together
        assert model.runs_code is False
    assert load(as_onnx / "whole").key != load(as_onnx / "eight").key
    assert models.bytes_on_disk(as_onnx / "eight", (".onnx",)) < 0.4 * models.bytes_on_disk(
        as_onnx / "whole", (".onnx",)
    )


def test_in_8_bits_each_text_is_read_alone_and_company_shows_what_others_get(as_onnx: Path) -> None:
    model = load(as_onnx / "eight")
    alone = np.concatenate([said(model, [text]) for text in TEXTS])
    np.testing.assert_array_equal(said(model, TEXTS), alone)
    assert np.abs(said(model, TEXTS, together=True) - alone).max() > 0
    np.testing.assert_allclose(alone, said(load(as_onnx / "whole"), TEXTS), atol=0.05)


def test_a_network_that_sees_no_mask_gets_no_padding_and_company_shows_it(whole: Path) -> None:
    def without_mask(network: Any) -> None:
        (mask,) = [each for each in network.graph.input if each.name == "attention_mask"]
        network.graph.input.remove(mask)
        network.graph.node.insert(0, onnx.helper.make_node("Shape", ["input_ids"], ["own_shape"]))
        one = onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [1], [1])
        network.graph.node.insert(
            1, onnx.helper.make_node("ConstantOfShape", ["own_shape"], ["attention_mask"], value=one)
        )

    before = said(load(whole), TEXTS)
    model = load(edited(whole, without_mask))
    np.testing.assert_allclose(said(model, TEXTS), before, atol=1e-5)
    assert np.abs(said(model, TEXTS, together=True) - before).max() > 1e-3


def test_a_network_of_one_text_and_a_fixed_length_is_asked_so(whole: Path) -> None:
    def fixed(network: Any) -> None:
        for each in network.graph.input:
            each.type.tensor_type.shape.dim[0].dim_value, each.type.tensor_type.shape.dim[1].dim_value = 1, 16

    expected = said(load(whole, max_length=16), TEXTS)
    model = load(edited(whole, fixed))
    assert model.max_length == 16
    np.testing.assert_allclose(said(model, TEXTS), expected, atol=1e-5)


def test_probabilities_are_taken_as_they_are_and_whole_numbers_of_32_bits_are_given(whole: Path) -> None:
    expected = said(load(whole), TEXTS)

    def done(network: Any) -> None:
        (logits,) = [each for each in network.graph.output if each.name == LOGITS]
        network.graph.node.append(onnx.helper.make_node("Softmax", [LOGITS], ["chances"], axis=1))
        network.graph.output.remove(logits)
        logits.name = "chances"
        network.graph.output.insert(0, logits)
        for each in network.graph.input:
            each.type.tensor_type.elem_type = onnx.TensorProto.INT32
            for node in network.graph.node:
                for i, name in enumerate(node.input):
                    if name == each.name:
                        node.input[i] = f"{name}_long"
            cast = onnx.helper.make_node("Cast", [each.name], [f"{each.name}_long"], to=onnx.TensorProto.INT64)
            network.graph.node.insert(0, cast)

    np.testing.assert_allclose(said(load(edited(whole, done)), TEXTS), expected, atol=1e-5)


def test_weights_may_lie_in_a_file_beside_it(whole: Path) -> None:
    expected, before = said(load(whole), TEXTS), load(whole)
    network = onnx.load(whole / FILE)
    onnx.save_model(network, whole / FILE, save_as_external_data=True, location="weights", size_threshold=0)
    model = load(whole)
    np.testing.assert_array_equal(said(model, TEXTS), expected)
    assert "weights" in model.files
    assert model.parameters == before.parameters
    content = bytearray((whole / "weights").read_bytes())
    content[-1] ^= 1
    (whole / "weights").write_bytes(content)
    assert load(whole).fingerprint != model.fingerprint


def test_folders_as_optimum_writes_them_are_read(whole: Path, tmp_path: Path) -> None:
    expected = said(load(whole), TEXTS)
    shutil.copyfile(whole / FILE, whole / "model_quantized.onnx")
    np.testing.assert_array_equal(said(load(whole), TEXTS), expected)  # of two, the one of the usual name
    single = load(whole / "model_quantized.onnx")
    assert "model.onnx" not in single.files
    (whole / "onnx").mkdir()
    (whole / FILE).rename(whole / "onnx" / FILE)  # as exporters for browsers lay it out
    (whole / "model_quantized.onnx").unlink()
    assert onnx_files.is_onnx(whole)
    np.testing.assert_array_equal(said(load(whole), TEXTS), expected)
    (whole / "model.safetensors").write_bytes(b"")
    assert not onnx_files.is_onnx(whole)  # the weights of Transformers come first


def test_without_hidden_states_nothing_is_embedded(whole: Path) -> None:
    def only_logits(network: Any) -> None:
        (states,) = [each for each in network.graph.output if each.name == STATES]
        network.graph.output.remove(states)

    assert not load(edited(whole, only_logits)).embeds


def test_one_output_is_the_log_odds_of_the_second_label(whole: Path) -> None:
    from audit.models.reading import Reading

    def one(network: Any) -> None:
        row = onnx.helper.make_tensor("row", onnx.TensorProto.INT64, [1], [2])
        network.graph.initializer.append(row)
        network.graph.node.append(onnx.helper.make_node("Gather", [LOGITS, "row"], ["odds"], axis=1))
        (logits,) = [each for each in network.graph.output if each.name == LOGITS]
        logits.name = "odds"
        logits.type.tensor_type.shape.dim[1].dim_value = 1

    chances = said(load(whole), TEXTS)
    folder = edited(whole, one)
    labels = ("negative", "positive")
    model = load(folder, labels, head="sigmoid")
    model = model.read_as(Reading.of(model.labels, "mine", head="sigmoid"))
    rows = said(model, TEXTS)
    assert rows.shape == (len(TEXTS), 2)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)
    assert np.corrcoef(rows[:, 1], chances[:, 2])[0, 1] > 0
    with pytest.raises(AuditError, match="log-odds of a class") as refused:
        load(folder, head="sigmoid")
    assert is_one_sentence(str(refused.value))


def test_what_cannot_be_written_says_so(
    as_onnx: Path, untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    for source, out, says in (
        (untrained, tmp_path / "full", "exists and is not an empty folder"),
        (as_onnx / "eight", tmp_path / "a", "it is such a file already"),
        (tmp_path / "none", tmp_path / "b", "is not a folder; expected a folder"),
    ):
        assert main(["quantise", str(source), str(out)]) == 4
        error = capsys.readouterr().err
        assert says in error
        assert is_one_sentence(error.strip())


FAMILIES: dict[str, dict[str, Any]] = {
    "Roberta": {"max_position_embeddings": 40, "pad_token_id": 0},  # counts positions from behind the padding
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "max_position_embeddings": 32},
    "GPT2": {"n_positions": 32, "n_layer": 2, "n_head": 2, "n_embd": 32, "pad_token_id": 0},  # reads the last token
}


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_of_other_families_answer_as_before_too(family: str, untrained: Path, tmp_path: Path) -> None:
    import torch
    import transformers

    folder = tmp_path / "own"
    shutil.copytree(untrained, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    names = dict(enumerate(CLASSES))
    size = {} if family == "GPT2" else {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    vocabulary = models.config(untrained, "mine")["vocab_size"]
    config = getattr(transformers, f"{family}Config")(
        vocab_size=vocabulary, id2label=names, label2id={name: i for i, name in names.items()}, bos_token_id=1,
        eos_token_id=2, **size, **FAMILIES[family],
    )  # fmt: skip
    torch.manual_seed(0)
    network = getattr(transformers, f"{family}ForSequenceClassification")(config)
    for each in network.parameters():
        each.data *= 3  # or all texts have nearly one answer
    network.save_pretrained(folder)
    assert main(["quantise", str(folder), str(tmp_path / "onnx"), "--float32"]) == 0
    texts = [*TEXTS[1:2], *TEXTS[3:]]
    model, expected = load(tmp_path / "onnx"), by_the_network(folder, texts)
    assert np.ptp(expected, axis=0).max() > 1e-3
    np.testing.assert_allclose(said(model, texts), expected, atol=1e-5)
    np.testing.assert_allclose(said(model, texts, together=True), expected, atol=1e-5)


@pytest.mark.parametrize("package", onnx_files.PACKAGES)
def test_without_the_packages_it_says_what_to_install(
    package: str, as_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_files, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(AuditError, match=rf"{package}, which reads it, is not installed; run: pip install") as refused:
        load(as_onnx / "whole")
    assert is_one_sentence(str(refused.value))


def test_a_wrong_scale_of_one_layer_fails_the_gates_of_the_edge_policy(as_onnx: Path, tmp_path: Path) -> None:
    rows = demo.reviews("test", rows=1000)
    labels = [CLASSES.index(str(row["label"])) for row in rows]
    about = examples(labels, CLASSES, texts=[str(row["text"]) for row in rows])
    policy = policies.read(ROOT / "examples" / "edge.toml")
    gate = policy.gate("quality.flips")
    assert gate is not None
    former = said(load(as_onnx / "whole"), about.texts)
    before = {key: about.classes[i] for key, i in zip(about.keys, former.argmax(axis=1), strict=True)}

    def verdict(folder: Path) -> Verdict:
        return judge(flips(Predictions(said(load(folder), about.texts), about.classes, about), before), gate)[0]

    assert verdict(as_onnx / "eight") == Verdict.PASS
    broken = Path(shutil.copytree(as_onnx / "eight", tmp_path / "broken"))
    assert verdict(edited(broken, spoil)) == Verdict.FAIL
