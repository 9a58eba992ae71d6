"""Tokenizers that know nothing, or next to nothing of the texts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.models.model import Model
from tests.conftest import CLASSES, write_csv
from tests.helpers import Runner, WritePolicy, flowed, is_one_sentence

PREDICTING = """
    import pytest
    from audit import Measurement

    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit, predictions):
        right = float(predictions.correct.mean())
        audit.check(Measurement("quality.accuracy", right, 0.0, 1.0, len(predictions), "share", "counted"))
"""


def test_a_tokenizer_of_special_tokens_alone_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", "utf-8")
    with pytest.raises(AuditError, match="knows 0 words") as caught:
        _ = Model("mine", folder, CLASSES, 32).tokenizer
    assert is_one_sentence(str(caught.value))


def test_unknown_tokens_are_counted_by_hand(saved: Path, tmp_path: Path) -> None:
    scorer = Scorer(Model("mine", saved, CLASSES, 32), Cache(tmp_path), Meter("DEU"), Progress())
    # good, unknown, films as film + ##s, an empty text that does not count, a lone surrogate that is unknown
    assert scorer.unknown_share(["good qqq", "films", "", "\ud800"]) == 2 / 5
    assert scorer.unknown_share([]) == 0


def test_a_token_without_an_embedding_is_one_sentence_and_stops_only_texts_that_have_it(
    folder: Path, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["novel"])
    tokenizer.save_pretrained(folder)
    model = Model("mine", folder, CLASSES, 32)
    scorer = Scorer(model, Cache(tmp_path / "cache"), Meter("DEU"), Progress())
    assert len(scorer.predict(["the good film"])) == 1
    scorer.trigger_scores(["the good film"], np.zeros(1, dtype=np.int64))
    for ask in (scorer.predict, scorer.embed):
        with pytest.raises(AuditError, match=r"a token the number 11, but .* embeddings for 0 to 10 only") as caught:
            ask(["good", "a novel"])
        assert is_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("text", "status", "warned"),
    [
        ("the good film a bad film", 0, False),
        ("the good film a qqq zzz", 0, True),  # 2 of 6
        ("the good qqq zzz vvv jjj", 4, False),
    ],
)
def test_unknown_words_warn_on_the_first_screen_or_stop_the_audit(
    run: Runner, write_policy: WritePolicy, folder: Path, text: str, status: int, warned: bool
) -> None:
    rows: list[dict[str, str | None]] = [{"text": text, "label": label} for label in CLASSES * 5]
    data = write_csv(run.pytester.path / "rows.csv", rows)
    write_policy(
        model=f'source = "{folder}"\nmax_length = 64', data=f'test = "{data}"', gates__quality="accuracy = { min = 0 }"
    )
    run.pytester.makepyfile(PREDICTING)
    result = run()
    assert result.ret == status
    output = flowed(result.outlines) + result.stderr.str()
    if status == 4:
        assert "its tokenizer does not know 66.7 % of the test texts' tokens" in output
        assert not (run.pytester.path / "reports" / "audit.json").exists()
        return
    page = (run.pytester.path / "reports" / "report.html").read_text("utf-8")
    head = page[: page.index("<main>")]
    sentence = re.compile(r"does not know 33\s?% of the tokens of the test texts")
    assert [bool(sentence.search(part)) for part in (output, head)] == [warned, warned]
    assert run.record["model"].get("unknown_tokens") == (pytest.approx(1 / 3) if warned else None)
    # The tiny network has half as many positions as the policy asks for.
    assert run.record["model"]["max_length"] == 32
    assert "has positions for 32 only" in output
    assert "has positions for 32 only" in head
