"""Policy versions for programs and for the editor: look at a text, store it, put it through the gates, let it decide.

Everything goes through `graph.lifecycle`, as the commands do: what loosens needs its gates and a second person, who is
an account of a person and never a token of a program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field, JsonValue, StringConstraints
from starlette.requests import Request

from app.api.access import Called
from app.api.routing import Id, bad, call, conflict, missing
from app.console.examining import NAME, Examined, examined, judged
from app.console.gating import cases_text, put_through
from app.console.past import Pasts
from app.console.thresholds import deciding_version
from app.identity.roles import OVERSEERS, STEERERS, Role
from app.identity.service_tokens import Scope
from app.identity.sessions import Visitor
from app.policy_files import standing_alone
from app.policy_story import Story, story_of
from app.policy_words import canary_form, entry_form, version_form
from app.web.access import Guard, Refused, signed_in
from graph.lifecycle.desk import Compared, Desk, Wish
from graph.lifecycle.models import PolicySchedule
from graph.lifecycle.publishing import Act, Answer, Done
from graph.lifecycle.publishing import Refused as NotDone
from graph.rulebook import PolicyVersion, load_policy
from policies.analysis.compare import Comparison
from policies.analysis.report import comparison_form
from policies.errors import PolicyFileError
from policies.gates.cases import CaseFileError
from policies.shelf import from_library
from policies.whatif.comparing import Course, Side, WhatIf

READERS: Final = OVERSEERS | {Role.SERVICE}
LONGEST: Final = 200_000
"""Characters of a text that is looked at here. A longer one goes by the command line."""
SHORTEST_PREFIX: Final = 6

Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class PolicyText(BaseModel):
    """The text of a policy file."""

    text: str = Field(max_length=LONGEST)


class ProblemForm(BaseModel):
    """What keeps a text from being a policy, and where."""

    line: int
    column: int
    message: str
    value: str | None
    nearest: str | None
    hint: str | None


class RemarkForm(BaseModel):
    """What is probably not meant. A note is worth knowing and no fault."""

    kind: str
    about: str
    message: str
    line: int | None
    is_note: bool


class CourseForm(BaseModel):
    """How many recorded decisions go one way, and the money that they are about, in minor units by currency."""

    decisions: int
    money_minor: dict[str, int]


class PastForm(BaseModel):
    """What would have been otherwise in the recorded decisions."""

    decisions: int
    flipped_tickets: int
    loosened: int
    tightened: int
    alone_before: CourseForm
    alone_after: CourseForm
    worst_day_before: dict[str, int | None]
    worst_day_after: dict[str, int | None]
    digest: str


class ExaminedForm(BaseModel):
    """A text as it was found. `change` is the comparison with what decides now, as `policy diff --json` writes it."""

    ok: bool
    policy_hash: str | None
    problems: list[ProblemForm]
    remarks: list[RemarkForm]
    change: dict[str, JsonValue] | None
    past: PastForm | None


class VersionForm(BaseModel):
    """A version: stored by the hash of its meaning and never changed."""

    policy_hash: str
    policy_id: str
    state: str
    author: str
    created_at: datetime
    published_at: datetime | None
    published_by: str | None
    share_percent: int | None


class CalendarForm(BaseModel):
    """A change that takes effect, or reverts, by itself."""

    schedule_id: str
    policy_hash: str
    state: str
    starts_at: datetime
    ends_at: datetime | None
    reverts_to: str | None
    made_by: str
    why: str
    note: str | None


class Versions(BaseModel):
    """Every version, what is on the calendar, and how both arms of a canary fare."""

    items: list[VersionForm]
    calendar: list[CalendarForm]
    canary: dict[str, JsonValue]


class LackForm(BaseModel):
    """One thing that a version lacks to decide instead of the one that decides now: a gate, or `second_person`."""

    what: str
    do: str


class VersionStory(VersionForm):
    """A version with its text, what it would change now, and what gates and people said."""

    source: str
    compared_with: str | None
    direction: str
    loosens: bool
    changes: list[str]
    changes_total: int
    gates: dict[str, bool]
    approved_by: list[str]
    lacking: list[LackForm]
    history: list[dict[str, JsonValue]]


class GateForm(BaseModel):
    """What a gate found."""

    gate: str
    passed: bool
    figures: dict[str, JsonValue]


class Gated(BaseModel):
    """What the gates found about a version."""

    items: list[GateForm]


class GateWish(BaseModel):
    """The text of the file of cases; that beside the settings' policy file where none is sent."""

    cases: str | None = Field(default=None, max_length=LONGEST)


class Reasoned(BaseModel):
    """Why; people and the log read it."""

    why: Why


class PublishWish(Reasoned):
    """How a version shall decide: for a share of the tickets, for all, from a time on, until a time."""

    share_percent: int | None = Field(default=None, ge=1, le=99)
    full: bool = False
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None


class BackWish(Reasoned):
    """What shall decide again; the canary is taken back, or the version before decides, where none is named."""

    policy_hash: str | None = Field(default=None, max_length=64, pattern=r"^[0-9a-f]*$")


class Decides(BaseModel):
    """What became of it. `changed` is false where it was so already; `schedule` where it waits for its time."""

    policy_hash: str
    before: str | None = None
    share_percent: int | None = None
    changed: bool = True
    schedule: CalendarForm | None = None


@dataclass(frozen=True, slots=True)
class PolicyCalls:
    """The handlers, which the pages use, too. `files` are the policy files that the tenants' settings name."""

    guard: Guard
    pasts: Pasts
    new_id: Callable[[str], str]
    files: Mapping[str, str]

    async def list_versions(self, request: Request) -> Versions:
        """List the versions, the calendar, and the canary."""
        desk = self.desk(signed_in(request).tenant_id)
        return Versions(
            items=[VersionForm.model_validate(version_form(one)) for one in await desk.versions()],
            calendar=[CalendarForm.model_validate(entry_form(one)) for one in await desk.entries()],
            canary=_plain(canary_form(await desk.canary())),
        )

    async def check_policy(self, wanted: PolicyText, request: Request) -> ExaminedForm:
        """Say what is wrong with a text and what it would change; nothing is stored."""
        return examined_form(await self.examine(signed_in(request).tenant_id, wanted.text))

    async def store_policy(self, wanted: PolicyText, request: Request) -> VersionForm:
        """Store a text as a version that decides nothing yet. Stored again it is the same version."""
        try:
            return VersionForm.model_validate(version_form(await self.store(signed_in(request), wanted.text)))
        except PolicyFileError as error:
            raise bad(f"Line {error.problems[0].line}: {error.problems[0].message}. Nothing was stored.") from error

    async def show_version(self, policy_hash: Id, request: Request) -> VersionStory:
        """Show a version: its text, what it would change now, what gates and people said, and its history."""
        desk = self.desk(signed_in(request).tenant_id)
        return story_form(await self.story(desk, policy_hash))

    async def gate_version(self, policy_hash: Id, wanted: GateWish, request: Request) -> Gated:
        """Put a version through the gates `cases` and `analysis`; the result is written down."""
        visitor = signed_in(request)
        desk = self.desk(visitor.tenant_id)
        version = await self.version(desk, policy_hash)
        try:
            written = (wanted.cases, "the cases that were sent") if wanted.cases is not None else None
            cases, name = written or cases_text(self.files[visitor.tenant_id])
            found = await put_through(desk, version, cases, name, self._act(visitor, "gate"))
        except CaseFileError as error:
            raise conflict(_sentence(str(error))) from error
        return Gated(items=[GateForm(gate=one.gate, passed=one.passed, figures=_plain(one.figures)) for one in found])

    async def approve_version(self, policy_hash: Id, wanted: Reasoned, request: Request) -> Decides:
        """Say yes, as the second person, to letting a version replace exactly the one that decides now."""
        visitor = signed_in(request)
        if Role.SERVICE in visitor.roles:
            text = "A second person is a person: a program's account does not say yes to what loosens."
            raise Refused(HTTPStatus.FORBIDDEN, "Not allowed", text)
        desk = self.desk(visitor.tenant_id)
        compared = await desk.compared(await self.version(desk, policy_hash))
        return _decides(await desk.approve(compared, self._act(visitor, wanted.why)))

    async def publish_version(self, policy_hash: Id, wanted: PublishWish, request: Request) -> Decides:
        """Let a version decide, now or at its time. What loosens needs its gates and a second person."""
        visitor, now = signed_in(request), self.guard.now()
        if wanted.share_percent is not None and (wanted.full or wanted.starts_at or wanted.ends_at):
            raise bad("A share of the tickets goes with no time and not with `full`: a canary ends by a person.")
        if wanted.ends_at is not None and wanted.ends_at <= max(now, wanted.starts_at or now):
            raise bad("The end lies before the beginning. Give a later end, or none.")
        desk = self.desk(visitor.tenant_id)
        compared = await desk.compared(await self.version(desk, policy_hash))
        wish = Wish(wanted.share_percent, wanted.full, wanted.starts_at, wanted.ends_at)
        return _decides(await desk.publish(compared, wish, self._act(visitor, wanted.why)))

    async def promote_canary(self, wanted: Reasoned, request: Request) -> Decides:
        """Let the canary decide every ticket."""
        visitor = signed_in(request)
        return _decides(await self.desk(visitor.tenant_id).promote(self._act(visitor, wanted.why)))

    async def roll_back(self, wanted: BackWish, request: Request) -> Decides:
        """Take back the canary, or what decides now; one person may. What it holds without a yes is stopped."""
        visitor = signed_in(request)
        desk = self.desk(visitor.tenant_id)
        chosen = (await self.version(desk, wanted.policy_hash)).policy_hash if wanted.policy_hash else None
        return _decides(await desk.roll_back(chosen, self._act(visitor, wanted.why)))

    async def cancel_change(self, schedule_id: Id, wanted: Reasoned, request: Request) -> CalendarForm:
        """Take a change off the calendar. What decides at this moment goes on deciding."""
        visitor = signed_in(request)
        answer = await self.desk(visitor.tenant_id).unschedule(schedule_id, self._act(visitor, wanted.why))
        if isinstance(answer, NotDone):
            raise conflict(_sentence(answer.why))
        return CalendarForm.model_validate(entry_form(answer))

    # what the pages use as values

    def desk(self, tenant_id: str) -> Desk:
        """The tenant's versions."""
        return Desk(lambda: self.guard.sessions(tenant_id), tenant_id)

    async def examine(self, tenant_id: str, text: str) -> Examined:
        """A text, beside what decides now and over the recorded decisions."""
        async with self.guard.sessions(tenant_id) as session:
            found = await deciding_version(session, tenant_id)
        return await examined(text, found[1] if found is not None else None, await self.pasts.of(tenant_id))

    async def judge(self, version: PolicyVersion, *, with_remarks: bool) -> Examined:
        """The same of a version that is stored."""
        tenant_id = version.tenant_id
        async with self.guard.sessions(tenant_id) as session:
            found = await deciding_version(session, tenant_id)
            policy = await load_policy(session, tenant_id, version.policy_hash)
        base, past = found[1] if found is not None else None, await self.pasts.of(tenant_id)
        return await judged(version.source_text, policy, base, past, with_remarks=with_remarks)

    async def store(self, visitor: Visitor, text: str) -> PolicyVersion:
        """The text as a version; who sends it first is its author.

        Raises:
            PolicyFileError: the text cannot be read.
        """
        whole = standing_alone(text, name=NAME, resolve=from_library)
        return await self.desk(visitor.tenant_id).draft(whole, self._act(visitor, ""))

    async def version(self, desk: Desk, beginning: str) -> PolicyVersion:
        """The one version whose hash begins so.

        Raises:
            Refused: there is none, or there are several.
        """
        is_long = len(beginning) >= SHORTEST_PREFIX
        found = [one for one in await desk.versions() if is_long and one.policy_hash.startswith(beginning)]
        if len(found) != 1:
            raise missing("policy version", beginning)
        return found[0]

    async def compared(self, desk: Desk, beginning: str) -> Compared:
        """The version beside what decides now."""
        return await desk.compared(await self.version(desk, beginning))

    async def story(self, desk: Desk, beginning: str) -> Story:
        """What can be told about a version."""
        return await story_of(desk, await self.compared(desk, beginning))

    def _act(self, visitor: Visitor, why: str) -> Act:
        return Act(visitor.actor, self.guard.now(), why, self.new_id)


def routes(policies: PolicyCalls) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), policies.guard
    reading = Called(guard, READERS, Scope.READ)
    steering = Called(guard, STEERERS, Scope.STEER)
    call(router, "GET", "/policies", policies.list_versions, reading, gives=Versions)
    call(router, "POST", "/policies/check", policies.check_policy, steering, gives=ExaminedForm)
    made = HTTPStatus.CREATED
    call(router, "POST", "/policies", policies.store_policy, steering, gives=VersionForm, status=made)
    call(router, "POST", "/policies/promote", policies.promote_canary, steering, gives=Decides)
    call(router, "POST", "/policies/rollback", policies.roll_back, steering, gives=Decides)
    cancel = "/policies/calendar/{schedule_id}/cancel"
    call(router, "POST", cancel, policies.cancel_change, steering, gives=CalendarForm)
    call(router, "GET", "/policies/{policy_hash}", policies.show_version, reading, gives=VersionStory)
    call(router, "POST", "/policies/{policy_hash}/gates", policies.gate_version, steering, gives=Gated)
    call(router, "PUT", "/policies/{policy_hash}/approval", policies.approve_version, steering, gives=Decides)
    call(router, "POST", "/policies/{policy_hash}/publish", policies.publish_version, steering, gives=Decides)
    return router


def examined_form(found: Examined) -> ExaminedForm:
    """What was found about a text, for a program."""
    return ExaminedForm(
        ok=found.policy is not None,
        policy_hash=None if found.policy is None else found.policy.content_hash,
        problems=[ProblemForm.model_validate(one, from_attributes=True) for one in found.problems],
        remarks=[
            RemarkForm(
                kind=one.finding.kind.value,
                about=one.finding.about,
                message=one.finding.message,
                line=one.line,
                is_note=one.finding.is_note,
            )
            for one in found.remarks or ()
        ],
        change=None if found.comparison is None else _change(found.comparison),
        past=None if found.past is None else _past(found.past),
    )


def story_form(story: Story) -> VersionStory:
    """The story for a program."""
    version = story.compared.version
    return VersionStory.model_validate({**version_form(version), **story.form(), "source": version.source_text})


def _change(comparison: Comparison) -> dict[str, JsonValue]:
    return _plain(comparison_form(comparison))


def _past(found: WhatIf) -> PastForm:
    return PastForm(
        decisions=found.rows,
        flipped_tickets=found.flipped_tickets,
        loosened=found.loosened,
        tightened=found.tightened,
        alone_before=_alone(found.before),
        alone_after=_alone(found.after),
        worst_day_before=dict(found.before.worst_day or {}),
        worst_day_after=dict(found.after.worst_day or {}),
        digest=found.digest,
    )


def _alone(side: Side) -> CourseForm:
    tally = side.courses[Course.ALONE]
    return CourseForm(decisions=tally.decisions, money_minor=dict(tally.money_minor))


def _decides(answer: Answer | PolicySchedule) -> Decides:
    """What was done.

    Raises:
        Refused: nothing was, and why.
    """
    match answer:
        case NotDone():
            raise conflict(_sentence(answer.why))
        case Done():
            return Decides(
                policy_hash=answer.policy_hash,
                before=answer.before,
                share_percent=answer.share,
                changed=answer.changed,
            )
        case PolicySchedule():
            entry = CalendarForm.model_validate(entry_form(answer))
            return Decides(policy_hash=answer.policy_hash, schedule=entry)


def _sentence(told: str) -> str:
    return f"{told[:1].upper()}{told[1:]}."


def _plain(form: Mapping[str, object]) -> dict[str, JsonValue]:
    """Values as JSON has them; what was built as JSON values is typed as objects."""
    return dict(form)  # type: ignore[arg-type]  # pydantic looks at every one of them
