"""Activities as functions: called here, called in a workflow, run by a worker."""

import asyncio
import functools
import inspect
import json
from datetime import timedelta

import pytest

import pyflow
from histories import short, task
from pyflow import SerializationException

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
"""


@pyflow.activity("charge", "2.1", start_to_close=1.5)
def charge(order, currency="EUR"):
    """Take the money."""
    return {"order": order, "currency": currency}


@pyflow.activity(start_to_close=60)
def ping():
    return "pong"


@pyflow.activity(start_to_close=60)
def double(number):
    return number * 2


@pyflow.activity("named", "1.0", start_to_close=60)
def keyword_only(*, number):
    return number


def in_a_process():
    pass


@pyflow.activity(start_to_close=60)
async def tripled(number):
    await asyncio.sleep(0)
    return number * 3


def inputs(run, deciders):
    workflow_class = type("W", (pyflow.Workflow,), {"NAME": "W", "run": run})
    decisions = deciders(workflow_class).decide(task(FIRST))
    return [d.get("scheduleActivityTaskDecisionAttributes") for d in decisions]


SHAPES = [
    lambda: None,
    lambda a: None,
    lambda a=1: None,
    lambda *, a: None,
    lambda *, a=1: None,
    lambda a, /: None,
    lambda a, /, b=2: None,
    lambda a=1, /, b=2: None,
    lambda a, b: None,
    lambda a, b=2: None,
    lambda a, *, b: None,
    lambda a, *, b=2: None,
    lambda *, a=1, b: None,
]


def outcome(call):
    try:
        return call()
    except TypeError as error:
        return str(error)


class TestShapes:
    """A call that fits goes past ``inspect.Signature.bind``; it comes to the same, and so does one that does not fit."""

    @pytest.fixture(params=SHAPES, ids=lambda function: str(inspect.signature(function)))
    def shape(self, request):
        return request.param

    @pytest.mark.parametrize(
        ("args", "kwargs"),
        [
            ((), {}),
            ((1,), {}),
            ((None,), {}),
            ((1, 2), {}),
            ((1, 2, 3), {}),
            ((), {"a": 1}),
            ((), {"b": 2, "a": 1}),
            ((1,), {"b": 2}),
            ((1,), {"a": 1}),
            ((), {"c": 3}),
        ],
    )
    def test_arguments_become_the_input_that_their_binding_gives(self, shape, args, kwargs):
        signature = inspect.signature(shape)

        def bound():
            try:
                arguments = signature.bind(*args, **kwargs).arguments
            except TypeError as error:
                raise TypeError(f"activity x{signature}: {error}") from None
            if len(signature.parameters) == 1:
                return json.dumps(next(iter(arguments.values()))) if arguments and args != (None,) else None
            return json.dumps(arguments) if arguments else None

        activity = pyflow.activity("x", start_to_close=60)(shape)
        assert outcome(lambda: activity.text_of(args, kwargs)) == outcome(bound)

    @pytest.mark.parametrize(
        "text",
        [None, "null", "7", "{}", '{"a": 1}', '{"b": 2, "a": 1}', '{"b": 2}', '{"c": 3}', '{"a": 1, "c": 3}', "[]"],
    )
    def test_an_input_is_given_to_the_function_as_its_binding_would_be(self, shape, text):
        signature = inspect.signature(shape)
        given = []

        def bound():
            value = None if text is None else json.loads(text)
            if len(signature.parameters) == 1 and text is not None:
                ((name, parameter),) = signature.parameters.items()
                by_name = parameter.kind is inspect.Parameter.KEYWORD_ONLY
                return (signature.bind(**{name: value}) if by_name else signature.bind(value)).arguments
            if value is not None and not isinstance(value, dict):
                raise TypeError(f"activity 'x' takes an object of {[*signature.parameters]} as input, not {value!r}")
            return signature.bind(**(value or {})).arguments

        def execute():
            activity.execute(text)
            args, kwargs = given.pop()
            try:
                return signature.bind(*args, **kwargs).arguments
            except TypeError:
                raise AssertionError("called though it does not fit") from None

        activity = pyflow.activity("x", start_to_close=60)(shape)
        activity.function = lambda *args, **kwargs: given.append((args, kwargs))
        assert outcome(execute) == outcome(bound)


class TestOutsideAWorkflow:
    def test_call_is_the_plain_function(self):
        assert charge("o-1") == {"order": "o-1", "currency": "EUR"}
        assert charge(order="o-1", currency="USD") == {"order": "o-1", "currency": "USD"}

    def test_call_of_an_async_def_is_its_coroutine(self):
        assert asyncio.run(tripled(2)) == 6

    def test_it_looks_like_the_function(self):
        assert charge.__name__ == "charge"
        assert charge.__doc__ == "Take the money."

    def test_submit_is_refused(self):
        with pytest.raises(pyflow.NotInWorkflowException, match=r"call charge\(\) to run the plain function"):
            charge.submit("o-1")


class TestDefinition:
    def test_name_version_and_timeouts_are_those_given(self):
        assert (charge.name, charge.version) == ("charge", "2.1")
        assert charge.registration == {
            "defaultTaskStartToCloseTimeout": "2",
            "defaultTaskScheduleToStartTimeout": "NONE",
            "defaultTaskScheduleToCloseTimeout": "NONE",
            "defaultTaskHeartbeatTimeout": "NONE",
        }

    def test_name_is_the_function_s_where_none_is_given(self):
        assert (ping.name, ping.version) == ("ping", "1.0")
        assert double.name == "double"

    def test_star_arguments_are_refused(self):
        with pytest.raises(pyflow.PyflowException, match="name its parameters"):
            pyflow.activity("x", start_to_close=60)(lambda *args: None)

    def test_bad_timeout_is_refused(self):
        with pytest.raises(ValueError, match="heartbeat must be from 0"):
            pyflow.activity("x", heartbeat=-1)

    @pytest.mark.parametrize("define", [pyflow.activity(), pyflow.activity("f", schedule_to_start=5), pyflow.activity])
    def test_no_timeout_that_ends_a_dead_worker_s_task_is_refused_with_the_remedy(self, define):
        def f():
            pass

        with pytest.raises(pyflow.PyflowException, match=r"activity 'f' has no timeout .*start_to_close=60"):
            define(f)

    @pytest.mark.parametrize("timeout", ["start_to_close", "schedule_to_close", "heartbeat"])
    def test_one_timeout_that_does_is_enough(self, timeout):
        made = pyflow.activity("x", **{timeout: timedelta(minutes=1)})(lambda: None)

        assert getattr(made.worker_side, f"{timeout}_s") == 60

    def test_executor_is_that_of_the_function_unless_it_is_given(self):
        async def waits():
            pass

        assert pyflow.activity(start_to_close=1)(waits).worker_side.executor == "async"
        assert ping.worker_side.executor == "thread"
        assert pyflow.activity(start_to_close=1, executor="process")(in_a_process).worker_side.executor == "process"

    def test_an_executor_that_cannot_run_the_function_is_refused(self):
        async def waits():
            pass

        with pytest.raises(pyflow.PyflowException, match="'waits' is an async def: executor='process'"):
            pyflow.activity(start_to_close=1, executor="process")(waits)
        with pytest.raises(pyflow.PyflowException, match="is a plain function: executor='async'"):
            pyflow.activity(start_to_close=1, executor="async")(in_a_process)
        with pytest.raises(pyflow.PyflowException, match="Define it at the top of a module"):
            pyflow.activity("x", start_to_close=1, executor="process")(lambda: None)
        with pytest.raises(ValueError, match="one of 'thread', 'process', 'async', not 'fork'"):
            pyflow.activity("x", start_to_close=1, executor="fork")(in_a_process)

    def test_a_heartbeat_shorter_than_the_worker_beats_is_refused(self):
        beats = pyflow.activity("x", heartbeat=30)(lambda: None)

        assert beats.options(heartbeat=60)
        with pytest.raises(ValueError, match="auto_heartbeat=False"):
            beats.options(heartbeat=29)
        assert pyflow.activity("x", heartbeat=30, auto_heartbeat=False)(lambda: None).options(heartbeat=2)

    @pytest.mark.parametrize("rate", [0, -1, float("nan")])
    def test_a_rate_that_is_none_is_refused(self, rate):
        with pytest.raises(ValueError, match="max_per_second must be over 0"):
            pyflow.activity("x", start_to_close=1, max_per_second=rate)


class TestInAWorkflow:
    def test_call_schedules_and_waits(self, deciders):
        def run(self, _):
            return charge("o-1")

        (attributes,) = inputs(run, deciders)
        assert attributes == {
            "activityId": "activity1",
            "activityType": {"name": "charge", "version": "2.1"},
            "input": '{"order": "o-1"}',
        }

    def test_call_gives_the_result(self, deciders):
        def run(self, _):
            return charge("o-1")

        events = (
            FIRST
            + """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
            5 ActivityTaskScheduled activityId=activity1 activityType=charge/2.1 input={"order": "o-1"}
            6 ActivityTaskStarted scheduledEventId=5
            7 ActivityTaskCompleted scheduledEventId=5 startedEventId=6 result="paid"
            8 DecisionTaskScheduled
            9 DecisionTaskStarted scheduledEventId=8
        """
        )
        workflow_class = type("W", (pyflow.Workflow,), {"NAME": "W", "run": run})
        assert short(deciders(workflow_class).decide(task(events))) == ['CompleteWorkflowExecution "paid"']

    def test_submit_does_not_wait(self, deciders):
        def run(self, _):
            self.swf.wait_for_all([double.submit(n) for n in range(3)])

        assert [a["input"] for a in inputs(run, deciders)] == ["0", "1", "2"]

    def test_options_are_for_the_copy_alone_and_add_up(self, deciders):
        def run(self, _):
            quick = double.options(start_to_close=5)
            for activity in (quick.options(task_list="other"), quick, double):
                activity.submit(1)
            double(1)

        asked = [(each.get("startToCloseTimeout"), each.get("taskList")) for each in inputs(run, deciders)]
        assert asked == [("5", {"name": "other"}), ("5", None), (None, None), (None, None)]

    @pytest.mark.parametrize(
        ("call", "text"),
        [
            (lambda: ping.submit(), None),
            (lambda: double.submit(4), "4"),
            (lambda: double.submit(number=4), "4"),
            (lambda: double.submit({"number": 4}), '{"number": 4}'),
            (lambda: charge.submit(1, "USD"), '{"order": 1, "currency": "USD"}'),
            (lambda: charge.submit(currency="USD", order=1), '{"order": 1, "currency": "USD"}'),
            (lambda: keyword_only.submit(number=4), "4"),
        ],
    )
    def test_input_is_plain_json_by_the_function_s_parameters(self, call, text, deciders):
        def run(self, _):
            call().result()

        (attributes,) = inputs(run, deciders)
        assert attributes.get("input") == text

    def test_arguments_that_do_not_fit_raise_at_the_call(self, deciders):
        def run(self, _):
            try:
                charge()
            except TypeError as error:
                return str(error)

        workflow_class = type("W", (pyflow.Workflow,), {"NAME": "W", "run": run})
        (decision,) = short(deciders(workflow_class).decide(task(FIRST)))
        assert "missing a required argument: 'order'" in decision


class TestInAWorker:
    @pytest.mark.parametrize(
        ("activity", "text", "result"),
        [
            (ping, None, '"pong"'),
            (double, "4", "8"),
            (double, '"ab"', '"abab"'),
            (double, "[1]", "[1, 1]"),
            (keyword_only, "4", "4"),
            (charge, '{"order": 1}', '{"order": 1, "currency": "EUR"}'),
            (charge, '{"order": 1, "currency": "USD"}', '{"order": 1, "currency": "USD"}'),
        ],
    )
    def test_input_is_unpacked_as_it_was_packed(self, activity, text, result):
        assert activity.execute(text) == result

    def test_a_function_gets_by_position_what_it_can(self):
        """So that what decorates it below the activity needs to pass on no more."""

        def doubled(function):
            @functools.wraps(function)
            def both(*args):
                return [function(*args)] * 2

            return both

        @pyflow.activity(start_to_close=60)
        @doubled
        def full_name(first: str, last: str = "Lovelace"):
            return f"{first} {last}"

        assert full_name.execute('{"last": "Hopper", "first": "Grace"}') == '["Grace Hopper", "Grace Hopper"]'
        assert full_name.execute('{"first": "Ada"}') == '["Ada Lovelace", "Ada Lovelace"]'

    def test_an_async_def_is_awaited(self):
        assert asyncio.run(tripled.execute_async("2")) == "6"

    @pytest.mark.parametrize(
        ("activity", "text", "error", "message"),
        [
            (double, "{", ValueError, "Expecting"),
            (charge, "[1, 2]", TypeError, r"takes an object of \['order', 'currency'\] as input, not \[1, 2\]"),
            (charge, '{"nope": 1}', TypeError, "order"),
            (charge, None, TypeError, "missing a required argument: 'order'"),
        ],
    )
    def test_input_that_does_not_fit_is_named(self, activity, text, error, message):
        with pytest.raises(error, match=message):
            activity.execute(text)

    def test_result_that_cannot_be_sent_is_named(self):
        with pytest.raises(SerializationException, match="the result of activity 'x' cannot be sent as JSON"):
            pyflow.activity("x", start_to_close=60)(lambda: object()).execute(None)
        with pytest.raises(SerializationException, match="the result of activity 'x' is 40,002 characters"):
            pyflow.activity("x", start_to_close=60)(lambda: "y" * 40_000).execute(None)
