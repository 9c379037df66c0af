"""A rejection becomes, by one click, a scenario without its customer, and the evaluation plays it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import yaml
from playwright.async_api import expect

from app.ambient import new_id
from app.identity.roles import Role
from app.settings import ModelSettings
from evals.suites.files import read_suites
from evals.suites.place import Remembering, Variant, opened_place, opened_stage, prepare_folder
from evals.suites.play import play
from evals.suites.scoring import Mark, score
from graph.erasure.erase import Erased, erase
from tests.app.web.people import a_person, signed_in
from tests.journeys.browsing import NEEDS_BROWSER, browsing
from tests.journeys.shop import Mind, Shop, charged_twice

BODY = "I was charged twice for order 1042. Please refund the duplicate charge to Ana Ruiz, ana.ruiz@customers.example."


async def kept_by_hand(shop: Shop, ticket: str) -> str:
    """Somebody opens the page of corrections and clicks; the text of the file they get."""
    lead = await signed_in(shop.database.tenant, shop.reviewer, shop.clock.now())
    run = await shop.run(ticket)
    async with browsing(str(shop.web.base_url).rstrip("/")) as browser:
        await browser.is_for(lead)
        page = browser.page
        await browser.opens(f"/t/{shop.tenant}/corrections")
        await expect(page.get_by_text("1 rejected")).to_be_visible()
        await expect(page.get_by_text("The amount is wrong")).to_be_visible()
        await page.get_by_role("button", name="Make it a scenario").click()
        await expect(page.get_by_role("status")).to_contain_text("without its customer")
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="All candidates as a suite").click()
        file = Path(str(await (await downloading.value).path()))
        await page.get_by_role("button", name="Propose an article").first.click()
        await expect(page.get_by_role("status")).to_contain_text("tickets: 1")
        # Above its amount the tier asks already: the draft would ask about smaller ones, and there were none.
        await page.get_by_role("button", name="Propose a policy change").first.click()
        await expect(page.get_by_role("status")).to_contain_text("tickets: 0")
        await page.get_by_text("Something went wrong").click()
        await page.get_by_label("In one line").fill("Two refunds were proposed to ana.ruiz@customers.example")
        await page.get_by_label("Run, if it is about one").fill(str(run["run_id"]))
        await page.get_by_role("button", name="Open an incident").click()
        await page.get_by_text("Two refunds were proposed to [EMAIL_1]").click()
        await page.get_by_label("Cause").fill("The amount was read from the wrong charge")
        await page.get_by_label("Measures").fill("The scenario")
        await page.get_by_label("The scenario that guards it").select_option(index=1)
        await page.get_by_role("button", name="Save and close").click()
        await expect(page.get_by_role("status")).to_contain_text("is closed")
        return await asyncio.to_thread(file.read_text, "utf-8")


@NEEDS_BROWSER
async def test_a_rejection_becomes_a_scenario_that_the_evaluation_plays(
    shop: Shop, mind: Mind, database_url: str, tmp_path: Path
) -> None:
    ticket = await shop.arrives(charged_twice("90.00", body=BODY))
    assert await shop.clicks(ticket, "reject", reason_code="wrong_amount") == 303
    await shop.work()
    text = await kept_by_hand(shop, ticket)
    assert [word for word in ("Ana", "Ruiz", "ana.ruiz", "1042", "ch_") if word in text] == []
    (scenario,) = yaml.safe_load(text)["scenarios"]
    assert [charge["amount"] for charge in scenario["world"]["charges"]] == ["90", "90"]
    assert "order 1001" in scenario["ticket"]["comments"][0]["body"]

    file, folder = tmp_path / "candidates.yaml", tmp_path / "place"
    file.write_text(text, encoding="utf-8")
    (filed,) = read_suites([file])
    prepare_folder(folder)
    embed = Remembering(mind.embedder.embed)
    async with (
        opened_place(folder, database_url, ["s0-t0"], mind.embedder, embed, Variant(ModelSettings())) as place,
        opened_stage(place, filed, "s0-t0", seed=1) as stage,
    ):
        ending = await play(stage)
    assert score(filed.scenario, ending).mark is Mark.CORRECT, ending
    (action,) = [one for one in ending.tickets[0].actions if one["kind"] == "refund"]
    assert (action["intent"], action["amount_minor"], action["verdict"]) == ("duplicate_charge", 9000, "needs_approval")

    # What was made from somebody's ticket goes with them.
    subject = str((await shop.run(ticket))["subject_id"])
    async with shop.database.tenant(shop.tenant) as session:
        done = await erase(
            session,
            shop.tenant,
            subject,
            vault=shop.runtime.vault,
            actor="cli:test",
            now=shop.clock.now(),
            new_id=new_id,
        )
    assert isinstance(done, Erased), done
    assert done.gone.candidates == 1
    assert await shop.rows("SELECT candidate_id FROM candidate_scenario") == []
    viewer = await a_person(
        shop.database.tenant, shop.tenant, Role.VIEWER, email="v@shop.example", now=shop.clock.now()
    )
    viewer.sits_at(shop.web)
    assert (await shop.web.get(f"/t/{shop.tenant}/corrections/suite")).text == "scenarios: []\n"
    await shop.balanced()
