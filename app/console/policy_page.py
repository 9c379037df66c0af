"""The policy editor: the published file's text beside forms for its numbers, and a version with all that it needs.

A text that cannot be read is shown again as it was written, with every error at its line; nothing of it is stored, and
nothing is lost. What is stored, approved and published goes through the same calls as the API's.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.api.policies import LONGEST, BackWish, Decides, GateWish, PolicyCalls, PublishWish, Reasoned
from app.api.routing import Id
from app.console.examining import Examined, read_problems
from app.console.gating import cases_text
from app.console.words import done_text, money_text
from app.identity.accounts import names_of
from app.identity.roles import OVERSEERS, STEERERS
from app.policy_story import Story
from app.web.access import Refused, add, signed_in
from app.web.formats import formats_of
from app.web.forms import moment_of, read
from app.web.rendering import Renderer
from graph.lifecycle.models import GateResult, ScheduleState
from graph.lifecycle.requirements import SHOWN_HASH, Lacking, newest_results
from graph.rulebook import PolicyVersion, VersionState
from policies.analysis.words import effect_text
from policies.errors import PolicyFileError
from policies.gates.cases import CaseFileError
from policies.language.values import Value, ValueNotFound, values_of, with_value
from policies.whatif.comparing import Course

MOST_FIELDS: Final = 400
"""Numbers that get a field of their own; the rest is in the text."""
FIELD: Final = "v."
"""Begins the name of the field of a number."""
CONTEXT_LINES: Final = 3
_OPEN: Final = frozenset({ScheduleState.PENDING.value, ScheduleState.ACTIVE.value})


class VersionForm(BaseModel):
    """What the forms of a version send."""

    act: str = ""
    why: str = ""
    share: str = ""
    starts_at: str = ""
    ends_at: str = ""
    cases: str = ""


class NowForm(BaseModel):
    """What the forms about what decides now send."""

    act: str = ""
    why: str = ""
    schedule_id: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """The numbers of one part of the file."""

    title: str
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """The handlers."""

    policies: PolicyCalls
    renderer: Renderer

    async def show(self, tenant_id: str, request: Request) -> Response:
        """The editor with the text of what decides, or of another version."""
        asked = request.query_params
        versions = await self.policies.desk(tenant_id).versions()
        named = asked.get("of", "")
        chosen = next((one for one in versions if named and one.policy_hash.startswith(named)), None)
        chosen = chosen or next((one for one in versions if one.state == VersionState.PUBLISHED.value), None)
        text = chosen.source_text if chosen is not None else ""
        return await self._editor(tenant_id, request, Examined(text), told=asked.get("said", "")[:400])

    async def edit(self, tenant_id: str, request: Request) -> Response:
        """Read, check or store what was written. `act=read` and `part=examined` are the script's."""
        form = await request.form()
        act, written = _word(form, "act"), _word(form, "text").replace("\r\n", "\n")
        if act not in {"read", "check", "save"}:
            raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", "Choose check or save.")
        if len(written) > LONGEST:
            text = f"The text has more than {LONGEST} characters. Store it by `countersign policy draft FILE`."
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Not accepted", text)
        text, wrong = _with_fields(written, form)
        if act == "read" or wrong:
            found = Examined(text, problems=read_problems(text))
            return await self._editor(tenant_id, request, found, wrong=wrong, applied=text != written)
        if act == "save":
            try:
                version = await self.policies.store(signed_in(request), text)
            except PolicyFileError as error:
                found = Examined(text, problems=error.problems)
                wrong = "Nothing was stored: the text has the errors below. What you wrote is still here."
                return await self._editor(tenant_id, request, found, wrong=wrong, applied=text != written)
            told = "Stored. It decides nothing yet; below is what it would change and what it still needs."
            there = f"/t/{quote(tenant_id)}/policy/{version.policy_hash}?{urlencode({'said': told, 'remarks': 'yes'})}"
            return RedirectResponse(there, HTTPStatus.SEE_OTHER)
        found = await self.policies.examine(tenant_id, text)
        return await self._editor(tenant_id, request, found, is_checked=True, applied=text != written)

    async def version(self, tenant_id: str, policy_hash: Id, request: Request) -> Response:
        """A version: what it would change, what it needs, and what became of it."""
        desk = self.policies.desk(tenant_id)
        story = await self.policies.story(desk, policy_hash)
        version = story.compared.version
        looks = bool(request.query_params.get("remarks"))
        found = await self.policies.judge(version, with_remarks=looks)
        visitor, f = signed_in(request), formats_of(request, self.policies.guard.now())
        versions = await desk.versions()
        base = next((one for one in versions if one.policy_hash == story.compared.base_hash), None)
        canary = await desk.canary()
        return self.renderer.page(
            request,
            "policy_version.html",
            HTTPStatus.OK,
            tenant_id=tenant_id,
            version=version,
            story=story,
            found=found,
            lacking=[(one, _lack_words(one)) for one in story.lacking],
            names=await self._names(tenant_id, _people(story)),
            canary=canary if canary is not None and canary.policy_hash == version.policy_hash else None,
            calendar=[one for one in await desk.entries() if one.policy_hash == version.policy_hash],
            difference=_difference(base, version),
            gates=await self._gates(tenant_id, version.policy_hash),
            cases=self._written_cases(tenant_id),
            may_steer=bool(visitor.roles & STEERERS),
            is_author=visitor.actor == version.author,
            has_approved=visitor.actor in story.has.approvers,
            told=request.query_params.get("said", "")[:400],
            **_shown(f),
        )

    async def act(
        self, tenant_id: str, policy_hash: Id, request: Request, form: Annotated[VersionForm, Form()]
    ) -> Response:
        """Put a version through its gates, approve it, publish it, or go back to it."""
        match form.act:
            case "gates":
                gated = await self.policies.gate_version(policy_hash, _cases(form), request)
                told = "; ".join(
                    f"gate {one.gate}: {'passed' if one.passed else 'did not pass'}" for one in gated.items
                )
            case "approve":
                done = await self.policies.approve_version(policy_hash, read(Reasoned, why=form.why), request)
                told = "You approve of it." if done.changed else "You had approved of it before."
            case "publish" | "canary" | "schedule":
                wanted = read(
                    PublishWish,
                    why=form.why,
                    full=form.act == "publish",
                    share_percent=(form.share or "10") if form.act == "canary" else None,
                    starts_at=moment_of(form.starts_at) if form.act == "schedule" else None,
                    ends_at=moment_of(form.ends_at) if form.act == "schedule" else None,
                )
                told = _done(await self.policies.publish_version(policy_hash, wanted, request))
            case "return":
                wish = read(BackWish, why=form.why, policy_hash=policy_hash)
                told = _done(await self.policies.roll_back(wish, request))
            case _:
                raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", "Choose what to do with the version.")
        return _to(tenant_id, f"policy/{quote(policy_hash)}", told)

    async def now(self, tenant_id: str, request: Request, form: Annotated[NowForm, Form()]) -> Response:
        """Promote the canary, take back what decides, or take a change off the calendar."""
        match form.act:
            case "promote":
                told = _done(await self.policies.promote_canary(read(Reasoned, why=form.why), request))
            case "rollback":
                told = _done(await self.policies.roll_back(read(BackWish, why=form.why), request))
            case "cancel":
                await self.policies.cancel_change(form.schedule_id, read(Reasoned, why=form.why), request)
                told = "Taken off the calendar. What decides at this moment goes on deciding."
            case _:
                raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", "Choose promote, rollback or cancel.")
        return _to(tenant_id, "policy", told)

    async def _editor(
        self,
        tenant_id: str,
        request: Request,
        found: Examined,
        *,
        told: str = "",
        wrong: str = "",
        is_checked: bool = False,
        applied: bool = False,
    ) -> Response:
        visitor, desk = signed_in(request), self.policies.desk(tenant_id)
        form = await request.form() if request.method == "POST" else FormData()
        is_part = _word(form, "part") == "examined"
        versions, entries = ([], []) if is_part else (await desk.versions(), await desk.entries())
        canary = None if is_part else await desk.canary()
        fields, left_out = _fields(found.text)
        status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong and not is_part else HTTPStatus.OK
        people = [name for one in versions for name in (one.author, one.published_by or "")]
        return self.renderer.page(
            request,
            "policy_examined.html" if is_part else "policy.html",
            status,
            tenant_id=tenant_id,
            found=found,
            fields=fields,
            was=json.dumps({one.name: one.text for group in fields for one in group.values}),
            left_out=left_out,
            excerpts=[(one, _excerpt(found.text, one.line)) for one in found.problems],
            versions=versions,
            published=next((one for one in versions if one.state == VersionState.PUBLISHED.value), None),
            canary=canary,
            calendar=[one for one in entries if one.state in _OPEN],
            names=await self._names(tenant_id, [*people, *(one.made_by for one in entries)]),
            may_steer=bool(visitor.roles & STEERERS),
            is_checked=is_checked,
            applied=applied,
            told=told,
            wrong=wrong,
            **_shown(formats_of(request, self.policies.guard.now())),
        )

    async def _gates(self, tenant_id: str, policy_hash: str) -> Mapping[str, GateResult]:
        """The newest result of each gate."""
        async with self.policies.guard.sessions(tenant_id) as session:
            return await newest_results(session, tenant_id, policy_hash)

    def _written_cases(self, tenant_id: str) -> str:
        try:
            return cases_text(self.policies.files[tenant_id])[0]
        except CaseFileError:
            return ""

    async def _names(self, tenant_id: str, actors: Iterable[str]) -> Mapping[str, str]:
        async with self.policies.guard.sessions(tenant_id) as session:
            return await names_of(session, tenant_id, set(actors))


def routes(page: PolicyPage) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), page.policies.guard
    seeing, steering, below = guard.allow(OVERSEERS), guard.allow(STEERERS), "/t/{tenant_id}/policy"
    add(router, "GET", below, page.show, seeing)
    add(router, "POST", below, page.edit, steering)
    add(router, "POST", f"{below}/now", page.now, steering)
    add(router, "GET", f"{below}/{{policy_hash}}", page.version, seeing)
    add(router, "POST", f"{below}/{{policy_hash}}", page.act, steering)
    return router


def _cases(form: VersionForm) -> GateWish:
    return read(GateWish, cases=form.cases.replace("\r\n", "\n") if form.cases.strip() else None)


def _word(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _with_fields(text: str, form: FormData) -> tuple[str, str]:
    """The text with the numbers that were changed in their fields, and what could not be changed."""
    try:
        was = json.loads(_word(form, "was") or "{}")
    except ValueError:
        was = {}
    wrong: list[str] = []
    for name, value in form.multi_items():
        path = name.removeprefix(FIELD)
        if not name.startswith(FIELD) or not isinstance(value, str) or value.strip() == str(was.get(path, value)):
            continue
        try:
            text = with_value(text, path, value)
        except (ValueNotFound, PolicyFileError) as error:
            wrong.append(f"{path} was not changed: {error}")
    return text, "; ".join(wrong)


def _fields(text: str) -> tuple[list[Fields], int]:
    """The numbers of the file by part, and how many got no field."""
    try:
        values = values_of(text)
    except PolicyFileError:
        return [], 0
    shown = values[:MOST_FIELDS]
    groups = groupby(shown, key=lambda value: _part(value.path))
    return [Fields(title, list(group)) for title, group in groups], len(values) - len(shown)


def _part(path: Sequence[str]) -> str:
    """What the last word of a path is a number of: `autonomy, tiers, auto, at most`."""
    return ", ".join(word.replace("_", " ") for word in path[:-1]) or path[0]


def _excerpt(text: str, line: int) -> list[tuple[int, str]]:
    """The lines around one, with their numbers."""
    lines = text.split("\n")
    first, last = max(1, line - CONTEXT_LINES), min(len(lines), line + CONTEXT_LINES)
    return [(number, lines[number - 1][:200]) for number in range(first, last + 1)]


def _difference(base: PolicyVersion | None, version: PolicyVersion) -> list[str]:
    """The lines of the text that differ, as every tool for files shows them."""
    if base is None or base.policy_hash == version.policy_hash:
        return []
    lines = difflib.unified_diff(
        base.source_text.splitlines(),
        version.source_text.splitlines(),
        base.policy_hash[:SHOWN_HASH],
        version.policy_hash[:SHOWN_HASH],
        lineterm="",
    )
    return list(lines)


def _lack_words(lack: Lacking) -> str:
    """How to get what is missing, on the page."""
    if lack.what == "second_person":
        return "a second person, who did not write it, approves of it here"
    return f"gate {lack.what}: run the gates here"


def _people(story: Story) -> list[str]:
    version = story.compared.version
    told = [event.actor for event in story.events]
    return [version.author, version.published_by or "", *story.has.approvers, *told]


def _done(done: Decides) -> str:
    return done_text(changed=done.changed, share=done.share_percent, is_scheduled=done.schedule is not None)


def _to(tenant_id: str, place: str, told: str) -> Response:
    there = f"/t/{quote(tenant_id)}/{place}?{urlencode({'said': told})}"
    return RedirectResponse(there, HTTPStatus.SEE_OTHER)


def _shown(f: object) -> dict[str, object]:
    """What both templates spell with."""
    return {"f": f, "money": money_text, "effect": effect_text, "alone": Course.ALONE}
