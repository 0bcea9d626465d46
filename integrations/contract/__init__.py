"""What every adapter must do, as checks that anybody can run against a stand-in for the provider.

Hazina runs them against its own adapters; a plugin's author runs them against the plugin's. Write a
`Harness`, then run each of `CHECKS` with a fresh one:

    for check in CHECKS:
        await check(harness)

A check returns, or raises `ContractBroken` (the adapter is wrong) or `NotApplicable` (the provider has
no such thing, or the stand-in can't be made to do it).
"""

from collections.abc import Awaitable, Callable
from typing import Final

from integrations.contract import asking, creating, ending, keeping, refunding, telling
from integrations.contract.harness import (
    CannotStage,
    ContractBroken,
    Harness,
    NotApplicable,
    Situation,
)

__all__ = ["CHECKS", "CannotStage", "Check", "ContractBroken", "Harness", "NotApplicable", "Situation"]

Check = Callable[[Harness], Awaitable[None]]

CHECKS: Final[tuple[Check, ...]] = (
    creating.the_stand_in_does_what_every_provider_may_do,
    creating.a_payment_is_collected_once_and_to_the_last_unit,
    creating.a_creation_sent_again_collects_once,
    creating.nobody_listening_means_nothing_was_sent,
    creating.a_throttled_creation_was_not_taken_and_may_be_sent_again,
    creating.a_lost_answer_is_unknown_and_can_be_recovered,
    creating.a_refusal_is_final_and_takes_nothing,
    asking.a_question_changes_nothing,
    asking.an_unknown_reference_is_never_paid,
    asking.a_question_that_differs_is_never_answered_paid,
    asking.money_that_differs_is_never_paid,
    asking.a_decline_says_why_in_our_words,
    asking.an_attempt_that_was_never_sent_is_never_found,
    asking.the_list_names_what_was_paid,
    ending.what_is_cancelled_is_not_paid_afterwards,
    ending.what_was_paid_is_not_cancelled,
    ending.authorised_money_is_captured_once,
    refunding.a_refund_is_given_once,
    refunding.more_than_the_rest_is_refused,
    refunding.a_refund_whose_answer_got_lost_is_found_or_given_once,
    telling.a_genuine_webhook_is_proven_by_either_of_two_secrets,
    telling.a_webhook_that_is_not_genuine_is_refused,
    telling.hostile_bytes_are_bad_messages_and_nothing_else,
    telling.a_repeat_has_the_same_id,
    telling.what_is_told_leads_to_the_payment,
    keeping.features_are_what_the_adapter_can_do,
    keeping.good_keys_are_proven_and_bad_ones_named,
    keeping.what_is_missing_is_named_before_anything_is_sent,
    keeping.keys_never_travel_in_clear,
    keeping.nothing_secret_is_kept_or_printed,
)
