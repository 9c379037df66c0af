"""draft: the reply, from templates with slots that code fills. It says what the verdicts allow and nothing else."""

from __future__ import annotations

from graph.dossier import Dossier
from graph.drafting import Draft, draft_of, paragraphs, plainer, questions
from graph.models.triage import Triage
from graph.planning import Plan
from graph.replies.render import spoken
from graph.sections import Sections
from graph.snapshot import Snapshot
from graph.step import Step, StepContext, hand_off
from graph.verdicts import Verdicts
from policies.vocabulary import Intent, Reason


async def draft(context: StepContext) -> Step:
    """Verdicts + slots + sections → a reply that a person or the settlement may release."""
    made = await compose(context, effected={})
    if not made.paragraphs:
        return hand_off(Reason.MISSING_DATA, note="there is nothing that could be said")
    said = [one.template.value for one in made.paragraphs]
    return Step("verify", artifacts={"draft": made}, body={"says": said, "cites": list(made.cites)})


async def compose(context: StepContext, *, effected: dict[str, str | None]) -> Draft:
    """The reply as it is now; `effected` has Stripe's word for each charge that was refunded.

    Where a first draft did not pass its checks, it is written without what others put into it: names, a carrier.
    """
    snapshot = await context.load("snapshot", Snapshot)
    triage = await context.load("triage", Triage)
    plan = await context.load("plan", Plan)
    language = spoken(triage.language)
    if context.state.get("asks", False):
        said = questions(plan)
    else:
        said = paragraphs(
            plan,
            await context.load("verdicts", Verdicts),
            await context.load("dossier", Dossier),
            await context.load("sections", Sections),
            effected,
        )
    shop = context.tenant.shop_name
    if context.state.get("plain", False):
        return draft_of(plainer(said), language=language, name="", shop=shop)
    is_upset = Intent.COMPLAINT in {one.intent for one in triage.intents}
    return draft_of(said, language=language, name=snapshot.requester_name, shop=shop, is_upset=is_upset)
