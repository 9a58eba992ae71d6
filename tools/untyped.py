"""How often the code says `Any`, which is no type: by module, and apart where a library's own values pass through.

``python -m tools.untyped [FOLDER]`` counts `audit/`, or the same folder of another checkout, so that both can be held
against each other. A name counts once for each use outside of imports; a library without types (mypy follows none of
``transformers``) still has classes, and their names say more than `Any`.
"""

from __future__ import annotations

import argparse
import ast
from contextlib import suppress
from pathlib import Path

# Modules through which values pass whose types their makers leave open, and why no other word would be true.
ADAPTERS = {
    "models/files/artifact.py": "a tokenizer's JSON is not trusted: whatever has another form than expected raises",
    "record/former.py": "records of schema 1, whose evidence had no types",
    "policy/policy.py": "the policy as pydantic writes it into JSON",
}


def uses(source: str) -> int:
    """How often code names `Any`, in an annotation or anywhere else but an import; quoted annotations count too."""
    count = 0
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            count += node.id == "Any"
        elif isinstance(node, ast.Attribute):
            count += node.attr == "Any"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "Any" in node.value:
            with suppress(SyntaxError, ValueError):  # prose
                count += uses(node.value)
    return count


def count(package: Path) -> dict[str, int]:
    """Uses by module, most first; modules without any are left out."""
    found = {str(path.relative_to(package)): uses(path.read_text("utf-8")) for path in sorted(package.rglob("*.py"))}
    return {name: number for name, number in sorted(found.items(), key=lambda item: -item[1]) if number}


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description="Counts uses of `Any` by module.")
    parser.add_argument("package", nargs="?", type=Path, default=Path("audit"))
    found = count(parser.parse_args().package)
    for name, number in found.items():
        print(f"{number:5} {name}{f'  ({ADAPTERS[name]})' if name in ADAPTERS else ''}")
    apart = sum(number for name, number in found.items() if name in ADAPTERS)
    print(f"{sum(found.values()) - apart:5} altogether, and {apart} in {len(ADAPTERS)} adapters")


if __name__ == "__main__":
    main()
