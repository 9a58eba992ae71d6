"""The command line: what is done with an audit before and after it. The audit itself is ``pytest suites/``."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
from collections.abc import Iterable, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError

from audit import __version__
from audit.core.cache import Cache, default_folder, write_atomically
from audit.core.errors import AuditError
from audit.core.files import sha256
from audit.core.identifiers import base_id
from audit.core.numbers import SHARE, interval
from audit.core.records import Record
from audit.models import model as models
from audit.models.files.artifact import is_file, stays_within
from audit.models.files.pickles import leads_out
from audit.policy import mistakes
from audit.policy import policy as policies
from audit.record import record
from audit.text.paths import check_regular
from audit.text.redaction import printable
from audit.training import launched
from audit.training.masked_lm import UNITS, Length, Recipe
from audit.training.pretrain import gather, pretrain

if TYPE_CHECKING:
    from audit.run.session import Session


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 if it did what was asked, 1 if `verify` found another model, 2 if the user stopped it, 4 for a mistake in
        what it was given.
    """
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        return int(asked.run(asked))
    except AuditError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 4


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m audit", description="What is done before and after `pytest suites/`."
    )
    parser.add_argument("--version", action="version", version=f"pytest-model-audit {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    # What several commands take.
    of_record, with_cache, with_policy, with_language = (argparse.ArgumentParser(add_help=False) for _ in range(4))
    of_record.add_argument("record", type=Path, help="audit.json, or the folder that holds it")
    with_cache.add_argument("--audit-cache", type=Path, help="another cache than the default one")
    with_policy.add_argument(
        "--audit-policy", metavar="FILE", help="the policy; default ./audit.toml, else the embedded one"
    )
    with_language.add_argument(
        "--language",
        choices=get_args(policies.Language),
        help="default: the one that the audit's policy names, of several audits the first one's",
    )
    with_policy.add_argument("--audit-device", "--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")

    init = commands.add_parser("init", help="write an audit.toml and a copy of the suites to start from")
    init.add_argument("folder", nargs="?", type=Path, default=Path())
    init.set_defaults(run=_init)

    gate = commands.add_parser("gate", help="print the lines that gate an id, to be pasted into audit.toml")
    gate.add_argument("id", metavar="ID", help="as in README's table; with a bracket for one group or kind alone")
    gate.set_defaults(run=_gate)

    train = commands.add_parser(
        "train",
        parents=[with_policy, with_cache],
        help="only train the policy's model, also under torchrun or accelerate launch",
    )
    train.set_defaults(run=_train)

    report = commands.add_parser("report", parents=[of_record, with_language], help="make the report of a record again")
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        help="default: report.html beside the record; .md is the summary, .svg a badge",
    )
    report.set_defaults(run=_report)

    compare = commands.add_parser(
        "compare", parents=[with_language], help="several audits side by side: which pass, and the best of those"
    )
    compare.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="audit.json, or its folder")
    compare.add_argument(
        "-o", "--output", type=Path, default=Path("comparison.html"), help="default: comparison.html; or a .json file"
    )
    compare.add_argument("--objective", help="the id that decides among those that pass; default: the first policy's")
    compare.set_defaults(run=_compare)

    card = commands.add_parser("card", parents=[of_record], help="write what was found into a Hugging Face model card")
    card.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("README.md"),
        help="the card, or the model's folder; default: README.md",
    )
    card.set_defaults(run=_card)

    bom = commands.add_parser(
        "bom", parents=[of_record], help="write a CycloneDX bill of materials of the audited model"
    )
    bom.add_argument("-o", "--output", type=Path, default=Path("model.cdx.json"), help="default: model.cdx.json")
    bom.set_defaults(run=_bom)

    verify = commands.add_parser(
        "verify", parents=[of_record], help="say whether a model folder holds exactly the audited model"
    )
    verify.add_argument("model", type=Path, help="the model's folder")
    verify.set_defaults(run=_verify)

    export = commands.add_parser(
        "export", parents=[with_cache], help="save a model that an audit or `train` fine-tuned"
    )
    export.add_argument(
        "source", type=Path, metavar="SOURCE", help="audit.json or its folder; or a policy (.toml) that was trained by"
    )
    export.add_argument("folder", type=Path, help="a new or empty folder")
    export.add_argument("--audit-device", "--device", default="auto", help="with a policy: where it was trained")
    export.set_defaults(run=_export)

    quantise = commands.add_parser(
        "quantise", help="write a classifier as ONNX with weights of 8 bits, as phones run it"
    )
    quantise.add_argument("model", metavar="MODEL", help="a folder or Hub id with a classifier, or an .onnx file")
    quantise.add_argument("folder", type=Path, help="a new or empty folder")
    quantise.add_argument("--float32", action="store_true", help="only write it as ONNX, its weights as they are")
    quantise.set_defaults(run=_quantise)

    encoder = commands.add_parser(
        "pretrain",
        parents=[with_policy, with_cache],
        help="pretrain an encoder on the policy's training texts; again to go on where it stopped",
    )
    encoder.add_argument("out", type=Path, metavar="OUT", help="the encoder's folder: new, or that of a former run")
    encoder.add_argument("--texts", nargs="+", type=Path, default=[], help="further files with the same text column")
    length = encoder.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=float, help="times through the texts; default: 10")
    length.add_argument("--steps", type=float)
    length.add_argument("--minutes", type=float, help="of training, over all runs of the command")
    for name, field in Recipe.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        encoder.add_argument(
            option,
            type=type(field.default),
            default=field.default,
            help=f"{field.description}; default: {field.default}",
        )
    encoder.set_defaults(run=_pretrain)

    cache = commands.add_parser("cache", parents=[with_cache], help="show or empty the cache of models and predictions")
    cache.add_argument("--clear", action="store_true", help="remove everything in it")
    cache.set_defaults(run=_cache)
    return parser


def _file(path: Path) -> Path:
    return path / record.NAME if path.is_dir() else path


def _read(path: Path) -> Record:
    return record.read(_file(path))


def _init(asked: argparse.Namespace) -> int:
    folder: Path = asked.folder
    policy, suites = folder / "audit.toml", folder / "suites"
    for path in (policy, suites):
        if path.exists():
            raise AuditError(f"{path} exists already; move it away, or choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        policy.write_text(policies.default_text(), "utf-8")
        with as_file(files("audit.suites")) as source:
            shutil.copytree(source, suites, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    except OSError as error:
        raise AuditError(f"{folder}: cannot be written ({error.strerror}); choose another folder.") from None
    print(f"wrote {policy} and {suites}/; name your model and data in the first, then run: pytest {suites}/")
    return 0


def _gate(asked: argparse.Namespace) -> int:
    from audit.policy import skeleton
    from audit.probes import catalogue

    base = base_id(asked.id)
    known = catalogue.ids()
    if base not in known:
        known = catalogue.ids(catalogue.installed())
    if base not in known:
        raise AuditError(f"'{printable(asked.id)}' is no id{policies.did_you_mean(base, known)}")
    declared = known[base]
    if asked.id != base and not isinstance(declared.brackets, str) and asked.id not in declared.expand({}):
        choices = ", ".join(declared.expand({}))
        raise AuditError(f"'{printable(asked.id)}' has a bracket that does not exist; expected one of: {choices}.")
    print(skeleton.gate(declared, asked.id))
    return 0


def _session(asked: argparse.Namespace, policy: str | None) -> Session:
    """What an audit by a policy would be made of; close it."""
    from audit.core.progress import Progress
    from audit.run.options import Options
    from audit.run.session import Session

    options = Options(
        folder=Path.cwd(), policy=policy, device=asked.audit_device, cache=asked.audit_cache or default_folder()
    )
    return Session(options, (), Progress(_say if launched.is_main() else None, live=sys.stderr.isatty()))


def _train(asked: argparse.Namespace) -> int:
    from audit.report.terminal import how_read

    main = launched.is_main()
    session = _session(asked, asked.audit_policy)
    if session.policy.model.finetune is None:
        raise AuditError(f"{session.policy.name}: there is nothing to train; add a [model.finetune] section.")
    try:
        with launched.together(session.resources.device):
            if main and session.inputs.train_data is not None:
                for line in how_read({"train": session.inputs.train_data.describe()}):
                    print(line, file=sys.stderr)
            trained = session.models.model
    finally:
        session.close()
    if main:
        print(f"trained {trained.fingerprint}; `pytest suites/` with this policy audits it without training it again.")
    return 0


def _say(text: str) -> None:
    """Show progress: a line of its own ends here, since what comes next may be written to the same log."""
    own = text.startswith("\n")
    print(text.removeprefix("\n"), end="\n" if own else "", file=sys.stderr, flush=True)


def _report(asked: argparse.Namespace) -> int:
    from audit.report import files as report_files

    path = _file(asked.record)
    value, sha256 = record.read_signed(path)
    output: Path = asked.output or path.parent / record.REPORT
    _write(output, report_files.as_file(value, output.name, asked.language, sha256))
    return 0


def _compare(asked: argparse.Namespace) -> int:
    from audit.report import comparison

    records = [(str(path), _read(path)) for path in asked.records]
    compared = comparison.compare(records, asked.objective)
    if asked.output.suffix == ".json":
        _write(asked.output, _as_json(comparison.as_json(compared)))
    else:
        _write(asked.output, comparison.render(records, asked.objective, asked.language))
    for warning in compared.warnings:
        print(f"NOTE: {warning}", file=sys.stderr)
    print(f"{comparison.listed(compared.choice.best or compared.choice.passing) or 'none'}: {compared.choice.sentence}")
    return 0


def _card(asked: argparse.Namespace) -> int:
    from audit.report.exports import model_card as card

    output: Path = asked.output / "README.md" if asked.output.is_dir() else asked.output
    check_regular(output, str(output))
    try:
        existing = output.read_bytes().decode() if output.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"{output}: the model card cannot be read as a UTF-8 text file ({error}).") from None
    _write(output, card.write(_read(asked.record), existing, str(output)))
    return 0


def _bom(asked: argparse.Namespace) -> int:
    from audit.report.exports import bill_of_materials as bom

    _write(asked.output, _as_json(bom.build(_read(asked.record))))
    return 0


def _write(output: Path, content: str) -> None:
    try:
        write_atomically(output, content)
    except OSError as error:
        raise AuditError(f"{output}: cannot be written ({error.strerror}); choose another file.") from None
    print(output)


def _as_json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _verify(asked: argparse.Namespace) -> int:
    from audit.report.headline import headline

    value = _read(asked.record)
    model: dict[str, object] = value["model"]  # type: ignore[assignment]
    audited = model.get("files")
    if not isinstance(audited, dict) or not audited:
        raise AuditError(f"{asked.record}: it holds no hashes of a model's files; audit a folder or a Hub id.")
    if not asked.model.is_dir():
        raise AuditError(f"{asked.model}: not a folder; expected the folder of the model that is to ship.")
    found = models.hash_files(asked.model) | _named(asked.model, audited)
    if models.fingerprint(found) == model.get("fingerprint"):
        print(f"{asked.model} holds exactly the audited model ({model['fingerprint']}).")
        print(f"What the audit found: {headline(value)}")
        return 0
    print(f"{asked.model} does not hold the audited model.")
    for name in sorted(set(audited) | set(found)):
        if audited.get(name) != found.get(name):
            state = "missing" if name not in found else "not audited" if name not in audited else "changed"
            print(f"  {state}: {printable(name)}")
    return 1


def _named(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files that a record names, whatever they are called: an ONNX file may have its weights anywhere."""
    inside = [name for name in names if not leads_out(name) and stays_within(folder / name, folder)]
    return {name: sha256(folder / name) for name in inside if is_file(folder / name)}


def _export(asked: argparse.Namespace) -> int:
    folder: Path = asked.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AuditError(f"{folder} exists and is not an empty folder; choose another.")
    source = _trained_by(asked) if asked.source.suffix == ".toml" else _audited(asked)
    try:
        _copy(source, folder)
    except OSError as error:
        raise AuditError(f"{folder}: cannot be written ({error.strerror}); choose another.") from None
    fingerprint = models.fingerprint(models.hash_files(folder))
    print(f"saved the {'trained' if asked.source.suffix == '.toml' else 'audited'} model in {folder} ({fingerprint})")
    return 0


def _audited(asked: argparse.Namespace) -> Path:
    """Where the cache keeps the model that a record is about."""
    wanted = _read(asked.source)["model"].get("fingerprint")  # type: ignore[attr-defined]
    cache = Cache(asked.audit_cache or default_folder())
    for kept in sorted(path for path in cache.models.glob("[!.]*") if path.is_dir()):
        if models.fingerprint(models.hash_files(kept)) == wanted:
            return kept
    raise AuditError(
        f"{asked.source}: the audited model ({wanted}) is not in the cache {cache.folder}; only models that an audit "
        f"fine-tuned are kept there. Run the audit again, or give the cache that it used with --audit-cache."
    )


def _trained_by(asked: argparse.Namespace) -> Path:
    """Where the cache keeps the model that a policy's recipe makes of its training data."""
    from audit.training.finetune import folder_of

    session = _session(asked, str(asked.source))
    try:
        recipe, examples = session.models.recipe, session.inputs.train_data
        if recipe is None or examples is None:
            raise AuditError(f"{asked.source}: there is no trained model; [model.finetune] and [data] train make one.")
        cache = session.resources.cache
        folder = folder_of(recipe, examples, cache)
    finally:
        session.close()
    if folder is None:
        raise AuditError(
            f"{asked.source}: its model is not in the cache {cache.folder}; train it with `python -m audit "
            f"train --audit-policy {asked.source}`, or give the cache that has it with --audit-cache."
        )
    return folder


def _copy(source: Path, folder: Path) -> None:
    """Copy a model out of the cache, which is its owner's alone, for whoever the user's own files are for."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.rglob("*")):
        target = folder / path.relative_to(source)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            shutil.copyfile(path, target)


def _quantise(asked: argparse.Namespace) -> int:
    from audit.models import onnx_export

    folder: Path = asked.folder
    try:
        made = onnx_export.write(asked.model, Path(asked.model).expanduser(), folder, eight_bit=not asked.float32)
    except OSError as error:
        raise AuditError(f"{folder}: cannot be written ({error.strerror}); choose another.") from None
    before, after = (f"{size / 1e6:,.1f} MB" for size in (made.before, made.after))
    print(f"saved {asked.model} as ONNX in {folder} ({made.fingerprint}): {before} are {after} now")
    return 0


def _pretrain(asked: argparse.Namespace) -> int:
    from audit.core.progress import Progress
    from audit.energy.meter import Meter, Power

    try:
        recipe = Recipe(**{name: getattr(asked, name) for name in Recipe.model_fields})
    except ValidationError as error:
        problem = error.errors()[0]
        option = str(problem["loc"][0]).replace("_", "-")
        expected = mistakes.expectation(problem["type"], problem.get("ctx", {}))
        raise AuditError(f"--{option} {problem['input']}: {expected}.") from None
    length = next((Length(value, unit) for unit in UNITS if (value := getattr(asked, unit)) is not None), Length(10))
    if not 0 < length.value < math.inf:
        raise AuditError(f"--{length.unit} {length.value:g}: expected more than nothing.")
    policy = policies.find(asked.audit_policy, Path())
    device = models.choose_device(asked.audit_device)
    cache = Cache(asked.audit_cache or default_folder())
    progress = Progress(_say, live=sys.stderr.isatty())
    corpus = gather(policy, asked.texts, cache.datasets)
    meter = Meter(policy.audit.country, Power.of(policy.recorded()["environment"]))
    try:
        made = pretrain(asked.out, recipe, length, corpus, device, meter, progress)
    except KeyboardInterrupt:
        print(f"\nstopped; what was done is in {asked.out}, and the same command goes on from there", file=sys.stderr)
        return 2
    estimate, low, high = made["held_out"]["accuracy"]
    guessed = interval(estimate, low, high, SHARE)
    print(
        f"{asked.out}: {made['steps']:,} steps, {made['tokens_seen']:,} tokens, {made['training_seconds']:.0f} s, "
        f"{made['energy']['kwh']:.4f} kWh ({made['energy']['source']}); on texts held out {guessed} of the "
        f"masked tokens guessed, perplexity {made['held_out']['perplexity'][0]:.1f}"
    )
    return 0


def _cache(asked: argparse.Namespace) -> int:
    folder = asked.audit_cache or default_folder()
    if not folder.exists():
        print(f"{folder}: empty")
        return 0
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if asked.clear:
        Cache(folder).clear()
        print(f"{folder}: removed {size / 1e6:,.1f} MB")
    else:
        print(f"{folder}: {size / 1e6:,.1f} MB; remove it with --clear")
    return 0
