"""A policy over a whole history: the columnar twin of `policies.evaluate.decide`.

INVARIANT: verdict, mode, rule, section, certainty, approvers, two people and hold of each row are those of `decide`;
`tests/policies/whatif/test_deciding.py` compares them on random policies and facts, also unknown ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from policies.document import Policy, Rule
from policies.locked import FLAGS, HUMAN_ONLY, MOVES_MONEY
from policies.money import CURRENCIES
from policies.tables import RANK, Tables, tables_of
from policies.tools import TOOL_OF_ACTION, ToolEntry
from policies.vocabulary import ActionKind, Mode, Reason, Tool, Verdict
from policies.whatif.autonomy import Ladder, Rung, choice, on_days
from policies.whatif.expressions import Rows, Told, all_of, any_of, as_expression, certain, negated, unknown
from policies.whatif.grounds import NO_MATCH, Ground, rank, unsure
from policies.whatif.history import AMOUNT, CURRENCY, KIND, Kind, Prepared

ACTS: Final = frozenset({Mode.EXECUTE_WITH_REVIEW, Mode.EXECUTE_WITH_AUDIT, Mode.AUTO, Mode.POLICY_AUTONOMY})
LEAST_ACTING: Final = min(RANK[mode] for mode in ACTS)
VERDICTS: Final = tuple(Verdict)

_DENY, _ASK, _ALLOW = Verdict.DENY, Verdict.NEEDS_APPROVAL, Verdict.ALLOW
_MOST_IN_SMALL: Final = 2**31
_BELOW_ALL: Final = -1
"""What `policies.evaluate` compares with in a currency for which a band of approvers states no amount."""

_Claim = tuple[Told, Ground]


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a policy answers for every row.

    Args:
        by_kind: in the order of `Prepared.frame`: `row`, `verdict` (place in `VERDICTS`), `mode` (rank), `ground` (its
            place in `grounds`), `approvers` (place in `groups`), `four_eyes`, `hold_s`; where the answers are brief
            `row`, `verdict` and `mode` only.
        grounds: every rule that may have decided a row.
        groups: every set of roles of which somebody may have to say yes.
    """

    policy: Policy
    by_kind: pl.DataFrame
    grounds: tuple[Ground, ...]
    groups: tuple[tuple[str, ...], ...]

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The same in the order of the history."""
        return self.by_kind.sort("row").drop("row")

    @property
    def alone(self) -> pl.Series:
        """Whether nobody is asked, in the order of the history."""
        return self.frame.select(IS_ALONE).to_series()


IS_ALONE: Final = (pl.col("verdict") == VERDICTS.index(_ALLOW)) & (pl.col("mode") >= LEAST_ACTING)


def decide_all(policy: Policy, history: Prepared, *, is_brief: bool = False) -> Decisions:
    """The policy's answer for every recorded decision, at the time at which it was made.

    Args:
        policy: who answers.
        history: what is asked.
        is_brief: verdict and mode only, which is much quicker: no need to know which of the rules speaks first.
    """
    tables = tables_of(policy)
    grounds: dict[Ground, int] = {}
    groups: dict[tuple[str, ...], int] = {(): 0}
    parts = [
        _Group(policy, tables, history, kind, grounds, groups).decided(
            history.frame.slice(kind.offset, kind.length).lazy(), is_brief=is_brief
        )
        for kind in history.kinds
    ]
    answered = pl.concat(pl.collect_all(parts)) if parts else pl.DataFrame(schema=_SCHEMA)
    return Decisions(policy, history.frame.select("row").hstack(answered), tuple(grounds), tuple(groups))


_SCHEMA: Final = {
    "verdict": pl.UInt8,
    "mode": pl.UInt8,
    "ground": pl.UInt16,
    "approvers": pl.UInt16,
    "four_eyes": pl.Boolean,
    "hold_s": pl.Int64,
}


@dataclass(frozen=True, slots=True)
class _Group:
    """One kind of rows under one policy. `grounds` and `groups` number what all kinds share; they grow."""

    policy: Policy
    tables: Tables
    history: Prepared
    kind: Kind
    grounds: dict[Ground, int]
    groups: dict[tuple[str, ...], int]

    @property
    def rows(self) -> Rows:
        return Rows(self.kind.fixed, self.history.words, self.kind.known)

    @property
    def action(self) -> ActionKind | None:
        word = self.kind.value(KIND)
        return None if word is None else ActionKind(str(word))

    def decided(self, frame: pl.LazyFrame, *, is_brief: bool) -> pl.LazyFrame:
        """The answers for the rows, in their order."""
        ladder = Ladder(self.policy, self.tables, self.rows)
        rung = ladder.rung()
        said = [_said(rule, self.rows) for rule in self.policy.rules]
        ruled = [(truth, rule) for truth, rule in zip(said, self.policy.rules, strict=True) if truth is not False]
        for columns in (
            {"ceiling": rung.ceiling, **{_column(rule): truth for truth, rule in ruled if isinstance(truth, pl.Expr)}},
            {"tier": rung.tier},
            {"mode": rung.mode},
        ):
            frame = frame.with_columns(**columns)
        rules = [(pl.col(_column(rule)) if isinstance(truth, pl.Expr) else truth, rule) for truth, rule in ruled]
        claims = [claim for truth, rule in rules for claim in self._claims(truth, rule)]
        claims += [*_locked(self.action, self.rows), *self._of_tools(), *self._of_risk()]
        claims += self._uncapped()
        if is_brief:
            claims += ladder.lowered_at_all(rung)
            return frame.select("mode", verdict=_verdict(claims))
        claims += ladder.lowered(rung)
        return self._answered(frame, claims, rung, rules)

    def _answered(
        self, frame: pl.LazyFrame, claims: Sequence[_Claim], rung: Rung, rules: Sequence[tuple[Told, Rule]]
    ) -> pl.LazyFrame:
        """Everything: also which rule decided, and who must say yes."""
        ordered = sorted(
            ((holds, ground) for holds, ground in claims if holds is not False and holds is not None),
            key=lambda claim: rank(claim[1], self.tables.rules),
        )
        ground = choice([(holds, self._number(ground)) for holds, ground in ordered], self._number(NO_MATCH))
        effects = pl.Series([VERDICTS.index(each.effect) for each in self.grounds], dtype=pl.UInt8)
        verdict = pl.lit(effects).gather(pl.col("ground"))
        acts = IS_ALONE
        moves = self.action in MOVES_MONEY
        hold = choice([(pl.col("tier") == place, tier.hold_s) for place, tier in enumerate(rung.tiers)], 0, pl.Int64)
        return (
            frame.with_columns(ground=ground)
            .with_columns(verdict=verdict)
            .select(
                "verdict",
                "mode",
                "ground",
                approvers=pl.when(acts | (pl.col("verdict") == VERDICTS.index(_DENY)))
                .then(pl.lit(0, pl.UInt16))
                .otherwise(self._approvers(rung, rules)),
                four_eyes=~acts & as_expression(self._four_eyes()) if moves else pl.lit(value=False),
                hold_s=pl.when(acts).then(hold).otherwise(0) if moves else pl.lit(0, pl.Int64),
            )
        )

    def _number(self, ground: Ground) -> int:
        return self.grounds.setdefault(ground, len(self.grounds))

    def _of_tools(self) -> list[_Claim]:
        tool = TOOL_OF_ACTION.get(self.action) if self.action is not None else None
        if self.policy.tools.silent or tool is None:
            return []
        lists = self.policy.tools
        claims: list[_Claim] = []
        earlier: list[Told] = []  # entries that spoke for certain
        unsure_earlier: list[Told] = []
        doubts: list[tuple[Told, str]] = []
        for entries, verdict, word in ((lists.deny, _DENY, "tools.deny"), (lists.approve, _ASK, "approvals")):
            for entry in entries:
                speaks = self._speaks(entry, tool)
                name = f"{word}:{entry.written}"
                cause = Reason.POLICY_DENIED if verdict is _DENY else Reason.NEEDS_APPROVAL
                claims.append((all_of([certain(speaks), *map(negated, earlier)]), Ground(name, None, verdict, cause)))
                doubts.append((all_of([unknown(speaks), *map(negated, unsure_earlier)]), name))
                earlier.append(certain(speaks))
                unsure_earlier.append(unknown(speaks))
        silent = negated(any_of(earlier))
        return [*claims, *self._unless_said(tool, silent, doubts)]

    def _unless_said(self, tool: Tool, silent: Told, doubts: Sequence[tuple[Told, str]]) -> Iterator[_Claim]:
        """What the lists say where no entry of the deny and approval lists spoke for certain."""
        allow = self.policy.tools.allow
        named = [(certain(self._speaks(entry, tool)), entry.written) for entry in allow or ()]
        is_named = any_of(holds for holds, _ in named) if allow is not None else True
        for holds, name in doubts:
            ground = Ground(name, None, _ASK, Reason.NEEDS_APPROVAL, is_certain=False)
            yield all_of([silent, is_named, holds]), ground
        if allow is None:
            return
        missing = Ground(f"tools.allow:{tool.value} is not in it", None, _DENY, Reason.POLICY_DENIED)
        yield all_of([silent, negated(is_named)]), missing
        if not self.tables.grants_by_tools:
            return
        in_doubt = any_of(holds for holds, _ in doubts)
        before: list[Told] = []
        for holds, name in named:
            first = all_of([silent, negated(in_doubt), holds, *map(negated, before)])
            yield first, Ground(f"tools.allow:{name}", None, _ALLOW, None)
            before.append(holds)

    def _speaks(self, entry: ToolEntry, tool: Tool) -> Told:
        if tool not in entry.tools:
            return False
        if entry.over is None:
            return True
        amount, same = self.rows.number(AMOUNT), self.rows.is_word(CURRENCY, {entry.over.currency})
        if amount is None or same is False or same is None:
            return None
        above = amount > entry.over.minor
        return above if same is True else pl.when(same).then(above)

    def _of_risk(self) -> Iterator[_Claim]:
        bar = self.policy.risk.approve_at
        if bar is None:
            return
        factors = self.policy.risk.factors
        small = sum(abs(factor.points) for factor in factors) < _MOST_IN_SMALL
        number = pl.Int32 if small else pl.Int64
        score: pl.Expr = pl.lit(0, number)
        for factor in factors:
            truth, is_sure = self.rows.truth(factor.condition), self.rows.is_sure(factor.condition)
            counts_unknown = factor.points > 0 and not factor.skip_unknown
            sure = truth if is_sure else certain(truth)
            counts = any_of([sure, unknown(truth) if counts_unknown and not is_sure else False])
            if counts is not False:
                score = score + as_expression(counts).cast(number) * pl.lit(factor.points, number)
        yield score >= bar, Ground("risk.score", None, _ASK, Reason.SUSPECTED_ABUSE)

    def _uncapped(self) -> Iterator[_Claim]:
        """A limit without an amount in the row's currency lets nothing act alone."""
        if self.action not in MOVES_MONEY:
            return
        acts = pl.col("mode") >= LEAST_ACTING
        for limit in self.policy.limits:
            if limit.amounts is not None:
                silent = negated(certain(self.rows.is_word(CURRENCY, set(limit.amounts))))
                ground = Ground(f"limits.{limit.limit_id}", None, _ASK, Reason.NEEDS_APPROVAL)
                yield all_of([acts, silent]), ground

    def _claims(self, truth: Told, rule: Rule) -> Iterator[_Claim]:
        ground = Ground(rule.rule_id, rule.section, rule.effect, rule.cause)
        yield (False if truth is None else truth), ground
        if rule.effect is not _ALLOW and not rule.skip_unknown and not self.rows.is_sure(rule.condition):
            yield unknown(truth), unsure(ground)

    # who must say yes

    def _approvers(self, rung: Rung, rules: Sequence[tuple[Told, Rule]]) -> pl.Expr:
        if self.action in HUMAN_ONLY:
            return pl.lit(0, pl.UInt16)
        asked: dict[tuple[str, ...], list[Told]] = {}
        for truth, rule in rules:
            if rule.approvers:
                claims = [holds for holds, ground in self._claims(truth, rule) if ground.effect is _ASK]
                asked.setdefault(rule.approvers, []).extend(claims)
        for place, tier in enumerate(rung.tiers):
            if tier.approvers:
                asked.setdefault(tier.approvers, []).append(pl.col("tier") == place)
        for holds, group in self._bands():
            asked.setdefault(group, []).append(holds)
        roles = self.policy.approvals.roles
        senior_first = sorted(asked, key=lambda group: (min(roles.index(role) for role in group), group), reverse=True)
        options = [(any_of(asked[group]), self._group(group)) for group in senior_first]
        return choice(options, self._group((roles[0],)))

    def _bands(self) -> Iterator[tuple[Told, tuple[str, ...]]]:
        """Whether each band's roles are asked: the first that covers the amount, the last where none does."""
        if self.action not in MOVES_MONEY:
            return
        bands = self.policy.approvals.bands
        amount = self.rows.number(AMOUNT)
        before: list[Told] = []
        for band in bands:
            if band.at_most is None:
                covers: Told = True
            else:
                bounds = {currency: band.at_most.get(currency, _BELOW_ALL) for currency in CURRENCIES}
                bound = self.rows.by_word(CURRENCY, bounds)
                covers = False if amount is None or bound is None else certain(amount <= bound)
            yield all_of([covers, *map(negated, before)]), band.roles
            before.append(covers)
        if bands:
            yield negated(any_of(before)), bands[-1].roles

    def _group(self, group: tuple[str, ...]) -> int:
        return self.groups.setdefault(group, len(self.groups))

    def _four_eyes(self) -> Told:
        above = self.policy.approvals.four_eyes_above
        if above is None:
            return False
        amount = self.rows.number(AMOUNT)
        if amount is None or self.rows.is_unknown(CURRENCY) is True:
            return True
        bound = self.rows.by_word(CURRENCY, above)
        over = amount > (pl.lit(0) if bound is None else bound.fill_null(0))
        return any_of([self.rows.is_unknown(AMOUNT), self.rows.is_unknown(CURRENCY), certain(over)])


def _verdict(claims: Sequence[_Claim]) -> pl.Expr:
    """Deny beats needs_approval beats allow; where nothing allows, a person decides."""
    denies, asks, allows = (
        any_of(holds for holds, ground in claims if ground.effect is effect and holds is not None)
        for effect in (_DENY, _ASK, _ALLOW)
    )
    unless_allowed = any_of([asks, negated(certain(allows))])
    options = [(denies, VERDICTS.index(_DENY)), (unless_allowed, VERDICTS.index(_ASK))]
    return choice(options, VERDICTS.index(_ALLOW), pl.UInt8)


def _column(rule: Rule) -> str:
    return f"rule {rule.rule_id}"


def _said(rule: Rule, rows: Rows) -> Told:
    """What the rule's condition answers; false on days on which the rule does not hold."""
    truth, valid = rows.truth(rule.condition), on_days(rule.window)
    return truth if valid is True else all_of([truth, valid])


def _locked(action: ActionKind | None, rows: Rows) -> Iterator[_Claim]:
    """The built-in rules of `policies.locked`."""
    if action is None or action in HUMAN_ONLY:
        yield True, Ground("locked.human-only", None, _ASK, Reason.OUT_OF_SCOPE, is_certain=action is not None)
    asked: list[tuple[Told, Ground]] = []
    for rule, kinds, effect, name, wrong, _, cause in FLAGS:
        if action in kinds:
            flag = rows.flag(name)
            asked.append((flag if wrong else negated(flag), Ground(rule, None, effect, cause)))
    if action is ActionKind.REFUND:
        amount, left = rows.number(AMOUNT), rows.number("charge.refundable_minor")
        asked += [
            (None if amount is None else amount <= 0, _forbidden("locked.no-amount")),
            (_other_currency(rows), _forbidden("locked.currency")),
            (None if amount is None or left is None else amount > left, _forbidden("locked.remaining")),
        ]
    for truth, ground in asked:
        yield (False if truth is None else truth), ground
        yield unknown(truth), unsure(ground)


def _forbidden(rule: str) -> Ground:
    return Ground(rule, None, _DENY, Reason.POLICY_DENIED)


def _other_currency(rows: Rows) -> Told:
    ours, theirs = rows.fixed.get(CURRENCY), rows.fixed.get("charge.currency")
    if rows.is_unknown(CURRENCY) is True or rows.is_unknown("charge.currency") is True:
        return None
    if ours is not None:
        return negated(rows.is_word("charge.currency", {ours}))
    if theirs is not None:
        return negated(rows.is_word(CURRENCY, {theirs}))
    return pl.col(CURRENCY) != pl.col("charge.currency")
