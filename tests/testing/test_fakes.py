"""Stand-ins: outcomes, calls, and the real signature; for activities, Lambda functions and children."""

import pytest

import pyflow
from pyflow.testing import TIMES_OUT, Flow, ScriptEndedException

REAL = []


class Declined(Exception):
    pass


@pyflow.activity(start_to_close=60)
def charge(customer, amount, currency="EUR"):
    REAL.append(customer)
    return f"{customer} paid {amount} {currency}"


@pyflow.activity(start_to_close=60, retry=pyflow.RetryPolicy(initial=1, factor=1, jitter=0, max_attempts=3))
def fetch(page):
    raise AssertionError("the real one")


class Delivery(pyflow.Workflow):
    NAME = "Delivery"

    def run(self, order):
        REAL.append(order)
        return "by bike"


class Order(pyflow.Workflow):
    NAME = "Order"
    price = pyflow.LambdaDescriptor("price")
    resize = pyflow.ActivityDescriptor("resize", "2.1", timeout=10)
    deliver = pyflow.ChildWorkflowDescriptor("Delivery", "1.0")

    def run(self, order):
        return getattr(self, order)()

    def charged(self):
        try:
            return charge("Ada", 12)
        except pyflow.InvocationException as failure:
            return [type(failure).__name__, getattr(failure, "remote_type", None)]

    def fetched(self):
        return fetch("index")

    def priced(self):
        return self.future(self.price("book"))

    def resized(self):
        return self.future(self.resize({"width": 3}))

    def delivered(self):
        return self.future(self.deliver({"id": 7}))

    def named(self):
        return self.future(self.swf.invoke_activity("by name", "3", [1, 2]))

    def twice(self):
        return [charge("Ada", amount=1), charge("Bob", 2, currency="SEK")]

    def future(self, future):
        try:
            return future.result()
        except pyflow.InvocationException as failure:
            return [type(failure).__name__, getattr(failure, "remote_type", None)]


TIMED_OUT = ["InvocationTimedOutException", None]


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        ({"returns": "paid"}, "paid"),
        ({}, None),
        ({"raises": Declined("no")}, ["InvocationFailedException", "Declined"]),
        ({"raises": Declined}, ["InvocationFailedException", "Declined"]),
        ({"side_effect": lambda customer, amount, currency="EUR": [amount, customer, currency]}, [12, "Ada", "EUR"]),
        ({"times_out": True}, TIMED_OUT),
        ({"side_effect": [TIMES_OUT]}, TIMED_OUT),
    ],
)
def test_stand_in_of_an_activity_does_what_it_is_told(outcome, result, flow):
    REAL.clear()
    fake = flow.fake(charge, **outcome)

    assert flow.run(Order, "charged") == result
    assert fake.called_once_with("Ada", 12)
    assert REAL == []


@pytest.mark.parametrize("thing", [Order.price, "price"], ids=["descriptor", "name"])
@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        ({"returns": 5}, 5),
        ({"raises": Declined("no")}, ["InvocationFailedException", "Declined"]),
        ({"side_effect": lambda event: event.upper()}, "BOOK"),
        ({"times_out": True}, TIMED_OUT),
    ],
)
def test_stand_in_of_a_lambda_function(outcome, result, thing, flow):
    fake = flow.fake(thing, **outcome)

    assert flow.run(Order, "priced") == result
    assert [call.args for call in fake.calls] == [("book",)]


@pytest.mark.parametrize("thing", [Delivery, Order.deliver, "Delivery"], ids=["class", "descriptor", "name"])
@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        ({"returns": "by van"}, "by van"),
        ({"raises": Declined("no")}, ["InvocationFailedException", "Declined"]),
        ({"raises": pyflow.WorkflowFailedException("LATE", "the van")}, ["InvocationFailedException", "LATE"]),
        ({"side_effect": lambda order: order["id"] + 1}, 8),
        ({"side_effect": ["once"]}, "once"),
        ({"times_out": True}, TIMED_OUT),
    ],
)
def test_stand_in_of_a_child_replays_as_it_ran(outcome, result, thing, flow):
    REAL.clear()
    fake = flow.fake(thing, **outcome)

    assert flow.run(Order, "delivered") == result
    assert fake.called_once_with({"id": 7})
    assert REAL == []


@pytest.mark.parametrize("thing", [Order.resize, "resize"], ids=["descriptor", "name"])
def test_stand_in_of_an_activity_whose_function_is_not_here(thing, flow):
    fake = flow.fake(thing, returns="small")

    assert flow.run(Order, "resized") == "small"
    assert fake.calls[0].arguments == {"input": {"width": 3}}


def test_stand_in_of_what_only_code_names(flow):
    fake = flow.fake("by name", kind="activity", version="3", side_effect=lambda numbers: sum(numbers))

    assert flow.run(Order, "named") == 3
    assert fake.called_once_with([1, 2])


def test_real_ones_are_used_by_default(flow):
    assert flow.run(Order, "charged") == "Ada paid 12 EUR"
    assert flow.run(Order, "delivered") == "by bike"


def test_script_gives_one_outcome_a_call_and_attempts_are_calls(flow):
    fake = flow.fake(fetch, side_effect=[ConnectionError("down"), TIMES_OUT, "page"])
    began = flow.clock.now_ms() / 1000

    assert flow.run(Order, "fetched") == "page"
    assert [call.id for call in fake.calls] == ["activity1", "activity1.2", "activity1.3"]
    assert [call.time_s - began for call in fake.calls] == [0, 1, 62]


def test_script_that_is_over_fails_the_test_whatever_the_workflow_does(flow):
    flow.fake(charge, side_effect=["one"])
    flow.run(Order, "charged")

    with pytest.raises(ScriptEndedException, match=r"list of 1 outcomes.*called 2 times: charge\('Ada', 12\)"):
        flow.run(Order, "charged")


def test_calls_are_told_and_compared_as_the_real_function_takes_them(flow):
    fake = flow.fake(charge, returns="ok")
    flow.run(Order, "twice")

    assert fake.called
    assert fake.called_with("Ada", 1, "EUR")
    assert fake.called_with("Bob", currency="SEK", amount=2)
    assert not fake.called_with("Ada", 2)
    assert not fake.called_once_with("Ada", 1)
    assert repr(fake) == ("<fake of charge, called 2 times: charge('Ada', 1); charge('Bob', 2, 'SEK')>")
    with pytest.raises(TypeError, match="missing a required argument: 'amount'"):
        fake.called_with("Ada")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"returns": 1, "raises": Declined}, "one of returns, raises, side_effect and times_out"),
        ({"raises": "Declined"}, "an exception or its class"),
        ({"side_effect": "abc"}, "a function or a list"),
        ({"side_effect": lambda customer: None}, r"cannot stand in for charge\(customer, amount"),
        ({"kind": "lamda", "thing": "price"}, "kind is 'activity', 'lambda' or 'child'"),
        ({"thing": 5}, "fake\\(\\) takes an activity"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(options, problem, flow):
    with pytest.raises(TypeError, match=problem):
        flow.fake(**{"thing": charge, **options})


def test_side_effect_of_a_name_is_checked_once_it_is_known_whose_it_is(flow):
    fits = flow.fake("charge", side_effect=lambda customer, amount, currency="EUR": [customer, amount])
    assert flow.run(Order, "charged") == ["Ada", 12]
    assert fits.called

    other = Flow()
    other.fake("charge", side_effect=lambda: "nothing")
    with pytest.raises(TypeError, match=r"side_effect\(\) cannot stand in for charge\(customer"):
        other.run(Order, "charged")
    other.close()


def test_name_of_nothing_is_refused_at_the_start_and_what_is_known_is_listed(flow):
    flow.fake("chrage", returns=1)

    with pytest.raises(pyflow.PyflowException, match=r"flow.fake\('chrage'\) stands for nothing.*known: .*charge"):
        flow.start(Order, "charged")


def test_time_out_that_can_never_come_is_named(flow):
    flow.fake("by name", kind="activity", version="3", times_out=True)

    with pytest.raises(pyflow.PyflowException, match="the fake of by name lets a call time out, but nothing limits"):
        flow.run(Order, "named")


def test_stand_in_that_comes_later_counts_from_then_on(flow):
    assert flow.run(Order, "charged") == "Ada paid 12 EUR"
    flow.fake(charge, returns="faked")
    assert flow.run(Order, "charged") == "faked"


def test_each_flow_has_its_own():
    with Flow() as one, Flow() as other:
        one.fake(charge, returns="faked")
        assert other.run(Order, "charged") == "Ada paid 12 EUR"
