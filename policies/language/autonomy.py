"""`autonomy:` and `approvals:` of a policy file: tiers, the matrix, who says yes.

Tiers stand under `tiers:`, or directly under `autonomy:` with names that begin with `tier_`. Without a matrix the tiers
are bands over refunds: the least restrictive tier whose amount covers the refund applies.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from policies.document import DEFAULT_ROLES as ROLES
from policies.document import NO_AMOUNTS, Approvals, ApproverBand, Autonomy, Band, Cell, Tier
from policies.language.reader import Reader, value_of
from policies.language.tree import Entry, Node, Place, Scalar, Table
from policies.vocabulary import ActionKind, Intent, Mode

TIER_KEYS = (
    "mode",
    "at_most",
    "max_refund_usd",
    "min_confidence_percent",
    "hold",
    "approvers",
    "section",
    "require_policy_check",
    "during",
)
CELL_KEYS = ("intent", "segment", "action", "brand", "tier", "valid")
CAUTIOUS = (Mode.SHADOW, Mode.SUGGEST, Mode.DRAFT)
"""What a cell that nobody listed may be. Anything more must be listed."""

MAX_CELLS = 20_000

_ORDER = list(Mode)


class AutonomyReader:
    """Reads tiers, matrix and approvals of one file."""

    def __init__(
        self,
        reader: Reader,
        *,
        segments: tuple[str, ...],
        brands: tuple[str, ...],
        documents: tuple[str, ...],
        roles: tuple[str, ...],
    ) -> None:
        self._reader = reader
        self._segments = segments
        self._brands = brands
        self._documents = documents
        self._roles = roles

    def autonomy(self, node: Node | None) -> Autonomy:
        """The whole block."""
        if node is None:
            return Autonomy()
        reader = self._reader
        short = [entry for entry in reader.entries(node, "autonomy") if entry.key.text.startswith("tier_")]
        keys = ("tiers", "matrix", "default", *(entry.key.text for entry in short))
        entries = reader.table(node, "autonomy", keys) if isinstance(node, Table) else {}
        listed = [*reader.entries(value_of(entries, "tiers"), "tiers"), *short]
        tiers = tuple(self._tier(entry) for entry in listed)
        default = reader.choice(value_of(entries, "default"), "default", [mode.value for mode in CAUTIOUS])
        if "matrix" in entries:
            matrix = self._matrix(entries["matrix"].value, tuple(tier.name for tier in tiers))
        else:
            matrix = _bands_over_refunds(tiers)
        return Autonomy(tiers, matrix, Mode(default) if default is not None else Mode.DRAFT)

    def _tier(self, entry: Entry) -> Tier:
        reader, node = self._reader, entry.value
        entries = reader.table(node, f"tier {entry.key.text!r}", TIER_KEYS)
        mode = reader.choice(
            reader.required(entries, "mode", node.place, "a tier"),
            "mode",
            [mode.value for mode in Mode],
        )
        at_most = reader.amounts(value_of(entries, "at_most"), "at_most")
        if "max_refund_usd" in entries:
            usd = reader.amount(entries["max_refund_usd"].value, "usd")
            at_most = {**(at_most or {}), **({} if usd is None else {"usd": usd})}
            if "at_most" in entries:
                reader.wrong(
                    entries["max_refund_usd"].key.place, "at_most and max_refund_usd say the same", hint="keep one"
                )
        self._policy_check(entries.get("require_policy_check"))
        return Tier(
            name=reader.word(entry.key, "a tier's name") or "",
            mode=Mode(mode) if mode is not None else Mode.DRAFT,
            at_most=at_most,
            min_confidence_percent=reader.integer(
                value_of(entries, "min_confidence_percent"),
                "min_confidence_percent",
                most=100,
            )
            or 0,
            hold_s=reader.seconds(value_of(entries, "hold"), "hold") or 0,
            approvers=self._role_list(value_of(entries, "approvers")),
            section=reader.section(value_of(entries, "section"), self._documents),
            during=self._during(value_of(entries, "during")),
        )

    def _policy_check(self, entry: Entry | None) -> None:
        """Rules are asked for every action, so the switch may be stated but not turned off."""
        if entry is not None and self._reader.flag(entry.value, "require_policy_check") is False:
            self._reader.wrong(
                entry.value.place,
                "the policy check cannot be switched off",
                value="false",
                hint="remove the key",
            )

    def _during(self, node: Node | None) -> tuple[Band, ...]:
        reader = self._reader
        bands: list[Band] = []
        for item in reader.items(node, "during"):
            entries = reader.table(item, "an item of during", ("from", "until", "at_most"))
            first = reader.day(value_of(entries, "from"), "from")
            last = reader.day(reader.required(entries, "until", item.place, "a temporary amount"), "until")
            amounts = reader.amounts(
                reader.required(entries, "at_most", item.place, "a temporary amount"),
                "at_most",
            )
            bands.append(Band(reader.period(item, first, last, "during"), amounts or NO_AMOUNTS))
        return tuple(bands)

    def _role_list(self, node: Node | None) -> tuple[str, ...]:
        return self._reader.one_or_many(
            node,
            "approvers",
            lambda item: self._reader.choice(item, "a role", self._roles),
        )

    # the matrix

    def _matrix(self, node: Node, tiers: tuple[str, ...]) -> tuple[Cell, ...]:
        """Every cell once. A line of an extending file replaces the same cell of the file it extends."""
        cells: dict[tuple[object, ...], Cell] = {}
        places: dict[tuple[object, ...], Place] = {}
        for item in self._reader.items(node, "matrix"):
            for cell in self._cells(item, tiers):
                key = (cell.intent, cell.segment, cell.action, cell.brand, cell.window)
                first = places.get(key)
                if first is not None and first.file == item.place.file:
                    message = f"the cell of line {first.line} is listed again"
                    self._reader.wrong(item.place, message, hint="keep one of them")
                    break
                places[key] = item.place
                cells[key] = cell
            if len(cells) > MAX_CELLS:
                self._reader.wrong(item.place, f"the matrix has more than {MAX_CELLS:,} cells", hint="use '*'")
                break
        return tuple(cells.values())

    def _cells(self, node: Node, tiers: tuple[str, ...]) -> list[Cell]:
        """One line of the matrix. A list in a place stands for a line for each of its words."""
        reader = self._reader
        entries = reader.table(node, "a cell of the matrix", CELL_KEYS)
        tier = reader.choice(reader.required(entries, "tier", node.place, "a cell of the matrix"), "tier", tiers)
        window = reader.window(value_of(entries, "valid"))
        intents = self._any_of(entries.get("intent"), "intent", tuple(Intent))
        actions = self._any_of(entries.get("action"), "action", tuple(ActionKind))
        segments = self._any_of(entries.get("segment"), "segment", self._segments)
        brands = self._any_of(entries.get("brand"), "brand", self._brands)
        if tier is None:
            return []
        if len(intents) * len(segments) * len(actions) * len(brands) > MAX_CELLS:
            reader.wrong(node.place, f"the matrix has more than {MAX_CELLS:,} cells", hint="use '*'")
            return []
        return [
            Cell(
                None if intent is None else Intent(intent),
                segment,
                None if action is None else ActionKind(action),
                brand,
                tier,
                window,
            )
            for intent, segment, action, brand in product(intents, segments, actions, brands)
        ]

    def _any_of(self, entry: Entry | None, what: str, names: tuple[str, ...]) -> tuple[str | None, ...]:
        if entry is None or (isinstance(entry.value, Scalar) and entry.value.text == "*"):
            return (None,)
        return self._reader.one_or_many(entry.value, what, lambda item: self._reader.choice(item, what, names))

    # approvals

    def approvals(self, entries: Mapping[str, Entry]) -> Approvals:
        """The keys of `approvals:` that are about people; those about tools are read elsewhere."""
        reader = self._reader
        expires = reader.seconds(value_of(entries, "expire_after"), "expire_after")
        bands: list[ApproverBand] = []
        for item in reader.items(value_of(entries, "approvers"), "approvers"):
            bands.append(self._band(item, bands))
        return Approvals(
            expires_s=72 * 3600 if expires is None else expires,
            roles=self._roles,
            bands=tuple(bands),
            four_eyes_above=reader.amounts(value_of(entries, "four_eyes_above"), "four_eyes_above"),
        )

    def _band(self, node: Node, before: list[ApproverBand]) -> ApproverBand:
        """Bands go up: a larger amount never needs a less senior role."""
        reader = self._reader
        entries = reader.table(node, "a band of approvers", ("at_most", "roles"))
        at_most = reader.amounts(value_of(entries, "at_most"), "at_most")
        roles = self._role_list(reader.required(entries, "roles", node.place, "a band of approvers"))
        band = ApproverBand(at_most, roles)
        if before and not self._goes_up(before[-1], band):
            reader.wrong(
                node.place, "a band must go beyond the one before it", hint="larger amounts, roles at least as senior"
            )
        return band

    def _goes_up(self, lower: ApproverBand, upper: ApproverBand) -> bool:
        if lower.at_most is None:
            return False
        above = upper.at_most is None or all(
            minor > lower.at_most.get(currency, -1) for currency, minor in upper.at_most.items()
        )
        ranks = [[self._roles.index(role) for role in band.roles] or [0] for band in (lower, upper)]
        return above and min(ranks[0]) <= min(ranks[1])


def declared_roles(reader: Reader, node: Node | None) -> tuple[str, ...]:
    """`roles:` of `approvals:`, from the least to the most senior, or the usual three."""
    return reader.words(node, "roles") or ROLES


def _bands_over_refunds(tiers: tuple[Tier, ...]) -> tuple[Cell, ...]:
    """The cell that a file without a matrix means: refunds, up to its least restrictive tier."""
    if not tiers:
        return ()
    ceiling = max(tiers, key=lambda tier: (_ORDER.index(tier.mode), tier.name))
    return (Cell(None, None, ActionKind.REFUND, None, ceiling.name),)
