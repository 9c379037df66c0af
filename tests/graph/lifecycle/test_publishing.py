"""What loosens needs a gate and a second person, for exactly that change; what tightens needs nobody; all is told."""

from __future__ import annotations

import asyncio

import pytest

from graph.lifecycle.authors import authors_of_loosening
from graph.lifecycle.desk import Wish
from graph.lifecycle.publishing import Done, Refused
from graph.rulebook import Arm, VersionState, place_of, publish
from policies.errors import PolicyFileError
from tests.graph.lifecycle.versions import Office, policy_text

LOW, HIGH = policy_text(20), policy_text(50)


async def test_the_first_version_decides_at_once_and_is_told(office: Office) -> None:
    answer = await office.wishes(LOW)
    assert isinstance(answer, Done)
    assert (await office.deciding()).published == answer.policy_hash
    kinds = [(kind, actor) for kind, actor, _ in await office.events()]
    assert kinds == [("policy.drafted", "ada"), ("policy.published", "ada")]


async def test_tightening_needs_nobody(office: Office) -> None:
    await office.wishes(HIGH)
    answer = await office.wishes(LOW)
    assert isinstance(answer, Done)
    assert (await office.deciding()).published == answer.policy_hash
    assert (await office.events("policy.published"))[-1][2]["direction"] == "tightens"


async def test_loosening_alone_publishes_nothing_and_names_all_that_is_missing(office: Office) -> None:
    first = await office.wishes(LOW)
    answer = await office.wishes(HIGH)
    assert isinstance(first, Done)
    assert isinstance(answer, Refused)
    assert [one.what for one in answer.lacking] == ["cases", "analysis", "second_person"]
    assert "countersign policy approve" in answer.lacking[-1].words
    assert (await office.deciding()).published == first.policy_hash


@pytest.mark.parametrize(
    ("approver", "gated", "missing"),
    [("bob", False, ["cases", "analysis"]), (None, True, ["second_person"]), ("ada", True, ["second_person"])],
    ids=["no-gate", "no-second-person", "the-author-again"],
)
async def test_loosening_needs_both_the_gates_and_another_person(
    office: Office, approver: str | None, *, gated: bool, missing: list[str]
) -> None:
    await office.wishes(LOW)
    answer = await office.wishes(HIGH, approver=approver, gated=gated)
    assert isinstance(answer, Refused)
    assert [one.what for one in answer.lacking] == missing


async def test_with_a_gate_and_a_second_person_it_decides_and_the_event_says_what_changed(office: Office) -> None:
    first = await office.wishes(LOW)
    answer = await office.wishes(HIGH, approver="bob", gated=True)
    assert isinstance(first, Done)
    assert isinstance(answer, Done)
    kind, actor, body = (await office.events())[-1]
    assert (kind, actor) == ("policy.published", "ada")
    assert (body["before"], body["direction"], body["approved_by"]) == (first.policy_hash, "loosens", ["bob"])
    assert body["changes_total"] >= 1
    assert body["why"] == "an exercise"


async def test_who_loosened_is_known_for_exactly_that_version(office: Office) -> None:
    first = await office.wishes(LOW)
    loosened = await office.wishes(HIGH, approver="bob", gated=True)
    assert isinstance(first, Done)
    assert isinstance(loosened, Done)
    async with office.database.tenant(office.tenant) as session:
        assert await authors_of_loosening(session, office.tenant, loosened.policy_hash) == {"ada"}
        assert await authors_of_loosening(session, office.tenant, first.policy_hash) == frozenset()


async def test_a_gate_that_failed_last_does_not_count_however_often_it_passed(office: Office) -> None:
    await office.wishes(LOW)
    compared = await office.written(HIGH)
    await office.gate(compared.version)
    assert (await office.states())[compared.version.policy_hash] == VersionState.CHECKED.value
    office.passes(minutes=1)
    await office.gate(compared.version, passed=False)
    assert (await office.states())[compared.version.policy_hash] == VersionState.DRAFT.value
    await office.desk.approve(compared, office.act("bob"))
    answer = await office.desk.publish(compared, Wish(), office.act())
    assert isinstance(answer, Refused)
    assert [one.what for one in answer.lacking] == ["cases", "analysis"]


async def test_a_yes_counts_for_one_change_and_for_no_other_base(office: Office) -> None:
    await office.wishes(LOW)
    compared = await office.written(HIGH)
    await office.gate(compared.version)
    await office.desk.approve(compared, office.act("bob"))
    await office.wishes(policy_text(10))
    answer = await office.desk.publish(await office.written(HIGH), Wish(), office.act())
    assert isinstance(answer, Refused)
    assert [one.what for one in answer.lacking] == ["second_person"]


async def test_what_was_compared_must_still_decide(office: Office) -> None:
    await office.wishes(HIGH)
    compared = await office.written(LOW)
    await office.wishes(policy_text(10))
    answer = await office.desk.publish(compared, Wish(), office.act())
    assert isinstance(answer, Refused)
    assert "another version decides by now" in answer.why


async def test_of_two_who_publish_at_the_same_moment_one_is_told_to_look_again(office: Office) -> None:
    await office.wishes(HIGH)
    one, other = await office.written(LOW), await office.written(policy_text(10))
    answers = await asyncio.gather(
        office.desk.publish(one, Wish(), office.act("ada")), office.desk.publish(other, Wish(), office.act("bob"))
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Done", "Refused"]


async def test_a_broken_file_stores_nothing(office: Office) -> None:
    with pytest.raises(PolicyFileError):
        await office.desk.draft("policy: x\nrulez: []\n", office.act())
    assert await office.desk.versions() == []
    assert await office.events() == []


async def test_writing_the_same_again_leaves_its_author_and_no_event(office: Office) -> None:
    await office.wishes(LOW)
    version = await office.desk.draft(f"# a comment\n{LOW}", office.act("bob"))
    assert version.author == "ada"
    again = await office.wishes(LOW, actor="bob")
    assert isinstance(again, Done)
    assert not again.changed
    assert len(await office.events()) == 2


# a canary


async def started(office: Office, share: int = 30) -> tuple[str, str]:
    stable = await office.wishes(LOW)
    canary = await office.wishes(HIGH, approver="bob", gated=True, share=share)
    assert isinstance(stable, Done)
    assert isinstance(canary, Done)
    return stable.policy_hash, canary.policy_hash


async def test_a_canary_decides_its_share_and_a_ticket_keeps_its_arm(office: Office) -> None:
    stable, canary = await started(office)
    decides = await office.deciding()
    arms = {str(ticket): decides.for_ticket("demo", str(ticket)) for ticket in range(2_000)}
    assert {version for version, _ in arms.values()} == {stable, canary}
    assert {arm for version, arm in arms.values() if version == canary} == {Arm.CANARY}
    share = sum(version == canary for version, _ in arms.values()) / len(arms)
    assert 0.26 < share < 0.34
    assert arms == {ticket: (await office.deciding()).for_ticket("demo", ticket) for ticket in arms}


def test_the_place_of_a_ticket_is_the_same_on_every_machine_and_for_ever() -> None:
    assert [place_of("demo", "1"), place_of("demo", "2"), place_of("other", "1")] == [6362, 3375, 2035]


async def test_a_larger_share_keeps_the_tickets_of_the_smaller_one(office: Office) -> None:
    await started(office, share=10)
    small = await office.deciding()
    answer = await office.wishes(HIGH, share=40)
    assert isinstance(answer, Done)
    large = await office.deciding()
    for ticket in map(str, range(500)):
        if small.for_ticket("demo", ticket)[1] is Arm.CANARY:
            assert large.for_ticket("demo", ticket)[1] is Arm.CANARY


async def test_what_loosens_begins_with_the_share_that_its_file_states(office: Office) -> None:
    await office.wishes(LOW)
    stated = policy_text(50, more="canary: {share_percent: 15}\n")
    answer = await office.wishes(stated, approver="bob", gated=True)
    assert isinstance(answer, Done)
    assert answer.share == 15
    assert (await office.deciding()).canary_percent == 15


async def test_a_canary_needs_what_its_full_publication_needs(office: Office) -> None:
    await office.wishes(LOW)
    answer = await office.wishes(HIGH, share=5)
    assert isinstance(answer, Refused)
    assert (await office.deciding()).canary is None


async def test_a_promoted_canary_decides_everything(office: Office) -> None:
    stable, canary = await started(office)
    answer = await office.desk.promote(office.act())
    assert isinstance(answer, Done)
    decides = await office.deciding()
    assert (decides.published, decides.canary) == (canary, None)
    assert (await office.states())[stable] == VersionState.RETIRED.value


async def test_a_rollback_takes_the_canary_back_first(office: Office) -> None:
    stable, canary = await started(office)
    answer = await office.desk.roll_back(None, office.act("carl", "odd refunds"))
    assert isinstance(answer, Done)
    decides = await office.deciding()
    assert (decides.published, decides.canary) == (stable, None)
    assert (await office.states())[canary] == VersionState.ROLLED_BACK.value
    kind, actor, body = (await office.events())[-1]
    assert (kind, actor, body["taken_back"], body["why"]) == ("policy.rolled_back", "carl", canary, "odd refunds")


async def test_another_version_waits_while_a_canary_runs(office: Office) -> None:
    await started(office)
    answer = await office.wishes(policy_text(10))
    assert isinstance(answer, Refused)
    assert "policy promote" in answer.why


# taking back


async def test_a_rollback_to_something_looser_needs_one_person_and_says_that_it_loosens(office: Office) -> None:
    high = await office.wishes(HIGH)
    await office.wishes(LOW)
    answer = await office.desk.roll_back(None, office.act("carl"))
    assert isinstance(high, Done)
    assert isinstance(answer, Done)
    assert (await office.deciding()).published == high.policy_hash
    kind, _, body = (await office.events())[-1]
    assert (kind, body["direction"], body["loosens"]) == ("policy.rolled_back", "loosens", True)


async def test_a_draft_never_comes_in_by_a_rollback(office: Office) -> None:
    await office.wishes(LOW)
    compared = await office.written(HIGH)
    answer = await office.desk.roll_back(compared.version.policy_hash, office.act())
    assert isinstance(answer, Refused)
    assert "is draft, not retired" in answer.why


async def test_the_database_holds_one_published_version_whatever_the_code_does(office: Office) -> None:
    await office.wishes(LOW)
    async with office.database.tenant(office.tenant) as session:
        await publish(session, office.tenant, policy_text(5, name="another"), author="settings", now=office.moment)
    assert list((await office.states()).values()).count("published") == 1
