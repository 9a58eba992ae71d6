"""The project's own software bill of materials (CycloneDX 1.6): ``python -m tools.sbom > sbom.json``.

What ``requirements.lock`` holds, each package with its version, hash and licence, and which of them the package itself
asks for. The bill of an audited model is another one: ``python -m audit bom``.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
_LINE = re.compile(r"(?P<name>\S+)==(?P<version>\S+) --hash=sha256:(?P<digest>[0-9a-f]{64})")


def build() -> str:
    """The bill as JSON; the same lock always gives the same, but for what the installed packages say of licences."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    own = _component(project["name"], project["version"], ComponentType.APPLICATION, project["license"])
    parts = {
        canonicalize_name(line["name"]): _component(
            line["name"], line["version"], ComponentType.LIBRARY, _licence(line["name"]), line["digest"]
        )
        for line in _LINE.finditer(lock)
    }
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, lock), metadata=BomMetaData(component=own), components=parts.values())
    asked = (canonicalize_name(Requirement(each).name) for each in project["dependencies"])
    bom.register_dependency(own, [parts[name] for name in asked])
    return str(JsonV1Dot6(bom).output_as_string(indent=1))


def _component(name: str, version: str, kind: ComponentType, licence: str, digest: str = "") -> Component:
    return Component(
        name=name,
        version=version,
        type=kind,
        bom_ref=f"{name}=={version}",
        purl=PackageURL("pypi", None, canonicalize_name(name), version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else [],
        licenses=[DisjunctiveLicense(name=licence)] if licence else [],
    )


def _licence(name: str) -> str:
    """What an installed package says of its licence, on one line; empty where it is not installed or says nothing."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return ""
    stated = [*(told.get_all("License-Expression") or ()), *(told.get_all("License") or ())]
    classes = [each for each in told.get_all("Classifier") or () if each.startswith("License")]
    lines = [*(line for each in stated for line in each.strip().splitlines()[:1]), *classes]
    return str(lines[0]).rpartition(" :: ")[2] if lines else ""


if __name__ == "__main__":
    print(build())
