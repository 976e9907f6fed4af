"""Which schedules are tried, and how a failing one becomes small. No workflow is needed for that: a run is a function."""

import pytest

from pyflow.testing.schedules import (
    Frontier,
    Point,
    Randomly,
    Script,
    Strict,
    WrongScheduleException,
    deviations,
    shrink,
)


def run(chooser, length=4, width=3):
    """Take the same labels at each point."""
    points = []
    while len(points) < length:
        labels = [f"{len(points)}{letter}" for letter in "abc"[:width]]
        points.append(Point(tuple(labels), chooser.choose(labels, points)))
    return points


def numbers(points):
    return tuple(point.chosen for point in points)


def everything(frontier, **shape):
    for prefix in frontier:
        points = run(Strict(prefix), **shape)
        frontier.add_successors(prefix, points)
        yield numbers(points)


def test_all_schedules_are_tried_once_and_those_that_deviate_least_first():
    frontier = Frontier(depth_max=100)
    tried = list(everything(frontier))
    assert len(tried) == len(set(tried)) == 3**4
    assert frontier.exhausted
    assert [sum(number > 0 for number in one) for one in tried] == sorted(
        sum(number > 0 for number in one) for one in tried
    )


def test_no_schedule_deviates_behind_the_greatest_depth():
    tried = list(everything(Frontier(depth_max=2)))
    assert len(tried) == 3**2
    assert all(one[2:] == (0, 0) for one in tried)


def test_a_state_is_known_from_its_second_time_on():
    frontier = Frontier(depth_max=2)
    assert [frontier.is_known(state) for state in ("x", "y", "x")] == [False, False, True]


def test_a_seed_draws_the_same_and_another_seed_something_else():
    drawn = [numbers(run(Randomly(seed), length=40)) for seed in ("1", "1", "2")]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_script_is_followed_to_its_end():
    assert numbers(run(Script(["0c", "1b"]))) == (2, 1, 0, 0)


def test_a_script_that_does_not_fit_says_what_can_happen():
    with pytest.raises(WrongScheduleException, match=r"step 2 of the schedule is 'x'.*'1a', '1b', '1c'"):
        run(Script(["0c", "x"]))


def test_a_lenient_script_leaves_out_what_does_not_fit():
    assert numbers(run(Script(["0c", "x", "1b"], lenient=True))) == (2, 1, 0, 0)


@pytest.mark.parametrize("needed", [{5: 1}, {0: 2, 19: 1}, {3: 1, 4: 1, 5: 2}])
def test_what_a_failure_does_not_need_is_taken_out_of_its_schedule(needed):
    def fails(points):
        return all(points[at].chosen == number for at, number in needed.items())

    def attempt(labels):
        points = run(Script(labels, lenient=True), length=20)
        return points if fails(points) else None

    for seed in range(100):
        forced = [needed.get(at, number) for at, number in enumerate(numbers(run(Randomly(f"{seed}"), length=20)))]
        smallest = shrink(run(Strict(forced), length=20), attempt)
        assert fails(smallest)
        assert deviations(smallest) == len(needed)


def test_shrinking_gives_up_after_so_many_attempts():
    attempts = []

    def attempt(labels):
        attempts.append(labels)

    points = run(Randomly("1"), length=100)
    assert shrink(points, attempt, attempts_max=7) == points
    assert len(attempts) == 7
