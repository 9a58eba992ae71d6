"""A service on this machine, with the faults that services have: what is asked again, refused, and never sent."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from audit import AuditError
from audit.models.classifiers import service
from audit.models.classifiers.model import ClassifierModel, FailedError
from audit.models.classifiers.service import Access, connect
from audit.text.redaction import withholding
from tests.endtoend.test_classifiers import ACCURACY, FEW, findings, not_assessed
from tests.helpers import TWO, Runner, WritePolicy, is_one_sentence

KEY = "hf_secret_key"
CHAT = "/v1/chat/completions"
PROMPT = {"prompt": "Label this: {text} {text}", "name": "llm-1"}


class Server(ThreadingHTTPServer):
    """Scores a text by its length, or does what `fault` says of a request by its number."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault: Callable[[int], Any] = lambda n: None
        self.labels: tuple[str, ...] = TWO
        self.path = "/classify"
        self.requests: list[Any] = []
        self.keys: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{self.path}"

    def answer(self, body: Any) -> Any:
        """Of Hugging Face's task, of text-embeddings-inference, or of a chat, by the path."""
        if self.path == "/predict":
            assert body["truncate"] is True
            assert all(text for (text,) in body["inputs"])  # it refuses empty ones
            return [sorted(self.score(text), key=lambda each: -each["score"]) for (text,) in body["inputs"]]
        if self.path == CHAT:
            assert body["model"] == "llm-1"
            (message,) = body["messages"]
            text = message["content"].removeprefix("Label this: ").removesuffix(" {text}")
            best = max(self.score(text), key=lambda each: each["score"])["label"]
            said = {0: "I cannot say.", 1: f"**{best.title()}**", 2: f" {best}.\n"}.get(len(text) % 5, best)
            usage = {"prompt_tokens": len(text) + 3, "completion_tokens": 2, "total_tokens": len(text) + 5}
            return {"choices": [{"message": {"role": "assistant", "content": said}}], "usage": usage}
        return [self.score(text) for text in body["inputs"]]

    def score(self, text: str) -> list[dict[str, Any]]:
        chance = len(text) % 7 / 7
        rest = (1 - chance) / (len(self.labels) - 1)
        return [{"label": name, "score": rest} for name in self.labels[:-1]] + [
            {"label": self.labels[-1], "score": chance}
        ]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        self.server.keys.append(self.headers.get("Authorization"))
        fault = self.server.fault(len(self.server.requests))
        if fault == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault == "slow":
            time.sleep(1.5)
        status, headers, answer = 200, {}, self.server.answer(body)
        if isinstance(fault, int):
            status = fault
        elif isinstance(fault, dict):
            status, headers = 429 if "Retry-After" in fault else 302, fault
        elif isinstance(fault, tuple):
            (answer,) = fault
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) + (10 if fault == "short" else 0)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # who asked waits no longer
            pass

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(service, "FIRST_PAUSE_S", 0.001)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as made:
        Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield made
        made.shutdown()


def connected(server: Server, **access: Any) -> ClassifierModel:
    return connect(server.address, server.labels, Access(**access))


TEXTS = [f"text {'x' * n}" for n in range(70)]


def test_texts_are_asked_about_in_requests_of_so_many_and_answered_in_order(server: Server) -> None:
    rows = connected(server).answer(TEXTS).rows
    np.testing.assert_allclose(rows[:, 1], [len(text) % 7 / 7 for text in TEXTS], atol=1e-6)
    assert [len(each["inputs"]) for each in server.requests] == [32, 32, 6]
    assert [text for each in server.requests for text in each["inputs"]] == TEXTS


@pytest.mark.parametrize("fault", [429, 500, 502, 503, 504, "cut", "short", {"Retry-After": "0.01"}, "slow"], ids=str)
def test_what_another_try_mends_is_tried_again(server: Server, fault: Any) -> None:
    server.fault = lambda n: fault if n == 2 else None
    model = connected(server, timeout_s=0.5)
    sound = connected(server).answer(TEXTS[:1])
    np.testing.assert_array_equal(model.answer(TEXTS).rows[:1], sound.rows)
    assert len(server.requests) == 1 + 3 + 1


def test_text_embeddings_inference_is_asked_in_its_own_form(server: Server) -> None:
    texts = ["", *TEXTS]
    expected = connected(server).answer([" ", *TEXTS]).rows
    server.path = "/predict"
    np.testing.assert_array_equal(connected(server).answer(texts).rows, expected)


def test_a_chat_labels_and_what_is_no_label_is_counted(server: Server) -> None:
    server.path = CHAT
    model = connected(server, otherwise="negative", **PROMPT)
    rows, graded = model.answer([*TEXTS[:20], "{text}"])
    assert not graded
    texts = [*TEXTS[:20], "{text}"]
    expected = [len(text) % 5 > 0 and len(text) % 7 / 7 >= 0.5 for text in texts]
    np.testing.assert_array_equal(rows[:, 1], expected)
    none = sum(len(text) % 5 == 0 for text in texts)
    assert none > 3
    tokens = {"prompt_tokens": sum(len(text) + 3 for text in texts), "completion_tokens": 2 * len(texts)}
    assert model.counted == {**tokens, "no_label": none}
    assert model.files.keys() == {"prompt"}
    with pytest.raises(FailedError, match=r"'I cannot say.', which is no label; say with \[model\] otherwise"):
        connected(server, **PROMPT).answer(["12345"])
    server.fault = lambda n: ({"choices": []},)
    with pytest.raises(AuditError, match="answered other than asked; expected choices with a message"):
        model.answer(["a"])


def test_a_service_that_never_answers_fails_the_question_and_not_the_audit(server: Server) -> None:
    server.fault = lambda n: 503
    with pytest.raises(FailedError, match=r"no answer after 6 tries, last status 503"):
        connected(server).answer(TEXTS)
    assert len(server.requests) == service.TRIES
    server.server_close()
    with pytest.raises(FailedError, match=r"no answer after 6 tries"):
        connect("http://127.0.0.1:9/x", TWO, Access()).answer(TEXTS)


def test_pauses_grow_and_a_service_that_asks_for_one_gets_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "FIRST_PAUSE_S", 0.5)
    model, slept = connected(server), list[float]()
    monkeypatch.setattr(model.classifier, "_sleep", slept.append)
    server.fault = lambda n: {"Retry-After": "7"} if n == 1 else 500 if n < 5 else None
    model.answer(TEXTS[:1])
    assert slept[0] == 7
    assert all(0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(slept[1:], start=1))


def test_requests_come_no_faster_than_the_rate(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    model, slept = connected(server, per_second=4), list[float]()
    monkeypatch.setattr(model.classifier, "_sleep", slept.append)
    model.answer(TEXTS)
    assert len(slept) == 2  # before the second and the third
    assert slept[0] == pytest.approx(0.25, abs=0.2)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (400, "status 400"),
        (404, "status 404; correct [model] source"),
        (401, "give its key by [model] key_env"),
        ({"Location": "http://127.0.0.1:9/elsewhere"}, "leads elsewhere"),
        ((b"<html>",), "is no JSON"),
        (({"error": "loading"},), "a dict for 2 texts"),
        (([],), "0 lists for 2 texts"),
        (([[{"label": "positive"}]] * 2,), "other than asked"),
        (([[{"label": "positive", "score": "1"}]] * 2,), "other than asked"),
        (([[{"label": "positive", "score": 1.0}]] * 2,), "no score to 'negative'"),
        (([[{"label": "LABEL_0", "score": 1.0}]] * 2,), "a score to 'LABEL_0'"),
        (([[{"label": name, "score": 0.9} for name in TWO]] * 2,), "are no probabilities"),
    ],
    ids=str,
)
def test_what_no_other_try_mends_is_refused_in_one_sentence(server: Server, fault: Any, says: str) -> None:
    server.fault = lambda n: fault
    with pytest.raises(AuditError) as refused:
        connected(server).answer(TEXTS[:2])
    assert says in str(refused.value)
    assert is_one_sentence(str(refused.value))
    assert len(server.requests) == 1


def test_the_key_is_sent_and_stands_in_no_message(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_KEY", KEY)
    model = connected(server, key_env="OUR_KEY")
    model.answer(TEXTS[:1])
    assert server.keys == [f"Bearer {KEY}"]
    server.fault = lambda n: 403
    with pytest.raises(AuditError, match="was not accepted") as refused:
        model.answer(TEXTS[:1])
    assert KEY not in str(refused.value)
    assert KEY not in repr(model) + json.dumps(model.describe())


@pytest.mark.parametrize(
    ("source", "labels", "key_env", "says"),
    [
        ("http://user:word@host/x", TWO, None, "without a name or password"),
        ("http:///x", TWO, None, "expected an address"),
        ("https://host/x", (), None, "name its labels"),
        ("https://host/x", ("a", "a"), None, "name its labels"),
        ("https://host/x", TWO, "NOT_SET", "NOT_SET, which is not set"),
        ("http://host/x", TWO, "OUR_KEY", "only over https"),
        ("http://host/v1/chat/completions", TWO, None, "give [model] prompt"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, source: str, labels: tuple[str, ...], key_env: str | None, says: str
) -> None:
    monkeypatch.setenv("OUR_KEY", KEY)
    with pytest.raises(AuditError) as refused:
        connect(source, labels, Access(key_env=key_env))
    assert says in str(refused.value)
    assert is_one_sentence(str(refused.value))
    assert "word@" not in str(refused.value)


# Of the suites as they ship.
@pytest.mark.parametrize(
    ("path", "more", "says"),
    [
        (CHAT, {"prompt": "Label {text}"}, "give [model] name"),
        (CHAT, {"prompt": "Label this", "name": "llm-1"}, "write {text} there"),
        (CHAT, {**PROMPT, "otherwise": "none"}, "which is none of [model] labels"),
        ("/classify", PROMPT, "are of a chat, whose address ends in /chat/completions"),
    ],
)
def test_what_is_asked_of_a_chat_is_said_whole(server: Server, path: str, more: Any, says: str) -> None:
    server.path = path
    with pytest.raises(AuditError) as refused:
        connected(server, **more)
    assert says in str(refused.value)
    assert is_one_sentence(str(refused.value))
    assert not server.requests


CHOSEN = f"{ACCURACY} or calibration or contrast or (perturbation and typos) or membership_inference or artifact or roc"
UNLIKE = "explanations or inference_energy"


@pytest.mark.slow("two audits of a service", seconds=10)
def test_one_request_in_ten_that_fails_changes_nothing_in_the_record(
    suites: Runner, write_policy: WritePolicy, server: Server, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = suites
    server.labels = ("negative", "neutral", "positive")
    monkeypatch.setenv("OUR_KEY", KEY)
    model = f'source = "{server.address}"\nlabels = ["negative", "neutral", "positive"]\nkey_env = "OUR_KEY"'
    write_policy(model=model, security=FEW)
    chosen = ("--audit-cache=none", "-k", f"{CHOSEN} or {UNLIKE}")
    assert run(*chosen).ret == 0
    first = run.record
    asked = {text for each in server.requests for text in each["inputs"]}
    faults = (500, 429, "cut")
    server.fault = lambda n: faults[n // 10 % 3] if n % 10 == 0 else None
    assert run(*chosen).ret == 0
    second = run.record
    assert findings(first).keys() == findings(second).keys()
    for name, finding in findings(first).items():
        for part in ("verdict", "estimate", "low", "high", "n"):
            assert finding[part] == findings(second)[name][part], name
    # What would take training texts, the machine or the model itself is not assessed, and no training text was sent.
    missing = {"privacy.membership_inference", "security.artifact", "transparency.explanations"}
    assert not_assessed(first) == {*missing, "environment.inference_energy"}
    import pandas as pd

    train, test = (set(pd.read_csv(reviews / f"{name}.csv")["text"]) for name in ("train", "test"))
    assert not asked & (train - test)
    assert first["model"]["service"] is True
    assert first["model"]["fingerprint"] is None
    assert first["scoring"]["forward_passes"] == second["scoring"]["forward_passes"] > 0
    folder = run.pytester.path / "reports"
    assert all(KEY.encode() not in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert "is a service" in (folder / "report.html").read_text("utf-8")
    write_policy(model=f"{model}\nsend_training_data = true")
    assert run("--audit-cache=none", "-k", "membership_inference").ret == 0
    assert findings(run.record)["privacy.membership_inference"]["verdict"] == "reported"


@pytest.mark.slow("an audit of a chat", seconds=3)
def test_an_audit_of_a_chat_tells_tokens_and_answers_that_are_no_label(
    suites: Runner, write_policy: WritePolicy, server: Server
) -> None:
    folder, server.path = suites.pytester.path, CHAT
    server.labels = ("negative", "neutral", "positive")
    (folder / "prompt.txt").write_text(PROMPT["prompt"])
    write_policy(
        model=f'source = "{server.address}"\nlabels = ["negative", "neutral", "positive"]\nprompt = "prompt.txt"\n'
        'name = "llm-1"\notherwise = "neutral"'
    )
    assert suites("--audit-cache=none", "-k", f"{ACCURACY} or roc").ret == 0
    scoring, none = suites.record["scoring"], suites.finding("quality.roc_auc")
    assert none["verdict"] == "not_assessed"
    assert "without probabilities" in none["reason"]
    assert scoring["forward_passes"] == len(server.requests) - 3  # short texts are tried first
    assert scoring["completion_tokens"] == 2 * len(server.requests)
    assert scoring["no_label"] > 40
    report = (folder / "reports" / "report.html").read_text("utf-8")
    assert "were no label, and counted as neutral" in report
    assert "tokens of questions" in report
    (folder / "prompt.txt").unlink()
    assert suites("--audit-cache=none").ret == 4


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (CHAT, {"choices": [{"message": {"content": "of Ann Mill’s refund"}}]}),
        ("/classify", [[{"label": "of Ann Mill’s refund", "score": 1.0}]]),
    ],
)
def test_no_answer_is_quoted_where_no_text_is_to_be_shown(server: Server, path: str, fault: Any) -> None:
    server.path, server.fault = path, lambda n: (fault,)
    model = connected(server, **(PROMPT if path == CHAT else {}))
    for withheld in (False, True):
        with withholding(withheld), pytest.raises((FailedError, AuditError)) as raised:
            model.answer(["a"])
        assert ("refund" in str(raised.value)) is not withheld
        assert ("[left out]" in str(raised.value)) is withheld


def test_an_audit_that_ends_over_an_answer_quotes_none_where_no_text_is_to_be_shown(
    suites: Runner, write_policy: WritePolicy, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    server.path, server.labels = CHAT, ("negative", "neutral", "positive")
    (suites.pytester.path / "prompt.txt").write_text(PROMPT["prompt"])
    write_policy(
        model=f'source = "{server.address}"\nlabels = ["negative", "neutral", "positive"]\nprompt = "prompt.txt"\n'
        'name = "llm-1"',
        report='evidence = "none"',
    )
    server.fault = lambda n: ({"choices": [{"message": {"content": "of Ann Mill’s refund"}}]},)
    assert suites("--audit-cache=none", "-k", ACCURACY).ret == 4
    said = "".join(capfd.readouterr())
    assert "it answered '[left out]', which is no label" in said
    assert "refund" not in said


def test_keys_of_a_service_are_of_no_other_source(suites: Runner, write_policy: WritePolicy) -> None:
    write_policy(model='source = "./folder"\nkey_env = "OUR_KEY"')
    result = suites()
    assert result.ret == 4
    assert any("key_env is of a service" in line for line in (*result.errlines, *result.outlines))
