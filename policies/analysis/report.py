"""Findings and comparisons for people and programs: the JSON and the text of `policy check` and `policy diff`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from policies.analysis.compare import Comparison, Region, Worked
from policies.analysis.effect import Effect
from policies.analysis.examples import Example
from policies.analysis.places import tier_key
from policies.analysis.settings import SettingChange
from policies.analysis.words import effect_text
from policies.canonical import Plain
from policies.decision import Decision
from policies.facts import FactValue
from policies.findings import Finding
from policies.language.tree import Place

_SHORT = 12


def comparison_form(comparison: Comparison) -> dict[str, Plain]:
    """The comparison as JSON values. `exact` is false where the bound on work was hit; `direction` then is `both`."""
    return {
        "before": {"policy": comparison.before.policy_id, "hash": comparison.before.content_hash},
        "after": {"policy": comparison.after.policy_id, "hash": comparison.after.content_hash},
        "direction": comparison.direction.value,
        "exact": comparison.unproven is None,
        "unproven": comparison.unproven,
        "regions": [_region_form(region) for region in comparison.regions],
        "more_regions": comparison.more_regions,
        "settings": [_setting_form(setting) for setting in comparison.settings],
    }


def _region_form(region: Region) -> dict[str, Plain]:
    return {
        "where": region.where,
        "conditions": dict(region.conditions),
        "before": _effect_form(region.before),
        "after": _effect_form(region.after),
        "direction": region.direction.value,
        "example": example_form(region.worked.example)
        | {"before": _decided_form(region.worked.before), "after": _decided_form(region.worked.after)},
    }


def _effect_form(effect: Effect) -> dict[str, Plain]:
    return {
        "mode": None if effect.mode is None else effect.mode.value,
        "acts_alone": effect.acts,
        "approvers": list(effect.approvers),
        "four_eyes": effect.four_eyes,
        "hold_s": effect.hold_s,
        "words": effect_text(effect),
    }


def example_form(example: Example) -> dict[str, Plain]:
    """A case as `countersign policy decide` takes it: facts and time."""
    return {"facts": _facts_form(example.facts), "now": example.now.isoformat()}


def _facts_form(facts: Mapping[str, FactValue]) -> dict[str, Plain]:
    return dict(facts)


def _decided_form(decision: Decision) -> dict[str, Plain]:
    return {
        "verdict": decision.verdict.value,
        "mode": decision.mode.value,
        "rule": decision.rule,
        "section": decision.section,
        "approvers": list(decision.approvers),
    }


def _setting_form(setting: SettingChange) -> dict[str, Plain]:
    return {
        "name": setting.name,
        "before": setting.before,
        "after": setting.after,
        "direction": setting.direction.value,
    }


def finding_form(finding: Finding, file: str, places: Mapping[str, Place]) -> dict[str, Plain]:
    """A remark as JSON values, with the place of each rule and tier that it is about."""
    parts: list[Plain] = [
        {"rule": rule, "file": places[rule].file, "line": places[rule].line} for rule in finding.rules if rule in places
    ]
    place = _place(finding, places)
    return {
        "file": file if place is None else place.file,
        "line": None if place is None else place.line,
        "kind": finding.kind.value,
        "about": finding.about,
        "message": finding.message,
        "rules": parts,
        "example": None if finding.example is None else example_form(finding.example),
    }


def finding_text(finding: Finding, file: str, places: Mapping[str, Place]) -> str:
    """A remark for a reader: file and line, what it is about, what to do, and a case that shows it."""
    place = _place(finding, places)
    where = file if place is None else f"{place.file}:{place.line}"
    others = [f"{rule} at {places[rule].file}:{places[rule].line}" for rule in finding.rules[1:] if rule in places]
    lines = [f"{where}: {'note: ' if finding.is_note else ''}{finding.kind.value}: {finding.about}: {finding.message}"]
    lines += [f"  see {', '.join(others)}"] if others else []
    if finding.example is not None:
        facts = json.dumps(_facts_form(finding.example.facts))
        lines.append(f"  for example on {finding.example.now.date()}, facts {facts}")
    return "\n".join(lines)


def _place(finding: Finding, places: Mapping[str, Place]) -> Place | None:
    keys = [*finding.rules, *(tier_key(tier) for tier in finding.tiers)]
    return next((places[key] for key in keys if key in places), None)


def comparison_text(comparison: Comparison) -> str:
    """The comparison for a reader."""
    return "\n".join(_lines(comparison))


def _lines(comparison: Comparison) -> Iterator[str]:
    old, new = comparison.before, comparison.after
    names = f"{old.policy_id} {old.content_hash[:_SHORT]} -> {new.policy_id} {new.content_hash[:_SHORT]}"
    if comparison.unproven is not None:
        yield f"{names}: not compared, so it counts as loosening: {comparison.unproven}"
    elif not comparison.regions and not comparison.settings:
        yield f"{names}: no case is treated otherwise"
    else:
        yield f"{names}: {comparison.direction.value}"
    for region in comparison.regions:
        yield ""
        yield f"{region.direction.value}: {region.where}"
        yield f"  {effect_text(region.before)} -> {effect_text(region.after)}"
        yield from _worked_lines(region.worked)
    if comparison.more_regions:
        yield f"\nand {comparison.more_regions} more sets of cases"
    if comparison.settings:
        yield ""
    for setting in comparison.settings:
        yield f"{setting.direction.value}: {setting.name}: {setting.before} -> {setting.after}"


def _worked_lines(worked: Worked) -> Iterator[str]:
    example = worked.example
    yield f"  for example on {example.now.date()}, facts {json.dumps(_facts_form(example.facts))}"
    for word, decision in (("before", worked.before), ("after", worked.after)):
        yield f"    {word}: {decision.verdict.value}, mode {decision.mode.value}, rule {decision.rule}"
