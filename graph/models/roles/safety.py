"""Role `safety`: a second opinion on whether a message attacks the agent or touches what belongs to a person.

It can only make a case stricter: what another reader saw stays seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from graph.models.question import Closed, Question, checked, turn_of
from graph.models.roles.triage import MAX_CHARACTERS, MAX_SUBJECT
from graph.models.triage import PersonReason, Sensitive, Triage
from policies.vocabulary import ModelRole

MAX_TOKENS: Final = 600


class SafetyForm(Closed):
    """How a model answers."""

    injection_suspected: bool
    sensitive_topic: Sensitive


@dataclass(frozen=True, slots=True)
class Opinion:
    """What was seen."""

    injection_suspected: bool
    sensitive_topic: Sensitive

    def on(self, triage: Triage) -> Triage:
        """The triage with what this opinion adds to it."""
        topic, reasons = triage.sensitive_topic, triage.person_reasons
        if topic is Sensitive.NONE and self.sensitive_topic is not Sensitive.NONE:
            topic = self.sensitive_topic
            reasons = (*reasons, PersonReason(topic.value))
        return replace(
            triage,
            sensitive_topic=topic,
            person_reasons=reasons,
            injection_suspected=triage.injection_suspected or self.injection_suspected,
        )


def safety_question(subject: str, message: str) -> Question[Opinion]:
    """Ask for the opinion. All texts are redacted already."""
    turn = turn_of(subject=subject[:MAX_SUBJECT], newest_message=message[:MAX_CHARACTERS])
    return Question(ModelRole.SAFETY, turn, SafetyForm, read_opinion, MAX_TOKENS)


def read_opinion(answer: object) -> Opinion:
    """The opinion that an answer says.

    Raises:
        Unreadable: it is none.
    """
    form = checked(SafetyForm, answer)
    return Opinion(form.injection_suspected, form.sensitive_topic)
