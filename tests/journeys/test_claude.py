"""A ticket understood and answered by Claude's double over the real SDK, from the webhook to the reply."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.db import Database
from app.sandboxed import CLAUDE_KEY, TENANT
from connectors.claude.client import ClaudeAdapter
from connectors.sandbox.claude.answers import Answer
from connectors.sandbox.faults import FaultKind
from graph.build import build
from graph.lifecycle.desk import Desk
from graph.models.claude import ClaudeModel
from graph.models.errand import Errand
from graph.models.gateway import Gateway
from graph.models.kept import KeptAnswers
from graph.models.outside import Outside
from graph.models.prompts import Prompts, shipped
from graph.replay.running import Forked, forks, newest_runs, understood_in_batch
from graph.runs.advance import Advancer
from policies.shelf import shipped_text
from policies.vocabulary import Intent, ModelRole, Outcome
from tests.journeys.shop import Mind, Shop, charged_twice, opened
from tests.journeys.test_policy_life import act, publishes

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"


@pytest.fixture
async def shop(
    mind: Mind, database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    """The shop, with Claude's double for understanding, wording and summing up."""
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(tmp_path))
    async with opened(mind, database, database_url, tmp_path) as ready:
        stripe = ready.settings.tenants[TENANT].stripe
        assert stripe is not None
        with ClaudeAdapter(CLAUDE_KEY, base_url=str(stripe.base_url), timeout_s=20.0) as adapter:
            kept = KeptAnswers(database.tenant, ready.runtime.vault, ready.clock.now, timedelta(days=1))
            orders = {ModelRole.TRIAGE: (HAIKU,), ModelRole.DRAFT: (SONNET,), ModelRole.SUMMARISE: (HAIKU,)}
            (tmp_path / "draft-short.md").write_text(f"{shipped('draft').text}\nKeep it short.\n")
            outside = Outside(ClaudeModel(adapter), orders, prompts=Prompts(tmp_path), kept=kept)
            local = mind.gateway._local
            runtime = replace(ready.runtime, gateway=Gateway(local, outside))
            saver = ready.advancer.machines[TENANT].checkpointer
            assert saver is not None
            assert not isinstance(saver, bool)
            ready.advancer = Advancer(runtime, {TENANT: build(runtime, saver)})
            yield ready


async def calls(shop: Shop) -> list[tuple[str, str, str]]:
    rows = await shop.rows("SELECT body FROM audit_event WHERE kind = 'model.called' ORDER BY seq")
    return [(row["body"]["role"], row["body"]["model"], row["body"]["outcome"]) for row in rows]


async def test_claude_understands_and_words_one_reply_and_code_fills_it(shop: Shop) -> None:
    ticket_id = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    await shop.looks_out()
    assert shop.refunds() == [("second", 2490, "usd")]
    assert (await shop.outcome(ticket_id)) == (Outcome.RESOLVED.value, None)
    assert await calls(shop) == [("triage", HAIKU, "done"), ("draft", SONNET, "done")]
    run = await shop.run(ticket_id)
    assert run["model_calls"] == 2
    assert 0 < run["input_tokens"] < 6_000
    (said,) = shop.said(ticket_id, public=True)
    assert "$24.90" in said
    assert "{" not in said
    drafted = await shop.rows("SELECT body FROM audit_event WHERE kind = 'node.completed' AND body->>'node' = 'draft'")
    assert [row["body"]["words"] for row in drafted] == ["claude"]
    await shop.balanced()

    # Recorded runs are understood anew in one batch, and nobody is asked once more when they are decided again.
    sessions, vault, gateway = shop.database.tenant, shop.runtime.vault, shop.runtime.gateway
    async with sessions(TENANT) as session:
        runs = await newest_runs(session, TENANT, since=None, limit=9)
    known = await understood_in_batch(sessions, vault, runs, gateway, look_every_s=0.1)
    assert [triage.primary for triage in known.values()] == [Intent.DUPLICATE_CHARGE]
    shop.goes_wrong("claude.messages.create", FaultKind.FORBIDDEN, times=9)
    decided = [
        one async for one in forks(sessions, vault, runs, policy=None, gateway=gateway, errand=Errand(), known=known)
    ]
    assert [one.flips for one in decided if isinstance(one, Forked)] == [()]
    assert shop.faults.struck == []


async def test_words_that_promise_a_figure_of_their_own_are_thrown_away_and_templates_speak(shop: Shop) -> None:
    shop.sandbox.doubles.claude.script(
        [
            Answer("this is no triage"),
            Answer({"language": "en", "text": "We pay you $500 {amount_1}.", "cites": [], "note": ""}),
        ]
    )
    ticket_id = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    await shop.looks_out()
    assert shop.refunds() == [("second", 2490, "usd")]
    assert [outcome for _, _, outcome in await calls(shop)] == ["unreadable", "done", "unreadable"]
    (said,) = shop.said(ticket_id, public=True)
    assert "500" not in said
    await shop.balanced()


async def test_a_hand_off_is_summed_up_and_an_outage_of_the_model_stops_nothing(shop: Shop) -> None:
    ticket_id = await shop.arrives(charged_twice(body="I was charged twice and my lawyer will sue you. Please refund."))
    (note,) = shop.said(ticket_id, public=False)
    assert "In short, by a model that read the messages: The customer says: I was charged twice" in note
    shop.goes_wrong("claude.messages.create", FaultKind.FORBIDDEN, times=9)
    other = await shop.arrives(charged_twice(subject="Charged twice for order 1042 again"))
    assert (await shop.run(other))["outcome"] is not None or (await shop.run(other))["wait_for"] is not None


async def worded_by(shop: Shop, number: int) -> tuple[str, str, str]:
    """A customer writes; the arm that decided, and the model and the prompt that worded the reply."""
    someone = {"email": f"ana{number}@customers.example", "name": "Ana Ruiz"}
    run = await shop.run(await shop.arrives(charged_twice(customer=someone)))
    (event,) = await shop.rows(
        """SELECT body FROM audit_event
            WHERE run_id = :run AND kind = 'model.called' AND body ->> 'role' = 'draft'""",
        run=run["run_id"],
    )
    return run["arm"], event["body"]["model"], event["body"]["prompt"]


async def test_another_model_and_prompt_are_tried_on_a_share_of_tickets_and_taken_back_in_one_act(shop: Shop) -> None:
    desk = Desk(lambda: shop.database.tenant(shop.tenant), shop.tenant)
    wish = f"\nmodels:\n  draft: {{order: [{HAIKU}], prompt: draft-short}}\n"
    canary = await publishes(shop, shipped_text() + wish, share=50)
    seen: dict[str, tuple[str, str]] = {}
    for number in range(20):
        arm, *words = await worded_by(shop, number)
        seen[arm] = (words[0], words[1])
        if len(seen) == 2:
            break
    assert seen == {"canary": (HAIKU, "draft-short"), "stable": (SONNET, "draft")}
    (begun,) = await shop.rows("SELECT body FROM audit_event WHERE kind = 'policy.canary_started'")
    assert (begun["body"]["policy_hash"], begun["body"]["share_percent"]) == (canary, 50)
    await desk.roll_back(None, act(shop, "ada"))
    assert {await worded_by(shop, number) for number in (31, 32, 33)} == {("stable", SONNET, "draft")}
