"""Policies that are broken or hostile: every key with every kind of value, and files that are hardly any policy."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from audit.policy import policy as policies
from audit.policy.policy import Policy
from audit.probes.catalogue import ids
from tests.hostile.sentences import memory, refusal, refusal_if_any

NEEDED = {"model": {"source": '"m"'}, "data": {"test": '"t.csv"'}}
MINIMAL = '[model]\nsource = "m"\n[data]\ntest = "t.csv"\n'
VALUES = {
    "text": '"x"',
    "empty text": '""',
    "long text": f'"{"y" * 10_000}"',
    "control characters": '"a\\u0007\\u000a\\u202eb"',
    "a whole number": "7",
    "a negative number": "-1",
    "a number of 400 digits": "1" + "0" * 400,
    "a share": "0.5",
    "no number": "nan",
    "an infinite number": "inf",
    "a truth value": "true",
    "a date": "2027-01-31",
    "a time": "07:32:00",
    "a date and time": "1979-05-27T07:32:00Z",
    "a list": '["a", 1]',
    "lists in a list": "[[1]]",
    "an empty list": "[]",
    "a table": "{ a = 1 }",
    "an empty table": "{}",
}


def keys(section: type[BaseModel] = Policy, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of a policy, sections first."""
    for name, field in section.model_fields.items():
        yield (*path, name)
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from keys(kind, (*path, name))
                break


def written(path: tuple[str, ...], value: str) -> str:
    """A policy that has nothing but what it must have, and one key with a value."""
    *sections, key = path
    if not sections:
        return f"{key} = {value}\n" + "".join(
            f"[{name}]\n{k} = {v}\n" for name, held in NEEDED.items() if name != key for k, v in held.items()
        )
    section = ".".join(sections)
    held = NEEDED.get(section, {}) | {key: value}
    head = (
        f"[[{section}]]" if path[0] in ("waivers", "accepted") or path[:2] == ("claims", "transfer") else f"[{section}]"
    )
    others = "".join(
        f"[{name}]\n{k} = {v}\n" for name, needed in NEEDED.items() if name != section for k, v in needed.items()
    )
    return f"{others}{head}\n" + "".join(f"{k} = {v}\n" for k, v in held.items())


def read(text: str) -> Policy:
    policy = policies.parse(text, Path("release.toml"))
    policy.check_ids(ids())
    return policy


@pytest.mark.parametrize("kind", VALUES)
def test_every_key_takes_a_value_or_refuses_it_by_its_name(kind: str) -> None:
    for path in keys():
        text = written(path, VALUES[kind])
        message = refusal_if_any(lambda text=text: read(text).recorded())  # type: ignore[misc]
        # Of a table that is not whole, what it lacks may be named in place of what is wrong with it.
        assert not message or path[-1] in message or "is missing" in message, (path, message)


CASES = {
    "lists in lists": (f"x = {'[' * 3000}{']' * 3000}", "stand too deep in each other"),
    "lists that nothing closes": ("x = " + "[" * 100_000, "stand too deep in each other"),
    "tables in tables": (f"x = {'{a=' * 3000}1{'}' * 3000}", "stand too deep in each other"),
    "a key of a thousand parts": (".".join(["a"] * 1000) + " = 1", "stand too deep in each other"),
    "a number of 5000 digits": ("max_examples = " + "1" * 5000, "a whole number of more than 64 bits"),
    "a number of 65 bits": ("max_examples = 0xffffffffffffffff1", "key data.max_examples: a whole number of more"),
    "a number of 65 bits in a list": ("[quality]\nx = [1, 99999999999999999999]", "key quality.x.1: a whole number"),
    "a budget beyond counting": (f"[audit]\nbudget = '{'9' * 400}h'", "[audit] budget: expected a time such as 90s"),
    "a zero character": ("text = 'a\0b'", "line 5, text = 'a⟨U+0000⟩b'"),
    "a lone half of a character": ('text = "\\ud800"', "line 5"),
    "carriage returns for line ends": ("text = 'a'\rlabel = 'b'\r", "a carriage return alone"),
    "no such date": ("[about]\nnext_review = 2027-13-45", "line 6"),
    "hundred thousand keys": ("".join(f"k{i} = 1\n" for i in range(20_000)), "unknown key [data] k0; known are: test,"),
    "an empty key": ("'' = 1", 'unknown key [data] ""'),
    "a key of two lines": ('"a\\nb" = 1', "unknown key [data] a⟨U+000A⟩b"),
    "a key that turns the line around": ('"a\\u202eb" = 1', "unknown key [data] a⟨U+202E⟩b"),
    "a long key": ("a" * 100_000 + " = 1", "unknown key [data] aaaaaaaaaa"),
    "a long gate": (f"[gates.quality]\n{'a' * 100_000} = {{ min = 0.5 }}", "unknown gate id 'quality.aaaa"),
    "a gate of two lines": ('[gates.quality]\n"a\\nb" = { min = 0.5 }', "unknown gate id 'quality.a⟨U+000A⟩b'"),
    "a bracket of two lines": (
        'subgroups = ["g"]\n[gates.fairness]\n"accuracy_gap[g\\n]" = { max = 0.1 }',
        "'fairness.accuracy_gap[g⟨U+000A⟩]' has a bracket that does not exist",
    ),
    "a long waiver": (
        f"[[waivers]]\nid = '{'a' * 100_000}'\nreason = 'r'\nowner = 'o'\nexpires = 2027-01-01",
        "waiver of 'aaaa",
    ),
    "a thousand waivers of one gate": (
        "[gates.quality]\naccuracy = { min = 0.5 }\n"
        + "[[waivers]]\nid = 'quality.accuracy'\nreason = 'r'\nowner = 'o'\nexpires = 2027-01-01\n" * 1000,
        "stands there twice",
    ),
    "a long accepted alarm": (f"[[accepted]]\nid = '{'a' * 100_000}'\nreason = 'r'\nowner = 'o'", "'aaaa"),
    "an objective of two lines": ('[compare]\nobjective = "a\\nb"', "objective 'a⟨U+000A⟩b' is no id"),
    "an alternative of two lines": ('[environment]\nalternatives = ["a\\nb"]', "unknown model 'a⟨U+000A⟩b'"),
    "a column of reference shares of two lines": (
        'subgroups = ["g"]\n[representation."g\\n"]\na = 1.0',
        "'g⟨U+000A⟩' is none of [data] subgroups; did you mean 'g'?",
    ),
    "a path of two lines": ('train = "a\\nb.csv"', "[data] train: expected a path without line breaks"),
    "a path with a zero character": ('pairs = "a\\u0000b.csv"', "[data] pairs: expected a path without line breaks"),
    "a metric of two lines": ('[quality]\nmetrics = ["a\\nb.py"]', "[quality] metrics number 1: expected a path"),
    "subgroups that cross themselves": (f'subgroups = ["{"*" * 100_000}"]', "crosses a column with itself"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_policy_is_one_sentence(case: str) -> None:
    more, said = CASES[case]
    message = refusal(lambda: read(MINIMAL + more))
    assert message.startswith("release.toml: ")
    assert said in message, message


FILES = {
    "UTF-16": (MINIMAL.encode("utf-16"), "line 1 is not UTF-8"),
    "UTF-16 without a mark": (MINIMAL.encode("utf-16-le"), "line 1"),
    "Latin-1": (MINIMAL.encode() + b"# caf\xe9", "line 5 is not UTF-8"),
    "an archive": (b"PK\x03\x04\0\0" * 10, "line 1"),
    "zeros": (bytes(100), "line 1"),
    "nothing": (b"", "key 'model' is missing"),
}


@pytest.mark.parametrize("case", FILES)
def test_what_is_hardly_a_policy_is_refused_with_its_line(tmp_path: Path, case: str) -> None:
    content, said = FILES[case]
    (tmp_path / "release.toml").write_bytes(content)
    assert said in refusal(lambda: policies.read(tmp_path / "release.toml"))


@pytest.mark.slow("writes 100 MB", seconds=1)
@pytest.mark.parametrize("line", ["# {}", "a = '{}'", "{} = 1", "a = [{}", "[a{}]"])
def test_a_line_of_100_megabytes_is_not_read(tmp_path: Path, line: str) -> None:
    filling = "['a'," if "[" in line else "x"
    path = tmp_path / "release.toml"
    path.write_text(line.format(filling * (100 * 2**20 // len(filling))), "utf-8")
    with memory(at_most=10):
        assert "larger than any policy is" in refusal(lambda: policies.read(path))


def test_a_path_that_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    policy = policies.parse(MINIMAL, tmp_path / "release.toml")
    for place, why in (("x" * 300, "File name too long"), ("circle/t.csv", "Too many levels")):
        message = refusal(lambda place=place: policy.path(place, "[data] test"))  # type: ignore[misc]
        assert "[data] test: " in message
        assert why in message
    assert "cannot be read (File name too long)" in refusal(lambda: policies.read(tmp_path / ("x" * 300)))


def test_no_damage_to_the_embedded_policy_gives_anything_but_a_policy_or_a_sentence() -> None:
    rng, whole = random.Random(0), policies.default_text().encode()
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(content))
            if rng.random() < 0.3:
                del content[at : at + rng.randint(1, 200)]
            else:
                content[at : at + rng.randint(0, 2)] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 3)))
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue
        refusal_if_any(lambda text=text: read(text))  # type: ignore[misc]
