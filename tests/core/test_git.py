"""What git knows of a file: told from real repositories, hostile ones among them, in which nothing is run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from audit.core import git
from audit.core.git import History

DATE = "2026-11-20T10:00:00Z"


def run(folder: Path, *arguments: str) -> str:
    """Git in a folder, by a person and at a time that are always the same."""
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
           for what, value in (("NAME", "A"), ("EMAIL", "a@example.org"), ("DATE", DATE))}  # fmt: skip
    bare = {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
    done = subprocess.run(["git", *arguments], cwd=folder, env=bare | who, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def history(path: Path) -> History:
    git.history.cache_clear()
    return git.history(path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy in the only commit of a repository."""
    path = tmp_path / "audit.toml"
    path.write_text("[model]\nsource = 'm'\n", "utf-8")
    run(tmp_path, "init", "-q", "-b", "main")
    run(tmp_path, "add", ".")
    run(tmp_path, "commit", "-qm", "The policy")
    return path


def test_a_file_that_stands_so_in_the_last_commit(policy: Path) -> None:
    (policy.parent / "other").write_text("x", "utf-8")
    run(policy.parent, "add", "other")
    run(policy.parent, "commit", "-qm", "Something else")
    first = run(policy.parent, "rev-list", "--max-parents=0", "HEAD")
    assert history(policy) == History("committed", first, DATE)
    policy.write_bytes(policy.read_bytes().replace(b"\n", b"\r\n"))
    assert history(policy).state == "committed"  # as git for Windows checks it out


def test_one_that_was_changed_or_never_committed_or_lies_anywhere(
    policy: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    policy.write_text("[model]\nsource = 'n'\n", "utf-8")
    assert history(policy) == History("changed", run(policy.parent, "rev-parse", "HEAD"), DATE)
    run(policy.parent, "add", ".")
    assert history(policy).state == "changed"  # staged is not committed
    new = policy.with_name(":(top)*.toml")
    new.write_text("", "utf-8")
    assert history(new) == History("uncommitted")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "audit.toml"
    elsewhere.write_text("", "utf-8")
    assert history(elsewhere) == History("unversioned")
    link = elsewhere.with_name("link.toml")
    link.symlink_to(policy)
    assert history(link).state == "changed"  # the file that was read


def test_without_git_nothing_is_under_version_control(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(policy.parent))
    assert history(policy) == History("unversioned")


def test_a_repository_that_git_does_not_read_is_told(policy: Path) -> None:
    (policy.parent / ".git" / "config").write_text("[core\n", "utf-8")
    assert history(policy) == History("unknown")


def test_a_hook_of_another_repository_misleads_nobody(
    policy: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    run(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert history(policy).state == "committed"


def test_nothing_that_a_repository_names_is_run(policy: Path) -> None:
    folder, mark = policy.parent, policy.parent / "ran"
    script = folder / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n", "utf-8")
    script.chmod(0o755)
    hooks = folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "reference-transaction", "pre-auto-gc", "post-checkout"):
        (hooks / name).write_bytes(script.read_bytes())
        (hooks / name).chmod(0o755)
    settings = f"""
        [core]
            fsmonitor = {script}
            pager = {script}
            sshCommand = {script}
            editor = {script}
            hooksPath = {hooks}
            repositoryformatversion = 1
        [extensions]
            partialClone = origin
        [remote "origin"]
            url = ext::{script}
            promisor = true
            partialclonefilter = blob:none
            uploadpack = {script}
        [protocol "ext"]
            allow = always
        [protocol]
            allow = always
        [log]
            showSignature = true
        [gpg]
            program = {script}
        [diff]
            external = {script}
        [filter "evil"]
            clean = {script}
            smudge = {script}
            process = {script}
        [diff "evil"]
            textconv = {script}
        [alias]
            log = !{script}
            rev-parse = !{script}
            cat-file = !{script}
        [pager]
            log = {script}
    """
    with (folder / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write(textwrap.dedent(settings))
    (folder / ".gitattributes").write_text("* filter=evil diff=evil\n", "utf-8")
    os.utime(policy, (1, 1))  # so that an index that is asked has to look into the file
    assert history(policy).state == "committed"
    # A commit that asks for its signature, and one whose content is not here and would have to be fetched.
    commit = run(folder, "-c", "core.fsmonitor=", "-c", f"core.hooksPath={os.devnull}", "cat-file", "commit", "HEAD")
    head, _, message = commit.partition("\n\n")
    signed = f"{head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n{message}\n"
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=folder, input=signed, text=True, capture_output=True, check=True,
    )  # fmt: skip
    (folder / ".git" / "refs" / "heads" / "main").write_text(made.stdout, "utf-8")
    mark.unlink(missing_ok=True)
    assert history(policy) == History("committed", made.stdout.strip(), DATE)
    blob = hashlib.sha1(b"blob %d\0" % policy.stat().st_size + policy.read_bytes()).hexdigest()  # noqa: S324
    (folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert history(policy).state in ("uncommitted", "unknown")
    assert not mark.exists()


def test_where_pytest_runs_no_hook_and_no_monitor_is_asked(policy: Path) -> None:
    mark, script = policy.parent / "ran", policy.parent / ".git" / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n", "utf-8")
    script.chmod(0o755)
    hook = policy.parent / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_bytes(script.read_bytes())
    hook.chmod(0o755)
    with (policy.parent / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write(f"[core]\n\tfsmonitor = {script}\n")
    git.commit.cache_clear()
    head = (policy.parent / ".git" / "refs" / "heads" / "main").read_text("utf-8").strip()
    assert git.commit(policy.parent) == head
    policy.write_text("other", "utf-8")
    git.commit.cache_clear()
    assert git.commit(policy.parent) == f"{head}, with changes"
    assert not mark.exists()
