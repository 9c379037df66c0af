"""The controls that the product claims, each with the file that holds it and the tests that prove it.

A test of the product holds that every test named here exists, so a control cannot outlive its proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Control:
    """One claim. `tests` are spelled as pytest does: a file, `::`, a name."""

    name: str
    claim: str
    held_by: str
    tests: tuple[str, ...]


def _control(name: str, claim: str, held_by: str, *tests: str) -> Control:
    return Control(name, claim, held_by, tuple(f"tests/{test}" for test in tests))


CONTROLS: Final = (
    _control(
        "money.at-most-once",
        "an intended refund becomes at most one refund at Stripe, under lost answers, crashes and races",
        "graph/settlement/claim.py",
        "graph/settlement/test_send.py::test_a_process_killed_anywhere_leaves_one_refund",
        "graph/settlement/test_send.py::test_twenty_senders_at_once_send_once",
        "graph/settlement/test_send.py::test_after_twenty_hours_nothing_is_sent_and_the_list_finds_the_refund",
    ),
    _control(
        "money.never-above-captured",
        "refunded and reserved never pass what was captured; spent and reserved never pass a cap",
        "graph/settlement/models.py",
        "graph/settlement/test_reserve.py::test_more_than_is_left_of_a_charge_is_refused_by_the_constraint",
        "graph/settlement/test_reserve.py::test_fifty_at_once_on_fifty_charges_never_pass_a_cap",
    ),
    _control(
        "money.unknown-is-not-guessed",
        "an outcome that is not known keeps its reservation and is looked up, or given to a person",
        "graph/settlement/changes.py",
        "graph/settlement/test_send.py::test_after_twenty_hours_an_absent_refund_goes_to_a_person",
        "graph/settlement/test_send.py::test_a_connector_that_raises_leaves_the_outcome_unknown",
    ),
    _control(
        "money.foreign-refund-stops",
        "a refund that nobody intended switches refunds off",
        "graph/settlement/vendor_events.py",
        "graph/settlement/test_vendor_events.py::"
        "test_a_refund_that_claims_an_intent_we_do_not_have_switches_refunds_off",
    ),
    _control(
        "approval.bound",
        "an approval counts once, for exactly what was shown, and in time",
        "graph/settlement/approvals.py",
        "graph/settlement/test_approvals.py::test_an_approval_is_used_once_for_what_was_asked",
        "graph/settlement/test_approvals.py::test_an_approval_of_something_else_is_stale",
        "graph/settlement/test_approvals.py::test_four_eyes_are_two_different_people",
    ),
    _control(
        "policy.loosening-needs-two",
        "what loosens the policy decides nothing without a second person and a gate, for exactly that change",
        "graph/lifecycle/requirements.py",
        "graph/lifecycle/test_publishing.py::test_loosening_needs_both_the_gates_and_another_person",
        "graph/lifecycle/test_publishing.py::test_a_yes_counts_for_one_change_and_for_no_other_base",
    ),
    _control(
        "identity.verified",
        "a requester is verified only by what Zendesk and Stripe record, and exactly one customer matches",
        "graph/identity.py",
        "graph/test_identity.py::test_who_a_requester_is",
    ),
    _control(
        "switch.next-effect",
        "a switch stops the next effect, also one that is held already",
        "graph/settlement/switches.py",
        "graph/settlement/test_reserve.py::test_the_switch_for_all_tenants_stops_everyone",
        "graph/settlement/test_send.py::test_a_switch_stops_a_held_effect_before_it_leaves",
    ),
    _control(
        "model.no-wider-than-the-policy",
        "no answer of a model obtains more than the policy grants that verified customer",
        "graph/planning.py",
        "evals/hostile_model/test_hostile_model.py::test_no_saying_gets_more_than_the_oracle_grants",
    ),
    _control(
        "redaction.before-models-and-logs",
        "planted secrets and personal data stand in no log, error page, export or table",
        "graph/redaction/redact.py",
        "journeys/test_canaries.py::test_no_canary_in_logs_error_pages_and_exports",
    ),
    _control(
        "tenants.apart",
        "no route, function or statement reaches what another tenant has",
        "app/migrations/protection.py",
        "app/web/test_isolation.py::test_no_route_shows_or_changes_what_another_tenant_has",
        "app/web/test_isolation.py::test_no_function_that_reads_finds_what_another_tenant_has",
        "app/web/test_isolation.py::test_no_statement_reaches_the_rows_of_another_tenant",
        "app/test_migrate.py::test_row_level_security_is_forced_on_every_table_but_those_without_a_tenant",
    ),
    _control(
        "access.declared",
        "every route says who may use it, and only those may",
        "app/web/access.py",
        "app/identity/test_matrix.py::test_only_the_roles_that_a_route_declares_are_let_in",
        "app/identity/test_matrix.py::test_a_route_that_declares_nothing_keeps_the_server_from_starting",
    ),
    _control(
        "credentials.fit",
        "a key of another stage is refused, and one that may do too much does nothing by itself",
        "app/scopes.py",
        "app/test_scopes.py::test_a_key_works_in_its_own_stage_and_in_no_other",
        "app/test_scopes.py::test_an_over_scoped_credential_is_draft_only_until_it_is_replaced",
    ),
    _control(
        "keys.revocable",
        "personal data is sealed under keys that rotate; while the master key is withheld nothing opens or leaves",
        "graph/vault.py",
        "app/keys/test_keys.py::test_a_key_that_was_disabled_at_kms_closes_everything_when_its_time_is_over",
        "app/keys/test_keys.py::test_a_tenants_own_key_is_rotated_and_revoked_without_another_tenant",
        "journeys/test_revoked_key.py::test_a_revoked_key_stops_every_run_where_it_is_until_it_comes_back",
        "app/keys/test_keys.py::test_a_rotation_wraps_every_data_key_anew_under_the_feet_of_a_process_that_runs",
    ),
    _control(
        "log.tamper-evident",
        "an event that was changed, taken away or put in is found and named; a cut end where a sink keeps checkpoints",
        "graph/audit/verify.py",
        "graph/audit/test_log.py::test_every_tampering_is_found",
        "graph/audit/test_publish.py::test_a_log_that_is_not_the_one_that_was_kept_is_not_published",
    ),
    _control(
        "log.leaves-at-least-once",
        "every event reaches a SIEM or an archive, and under a redacting profile nobody's name does",
        "app/exporting/feeding.py",
        "app/exporting/test_feeding.py::test_a_collector_that_fails_is_offered_the_same_events_again",
        "app/exporting/test_feeding.py::test_under_a_redacting_profile_no_person_leaves",
    ),
    _control(
        "erasure.complete",
        "an erased customer's data is gone from every table, and the log still verifies",
        "graph/erasure/erase.py",
        "journeys/test_erasure.py::test_an_erased_customer_is_gone_from_every_table_and_the_log_still_proves",
    ),
    _control(
        "webhooks.signed",
        "a webhook that its vendor did not sign is refused and recorded",
        "app/web/webhooks.py",
        "app/web/test_webhooks.py::test_a_wrong_signature_is_refused_and_a_flood_of_them_stays_one_row",
    ),
)
