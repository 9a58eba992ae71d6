"""A service that classifies texts over HTTP: Hugging Face's task of that name, text-embeddings-inference, or a chat.

Which of them it is, the path of its address says: ``/predict``, ``/chat/completions``, or any other.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException, IncompleteRead
from ipaddress import ip_address
from typing import NoReturn
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import AuditError
from audit.models.classifiers.base import Classifier
from audit.models.classifiers.model import ClassifierModel, FailedError
from audit.text.redaction import message, printable, quoted

BATCH = 32  # texts in a request
TRIES = 6  # of a request, the first included
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
_LATER = {408, 425, 429, 500, 502, 503, 504}  # what another try may mend
PREDICT, CHAT = "/predict", "/chat/completions"  # how their addresses end
LONGEST_LABEL = 20  # tokens of an answer
COUNTED = ("prompt_tokens", "completion_tokens", "no_label")
_LARGEST = 1 << 26  # bytes of an answer
_LOCAL = {"localhost", "localhost.localdomain"}


class UnansweredError(FailedError):
    """The service did not answer, however often it was asked, or what it said is no answer."""


@dataclass(frozen=True)
class Access:
    """How a service is asked.

    Parameters
    ----------
    timeout_s : float
        Seconds without a sign of life after which a request is given up.
    per_second : float
        Requests at most; 0: as fast as they are answered.
    key_env : str or None
        The environment variable with the key that is sent as a bearer token; it is never recorded.
    prompt : str or None
        What a chat is asked about each text, with ``{text}`` in its place.
    name : str or None
        Of the model that a chat is asked of.
    otherwise : str or None
        The label that an answer of a chat counts as that is none.
    """

    timeout_s: float = 30.0
    per_second: float = 0.0
    key_env: str | None = None
    prompt: str | None = None
    name: str | None = None
    otherwise: str | None = None


def is_address(source: str) -> bool:
    """Whether a source is the address of a service."""
    return source.lower().startswith(("http://", "https://"))


def connect(source: str, labels: Sequence[str], access: Access) -> ClassifierModel:
    """The service at an address; nothing is asked yet.

    Parameters
    ----------
    source : str
    labels : sequence of str
        The service's own, as the policy names them.
    access : Access

    Raises
    ------
    AuditError
        If the address or the labels cannot be used, or the key is not set or would be sent unencrypted.
    """
    parts = urlsplit(source)
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise AuditError(
            f"model '{printable(parts._replace(netloc=parts.hostname or '').geturl())}': expected an address such as "
            f"https://host/path without a name or password in it; give a key by [model] key_env."
        )
    if len(set(labels)) < 2 or len(set(labels)) < len(labels):
        raise AuditError(
            f"model '{source}': a service does not say which classes it has; name its labels, as it spells them, with "
            f"[model] labels."
        )
    key = None
    if access.key_env is not None:
        key = os.environ.get(access.key_env)
        if not key or not key.isprintable():
            raise AuditError(
                f"model '{source}': [model] key_env names the environment variable {printable(access.key_env, 60)}, "
                f"which {'holds no key' if key else 'is not set'}; set it to the key of the service."
            )
        if parts.scheme.lower() == "http" and not _is_local(parts.hostname):
            raise AuditError(f"model '{source}': a key is sent only over https; correct the address.")
    path = parts.path.rstrip("/")
    if path.endswith(CHAT):
        service: Service = Chat.of(source, labels, access, key)
    elif access.prompt is not None or access.name is not None or access.otherwise is not None:
        raise AuditError(
            f"model '{source}': [model] prompt, name and otherwise are of a chat, whose address ends in {CHAT}; leave "
            f"them out, or correct the address."
        )
    else:
        service = (TextEmbeddingsInference if path.endswith(PREDICT) else Service)(source, labels, access, key)
    files = {} if access.prompt is None else {"prompt": hashlib.sha256(access.prompt.encode()).hexdigest()}
    return ClassifierModel(source, service, tuple(labels), files, None, runs_code=False, is_service=True)


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() in _LOCAL


class _NoRedirects(HTTPRedirectHandler):
    """The key and the texts go where the policy says, and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        """None: the answer is that of an error."""


class Service(Classifier):
    """Asks a service; parameters as of :func:`connect`, and the key."""

    expected = 'expected a list of {"label", "score"} for each text, as Hugging Face\'s text classification answers'

    def __init__(self, source: str, labels: Sequence[str], access: Access, key: str | None) -> None:
        self.labels = tuple(labels)
        self._source, self._access, self._key = source, access, key
        self._open = build_opener(_NoRedirects).open
        self._next = 0.0  # when the next request may be made
        self._sleep: Callable[[float], None] = time.sleep
        self._chance = random.Random(0)

    def predict(self, texts: list[str]) -> NDArray[np.float64]:
        """As :meth:`audit.models.classifiers.base.Classifier.predict`.

        Raises
        ------
        AuditError
            If the service refuses the request, or what it answers is not what the task answers.
        UnansweredError
            If it did not answer.
        """
        parts = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        rows = [row for part in parts for row in self._rows(self._asked(part), len(part))]
        return np.array(rows).reshape(len(texts), len(self.labels))

    def _asked(self, texts: Sequence[str]) -> object:
        """What the service answers, as JSON; asked again where that may help."""
        return self._answered(self._body(texts))

    def _body(self, texts: Sequence[str]) -> Mapping[str, object]:
        """The question about texts, as the task has it."""
        return {"inputs": list(texts), "parameters": {"top_k": len(self.labels)}}

    def _answered(self, question: Mapping[str, object]) -> object:
        """What the service answers a question."""
        body, problem = json.dumps(question), ""
        for pause in [*self._pauses(), None]:
            self._wait()
            try:
                return json.loads(self._sent(body.encode()))
            except HTTPError as error:
                if error.code not in _LATER:
                    raise self._refused(error) from None
                problem = f"status {error.code}"
                pause = max(pause, _asked_for(error)) if pause is not None else None
            except (OSError, HTTPException) as error:  # not reached, too slow, cut off
                shown = quoted if isinstance(error, HTTPException) else message  # such a one has a line of the answer
                problem = f"{type(error).__name__} ({shown(error, 80)})"
            except ValueError:
                raise AuditError(f"model '{self._source}': its answer is no JSON; {self.expected}.") from None
            if pause is not None:
                self._sleep(min(pause, LONGEST_PAUSE_S))
        raise UnansweredError(f"model '{self._source}': no answer after {TRIES} tries, last {problem}")

    def _pauses(self) -> Iterator[float]:
        """Seconds between tries, twice as long each time and drawn, so that many who wait do not come back at once."""
        for n in range(TRIES - 1):
            yield FIRST_PAUSE_S * 2**n * self._chance.uniform(0.5, 1.0)

    def _wait(self) -> None:
        """Until the rate allows another request."""
        if self._access.per_second:
            now = time.monotonic()
            if self._next > now:
                self._sleep(self._next - now)
            self._next = max(now, self._next) + 1 / self._access.per_second

    def _sent(self, body: bytes) -> bytes:
        request = Request(self._source, body, {"Content-Type": "application/json"})  # noqa: S310 - http(s) only
        if self._key is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self._key}")
        with self._open(request, timeout=self._access.timeout_s) as answer:
            found: bytes = answer.read(_LARGEST + 1)
            left = answer.length
        if len(found) > _LARGEST:
            raise AuditError(
                f"model '{self._source}': its answer is larger than {_LARGEST >> 20} MiB; {self.expected}."
            )
        if left:  # reading so many bytes at most, http.client takes an answer that was cut off for a whole one
            raise IncompleteRead(found, left)
        return found

    def _refused(self, error: HTTPError) -> AuditError:
        if error.code in (401, 403):
            remedy = "give its key by [model] key_env" if self._key is None else "the key was not accepted"
        elif 300 <= error.code < 400:
            remedy = "it leads elsewhere; give the address itself"
        else:
            remedy = "correct [model] source"
        return AuditError(f"model '{self._source}': the service answers with status {error.code}; {remedy}.")

    def _rows(self, answer: object, n: int) -> Iterator[list[float]]:
        """A row for each text of what the task answers: a list of labels with scores for each."""
        if n == 1 and _is_scored(answer):  # some give a single text's list alone
            answer = [answer]
        if not isinstance(answer, list) or len(answer) != n:
            got = f"{len(answer)} lists" if isinstance(answer, list) else f"a {type(answer).__name__}"
            raise AuditError(f"model '{self._source}': it answered {got} for {n} texts; {self.expected}.")
        for each in answer:
            if not _is_scored(each):
                raise AuditError(f"model '{self._source}': it answered other than asked; {self.expected}.")
            yield self._row({scored["label"]: float(scored["score"]) for scored in each})

    def _row(self, scores: dict[str, float]) -> list[float]:
        if unknown := next((label for label in scores if label not in self.labels), None):
            self._differ(f"it gives a score to '{quoted(unknown, 40)}'")
        if missing := next((label for label in self.labels if label not in scores), None):
            self._differ(f"it gives no score to '{printable(missing, 40)}'")
        return [scores[label] for label in self.labels]

    def _differ(self, what: str) -> NoReturn:
        raise AuditError(
            f"model '{self._source}': {what}; expected one for each of [model] labels "
            f"({', '.join(printable(label, 40) for label in self.labels)}), spelt so, and for no other."
        )


class TextEmbeddingsInference(Service):
    """Asks the ``/predict`` of text-embeddings-inference, which answers as Hugging Face's task does."""

    expected = 'expected a list of {"label", "score"} for each text, as text-embeddings-inference answers'

    def _body(self, texts: Sequence[str]) -> Mapping[str, object]:
        """As the service has it: it cuts texts itself, and refuses an empty one, which a space stands for."""
        return {"inputs": [[text or " "] for text in texts], "truncate": True, "raw_scores": False}


class Chat(Service):
    """Asks a language model for a label, as OpenAI's chat completions do; one request a text.

    Attributes
    ----------
    counted : dict of str to int
        Tokens of prompts and of answers, as the service counts them, and answers that were no label.
    """

    expected = "expected choices with a message, as OpenAI's chat completions have them"

    def __init__(self, source: str, labels: Sequence[str], access: Access, key: str | None) -> None:
        super().__init__(source, labels, access, key)
        self.counted = dict.fromkeys(COUNTED, 0)

    @classmethod
    def of(cls, source: str, labels: Sequence[str], access: Access, key: str | None) -> Chat:
        """Ask this one.

        Raises
        ------
        AuditError
            If the policy does not say what is asked of which model, or as what else than a label an answer counts.
        """
        if not access.prompt or not access.name:
            missing = "prompt, a file with what is asked" if not access.prompt else "name, that of the model"
            raise AuditError(f"model '{source}': a chat is asked by a prompt; give [model] {missing}.")
        if "{text}" not in access.prompt:
            raise AuditError(
                f"model '{source}': the file of [model] prompt does not say where the text goes; write {{text}} there."
            )
        if access.otherwise is not None and access.otherwise not in labels:
            raise AuditError(
                f"model '{source}': [model] otherwise is '{printable(access.otherwise, 40)}', which is none of [model] "
                f"labels; name one of them."
            )
        return cls(source, labels, access, key)

    def predict(self, texts: list[str]) -> list[str]:  # type: ignore[override]
        """A label for each text.

        Raises
        ------
        AuditError
            As :meth:`Service.predict`.
        UnansweredError
            If it did not answer, or an answer is no label and the policy does not say as which it counts.
        """
        return [self._label(self._answered(self._question(text))) for text in texts]

    def _question(self, text: str) -> Mapping[str, object]:
        # Nothing but the place of the text is replaced, and that once: a text may hold anything, {text} too.
        before, _, after = str(self._access.prompt).partition("{text}")
        message = {"role": "user", "content": before + text + after}
        return {"model": self._access.name, "messages": [message], "temperature": 0, "max_tokens": LONGEST_LABEL}

    def _label(self, answer: object) -> str:
        try:
            content = answer["choices"][0]["message"]["content"]  # type: ignore[index]
        except (TypeError, LookupError):
            raise AuditError(f"model '{self._source}': it answered other than asked; {self.expected}.") from None
        usage = answer.get("usage") if isinstance(answer, dict) else None
        for name in COUNTED[:2]:
            number = usage.get(name) if isinstance(usage, dict) else None
            self.counted[name] += number if isinstance(number, int) and 0 <= number < 1 << 31 else 0
        content = content if isinstance(content, str) else ""  # none, as where it refuses
        said = _plain(content)
        if (label := {_plain(each): each for each in self.labels}.get(said)) is not None:
            return label
        self.counted[COUNTED[2]] += 1
        if self._access.otherwise is None:
            raise UnansweredError(
                f"model '{self._source}': it answered '{quoted(content, 60)}', which is no label; say with [model] "
                f"otherwise as which label such answers count"
            )
        return self._access.otherwise


def _plain(answer: str) -> str:
    """A label without what a model writes around it: case, space, marks at its ends."""
    return answer.strip().strip("\"'`*.,:;!()[]“”„‘’«» \n\t").casefold()


def _is_scored(value: object) -> bool:
    """Whether this is a list of labels with scores."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(each, dict)
            and isinstance(each.get("label"), str)
            and isinstance(each.get("score"), int | float)
            and not isinstance(each.get("score"), bool)
            for each in value
        )
    )


def _asked_for(error: HTTPError) -> float:
    """Seconds that the service asks to wait; 0 where it does not say."""
    try:
        return max(0.0, float(error.headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0
