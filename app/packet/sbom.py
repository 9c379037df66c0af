"""The software that an installation runs, as a bill of materials of CycloneDX 1.6, from what is really installed.

https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT: Final = "countersign"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_LONGEST_LICENCE: Final = 80
"""Some packages put the whole text of their licence where its name belongs."""


def installed(root: str = ROOT) -> list[Distribution]:
    """Every package that the product needs and that is installed, in the order of their names."""
    found: dict[str, Distribution] = {}
    waiting = [root]
    while waiting:
        name = _plain(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # an extra, or one for another kind of machine
        waiting += _needs(found[name])
    return [found[name] for name in sorted(found)]


def bill_of_materials(at: datetime) -> str:
    """The bill as JSON; `at` is when it was made."""
    ours, *_ = [one for one in installed() if _plain(one.name) == ROOT]
    bom = Bom(components=[_component(one) for one in installed() if one is not ours])
    bom.metadata.timestamp = at
    bom.metadata.component = _component(ours, ComponentType.APPLICATION)
    bom.register_dependency(bom.metadata.component, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=1)


def _component(one: Distribution, kind: ComponentType = ComponentType.LIBRARY) -> Component:
    name = _plain(one.name)
    told = one.metadata.json
    licence = str(told.get("license_expression") or told.get("license") or "").strip()
    url = PackageURL("pypi", name=name, version=one.version)
    return Component(
        type=kind,
        name=name,
        version=one.version,
        purl=url,
        bom_ref=str(url),
        licenses=[LicenseFactory().make_from_string(licence)] if 0 < len(licence) <= _LONGEST_LICENCE else [],
    )


def _needs(one: Distribution) -> Iterator[str]:
    for line in one.requires or ():
        if "extra ==" not in line and (match := _NAME.match(line)):
            yield match.group()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
