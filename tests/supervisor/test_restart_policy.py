from __future__ import annotations

from codexia_supervisor.restart_policy import MAX_DELAY_S, RestartPolicy


def test_delays_double_up_to_the_slowest_pace() -> None:
    policy = RestartPolicy()
    delays = [round(policy.failed(100.0 * n, None) - 100.0 * n, 3) for n in range(10)]
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, MAX_DELAY_S, MAX_DELAY_S]


def test_a_minute_of_health_is_forgiveness() -> None:
    policy = RestartPolicy()
    for _ in range(5):
        policy.failed(0, None)
    assert policy.failed(100, healthy_s=60) == 100
    assert policy.failed(101, healthy_s=0.5) == 101.4


def test_eight_stillborn_in_a_minute_are_a_loop() -> None:
    policy = RestartPolicy()
    for second in range(7):
        policy.failed(second, None)
        assert not policy.looping
    assert policy.failed(7, None) == 7 + MAX_DELAY_S
    assert policy.looping
    # It stays one at the slow pace, where no window holds eight failures.
    assert policy.failed(200, None) == 200 + MAX_DELAY_S
    assert policy.looping
    policy.failed(300, healthy_s=1)
    assert not policy.looping
