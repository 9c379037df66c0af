"""A third reading of the policy language, in z3's arithmetic: the verdict and the mode, as formulas over the facts.

Written from the language's description, over whole numbers instead of pieces, so that it shares neither the evaluator's
code nor the analysis's cells. As a leg it answers cases; `proved_equal` asks the solver for any case at all in which
the diagrams answer otherwise. Needs the extra `analysis` (z3-solver).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import z3

from evals.policies_at_random import RandomCase
from policies.analysis.answer import Answer
from policies.analysis.space import DAY, OTHER_CURRENCY, REST, TOO_MUCH, Axis, Space, Span, Unknown, Word
from policies.conditions import All as AllOf
from policies.conditions import Among, Condition, Interval, MoneyWithin, Positive, Within
from policies.conditions import Any as AnyOf
from policies.conditions import Not as NotOf
from policies.document import Amounts, Policy, Tier, Window
from policies.facts import CATALOGUE, FactType, FactValue
from policies.money import CURRENCIES
from policies.tools import TOOL_OF_ACTION, ToolEntry
from policies.vocabulary import Mode, Verdict

Formula = Any
"""z3 has no types of its own."""

Ternary = tuple[Formula, Formula]
"""Where a condition is true, and where it is unknown."""

MODES: Final = list(Mode)
MONEY: Final = ("refund", "store_credit")
PAYS_BACK: Final = ("refund", "cancel_payment")
PERSONAL: Final = (*PAYS_BACK, "cancel_subscription", "store_credit")
BY_HAND: Final = ("bulk_email", "delete_data", "change_permissions")


class Encoding:
    """The formulas of one policy. A fact is a number and whether it is known; words are numbered."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._codes: dict[str, dict[FactValue, int]] = {}
        self.day = z3.Int("day")
        standing = self._mode()
        self.mode, lowered = standing
        self.verdict = self._verdict(lowered)

    # facts

    def number(self, name: str) -> Formula:
        """The fact's value as a number."""
        return z3.Int(name)

    def known(self, name: str) -> Formula:
        """Whether the fact is known."""
        return z3.Bool(f"{name} is known")

    def code(self, name: str, value: FactValue) -> int:
        """The number of a word. Words of all currencies are numbered together, so that they can be compared."""
        codes = self._codes.setdefault("currency" if name.endswith("currency") else name, {})
        return codes.setdefault(value, len(codes))

    def is_one(self, name: str, words: Sequence[FactValue]) -> Formula:
        """Known, and one of the words."""
        return z3.And(self.known(name), z3.Or([self.number(name) == self.code(name, word) for word in words]))

    def _kind(self, *kinds: str) -> Formula:
        return self.is_one("action.kind", kinds)

    # conditions

    def _truth(self, condition: Condition) -> Ternary:
        if isinstance(condition, AllOf):
            parts = [self._truth(part) for part in condition.parts]
            true = z3.And([part[0] for part in parts])
            return true, z3.And(z3.Not(true), *[z3.Or(part) for part in parts])
        if isinstance(condition, AnyOf):
            parts = [self._truth(part) for part in condition.parts]
            true = z3.Or([part[0] for part in parts])
            return true, z3.And(z3.Not(true), z3.Or([part[1] for part in parts]))
        if isinstance(condition, NotOf):
            true, unknown = self._truth(condition.part)
            return z3.And(z3.Not(true), z3.Not(unknown)), unknown
        return self._leaf(condition)

    def _leaf(self, leaf: Among | Within | MoneyWithin | Positive) -> Ternary:
        name = leaf.fact.name
        value, known = self.number(name), self.known(name)
        if isinstance(leaf, Among):
            is_in = z3.Or([value == self.code(name, word) for word in sorted(leaf.values, key=str)])
            return z3.And(known, z3.Not(is_in) if leaf.negated else is_in), z3.Not(known)
        if isinstance(leaf, Within):
            return z3.And(known, _inside(value, leaf.interval)), z3.Not(known)
        if isinstance(leaf, Positive):
            return z3.And(known, value > 0 if leaf.positive else value == 0), z3.Not(known)
        here = {currency: self.is_one(leaf.currency_fact, [currency]) for currency in leaf.intervals}
        true = [z3.And(here[currency], _inside(value, interval)) for currency, interval in leaf.intervals.items()]
        return z3.And(known, z3.Or(true)), z3.Not(z3.And(known, z3.Or(list(here.values()))))

    def _valid(self, window: Window) -> Formula:
        first = [] if window.first is None else [self.day >= window.first.toordinal()]
        last = [] if window.last is None else [self.day <= window.last.toordinal()]
        return z3.And([*first, *last])

    # the ladder

    def _mode(self) -> tuple[Formula, Formula]:
        """The mode as its place in the order of modes, and whether something lowered it."""
        policy = self._policy
        tiers = policy.tiers
        mode: Formula = z3.IntVal(MODES.index(policy.autonomy.default))
        lowered: Formula = z3.BoolVal(False)  # noqa: FBT003  # a constant
        cells = sorted(
            policy.autonomy.matrix,
            key=lambda cell: (
                sum(part is not None for part in (cell.intent, cell.segment, cell.action, cell.brand)),
                -MODES.index(tiers[cell.tier].mode),
                # Of equal cells the first name wins, so it is laid on last.
                [-ord(letter) for letter in cell.tier],
            ),
        )
        for cell in cells:
            places = (
                ("request.intent", cell.intent),
                ("requester.segment", cell.segment),
                ("action.kind", cell.action),
                ("request.brand", cell.brand),
            )
            here = z3.And(self._valid(cell.window), *[self.is_one(name, [word]) for name, word in places if word])
            ceiling = tiers[cell.tier]
            mode = z3.If(here, self._covering(ceiling), mode)
            lowered = z3.If(here, z3.Not(self._fits(ceiling)), lowered)
        capped = [self.is_one("run.draft_only", [True])]
        if policy.languages:
            released = self.is_one("request.language", [*policy.languages, "und"])
            capped.append(z3.And(self.known("request.language"), z3.Not(released)))
        draft = MODES.index(Mode.DRAFT)
        hands = z3.Or(*capped, z3.Not(self.known("action.kind")), self._kind(*BY_HAND))
        return z3.If(z3.And(hands, mode > draft), z3.IntVal(draft), mode), z3.Or(lowered, *capped)

    def _covering(self, ceiling: Tier) -> Formula:
        """The mode of the least restrictive tier that covers the case, not above the ceiling; draft at most if none."""
        top = MODES.index(ceiling.mode)
        mode: Formula = z3.IntVal(min(top, MODES.index(Mode.DRAFT)))
        below = [tier for tier in self._policy.autonomy.tiers if MODES.index(tier.mode) < top]
        for tier in sorted(below, key=lambda tier: MODES.index(tier.mode)):
            mode = z3.If(self._fits(tier), z3.IntVal(MODES.index(tier.mode)), mode)
        return z3.If(self._fits(ceiling), z3.IntVal(top), mode)

    def _fits(self, tier: Tier) -> Formula:
        confidence = "request.confidence_percent"
        sure = z3.And(self.known(confidence), self.number(confidence) >= tier.min_confidence_percent)
        moves = z3.Or(z3.Not(self.known("action.kind")), self._kind(*MONEY))
        covered = self._covers(tier.at_most)
        if tier.during:
            inside = [self._valid(band.window) for band in tier.during]
            # Where several bands cover a day each of them must cover the amount; where none does, the usual amounts.
            bands = [
                z3.Implies(here, self._covers(band.at_most)) for here, band in zip(inside, tier.during, strict=True)
            ]
            covered = z3.If(z3.Or(inside), z3.And(bands), covered)
        return z3.And(sure if tier.min_confidence_percent else True, z3.Implies(moves, covered))

    def _covers(self, amounts: Amounts | None) -> Formula:
        if amounts is None:
            return z3.BoolVal(True)  # noqa: FBT003  # a constant
        amount = self.number("action.amount_minor")
        listed = [z3.And(self.is_one("action.currency", [code]), amount <= minor) for code, minor in amounts.items()]
        return z3.And(self.known("action.amount_minor"), z3.Or(listed))

    # the verdict

    def _verdict(self, lowered: Formula) -> Formula:
        """2 where it is allowed, 1 where a person decides, 0 where it is denied."""
        deny, ask, allow = self._locked()
        ask.append(lowered)
        for rule in self._policy.rules:
            true, unknown = self._truth(rule.condition)
            valid = self._valid(rule.window)
            {Verdict.DENY: deny, Verdict.NEEDS_APPROVAL: ask, Verdict.ALLOW: allow}[rule.effect].append(
                z3.And(valid, true)
            )
            if rule.effect is not Verdict.ALLOW and not rule.skip_unknown:
                ask.append(z3.And(valid, unknown))
        self._tools(deny, ask, allow)
        ask += [self._risk(), self._uncapped()]
        person = z3.Or(z3.Or(ask), z3.Not(z3.Or(allow)))
        return z3.If(z3.Or(deny), z3.IntVal(0), z3.If(person, z3.IntVal(1), z3.IntVal(2)))

    def _locked(self) -> tuple[list[Formula], list[Formula], list[Formula]]:
        def flag(name: str, wrong: bool) -> Ternary:  # noqa: FBT001  # the fact's wrong value
            return self.is_one(name, [wrong]), z3.Not(self.known(name))

        strangers, unsure = flag("charge.owned_by_requester", False)  # noqa: FBT003
        disputed, unverified = flag("charge.disputed", True), flag("requester.verified", False)  # noqa: FBT003
        amount, left = self.number("action.amount_minor"), self.number("charge.refundable_minor")
        amount_known, left_known = self.known("action.amount_minor"), self.known("charge.refundable_minor")
        both_known = z3.And(self.known("action.currency"), self.known("charge.currency"))
        refund, touches = self._kind("refund"), self._kind(*PAYS_BACK)
        deny = [
            z3.And(touches, strangers),
            z3.And(refund, amount_known, amount <= 0),
            z3.And(refund, amount_known, left_known, amount > left),
            z3.And(refund, both_known, self.number("action.currency") != self.number("charge.currency")),
        ]
        ask = [
            z3.Not(self.known("action.kind")),
            self._kind(*BY_HAND),
            z3.And(touches, z3.Or(unsure, *disputed)),
            z3.And(self._kind(*PERSONAL), z3.Or(unverified)),
            z3.And(refund, z3.Not(z3.And(amount_known, left_known, both_known))),
        ]
        return deny, ask, []

    def _tools(self, deny: list[Formula], ask: list[Formula], allow: list[Formula]) -> None:
        lists = self._policy.tools
        if lists.silent:
            return
        grants = not self._policy.rules and all(check.resolved for check in self._policy.verification)
        for kind, tool in TOOL_OF_ACTION.items():
            here = self._kind(kind.value)
            denied = [self._speaks(entry) for entry in lists.deny if tool in entry.tools]
            approved = [self._speaks(entry) for entry in lists.approve if tool in entry.tools]
            sure_deny, sure_ask = (z3.Or([each[0] for each in entries]) for entries in (denied, approved))
            unsure = z3.Or([each[1] for each in (*denied, *approved)])
            missing = lists.allow is not None and not any(tool in entry.tools for entry in lists.allow)
            deny.append(z3.And(here, sure_deny))
            ask.append(z3.And(here, z3.Not(sure_deny), sure_ask))
            silent = z3.And(here, z3.Not(sure_deny), z3.Not(sure_ask))
            if missing:
                deny.append(silent)
            else:
                ask.append(z3.And(silent, unsure))
                if lists.allow is not None and grants:
                    allow.append(z3.And(silent, z3.Not(unsure)))

    def _speaks(self, entry: ToolEntry) -> Ternary:
        if entry.over is None:
            return z3.BoolVal(True), z3.BoolVal(False)  # noqa: FBT003  # constants
        amount = self.number("action.amount_minor")
        comparable = z3.And(self.known("action.amount_minor"), self.is_one("action.currency", [entry.over.currency]))
        return z3.And(comparable, amount > entry.over.minor), z3.Not(comparable)

    def _risk(self) -> Formula:
        risk = self._policy.risk
        if risk.approve_at is None:
            return z3.BoolVal(False)  # noqa: FBT003  # a constant
        points = []
        for factor in risk.factors:
            true, unknown = self._truth(factor.condition)
            counts = z3.Or(true, unknown) if factor.points > 0 and not factor.skip_unknown else true
            points.append(z3.If(counts, factor.points, 0))
        return z3.Sum([z3.IntVal(0), *points]) >= risk.approve_at

    def _uncapped(self) -> Formula:
        acting = self.mode > MODES.index(Mode.APPROVE)
        silent = [
            z3.Not(self.is_one("action.currency", sorted(limit.amounts)))
            for limit in self._policy.limits
            if limit.amounts is not None
        ]
        return z3.And(self._kind(*MONEY), acting, z3.Or(silent))


def _inside(value: Formula, interval: Interval) -> Formula:
    low = [] if interval.low is None else [value >= interval.low]
    high = [] if interval.high is None else [value <= interval.high]
    return z3.And([*low, *high])


# as a leg


class Z3:
    """The formulas, with each case's facts put in."""

    name = "z3"

    def answers(self, policy: Policy, cases: Sequence[RandomCase]) -> Sequence[Mapping[str, object]]:
        """Verdict and mode of each case."""
        encoding = Encoding(policy)
        return [self._said(encoding, case) for case in cases]

    def _said(self, encoding: Encoding, case: RandomCase) -> Mapping[str, object]:
        given = [(encoding.day, z3.IntVal(case.now.date().toordinal()))]
        for name in CATALOGUE:
            value = case.facts.get(name)
            given.append((encoding.known(name), z3.BoolVal(value is not None)))
            if value is not None:
                given.append((encoding.number(name), z3.IntVal(_coded(encoding, name, value))))
        verdict, mode = (z3.simplify(z3.substitute(part, *given)) for part in (encoding.verdict, encoding.mode))
        return {"verdict": VERDICTS[verdict.as_long()], "mode": MODES[mode.as_long()]}


VERDICTS: Final = (Verdict.DENY, Verdict.NEEDS_APPROVAL, Verdict.ALLOW)


def _coded(encoding: Encoding, name: str, value: FactValue) -> int:
    counted = CATALOGUE[name].type in {FactType.INTEGER, FactType.MONEY}
    return int(value) if counted else encoding.code(name, value)


# as a proof


def proved_equal(policy: Policy, space: Space, answer: int) -> str | None:
    """None where no case exists that the diagram answers otherwise than the formulas, else such a case in words."""
    encoding = Encoding(policy)
    diagrams = space.diagrams
    formulas: dict[int, tuple[Formula, Formula]] = {}

    def formula(part: int) -> tuple[Formula, Formula]:
        if part not in formulas:
            if diagrams.is_constant(part):
                value = diagrams.value(part)
                assert isinstance(value, Answer)
                formulas[part] = (z3.IntVal(VERDICTS.index(value.verdict)), z3.IntVal(MODES.index(value.mode)))
            else:
                axis = space.axes[diagrams.level(part)]
                *first, (_, last) = diagrams.edges(part)
                found = formula(last)
                for mask, child in first:
                    here = _mask(encoding, axis, mask)
                    found = tuple(z3.If(here, one, other) for one, other in zip(formula(child), found, strict=True))
                formulas[part] = found
        return formulas[part]

    verdict, mode = formula(answer)
    solver = z3.Solver()
    solver.add(_domains(encoding, space))
    solver.add(z3.Or(verdict != encoding.verdict, mode != encoding.mode))
    if solver.check() == z3.unsat:
        return None
    return str(solver.model())


def _mask(encoding: Encoding, axis: Axis, mask: int) -> Formula:
    return z3.Or([_piece(encoding, axis, place) for place in range(len(axis.pieces)) if mask >> place & 1])


def _piece(encoding: Encoding, axis: Axis, place: int) -> Formula:
    piece = axis.pieces[place]
    if axis.name in {TOO_MUCH, OTHER_CURRENCY}:
        return _compared(encoding, axis.name, piece.value if isinstance(piece, Word) else None)
    if axis.name == DAY:
        assert isinstance(piece, Span)
        return _inside(encoding.day, Interval(piece.low, piece.high))
    known, value = encoding.known(axis.name), encoding.number(axis.name)
    if isinstance(piece, Unknown):
        return z3.Not(known)
    if isinstance(piece, Span):
        return z3.And(known, _inside(value, Interval(piece.low, piece.high)))
    if piece is REST:
        return z3.And(known, *[value != encoding.code(axis.name, word) for word in axis.places])
    assert isinstance(piece, Word)
    return encoding.is_one(axis.name, [piece.value])


def _compared(encoding: Encoding, name: str, truth: FactValue | None) -> Formula:
    one, other = (
        ("action.amount_minor", "charge.refundable_minor")
        if name == TOO_MUCH
        else ("action.currency", "charge.currency")
    )
    known = z3.And(encoding.known(one), encoding.known(other))
    first, second = encoding.number(one), encoding.number(other)
    if truth is None:
        return z3.Not(known)
    holds = first > second if name == TOO_MUCH else first != second
    return z3.And(known, holds if truth else z3.Not(holds))


def _domains(encoding: Encoding, space: Space) -> Formula:
    """Words have one of their numbers; there is one more for what nobody mentions, and two more currencies."""
    bounds = [z3.And(encoding.day >= 1, encoding.day <= date.max.toordinal())]
    for axis in space.axes:
        fact = CATALOGUE.get(axis.name)
        if fact is not None and fact.type not in {FactType.INTEGER, FactType.MONEY}:
            words = [*axis.places, *_others(axis)]
            codes = [encoding.code(axis.name, word) for word in words]
            bounds.append(z3.Or([encoding.number(axis.name) == code for code in codes]))
    return z3.And(bounds)


def _others(axis: Axis) -> Sequence[FactValue]:
    if REST not in axis.pieces:
        return []
    if axis.name.endswith("currency"):
        return [code for code in sorted(CURRENCIES) if code not in axis.places][:2]
    return ["something nobody mentions"]
