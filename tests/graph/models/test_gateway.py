"""The gateway asks Claude where it may, and nobody outside where it may not."""

from __future__ import annotations

from app.listening import free_port
from connectors.claude.client import ClaudeAdapter
from graph.models.claude import ClaudeModel
from graph.models.gateway import Gateway
from graph.models.local.model import LocalModel


async def test_a_text_that_must_not_leave_is_understood_in_this_process(model: LocalModel) -> None:
    nobody = ClaudeAdapter("key", base_url=f"http://127.0.0.1:{free_port()}", timeout_s=1.0)
    gateway = Gateway(model, ClaudeModel(nobody, triage_model="m", choose_model="m"))
    asked = await gateway.triage("Charged twice", "I was charged twice for order 1042.")
    assert [use.provider for use in asked.uses] == ["claude", "local"]
    kept = await gateway.triage("Charged twice", "I was charged twice for order 1042.", asks_claude=False)
    assert [use.provider for use in kept.uses] == ["local"]
    assert kept.triage == asked.triage
