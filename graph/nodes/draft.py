"""draft: the reply, from templates or in a model's words, with slots that code fills.

It says what the verdicts allow and nothing else. A model's words are kept with their slots open, so that `compose`
fills them anew without asking again.
"""

from __future__ import annotations

from graph.dossier import Dossier
from graph.drafting import Draft, Paragraph, draft_of, paragraphs, plainer, questions
from graph.models.drafts import WrittenDraft
from graph.models.gateway import Drafted
from graph.models.triage import Triage
from graph.models.use import Provider
from graph.planning import Plan
from graph.preferences import Preference, preferences_of
from graph.replies.render import spoken
from graph.sections import Sections
from graph.snapshot import Snapshot
from graph.state import RunState
from graph.step import Step, StepContext, hand_off
from graph.verdicts import Verdicts
from graph.wording import brief_of, worded
from policies.vocabulary import Intent, ModelRole, Reason


async def draft(context: StepContext) -> Step:
    """Verdicts + slots + sections → a reply that a person or the settlement may release."""
    said = await _said(context, {})
    if not said:
        return hand_off(Reason.MISSING_DATA, note="there is nothing that could be said")
    drafted = await _words(context, said)
    made = await _put(context, said, drafted.draft)
    body = {
        "says": [one.template.value for one in made.paragraphs],
        "cites": list(made.cites),
        "words": Provider.LOCAL.value if drafted.draft is None else Provider.CLAUDE.value,
    }
    words = {} if drafted.draft is None else {"words": drafted.draft}
    return Step("verify", RunState(words=None), {"draft": made, **words}, body=body, models=drafted.uses)


async def compose(context: StepContext, *, effected: dict[str, str | None]) -> Draft:
    """The reply as it is now; `effected` has Stripe's word for each charge that was refunded."""
    words = await context.load("words", WrittenDraft) if context.state.get("words") else None
    return await _put(context, await _said(context, effected), words)


async def _said(context: StepContext, effected: dict[str, str | None]) -> tuple[Paragraph, ...]:
    plan = await context.load("plan", Plan)
    if context.state.get("asks", False):
        return questions(plan)
    return paragraphs(
        plan,
        await context.load("verdicts", Verdicts),
        await context.load("dossier", Dossier),
        await context.load("sections", Sections),
        effected,
    )


async def _words(context: StepContext, said: tuple[Paragraph, ...]) -> Drafted:
    """A model's words for what is said; none where no model may be asked, or found good ones.

    Where a first draft did not pass its checks, the templates write the second.
    """
    snapshot = await context.load("snapshot", Snapshot)
    triage = await context.load("triage", Triage)
    errand = await context.errand(subject_id=snapshot.subject_id)
    if context.state.get("plain", False) or not context.runtime.gateway.asks(ModelRole.DRAFT, errand):
        return Drafted(None, ())
    brief = brief_of(
        said, await context.load("sections", Sections), language=await _language(context, snapshot, triage)
    )
    drafted = await context.runtime.gateway.draft(brief, snapshot.newest, errand=errand)
    context.spending.note(drafted.uses)
    return drafted


async def _put(context: StepContext, said: tuple[Paragraph, ...], words: WrittenDraft | None) -> Draft:
    """The paragraphs in these words, or in the templates' where there are none or they are for other paragraphs.

    Where a first draft did not pass its checks, it is written without what others put into it: names, a carrier.
    """
    snapshot = await context.load("snapshot", Snapshot)
    triage = await context.load("triage", Triage)
    language, shop = await _language(context, snapshot, triage), context.tenant.shop_name
    if context.state.get("plain", False):
        return draft_of(plainer(said), language=language, name="", shop=shop)
    if words is not None:
        sections = await context.load("sections", Sections)
        made = worded(words, said, sections, language=language, name=snapshot.requester_name, shop=shop)
        if made is not None:
            return made
    is_upset = Intent.COMPLAINT in {one.intent for one in triage.intents}
    return draft_of(said, language=language, name=snapshot.requester_name, shop=shop, is_upset=is_upset)


async def _language(context: StepContext, snapshot: Snapshot, triage: Triage) -> str:
    """That of the draft which was checked and released; before there is one, the customer's own or preferred one."""
    if context.node != "draft":
        return (await context.load("draft", Draft)).language
    async with context.runtime.sessions(context.tenant_id) as session:
        known = await preferences_of(
            session, context.runtime.vault, context.tenant_id, snapshot.subject_id, now=context.now
        )
    wanted = (one.value for one in known if one.name is Preference.REPLY_LANGUAGE)
    return next(wanted, spoken(triage.language))
