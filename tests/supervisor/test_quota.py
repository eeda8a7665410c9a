"""What is believed of the plan's limits, with the clock in hand."""

from __future__ import annotations

from codexia.account import PlanRefusal
from codexia.codex.rate_limits import Limit, RateLimits, Window
from codexia_supervisor.quota import BELIEF_S, Quota

T = 1_777_288_606.0
RESET = int(T) + 5000
SPARK = "codex-bengalfox"


def refusal(model: str = "gpt-5.5", at: float = T, limit_id: str = "premium", **changes):
    return PlanRefusal(
        model=model, at=at, message="used up", limit_id=limit_id, **{"resets_at": RESET, **changes}
    )


def limits(*, reached: bool, spark: bool | None = None, reset_at: int = RESET) -> RateLimits:
    window = Window(100 if reached else 40, 18_000, reset_at)
    own = Limit("codex", "", (window,), reached)
    further = Limit(SPARK, "GPT-Spark", (Window(100, 18_000, reset_at),), spark)
    return RateLimits((own,) if spark is None else (own, further))


def test_refusal_is_believed_of_its_model_for_a_while():
    quota = Quota()
    quota.refused(refusal())
    assert quota.until("gpt-5.5", T + 1) == T + BELIEF_S
    assert quota.until("gpt-6-sol", T + 1) == 0.0
    assert quota.until("gpt-5.5", T + BELIEF_S) == 0.0


def test_belief_never_outlives_the_reset():
    quota = Quota()
    quota.refused(refusal(resets_at=int(T) + 10))
    assert quota.until("gpt-5.5", T + 9) == int(T) + 10
    assert quota.until("gpt-5.5", T + 10) == 0.0


def test_usage_that_confirms_the_plans_limit_makes_it_everybodys():
    quota = Quota()
    quota.refused(refusal())
    quota.told(limits(reached=True, reset_at=RESET + 1), T + 60)
    [cooldown] = quota.cooldowns(T + 61)
    assert (cooldown.model, cooldown.resets_at) == ("", RESET + 1)
    assert quota.until("gpt-6-sol", T + 61) == T + 60 + BELIEF_S
    quota.told(limits(reached=True), T + 120)
    assert quota.until("gpt-6-sol", T + 121) == T + 120 + BELIEF_S


def test_usage_that_has_something_left_ends_it_at_once():
    quota = Quota()
    quota.refused(refusal())
    quota.told(limits(reached=True), T + 60)
    quota.told(limits(reached=False), T + 120)
    assert quota.cooldowns(T + 120) == ()


def test_usage_asked_before_the_refusal_says_nothing_about_it():
    quota = Quota()
    quota.refused(refusal())
    quota.told(limits(reached=False), T - 1)
    assert quota.until("gpt-5.5", T + 1)


def test_usage_alone_founds_no_belief():
    quota = Quota()
    quota.told(limits(reached=True), T)
    assert quota.cooldowns(T) == ()


def test_limit_of_one_model_is_not_that_of_others():
    quota = Quota()
    quota.refused(refusal("gpt-spark", limit_id=SPARK))
    quota.told(limits(reached=False, spark=True), T + 60)
    assert quota.until("gpt-spark", T + 61) == T + 60 + BELIEF_S
    assert quota.until("gpt-5.5", T + 61) == 0.0
    quota.told(limits(reached=False, spark=False), T + 120)
    assert quota.until("gpt-spark", T + 121) == 0.0


def test_model_with_a_limit_of_its_own_is_free_while_that_has_something_left():
    quota = Quota()
    quota.refused(refusal())
    quota.told(limits(reached=True, spark=False), T + 60)
    assert quota.until("gpt-spark", T + 61) == 0.0
    assert quota.until("gpt-5.5", T + 61)


def test_further_limit_keeps_no_plan_limit_alive():
    quota = Quota()
    quota.refused(refusal())
    quota.told(limits(reached=True, spark=True), T + 60)
    quota.told(limits(reached=False, spark=True), T + 120)
    assert quota.until("gpt-5.5", T + 121) == 0.0


def test_old_refusal_does_not_undo_a_newer_one():
    quota = Quota()
    quota.refused(refusal())
    quota.refused(refusal(at=T - 50))
    assert quota.until("gpt-5.5", T + 1) == T + BELIEF_S
