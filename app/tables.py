"""Every table of ours in one place: importing this module fills SQLModel's metadata. It defines none itself."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlmodel import SQLModel

import app.alerts.models
import app.autonomy.models
import app.connections.models
import app.corrections.models
import app.identity.models
import app.measures.models
import app.models
import app.notices.models
import app.waiting.models
import graph.audit.models
import graph.breakers.models
import graph.decisions.models
import graph.erasure.models
import graph.intake.models
import graph.lifecycle.models
import graph.models.kept
import graph.preferences
import graph.rulebook
import graph.runs.models
import graph.settlement.models
import kb.models

OWNERS = (
    app.alerts.models,
    app.autonomy.models,
    app.connections.models,
    app.corrections.models,
    app.identity.models,
    app.measures.models,
    app.models,
    app.notices.models,
    app.waiting.models,
    graph.audit.models,
    graph.breakers.models,
    graph.decisions.models,
    graph.erasure.models,
    graph.intake.models,
    graph.lifecycle.models,
    graph.models.kept,
    graph.preferences,
    graph.rulebook,
    graph.runs.models,
    graph.settlement.models,
    kb.models,
)
"""The modules that define tables."""


def metadata() -> MetaData:
    """The tables as the code sees them."""
    return SQLModel.metadata
