"""A canary that fares worse than chance allows is taken back by itself, and its event says why."""

from __future__ import annotations

from datetime import datetime

import pytest

from graph.audit.log import NewEvent, append_all
from graph.lifecycle.canary import Arm, Figures, watch_canary
from graph.lifecycle.publishing import Done
from graph.models.use import ModelUse, Provider
from graph.rulebook import VersionState
from graph.runs.models import Run
from tests.graph.lifecycle.versions import Office, policy_text


def seen(canary: tuple[int, int], stable: tuple[int, int]) -> Figures:
    """Errors of runs, on either arm."""
    return Figures("hash", 10, Arm(canary[1], canary[0], 0, 0, 0), Arm(stable[1], stable[0], 0, 0, 0))


@pytest.mark.parametrize(
    ("canary", "stable", "worse"),
    [
        ((5, 20), (1, 200), True),
        ((5, 19), (1, 200), False),
        ((2, 20), (0, 10_000), False),
        ((3, 20), (0, 100), False),
        ((3, 20), (0, 2_000), True),
        ((10, 100), (100, 1_000), False),
        ((20, 20), (1_000, 1_000), False),
        ((9, 20), (0, 19), False),
        ((10, 20), (0, 19), True),
    ],
    ids=["clear", "too-few-runs", "too-few-bad", "may-be-chance", "rare", "alike", "all-bad", "no-base", "half-bad"],
)
def test_only_what_chance_does_not_explain_counts(
    canary: tuple[int, int], stable: tuple[int, int], *, worse: bool
) -> None:
    assert (seen(canary, stable).worse() == "errors") is worse


def test_the_statistic_is_the_exact_tail_of_fishers_test() -> None:
    # Fisher's tea: 4 of 4 against 0 of 4 is one in 70, 3 of 4 against 1 of 4 is 17 in 70.
    assert seen((4, 4), (0, 4)).one_in("errors") == 70
    assert seen((3, 4), (1, 4)).one_in("errors") == 70 // 17


async def ran(office: Office, version: str, at: datetime, *reasons: str | None) -> None:
    """Runs of a version that have ended."""
    runs = []
    for reason in reasons:
        number = office.new_id("run")
        outcome = "resolved" if reason is None else "handed_off"
        runs.append(
            Run(
                tenant_id=office.tenant,
                run_id=number,
                ticket_id=number,
                state="ended",
                outcome=outcome,
                reason=reason,
                policy_hash=version,
                started_at=at,
                updated_at=at,
            )
        )
    async with office.database.tenant(office.tenant) as session:
        session.add_all(runs)


async def asked_models(office: Office, version: str, outcome: str, runs: int) -> None:
    """Runs of a version that ended well, with what came of the one question that each put to a model."""
    ended = [office.new_id("run") for _ in range(runs)]
    use = ModelUse("draft", Provider.CLAUDE.value, "claude-sonnet-5-5", outcome, 900)
    async with office.database.tenant(office.tenant) as session:
        session.add_all(
            Run(
                tenant_id=office.tenant,
                run_id=run_id,
                ticket_id=run_id,
                state="ended",
                outcome="resolved",
                policy_hash=version,
                started_at=office.moment,
                updated_at=office.moment,
            )
            for run_id in ended
        )
        events = [
            NewEvent(office.new_id("evt"), office.moment, "model.called", "worker", run_id, run_id, use.body())
            for run_id in ended
        ]
        await append_all(session, office.tenant, events)


async def canary_of(office: Office) -> tuple[str, str]:
    low = await office.wishes(policy_text(20))
    high = await office.wishes(policy_text(50), approver="bob", gated=True, share=10)
    assert isinstance(low, Done)
    assert isinstance(high, Done)
    return low.policy_hash, high.policy_hash


async def watches(office: Office) -> str | None:
    return await watch_canary(
        lambda: office.database.tenant(office.tenant), office.tenant, now=office.moment, new_id=office.new_id
    )


@pytest.mark.parametrize(
    ("reason", "measure"),
    [("tool_error", "errors"), ("verification_failed", "violations"), ("human_took_over", "overrides")],
)
async def test_a_spike_takes_the_canary_back_and_the_event_has_its_figures(
    office: Office, reason: str, measure: str
) -> None:
    stable, canary = await canary_of(office)
    await ran(office, stable, office.moment, *[None] * 60)
    await ran(office, canary, office.moment, *[None] * 15, *[reason] * 5)
    assert await watches(office) == measure
    decides = await office.deciding()
    assert (decides.published, decides.canary) == (stable, None)
    assert (await office.states())[canary] == VersionState.ROLLED_BACK.value
    kind, actor, body = (await office.events())[-1]
    assert (kind, actor, body["taken_back"]) == ("policy.rolled_back", "canary", canary)
    assert body["trigger"]["measure"] == measure
    assert body["trigger"]["canary"] | {measure: 5} == body["trigger"]["canary"]
    assert body["trigger"]["one_in"] >= 1_000
    assert await watches(office) is None


async def test_a_canary_whose_model_gives_nothing_usable_is_taken_back(office: Office) -> None:
    stable, canary = await canary_of(office)
    await asked_models(office, stable, "done", 60)
    await asked_models(office, canary, "done", 15)
    assert await watches(office) is None
    await asked_models(office, canary, "unreadable", 5)
    assert await watches(office) == "model_failures"
    assert (await office.events())[-1][2]["trigger"]["canary"]["model_failures"] == 5


async def test_a_canary_that_fares_alike_goes_on(office: Office) -> None:
    stable, canary = await canary_of(office)
    await ran(office, stable, office.moment, *[None] * 45, *["tool_error"] * 15)
    await ran(office, canary, office.moment, *[None] * 15, *["tool_error"] * 5)
    assert await watches(office) is None
    assert (await office.deciding()).canary == canary
