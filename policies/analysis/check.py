"""Everything that `policy check` remarks about a file that can be read: what is plainly there, and what is proved.

Each finding names the parts it is about, shows one case where there is one, and says what to do. Nothing is sampled:
where the bound on work is hit, that is a finding itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from policies.analysis.answers import Answers, answers_of
from policies.analysis.contradictions import contradictions
from policies.analysis.diagram import DEFAULT_BOUND, BoundHit, Function
from policies.analysis.examples import Example, example_of
from policies.analysis.gaps import Hole, holes, unallowed_lines, unanswered, voices
from policies.analysis.promises import Decide, broken_promises, milder_for_more
from policies.analysis.shadows import Reach, covering, reaches, wider_twin
from policies.analysis.space import Space
from policies.analysis.standing import line, line_rank, line_text
from policies.analysis.thresholds import unreached_in_rules, unreached_in_tiers
from policies.document import Policy, Rule
from policies.evaluate import decide
from policies.facts import Facts
from policies.findings import Finding, FindingKind, findings
from policies.vocabulary import Verdict


def examine(policy: Policy, *, bound: int = DEFAULT_BOUND, decide_: Decide = decide) -> tuple[Finding, ...]:
    """All remarks about a policy, sorted by kind and part. `decide_` is the evaluator that must keep the promises."""
    try:
        proved = list(_proved(policy, bound, decide_))
    except BoundHit as error:
        message = f"nothing was proved about this file: {error}"
        proved = [Finding(FindingKind.BOUND_HIT, policy.policy_id, message)]
    return tuple(sorted([*findings(policy), *proved], key=lambda finding: (finding.kind, finding.about)))


@lru_cache(maxsize=32)
def remarks(policy: Policy) -> tuple[Finding, ...]:
    """The same, worked out once for a policy."""
    return examine(policy)


def _proved(policy: Policy, bound: int, decide_: Decide) -> Iterator[Finding]:
    space = Space([policy], bound=bound)
    answers = answers_of(policy, space)
    reach = reaches(policy, space, answers)
    contradicting = list(_contradictions(policy, space, reach))
    told = {rule_id for finding in contradicting for rule_id in finding.rules}
    yield from contradicting
    yield from (finding for finding in _silent_rules(policy, space, answers, reach) if finding.about not in told)
    yield from _thresholds(policy, space, answers, reach)
    yield from _tiers(policy, space, answers)
    yield from _gaps(policy, space, answers)
    yield from _promises(policy, space, answers, decide_)


# rules


def _silent_rules(
    policy: Policy,
    space: Space,
    answers: Answers,
    reach: Mapping[str, Reach],
) -> Iterator[Finding]:
    """Rules that hold in no case, and rules that hold but never decide."""
    for rule in policy.rules:
        here = reach[rule.rule_id]
        if here.holds == space.diagrams.never:
            message = "no case fulfils its conditions, so it never holds: correct a condition that excludes the others"
            yield Finding(FindingKind.DEAD_RULE, rule.rule_id, message, rules=(rule.rule_id,))
        elif here.decides == space.diagrams.never:
            yield _shadowed(policy, space, answers, rule, here.holds)
        else:
            twin = wider_twin(policy, space, reach, rule)
            if twin is not None:
                message = (
                    f"rule {twin.rule_id!r} says the same in all of its cases: narrow that one or remove this rule"
                )
                rules = (rule.rule_id, twin.rule_id)
                example = example_of(space, here.holds)
                yield Finding(FindingKind.SHADOWED_RULE, rule.rule_id, message, rules=rules, example=example)


def _shadowed(policy: Policy, space: Space, answers: Answers, rule: Rule, holds: Function) -> Finding:
    before, built_in = covering(policy, space, answers, rule, holds)
    names = [f"rule {other.rule_id!r} ({other.effect.value})" for other in before]
    if built_in != space.diagrams.never:
        example = example_of(space, built_in)
        decided = decide(policy, Facts(example.facts), now=example.now)
        names.append(f"{decided.rule!r} ({decided.verdict.value})")
    message = f"wherever it holds, {' or '.join(names)} decides: narrow that, widen this rule, or remove it"
    rules = (rule.rule_id, *(other.rule_id for other in before))
    return Finding(FindingKind.SHADOWED_RULE, rule.rule_id, message, rules=rules, example=example_of(space, holds))


def _contradictions(policy: Policy, space: Space, reach: Mapping[str, Reach]) -> Iterator[Finding]:
    for found in contradictions(policy, space, reach):
        allowing, restricting = found.allowing.rule_id, found.restricting.rule_id
        word = {Verdict.DENY: "denies", Verdict.NEEDS_APPROVAL: "asks a person about"}[found.restricting.effect]
        message = (
            f"allows cases that rule {restricting!r} {word}, on the same facts, and the stricter one wins: "
            "let their bounds meet without overlap, or write the exception as a never-rule"
        )
        yield Finding(
            FindingKind.CONTRADICTION,
            allowing,
            message,
            rules=(allowing, restricting),
            example=example_of(space, found.cells),
        )


def _thresholds(policy: Policy, space: Space, answers: Answers, reach: Mapping[str, Reach]) -> Iterator[Finding]:
    for found in unreached_in_rules(policy, space, reach):
        message = f"no answer changes at {found.bound}: {found.why}; move the bound or drop it"
        yield Finding(FindingKind.UNREACHABLE_THRESHOLD, found.part, message, rules=(found.part,))
    for found in unreached_in_tiers(policy, space, answers):
        message = f"nothing changes at {found.bound}: {found.why}; move the bound or drop it"
        yield Finding(FindingKind.UNREACHABLE_THRESHOLD, found.part, message, tiers=(found.part,))


# tiers


def _tiers(policy: Policy, space: Space, answers: Answers) -> Iterator[Finding]:
    """Tiers that cover no case, and lines of the matrix that others always go before."""
    diagrams = space.diagrams
    rung = diagrams.choose(space.possible, answers.ladder.rung, diagrams.constant(None))
    used = {getattr(value, "tier", None) for value in diagrams.values(rung)}
    for tier in policy.autonomy.tiers:
        if tier.name not in used:
            message = "no cell of the matrix reaches this tier: name it in a cell or remove it"
            yield Finding(FindingKind.UNUSED_TIER, tier.name, message, tiers=(tier.name,))
    taken = diagrams.complement(space.possible)
    for cell in sorted(policy.autonomy.matrix, key=lambda cell: line_rank(policy, cell)):
        here = line(space, cell)
        if diagrams.lies_in(here, taken):
            named = f"{line_text(cell)} -> {cell.tier}"
            message = "more specific or more restrictive lines apply in all of its cases: remove it or name more places"
            yield Finding(FindingKind.UNREACHED_LINE, named, message)
        taken = diagrams.union(taken, here)


# gaps


def _gaps(policy: Policy, space: Space, answers: Answers) -> Iterator[Finding]:
    if not policy.rules:
        return
    heard = voices(policy, space, answers)
    for hole in holes(space, heard):
        rules = _beside(policy, hole)
        message = f"no rule answers {hole.said}, while smaller and larger ones are answered: let the bounds meet"
        yield Finding(FindingKind.GAP, hole.fact, message, rules=rules, example=hole.example)
    for places, example in unallowed_lines(policy, space, answers):
        message = (
            "the matrix lets the agent do this alone, but no rule allows it in any case: add a rule or drop the line"
        )
        yield Finding(FindingKind.GAP, places, message, example=example)
    for found in unanswered(space, answers, heard):
        message = "the agent might do this alone, but in some cases no rule answers, so that a person decides"
        yield Finding(FindingKind.UNANSWERED, found.said, message, example=found.example)


def _beside(policy: Policy, hole: Hole) -> tuple[str, ...]:
    """The rules that answer the example with the last number before the hole, and the first after it."""
    own = {rule.rule_id for rule in policy.rules}
    moved = [Example({**hole.example.facts, hole.fact: number}, hole.example.now) for number in hole.ends]
    return tuple(dict.fromkeys(rule for rule in (_decider(policy, example) for example in moved) if rule in own))


# promises


def _promises(policy: Policy, space: Space, answers: Answers, decide_: Decide) -> Iterator[Finding]:
    for broken in broken_promises(policy, space, answers, decide_=decide_):
        message = f"{broken.says}: this case breaks it, so do not publish the file, and report it with the case"
        yield Finding(FindingKind.BROKEN_PROMISE, broken.promise, message, example=broken.example)
    milder = milder_for_more(space, answers)
    if milder is not None:
        rules = [_decider(policy, example) for example in (milder.smaller, milder.larger)]
        amount = milder.smaller.facts.get("action.amount_minor")
        message = (
            f"a larger refund is judged more mildly than one of {amount} minor units, which {rules[0]!r} decides: "
            "drop the upper bound of what restricts, or the lower bound of what allows"
        )
        named = next((rule for rule in rules if rule in {one.rule_id for one in policy.rules}), policy.policy_id)
        told = tuple(rule for rule in dict.fromkeys(rules) if rule in {one.rule_id for one in policy.rules})
        yield Finding(FindingKind.LOOSENS_WITH_AMOUNT, named, message, rules=told, example=milder.larger)


def _decider(policy: Policy, example: Example) -> str:
    return decide(policy, Facts(example.facts), now=example.now).rule
