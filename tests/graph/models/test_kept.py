"""Answers on file are one person's, for exactly one question, for a while, and gone when the person is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.db import Database
from graph.erasure.erase import Erased, erase
from graph.models.kept import KeptAnswers, forget, key_of
from graph.models.prompts import Prompt
from graph.models.roles.plan import plan_question
from graph.vault import Vault
from policies.vocabulary import Intent

VAULT = Vault({"k1": b"m" * 32}, "k1")
ANA, BEN = "zendesk/user/1", "zendesk/user/2"
ANSWER = {"option": 1, "needs_human": False}
PROMPT = Prompt.of("plan", "Choose.")
QUESTION = plan_question(Intent.REFUND_REQUEST, "the second one", ("a", "b"))
KEY = key_of(QUESTION, "claude-sonnet-5-5", PROMPT)


class Time:
    moment = datetime(2026, 11, 21, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def kept(database: Database, time: Time) -> KeptAnswers:
    return KeptAnswers(database.tenant, VAULT, time.now, timedelta(hours=1))


async def test_an_answer_is_found_for_its_person_and_question_only(kept: KeptAnswers, tenant: str) -> None:
    await kept.put(tenant, ANA, KEY, "plan", ANSWER)
    assert await kept.find(tenant, ANA, KEY) == ANSWER
    assert await kept.find(tenant, BEN, KEY) is None
    others = (
        key_of(QUESTION, "claude-opus-5-5", PROMPT),
        key_of(QUESTION, "claude-sonnet-5-5", Prompt.of("plan", "Choose!")),
        key_of(plan_question(Intent.REFUND_REQUEST, "the first one", ("a", "b")), "claude-sonnet-5-5", PROMPT),
    )
    assert [await kept.find(tenant, ANA, key) for key in others] == [None, None, None]


async def test_it_is_sealed_and_ends(kept: KeptAnswers, time: Time, tenant: str, database: Database) -> None:
    await kept.put(tenant, ANA, KEY, "plan", ANSWER)
    async with database.tenant(tenant) as session:
        sealed = (await session.execute(text("SELECT sealed FROM model_answer"))).scalar_one()
    assert b"option" not in bytes(sealed)
    time.moment += timedelta(hours=1)
    assert await kept.find(tenant, ANA, KEY) is None
    async with database.tenant(tenant) as session:
        await forget(session, tenant, now=time.now())
        assert (await session.execute(text("SELECT count(*) FROM model_answer"))).scalar_one() == 0


async def test_erasing_a_person_erases_their_answers_and_keeps_none_later(
    kept: KeptAnswers, time: Time, tenant: str, database: Database
) -> None:
    for person in (ANA, BEN):
        await kept.put(tenant, person, KEY, "plan", ANSWER)
    async with database.tenant(tenant) as session:
        done = await erase(
            session, tenant, ANA, vault=VAULT, actor="cli:test", now=time.now(), new_id=lambda prefix: f"{prefix}_1"
        )
        left = (await session.execute(text("SELECT subject_id FROM model_answer"))).scalars().all()
    assert isinstance(done, Erased)
    assert (done.had_key, done.gone.model_answers, left) == (True, 1, [BEN])
    await kept.put(tenant, ANA, KEY, "plan", ANSWER)
    assert await kept.find(tenant, ANA, KEY) is None
