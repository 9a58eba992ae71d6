"""Masked-language modelling against BERT's definition; stopping, crashing, going on; what fine-tuning makes of it."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertTokenizerFast

from audit import cli
from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.core.progress import Progress
from audit.data.examples import load
from audit.energy.meter import Meter
from audit.models import model as models
from audit.policy import policy
from audit.training import finetune, masked_lm, pretrain
from tests.conftest import write_csv
from tests.helpers import is_one_sentence

STEPS = 20
TINY = "--layers 1 --width 64 --vocabulary 300 --max-length 16 --batch-size 4 --warmup 5".split()
Command = Callable[..., int]


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A history that a few steps fill."""
    monkeypatch.setattr(masked_lm, "LOG_STEPS", 4)
    monkeypatch.setattr(masked_lm, "EVALUATE_STEPS", 8)


@pytest.fixture(scope="module")
def written(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy for the small data."""
    path = tmp_path_factory.mktemp("policy") / "audit.toml"
    path.write_text(
        f'[model]\nsource = "small-bert"\n[model.finetune]\n'
        f'[data]\ntrain = "{reviews}/train.csv"\ntest = "{reviews}/test.csv"\n',
        "utf-8",
    )
    return path


@pytest.fixture
def run(written: Path, cache: Path) -> Command:
    """`python -m audit pretrain` at the smallest size."""

    def command(out: Path, *options: str) -> int:
        length = () if {"--steps", "--minutes", "--epochs"} & set(options) else ("--steps", str(STEPS))
        common = ["--audit-policy", str(written), "--audit-cache", str(cache), "--device", "cpu"]
        return cli.main(["pretrain", str(out), *common, *TINY, *length, *options])

    return command


@pytest.fixture(scope="module")
def whole(written: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "encoder"
    common = ["--audit-policy", str(written), "--audit-cache", str(cache), "--device", "cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masked_lm, "LOG_STEPS", 4)
        patch.setattr(masked_lm, "EVALUATE_STEPS", 8)
        assert cli.main(["pretrain", str(out), *common, *TINY, "--steps", str(STEPS)]) == 0
    return out


def record(out: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((out / pretrain.RECORD).read_text("utf-8"))
    return value


def assert_same(out: Path, whole: Path) -> None:
    """The same weights to the last bit, and the same history."""
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    for key in ("history", "held_out", "steps", "tokens_seen", "texts"):
        assert record(out)[key] == record(whole)[key], key


def training(count: int = 40) -> masked_lm.Training:
    """A training on blocks of random words."""
    tokenizer = finetune.word_pieces([f"word{i} other{i % 7}" for i in range(400)], 300, 16)
    blocks = np.random.default_rng(0).integers(5, len(tokenizer), (count, 16)).astype(np.uint16)
    recipe = masked_lm.Recipe(layers=1, width=64, vocabulary=300, max_length=16, batch_size=4, warmup=5)
    return masked_lm.Training(recipe, tokenizer, blocks, blocks[:10], "cpu")


def test_a_training_that_breaks_down_stops_before_its_weights_do() -> None:

    broken = training()
    with torch.no_grad():
        broken.network.cls.predictions.bias += torch.nan
    with pytest.raises(AuditError, match=r"no number after 0 steps; lower --learning-rate \(0"):
        broken.step()
    assert broken.state.step == 0


def test_masks_are_berts() -> None:
    random = np.random.default_rng(0)
    special, size = [0, 1, 2, 3, 4], 1000
    ids = random.integers(5, size, (2000, 100))
    ids[:, [0, -1]], ids[::2, 50] = 2, 3
    shown, chosen = masked_lm.mask(ids, special, 4, size, random)
    ordinary = ~np.isin(ids, special)
    assert not chosen[~ordinary].any()
    assert (chosen.sum(axis=1) == np.rint(0.15 * ordinary.sum(axis=1))).all()
    assert (shown == ids)[~chosen].all()
    masked, kept = (shown == 4)[chosen].mean(), (shown == ids)[chosen].mean()
    assert masked == pytest.approx(0.8, abs=0.01)  # of 29,000 tokens: four standard errors
    assert kept == pytest.approx(0.1, abs=0.008)
    changed = shown[chosen & (shown != 4) & (shown != ids)]
    assert not np.isin(changed, special).any()
    assert len(np.unique(changed)) > 0.9 * (size - len(special))
    places = chosen[:, 1:-1].mean(axis=0)  # no place is preferred
    assert places[np.arange(len(places)) != 49].std() < 0.012


def test_loss_is_that_of_transformers_on_the_masked_tokens_alone() -> None:
    """The head runs on the masked tokens only; the library's own loss runs it on all and ignores the others."""
    made = training()
    made.network.eval()
    losses, right, chosen = made._guess(made.blocks, np.random.default_rng(3))
    ids = made.blocks.astype(np.int64)
    tokenizer = made.tokenizer
    shown, again = masked_lm.mask(
        ids, tokenizer.all_special_ids, tokenizer.mask_token_id, len(tokenizer), np.random.default_rng(3)
    )
    labels = torch.tensor(np.where(again, ids, -100))
    said = made.network(input_ids=torch.tensor(shown), labels=labels)
    assert float(losses.detach().mean()) == pytest.approx(float(said.loss.detach()), rel=1e-5)
    assert (chosen == again).all()
    assert right.tolist() == (said.logits.argmax(-1) == labels)[torch.tensor(again)].tolist()


def test_blocks_hold_every_token_in_order_without_padding() -> None:
    texts = [f"word{i} and word{i + 1} or other" for i in range(60)]
    tokenizer = finetune.word_pieces(texts, 300, 16)
    blocks, owners = masked_lm.pack(tokenizer, texts, 16, Progress())
    stream = [token for ids in tokenizer(texts, add_special_tokens=False)["input_ids"] for token in [*ids, 3]]
    assert tokenizer.sep_token_id == 3
    assert blocks[:, 1:-1].ravel().tolist() == stream[: len(blocks) * 14]
    assert len(stream) - len(blocks) * 14 < 14
    assert (blocks[:, 0] == tokenizer.cls_token_id).all()
    assert (blocks[:, -1] == tokenizer.sep_token_id).all()
    ends = np.flatnonzero(np.diff(owners[:, 1:-1].ravel()))  # a text ends with its separator
    assert {stream[i] for i in ends} == {3}


def test_each_epoch_shows_every_block_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = training(count=10)
    seen: list[int] = []

    def look(blocks: np.ndarray[Any, Any], random: Any) -> Any:
        seen.extend(int(np.flatnonzero((made.blocks == block).all(axis=1))[0]) for block in blocks)
        return made.network.cls.predictions.bias[:4] * 1.0, None, None

    monkeypatch.setattr(made, "_guess", look)
    for _ in range(5):
        made.step()
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]


def test_learning_rate_rises_stays_and_falls() -> None:
    made = training()
    rates = []
    for step in range(STEPS):
        made.state.step = step
        made.state.decay = made.state.decay or masked_lm.Length(STEPS, "steps").decay(step, 0.0, made.epoch)
        rates.append(made.rate / made.recipe.learning_rate)
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, *[1.0] * 15, 0.5])


def test_minutes_end_with_a_fall_of_a_tenth_of_the_steps() -> None:
    length = masked_lm.Length(10, "minutes")
    assert length.decay(900, 539.9, 50) is None
    assert length.decay(900, 540.0, 50) == (900, 1000)
    assert masked_lm.Length(3, "epochs").decay(135, 0.0, 50) == (135, 150)


def test_weights_that_are_no_matrices_are_not_decayed() -> None:
    made = training()
    plain = {id(p) for p in made.optimizer.param_groups[1]["params"]}
    names = {name for name, p in made.parameters.items() if id(p) in plain}
    assert names == {n for n in made.parameters if n.endswith("bias") or "LayerNorm" in n}
    assert [group["weight_decay"] for group in made.optimizer.param_groups] == [0.01, 0.0]


@pytest.mark.slow("pretrains")
@pytest.mark.parametrize("crash", [1, 7, 19])
def test_a_crash_costs_no_more_than_the_last_steps(
    whole: Path, tmp_path: Path, run: Command, crash: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the rate falls and while it does; the crash comes between a step and its checkpoint."""
    log = masked_lm.Training.log

    def fail(self: masked_lm.Training) -> None:
        if self.state.step == crash:
            raise MemoryError
        log(self)

    with monkeypatch.context() as patch:
        patch.setattr(pretrain, "CHECKPOINT_S", 0.0)
        patch.setattr(masked_lm.Training, "log", fail)
        with pytest.raises(MemoryError):
            run(tmp_path / "encoder")
    assert not (tmp_path / "encoder" / "model.safetensors").exists()
    assert run(tmp_path / "encoder") == 0
    assert_same(tmp_path / "encoder", whole)


def _run_in_process(arguments: list[str]) -> None:
    pretrain.CHECKPOINT_S, masked_lm.LOG_STEPS, masked_lm.EVALUATE_STEPS = 0.0, 4, 8
    cli.main(arguments)


@pytest.mark.slow("pretrains in processes that are killed", seconds=9)
def test_kill_9_costs_no_more_than_the_last_steps(whole: Path, written: Path, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "encoder"
    common = ["--audit-policy", str(written), "--audit-cache", str(cache), "--device", "cpu"]
    arguments = ["pretrain", str(out), *common, *TINY, "--steps", str(STEPS)]
    process = multiprocessing.get_context("spawn").Process(target=_run_in_process, args=(arguments,))
    process.start()
    until = time.monotonic() + 120
    while not (out / pretrain.WORKING / masked_lm.CHECKPOINT).exists() and time.monotonic() < until:
        time.sleep(0.001)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (out / pretrain.RECORD).exists()
    _run_in_process(arguments)
    assert_same(out, whole)


def test_ctrl_c_loses_nothing(
    whole: Path,
    tmp_path: Path,
    run: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = masked_lm.Training.log

    def interrupt(self: masked_lm.Training) -> None:
        log(self)
        if self.state.step == 9:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)  # a shell's background job ignores it
    with monkeypatch.context() as patch:
        patch.setattr(masked_lm.Training, "log", interrupt)
        assert run(tmp_path / "encoder") == 2
    assert "the same command goes on from there" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before
    taken: list[int] = []
    step = masked_lm.Training.step
    monkeypatch.setattr(masked_lm.Training, "step", lambda self: taken.append(self.state.step) or step(self))  # type: ignore[func-returns-value]
    assert run(tmp_path / "encoder") == 0
    assert taken == list(range(9, STEPS))
    assert_same(tmp_path / "encoder", whole)


@pytest.mark.slow("pretrains")
def test_a_finished_training_goes_on_for_longer(whole: Path, tmp_path: Path, run: Command) -> None:
    """As if the longer one had been asked for at once: the former fall of the rate is undone."""
    shutil.copytree(whole, tmp_path / "encoder")
    before = record(tmp_path / "encoder")["energy"]["kwh"]
    assert run(tmp_path / "encoder", "--steps", "32") == 0
    assert record(tmp_path / "encoder")["energy"]["kwh"] > before / 2
    assert run(tmp_path / "at once", "--steps", "32") == 0
    assert_same(tmp_path / "encoder", tmp_path / "at once")


def test_what_is_finished_is_not_done_again(whole: Path, tmp_path: Path, run: Command) -> None:
    shutil.copytree(whole, tmp_path / "encoder")
    before = (tmp_path / "encoder" / pretrain.RECORD).read_bytes()
    assert run(tmp_path / "encoder") == 0
    assert (tmp_path / "encoder" / pretrain.RECORD).read_bytes() == before


LOSSES: dict[str, Callable[[Path], object]] = {
    "weights missing": lambda out: (out / "model.safetensors").unlink(),
    "weights of another": lambda out: (out / "model.safetensors").write_bytes(b"another's"),
    "tokenizer missing": lambda out: (out / "tokenizer.json").unlink(),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_finished_training_without_what_it_made_is_finished_again(
    whole: Path, tmp_path: Path, run: Command, loss: str
) -> None:
    out = tmp_path / "encoder"
    shutil.copytree(whole, out)
    LOSSES[loss](out)
    assert run(out) == 0
    assert_same(out, whole)
    assert (out / "tokenizer.json").read_bytes() == (whole / "tokenizer.json").read_bytes()


def test_what_a_killed_pretraining_left_half_written_is_removed(whole: Path, tmp_path: Path, run: Command) -> None:
    out = tmp_path / "encoder"
    shutil.copytree(whole, out)
    working, names = out / pretrain.WORKING, {path.name for path in (out / pretrain.WORKING).iterdir()}
    for name in (".tokenizer.abcd", ".encoder.abcd", "tmpabcd"):
        (working / name).mkdir()
        (working / name / "vocab.txt").write_text("what a text left", "utf-8")
    for name in (".recipe.json.abcd", "checkpoint.new"):
        (working / name).write_text("half of it", "utf-8")
    assert run(out) == 0
    assert {path.name for path in working.iterdir()} == names


@pytest.mark.slow("pretrains")
def test_of_a_folder_that_does_not_say_what_it_is_for_nothing_is_taken_over(
    whole: Path, written: Path, cache: Path, reviews: Path, tmp_path: Path
) -> None:
    """Its vocabulary and checkpoints may be of other texts."""
    out, other = tmp_path / "encoder", tmp_path / "audit.toml"
    shutil.copytree(whole, out)
    (out / pretrain.WORKING / "recipe.json").write_text("{", "utf-8")
    other.write_text(written.read_text("utf-8").replace("train.csv", "more.csv"), "utf-8")
    texts = [f"an unheard-of gadget number{i} of series{i % 9}, {i % 4} stars for gadgets" for i in range(400)]
    more = write_csv(tmp_path / "more.csv", [{"text": text} for text in texts])
    other.write_text(other.read_text("utf-8").replace(str(reviews / "more.csv"), str(more)), "utf-8")
    common = ["--audit-policy", str(other), "--audit-cache", str(cache), "--device", "cpu"]
    for folder in (out, tmp_path / "new"):
        assert cli.main(["pretrain", str(folder), *common, *TINY, "--steps", str(STEPS)]) == 0
    assert_same(out, tmp_path / "new")
    assert (out / "tokenizer.json").read_bytes() == (tmp_path / "new" / "tokenizer.json").read_bytes()


@pytest.mark.slow("pretrains")
def test_minutes_are_kept(tmp_path: Path, run: Command) -> None:
    assert run(tmp_path / "encoder", "--minutes", "0.01") == 0
    steps = record(tmp_path / "encoder")["steps"]
    assert record(tmp_path / "encoder")["minutes"] == 0.01
    assert steps >= 2
    assert record(tmp_path / "encoder")["training_seconds"] >= 0.54


def test_the_record_tells_what_was_done_and_holds_no_text(whole: Path, reviews: Path) -> None:
    told = record(whole)
    assert told["tokens_seen"] == STEPS * 4 * 16
    assert [entry["step"] for entry in told["history"]] == [4, 8, 12, 16, 20]
    assert [entry["step"] for entry in told["history"] if "held_out_loss" in entry] == [8, 16]
    assert told["history"][-1]["loss"] < told["history"][0]["loss"]
    loss, low, high = told["held_out"]["loss"]
    assert low < loss < high
    assert told["held_out"]["perplexity"] == pytest.approx(list(np.exp([loss, low, high])))
    low, right, high = (told["held_out"]["accuracy"][i] for i in (1, 0, 2))
    assert 0 <= low <= right <= high <= 1
    assert told["energy"]["kwh"] > 0
    written = (whole / pretrain.RECORD).read_text("utf-8") + (whole / "README.md").read_text("utf-8")
    for line in (reviews / "train.csv").read_text("utf-8").splitlines()[1:]:
        assert line.split(",")[0] not in written


def test_the_last_held_out_loss_is_that_of_the_saved_weights(whole: Path, written: Path, cache: Path) -> None:
    """The library's loss on the folder as anybody would load it."""
    from transformers import BertForMaskedLM

    network = BertForMaskedLM.from_pretrained(whole).eval()
    tokenizer = BertTokenizerFast.from_pretrained(whole)
    corpus = pretrain.gather(policy.read(written), [], cache / "datasets")
    _, held_out = masked_lm.split(len(corpus.texts), 0)
    blocks, _ = masked_lm.pack(tokenizer, [corpus.texts[i] for i in held_out], 16, Progress())
    random, sums, count = np.random.default_rng((0, 0)), 0.0, 0
    for start in range(0, len(blocks), 4):
        ids = blocks[start : start + 4].astype(np.int64)
        special = tokenizer.all_special_ids
        shown, chosen = masked_lm.mask(ids, special, tokenizer.mask_token_id, len(tokenizer), random)
        with torch.no_grad():
            said = network(input_ids=torch.tensor(shown), labels=torch.tensor(np.where(chosen, ids, -100)))
        sums, count = sums + float(said.loss) * int(chosen.sum()), count + int(chosen.sum())
    assert record(whole)["held_out"]["loss"][0] == pytest.approx(sums / count, rel=1e-5)
    assert record(whole)["held_out"]["masked_tokens"] == count


def test_no_test_text_is_trained_on(written: Path, reviews: Path, cache: Path, tmp_path: Path) -> None:
    """Not even where the test file is named among the further texts, in capitals and with markup."""
    asked = policy.read(written)
    test = load(asked, "test", (), cache / "datasets")
    shouted = write_csv(tmp_path / "more.csv", [{"text": f"<br />{text.upper()}!"} for text in test.texts])
    extra = write_csv(tmp_path / "extra.csv", [{"text": "a text of its own"}, {"text": ""}])
    alone = pretrain.gather(asked, [], cache / "datasets")
    both = pretrain.gather(asked, [shouted, reviews / "test.csv", extra], cache / "datasets")
    assert both.texts == (*alone.texts, "a text of its own")
    assert both.sources["extra.csv"] == 1
    assert both.fingerprint != alone.fingerprint
    read = sum(both.sources.values())
    assert read == len(both.texts) + both.repeated + both.in_test


@pytest.mark.slow("trains a model")
def test_fine_tuning_starts_from_its_weights(whole: Path, written: Path, cache: Path, tmp_path: Path) -> None:
    """Through the audit's own path: the folder as `[model] source`; a rate of nearly nothing leaves it as it was."""
    asked = policy.read(written)
    examples = load(asked, "train", (), cache / "datasets")
    folder, revision = models.locate(str(whole), whole, None)
    settings = policy.Finetune(max_steps=1, learning_rate=1e-12, initialise="pretrained")
    recipe = finetune.Recipe(str(whole), folder, revision, True, settings, 16, "cpu")
    trained = finetune.train(recipe, examples, Cache(tmp_path), Meter("DEU"), Progress())
    before, after = load_file(whole / "model.safetensors"), load_file(trained.folder / "model.safetensors")
    encoder = {name for name in before if name.startswith("bert.")}
    assert len(encoder) > 15
    for name in encoder:
        torch.testing.assert_close(after[name], before[name], atol=1e-9, rtol=0)
    assert trained.labels == examples.classes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--layers", "2"], "begun with layers 1, and now it is 2"),
        (["--seed", "1"], "begun with seed 0, and now it is 1"),
        (["--learning-rate", "0.1"], "begun with learning-rate 0.001, and now it is 0.1"),
        (["--steps", "9"], "18 steps already, and 9 steps are over by then"),
        (["--steps", "0"], "--steps 0: expected more than nothing"),
        (["--width", "100"], "--width 100: expected a multiple of 64"),
        (["--texts", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--texts", "notes.docx"], "notes.docx: expected a file of one of the types"),
    ],
)
def test_mistakes_end_in_one_sentence(
    whole: Path, tmp_path: Path, run: Command, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole, tmp_path / "encoder")
    capsys.readouterr()
    assert run(tmp_path / "encoder", *options) == 4
    message = capsys.readouterr().err
    assert said in message
    assert is_one_sentence(message.strip())
    assert (tmp_path / "encoder" / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_other_texts_need_another_folder(
    whole: Path, tmp_path: Path, run: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole, tmp_path / "encoder")
    extra = write_csv(tmp_path / "extra.csv", [{"text": "one text more"}])
    assert run(tmp_path / "encoder", "--texts", str(extra)) == 4
    assert "begun with texts others, and now it is these" in capsys.readouterr().err


def test_a_folder_of_something_else_is_left_alone(
    tmp_path: Path, run: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    assert run(tmp_path) == 4
    assert "holds something else" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_checkpoint_is_refused(
    whole: Path, tmp_path: Path, run: Command, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    working = Path(shutil.copytree(whole, tmp_path / "encoder")) / pretrain.WORKING
    (working / masked_lm.CHECKPOINT).write_bytes(content)
    (tmp_path / "encoder" / pretrain.RECORD).unlink()
    assert run(tmp_path / "encoder") == 4
    message = capsys.readouterr().err
    assert "not a checkpoint of this pretraining" in message
    assert is_one_sentence(message.strip())


def test_too_few_texts_are_refused(tmp_path: Path, run: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "encoder", "--max-length", "512") == 4
    assert "too few" in capsys.readouterr().err


def test_two_processes_do_not_train_in_one_folder(
    whole: Path, tmp_path: Path, run: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    from filelock import FileLock

    shutil.copytree(whole, tmp_path / "encoder")
    with FileLock(tmp_path / "encoder" / pretrain.WORKING / "lock", is_singleton=False):
        assert run(tmp_path / "encoder") == 4
    assert "another process is training in it" in capsys.readouterr().err
