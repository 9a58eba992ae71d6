"""The policy file: what it may say, what is refused and in which words, and which gate applies to an id."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from audit import AuditError, Gate, Identifier
from audit.policy import policy as policies
from audit.policy.policy import Policy
from audit.probes.catalogue import built_in, ids
from audit.text.identity import AXES
from tests.helpers import ROOT, is_one_sentence

MINIMAL = '[model]\nsource = "m"\n[data]\ntest = "test.csv"\n'
OWN = Identifier("quality.jokes", "quality", "Jokes", "share", "higher", "How many jokes it gets.")


def parse(more: str = "", text: str = MINIMAL) -> Policy:
    return policies.parse(text + more, None)


# The embedded policy


def test_the_embedded_policy_is_the_repositorys() -> None:
    assert (ROOT / "audit.toml").read_text("utf-8") == policies.default_text()
    assert (ROOT / "audit.toml").resolve() == ROOT / "audit" / "policy" / "default.toml"


def test_the_embedded_policy_is_valid() -> None:
    policy = policies.parse(policies.default_text(), None)
    policy.check_ids(ids())
    assert policy.origin is None
    assert policy.name == "the embedded policy"


def test_every_key_of_the_embedded_policy_arrives() -> None:
    def compare(written: dict[str, Any], recorded: dict[str, Any], path: str) -> None:
        for key, value in written.items():
            if isinstance(value, dict):
                compare(value, recorded[key], f"{path}.{key}")
            else:
                assert recorded[key] == value, f"{path}.{key}"

    written = tomllib.loads(policies.default_text())
    assert set(written) == {"model", "data", "gates", "audit", "environment", "security"}
    compare(written, policies.parse(policies.default_text(), None).recorded(), "")


def test_every_gate_of_the_embedded_policy_says_why_it_is_there() -> None:
    assert all(gate.reason for gate in policies.embedded().own_gates.values())


def test_the_embedded_policy_gates_every_measure_that_the_demo_has_evidence_for() -> None:
    policy = policies.parse(policies.default_text(), None)
    # These need something of the user's: a metric, a former audit, how frequent groups are in the use,
    # … or a folder of the model's own with its card in it, which a model trained by the audit has not.
    theirs = {"quality.metric", "quality.regression", "fairness.representation", "transparency.model_card"}
    # … or a bound that the device sets, and a model that it is held against.
    theirs |= {"quality.flips", "fairness.regression", "environment.latency", "environment.size"}
    # … or texts of the use; between the demo's own splits nothing can differ.
    theirs |= {"quality.drift"}
    # What a search finds is told; a bound on it is for whoever knows which kinds of texts are hard for people too.
    theirs |= {"quality.weak_slice", "fairness.hidden_group", "quality.shortcut"}
    # Nor has it a second label, and without one wrong labels are only bounded.
    theirs.add("quality.label_noise")
    # The demo's three classes are declared in no order.
    theirs |= {"quality.mean_absolute_error", "quality.quadratic_kappa", "quality.off_by_more_than_one"}
    gated = {gate.split("[")[0] for gate in policy.gated_ids(ids())}
    # Claims of the document are no gates of a release, though a policy may make them so.
    assert {each.id for each in built_in() if each.challenge != "claims"} - theirs == gated


def test_the_objective_of_a_comparison_is_an_id() -> None:
    assert parse().compare.objective == "environment.inference_energy"
    parse('[compare]\nobjective = "fairness.accuracy_gap[gender]"\n').check_ids(ids())
    with pytest.raises(AuditError, match=r"objective 'quality.acuracy' is no id; did you mean 'quality.accuracy'\?"):
        parse('[compare]\nobjective = "quality.acuracy"\n').check_ids(ids())


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: str(path.name))
def test_the_examples_are_valid(path: Path) -> None:
    policies.read(path).check_ids(ids())


def test_defaults_stand_in_for_what_is_left_out() -> None:
    policy = parse("[model.finetune]\n", '[data]\ntest = "t.csv"\n[model]\nsource = "m"\n')
    recipe = policy.model.finetune
    assert recipe is not None
    # The recipe of the document that the project came from.
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (5, 16, 2e-5)
    assert (policy.model.max_length, policy.data.text, policy.data.label) == (256, "text", "label")
    assert (policy.audit.confidence, policy.audit.looks, policy.audit.inconclusive) == (0.95, 1, "fail")
    assert parse().model.finetune is None


# What is refused


# What pydantic, tomllib and Python's codecs would say.
LIBRARIES = (
    r"(?i)input should|string should|instance of|pattern|codec|hex value|unescaped|column \d|overwrite|valid TOML:"
)


def reject(more: str, text: str = MINIMAL) -> str:
    with pytest.raises(AuditError) as caught:
        policies.parse(text + more, Path("release.toml")).check_ids(ids())
    message = str(caught.value)
    assert is_one_sentence(message), message
    assert message.startswith("release.toml: "), message
    assert not re.search(LIBRARIES, message), message
    return message


@pytest.mark.parametrize(
    ("more", "key", "meant"),
    [
        ("[audti]\nseed = 1", "audti", "audit"),
        ("[audit]\nconfidense = 0.9", "[audit] confidense", "confidence"),
        ("[audit]\nmin_groupsize = 9", "[audit] min_groupsize", "min_group_size"),
        ("[privacy]\nreference_model = 1", "[privacy] reference_model", "reference_models"),
        ("[model.finetune]\nlearningrate = 1e-5", "[model.finetune] learningrate", "learning_rate"),
        ("[model.fine_tune]\nepochs = 1", "[model] fine_tune", "finetune"),
        ('[environment]\nalternatives = ["wrods"]', "[environment] alternatives", "words"),
        ("[[claims.transfer]]\ndta = 'x.csv'", "[[claims.transfer]] number 1, dta", "data"),
        ("[gates.quality]\naccuracy = { mim = 0.9 }", "[gates.quality.accuracy] mim", "min"),
        ("[gates.quality]\nacuracy = { min = 0.9 }", "quality.acuracy", "quality.accuracy"),
        ("[gates.fairnes]\naccuracy_gap = { max = 1 }", "fairnes.accuracy_gap", "fairness.accuracy_gap"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(more: str, key: str, meant: str) -> None:
    message = reject(more)
    assert key in message
    assert f"did you mean '{meant}'?" in message


def test_an_unknown_key_like_no_other_gets_the_list() -> None:
    message = reject("[audit]\nxyzzy = 1")
    assert "[audit] xyzzy" in message
    assert "did you mean" not in message
    for key in ("confidence", "inconclusive", "looks", "min_group_size", "seed", "country"):
        assert key in message


@pytest.mark.parametrize(
    ("more", "key", "value"),
    [
        ('[audit]\nseed = "0"', "[audit] seed", '"0"'),
        ("[audit]\nseed = true", "[audit] seed", "true"),
        ("[audit]\nseed = -1", "[audit] seed", "-1"),
        ("[audit]\nconfidence = 1.0", "[audit] confidence", "1.0"),
        ("[audit]\nconfidence = 95", "[audit] confidence", "95"),
        ('[audit]\ninconclusive = "ignore"', "[audit] inconclusive", '"ignore"'),
        ('[audit]\ncountry = "Germany"', "[audit] country", "'Germany'"),
        ('[report]\nlanguage = "fr"', "[report] language", '"fr"'),
        ('[report]\nevidence = "all"', "[report] evidence", '"all"'),
        ("[audit]\nmin_group_size = 0", "[audit] min_group_size", "0"),
        ("[audit]\nmin_group_size = 30.5", "[audit] min_group_size", "30.5"),
        ("[privacy]\nreference_models = 0", "[privacy] reference_models", "0"),
        ("[privacy]\nreference_models = 1", "[privacy] reference_models", "1"),
        ("[model.finetune]\nepochs = 0", "[model.finetune] epochs", "0"),
        ('[model.finetune]\ntrain = "last:0"', "[model.finetune] train", '"last:0"'),
        ('[model.finetune]\ninitialise = "random"', "[model.finetune] initialise", '"random"'),
        ("[model.finetune]\nvalidation = 1", "[model.finetune] validation", "1"),
        ("[gates.quality]\naccuracy = 0.9", "[gates.quality] accuracy", "0.9"),
        ('[gates.quality]\naccuracy = { min = "0.9" }', "[gates.quality.accuracy] min", '"0.9"'),
        ("[gates.quality]\naccuracy = { min = true }", "[gates.quality.accuracy] min", "true"),
        ("[gates.quality]\naccuracy = {}", "[gates.quality] accuracy", "either min or max"),
        ("[gates.quality]\naccuracy = { min = 0.1, max = 0.9 }", "[gates.quality] accuracy", "either min or max"),
        ("[gates]\nquality = 3", "[gates] quality", "3"),
        # Valid TOML, but nothing is ever beyond them: such a gate could not fail.
        ("[gates.fairness]\naccuracy_gap = { max = inf }", "[gates.fairness.accuracy_gap] max", "inf"),
        ("[gates.fairness]\naccuracy_gap = { max = nan }", "[gates.fairness.accuracy_gap] max", "nan"),
    ],
)
def test_a_wrong_value_is_named(more: str, key: str, value: str) -> None:
    message = reject(more)
    assert key in message
    assert value in message


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("subgroups = 'gender'", "[data] subgroups"),
        ("subgroups = ['a', 1]", "key [data] subgroups number 2: expected text"),
        ("subgroups = ['a', 'b', 'a']", "key [data] subgroups: 'a' stands there twice; keep one of them."),
        ("subgroups = ['a*b', 'b*a']", "key [data] subgroups: 'b*a' has the groups of 'a*b'; keep one of them."),
        ("subgroups = ['a*a']", "key [data] subgroups: 'a*a' crosses a column with itself"),
        ("text = 3", "[data] text"),
        ("language = 'English'", "[data] language"),
        ("max_examples = -1", "[data] max_examples"),
        ("test_share = 1.0", "[data] test_share"),
        ("label_map = { a = 1 }", "label_map"),
        ("[environment]\nalternatives = ['words', 'words']", "[environment] alternatives: 'words' stands there twice"),
    ],
)
def test_a_wrong_value_in_data_is_named(more: str, key: str) -> None:
    assert key in reject(more)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[data]\ntest = "t.csv"\n', "'model'"),
        ('[model]\nsource = "m"\n', "'data'"),
        ('[model]\n[data]\ntest = "t.csv"\n', "[model] source"),
        ('[model]\nsource = "m"\n[data]\ntrain = "t.csv"\n', "[data] test"),
        ("", "'model'"),
    ],
)
def test_a_missing_key_is_named(text: str, key: str) -> None:
    message = reject("", text)
    assert key in message
    assert "missing" in message


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('second_label = "label"', "second_label names the column of label"),
        ('second_label_is = "peer"', "speaks of a column that second_label names"),
        ('second_label = "b"\nsecond_label_is = "colleague"', "'truth' or 'peer'"),
    ],
)
def test_a_second_label_is_another_column(more: str, said: str) -> None:
    assert said in reject(more)


def test_an_unknown_bracket_is_refused_with_the_choices() -> None:
    message = reject(
        'subgroups = ["gender", "age"]\n[gates.fairness]\n"accuracy_gap[sex]" = { max = 0.1 }',
    )
    assert "fairness.accuracy_gap[sex]" in message
    assert "fairness.accuracy_gap[gender], fairness.accuracy_gap[age]" in message
    assert "security.perturbation[typos]" in reject('[gates.security]\n"perturbation[rain]" = { max = 0.1 }')
    assert "accuracy[gender]" in reject('[gates.quality]\n"accuracy[gender]" = { min = 0.1 }')


@pytest.mark.parametrize(
    ("gate", "right"),
    [
        ("[gates.quality]\naccuracy = { max = 0.9 }", "use min"),
        ("[gates.fairness]\nequalized_odds = { min = 0.1 }", "use max"),
    ],
)
def test_a_gate_in_the_wrong_direction_is_refused(gate: str, right: str) -> None:
    assert right in reject(gate)


@pytest.mark.parametrize(
    ("gate", "meant"),
    [
        ("[gates.quality]\naccuracy = { min = 60 }", "0.6"),
        ("[gates.fairness]\naccuracy_gap = { max = 5 }", "0.05"),
        ('[gates.security]\n"perturbation[typos]" = { max = 20 }', "0.2"),
    ],
)
def test_a_gate_in_per_cent_is_refused(gate: str, meant: str) -> None:
    """It would always hold, or never."""
    assert f"did you mean {meant}?" in reject(gate)


@pytest.mark.parametrize(
    ("more", "number", "advice"),
    [
        ("[audit]\nseed = = 1\n", 6, "expected text in quotes, a number, true"),
        ('pairs = "C:\\models\\pairs.csv"\n', 5, "use single quotes or /"),
        ('pairs = "C:\\Users\\me\\pairs.csv"\n', 5, "use single quotes or /"),
        ("[audit]\nseed = 1\nseed = 2\n[privacy]\n", 7, "stands there already"),
        ("[audit]\n[audit]\n", 6, "stands there already"),
        ('pairs = "a.csv\n', 5, "must end on the line on which it begins"),
        ('pairs = "a.csv', 5, "a quotation mark is not closed"),
        ("pairs = 'a.csv", 5, "a quotation mark is not closed"),
        ("pairs = a.csv\n", 5, "expected text in quotes"),
        ("pairs: 'a.csv'\n", 5, "expected `key = value`"),
        ("subgroups = ['a', 'b'\n", 5, "a ] is missing"),
        ("label_map = { a = 'b'\n", 5, "is missing"),
        ("label_map = { a = 'b', a = 'c' }\n", 5, "keep one of them"),
        ("pairs = 'a' test_share = 0.1\n", 5, "each key a line of its own"),
        ("[audit\n", 5, "a ] is missing"),
        ("“pairs” = 'a'\n", 5, "expected `key = value`"),
        ("pairs = “a”\n", 5, "expected text in quotes"),
    ],
)
def test_broken_toml_is_refused_with_the_line(more: str, number: int, advice: str) -> None:
    message = reject(more)
    assert f"line {number}, " in message
    assert advice in message


def test_a_windows_path_that_double_quotes_spoil_is_refused_with_its_key() -> None:
    message = reject('pairs = "C:\\new\\table.csv"')
    assert "key data.pairs: " in message
    assert "use single quotes or /" in message
    for right in ("'C:\\new\\table.csv'", '"C:/new/table.csv"', '"C:\\\\new\\\\table.csv"'):
        assert "table.csv" in str(parse(f"pairs = {right}").data.pairs)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ('[audit]\ncountry = "DUE"', "(ISO 3166), as DEU; it is 'DUE': did you mean DEU (Germany)?"),
        ('[audit]\ncountry = "GER"', "it is 'GER': did you mean DEU (Germany)?"),
        ('[audit]\ncountry = "DE"', "it is 'DE': did you mean DEU (Germany)?"),
        ('[audit]\ncountry = "deu"', "it is 'deu': did you mean DEU (Germany)?"),
        ('[audit]\ncountry = "Austrai"', "it is 'Austrai': did you mean AUS (Australia) or AUT (Austria)?"),
        ('[audit]\ncountry = "Q1"', 'expected a country\'s code of three letters (ISO 3166), as DEU; it is "Q1".'),
        ('[audit]\ncountry = "UKR\\u001b"', "it is 'UKR⟨U+001B⟩'"),
        ('[audit]\ncountry = ""', 'expected a country\'s code of three letters (ISO 3166), as DEU; it is "".'),
        ('language = "english"', "expected two or three small letters, as en"),
        ('[model.finetune]\ntrain = "top"', "expected all, head or last:2"),
        ('[security]\nexpected_sha256 = { "a" = "b" }', "expected 64 hexadecimal digits"),
        ("[model.finetune]\nepochs = 0", "expected more than 0"),
        ("[model.finetune]\nvalidation = 1", "expected less than 1"),
        ("[environment]\npue = 0.5", "expected 1 or more"),
        ("[environment]\ncpu_watts = 0", "expected more than 0"),
        ("[audit]\ncomplete = 'yes'", "expected true or false"),
        ("[audit]\nseed = 1.5", "expected a whole number"),
        ("[audit]\nconfidence = '0.9'", "expected a number"),
        ("[audit]\ninconclusive = 'no'", "expected 'fail' or 'warn'"),
        ("subgroups = 'gender'", 'expected a list, as ["a", "b"]'),
        ("label_map = 3", "expected a table, as"),
        ("[gates.quality]\naccuracy = 0.9", "expected a section or a table"),
        ("[gates.fairness]\naccuracy_gap = { max = inf }", "expected a finite number"),
        ("[[waivers]]\nid = 'a'\nreason = ''\nowner = 'b'\nexpires = 2027-01-01", "expected text that is not empty"),
        (
            "[[waivers]]\nid = 'a'\nreason = 'c'\nowner = 'b'\nexpires = 'soon'",
            "expected a date without quotation marks, as 2027-01-31",
        ),
    ],
)
def test_a_wrong_value_is_told_what_was_expected(more: str, expected: str) -> None:
    assert expected in reject(more)


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert policies.read(path).model.source == "m"


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(MINIMAL.encode() + b"# caf\xe9\n")
    with pytest.raises(AuditError, match="UTF-8") as caught:
        policies.read(path)
    assert is_one_sentence(str(caught.value))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
def test_a_policy_that_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "policy.toml"
    make(path)
    with pytest.raises(AuditError) as caught:
        policies.read(path)
    assert is_one_sentence(str(caught.value))
    assert str(path) in str(caught.value)


# Immutability


def test_settings_cannot_be_changed() -> None:
    policy = parse("[model.finetune]\n", '[data]\ntest = "t"\n[model]\nsource = "m"\n')
    assert policy.model.finetune is not None
    for section, key in [
        (policy, "audit"),
        (policy.model, "source"),
        (policy.model.finetune, "epochs"),
        (policy.data, "test"),
        (policy.audit, "confidence"),
        (policy.privacy, "reference_models"),
    ]:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, key, getattr(section, key))


def test_gates_and_label_map_cannot_be_changed() -> None:
    policy: Any = parse("label_map = { a = 'b' }\n[gates.quality]\naccuracy = { min = 0.9 }")
    with pytest.raises(TypeError):
        policy.gates["quality"]["accuracy"] = None
    with pytest.raises(TypeError):
        del policy.gates["quality"]
    with pytest.raises(TypeError):
        policy.data.label_map["a"] = "c"


# Which gate applies


def test_a_bracket_replaces_the_general_gate() -> None:
    policy = parse(
        'subgroups = ["a", "b"]\n[gates.fairness]\naccuracy_gap = { max = 0.1 }\n"accuracy_gap[b]" = { max = 0.2 }'
    )
    policy.check_ids(ids())
    assert policy.gate("fairness.accuracy_gap[a]") == Gate(max=0.1)
    assert policy.gate("fairness.accuracy_gap[b]") == Gate(max=0.2)
    assert policy.gate("fairness.equalized_odds[a]") is None
    assert policy.gate("quality.accuracy") is None


def test_unsafe_files_are_gated_without_being_asked() -> None:
    assert parse().gate("security.artifact") == Gate(max=0)
    assert not parse().gates_base("security.artifact")
    relaxed = parse("[gates.security]\nartifact = { max = 2 }")
    assert relaxed.gate("security.artifact") == Gate(max=2)
    assert relaxed.gates_base("security.artifact")


def test_gated_ids_fills_the_brackets_in() -> None:
    gates = (
        "[gates.fairness]\nequalized_odds = { max = 1 }\ncounterfactual = { max = 1 }\n"
        '"equalized_odds[b]" = { max = 0.5 }\n[gates.quality]\naccuracy = { min = 0 }'
    )
    assert parse('subgroups = ["a", "b", "a*b"]\n' + gates).gated_ids(ids()) == (
        "fairness.equalized_odds[a]",
        "fairness.equalized_odds[b]",
        "fairness.equalized_odds[a*b]",
        *(f"fairness.counterfactual[{axis}]" for axis in AXES),
        "quality.accuracy",
    )
    without = parse("[gates.fairness]\nequalized_odds = { max = 1 }")
    assert without.gated_ids(ids()) == ("fairness.equalized_odds",)


def test_ids_of_other_packages_may_be_gated() -> None:
    policy = parse("[gates.quality]\njokes = { min = 0.5 }")
    with pytest.raises(AuditError, match=r"quality\.jokes"):
        policy.check_ids(ids())
    policy.check_ids(ids([OWN]))
    assert policy.gated_ids(ids([OWN])) == ("quality.jokes",)
    assert policy.gate("quality.jokes") == Gate(min=0.5)
    with pytest.raises(AuditError, match="use min"):
        parse("[gates.quality]\njokes = { max = 0.5 }").check_ids(ids([OWN]))


# Paths and variables


def test_paths_are_relative_to_the_policy(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "release.toml").write_text(MINIMAL, "utf-8")
    policy = policies.read(folder / "release.toml")
    assert policy.origin == folder / "release.toml"
    assert policy.path("data/test.csv", "[data] test") == folder / "data" / "test.csv"
    assert policy.path("/data/test.csv", "[data] test") == Path("/data/test.csv")
    assert policy.path("~/test.csv", "[data] test") == Path.home() / "test.csv"


def test_variables_are_put_in_and_recorded_as_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUDIT_SECRET_PLACE", str(tmp_path / "secret"))
    policy = parse("train = '${AUDIT_SECRET_PLACE}/train.csv'\n")
    assert policy.data.train is not None
    assert policy.path(policy.data.train, "[data] train") == tmp_path / "secret" / "train.csv"
    assert policy.recorded()["data"]["train"] == "${AUDIT_SECRET_PLACE}/train.csv"
    assert "secret" not in str(policy.recorded())


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUDIT_NO_SUCH_PLACE", raising=False)
    with pytest.raises(AuditError) as caught:
        parse().path("${AUDIT_NO_SUCH_PLACE}/x.csv", "[data] train")
    assert is_one_sentence(str(caught.value))
    assert "${AUDIT_NO_SUCH_PLACE}" in str(caught.value)
    assert "[data] train" in str(caught.value)


# Which policy is read


def test_the_policy_in_the_folder_comes_before_the_embedded_one(tmp_path: Path) -> None:
    assert policies.find(None, tmp_path).origin is None
    (tmp_path / "audit.toml").write_text(MINIMAL, "utf-8")
    (tmp_path / "other.toml").write_text(MINIMAL.replace('"m"', '"other"'), "utf-8")
    assert policies.find(None, tmp_path).model.source == "m"
    assert policies.find(str(tmp_path / "other.toml"), tmp_path).model.source == "other"


def test_a_users_policy_replaces_the_embedded_one_whole(tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text(MINIMAL, "utf-8")
    assert policies.find(None, tmp_path).gated_ids(ids()) == ()


# What it says about the model


def test_about_is_recorded_as_it_is_stated_and_nothing_else_of_it() -> None:
    policy = parse('[about]\nowner = "A. Person"\nnext_review = 2027-05-31\n')
    assert policy.recorded()["about"] == {"owner": "A. Person", "next_review": "2027-05-31"}
    assert parse().recorded()["about"] == {}


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ('owned = "x"', "unknown key [about] owned; did you mean 'owner'?"),
        ('owner = ""', "key [about] owner: expected text that is not empty"),
        ("owner = 1", "key [about] owner: expected text in quotes"),
        ('next_review = "soon"', "key [about] next_review: expected a date without quotation marks, as 2027-01-31"),
    ],
)
def test_a_mistake_in_it_is_one_sentence(about: str, told: str) -> None:
    with pytest.raises(AuditError) as error:
        parse(f"[about]\n{about}\n")
    assert told in str(error.value)
    assert is_one_sentence(str(error.value))


def test_the_hash_of_a_policy_is_that_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    policy = policies.read(path)
    assert policy.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert policy.for_gates_only().within("90s").sha256 == policy.sha256


def test_a_message_names_the_key_as_it_lies_in_its_tables() -> None:
    waiver = "[[waivers]]\nid = 'quality.accuracy'\nreason = 'c'\nowner = 'b'\nexpires = 2027-01-01\n"
    with pytest.raises(AuditError, match=r"\[\[waivers\]\] number 2, reason\b"):
        parse(waiver + waiver.replace("'c'", "''"))
    with pytest.raises(AuditError, match=r"\[data\] subgroups number 2\b"):
        parse("subgroups = ['a', 7]")
    with pytest.raises(AuditError, match=r"key 'gate'; known are|unknown key 'gate'; did you mean 'gates'"):
        parse("[gate]")


def test_a_budget_is_a_number_or_a_text() -> None:
    assert parse("[audit]\nbudget = 60").audit.budget == parse("[audit]\nbudget = '60'").audit.budget
    for wrong in ("true", "[60]"):
        with pytest.raises(AuditError) as caught:
            parse(f"[audit]\nbudget = {wrong}")
        assert f"it is {wrong}" in str(caught.value)


def test_all_looks_are_taken_where_the_policy_asks_for_curves_or_nothing_stops() -> None:
    assert not parse().curves
    assert parse("[security]\ncurves = true").curves
    assert parse("[audit]\nstopping = 'full'").curves


def test_shares_of_a_whole_may_be_rounded_up_and_no_more() -> None:
    column = "subgroups = ['g']\n[representation.g]\n"
    parse(column + "a = 0.34\nb = 0.34\nc = 0.33")
    with pytest.raises(AuditError, match=r"come to 1\.02"):
        parse(column + "a = 0.34\nb = 0.34\nc = 0.34")


def test_a_waiver_or_an_accepted_alarm_is_refused_the_second_time_alone() -> None:
    gates = "[gates.quality]\naccuracy = { min = 0.5 }\nmcc = { min = 0.5 }\n"
    waiver = "[[waivers]]\nid = 'quality.{}'\nreason = 'c'\nowner = 'b'\nexpires = 2027-01-01\n"
    parse(gates + waiver.format("accuracy") + waiver.format("mcc")).check_ids(ids())
    with pytest.raises(AuditError, match=r"'quality\.mcc' stands there twice"):
        parse(gates + waiver.format("accuracy") + 2 * waiver.format("mcc")).check_ids(ids())


def test_a_gate_on_a_metric_needs_a_metric() -> None:
    gate = "[gates.quality]\n'metric[f1]' = { min = 0.5 }\n"
    with pytest.raises(AuditError, match="metrics names no metric"):
        parse(gate).check_ids(ids())
    parse("[quality]\nmetrics = ['f1']\n" + gate).check_ids(ids())


def test_a_metric_is_called_by_its_file_or_its_place_on_the_hub() -> None:
    assert policies.metric_name("metrics/gain.py") == "gain"
    assert policies.metric_name("someone/f1@abc123") == "f1"


def test_of_many_known_names_some_are_listed_and_the_rest_are_counted() -> None:
    said = policies.did_you_mean("zz", [f"k{i}" for i in range(42)])
    assert said.endswith(", k28, k29 and 12 more.")
