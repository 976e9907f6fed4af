"""
Workflows written against pyflow 2.0.0: the code behind the histories in ``2.0.0/``.

2.0.0 itself ran this file to make them. So it uses nothing that 2.0.0 does not have, and it is never edited: an edit would
be another program than the one that made the histories.
"""

import contextlib

import pyflow
from pyflow import future as pyflow_future


class Steps(pyflow.Workflow):
    """The workflow of 2.0.0's README."""

    NAME = "Steps"
    VERSION = "1.0"

    some_func = pyflow.LambdaDescriptor("some_lambda_func")
    other_func = pyflow.LambdaDescriptor("other_lambda_func")

    def run(self, input_arg):
        if input_arg == "bad_input":
            raise pyflow.WorkflowFailedException("BAD_INPUT", "Received bad input")
        future1 = self.some_func(input_arg)
        x = future1.result() + 2
        future2 = self.other_func(x)
        return future2.result()


class Conventions(pyflow.Workflow):
    """Every way to call each kind of descriptor, and the calls behind them."""

    NAME = "Conventions"
    VERSION = "2.5"

    function = pyflow.LambdaDescriptor("function")
    function_in_time = pyflow.LambdaDescriptor("function_in_time", timeout=120)
    activity = pyflow.ActivityDescriptor("activity", "v1")
    activity_elsewhere = pyflow.ActivityDescriptor("activity", "v2", timeout=60, task_list="elsewhere")
    child = pyflow.ChildWorkflowDescriptor("Child", "1.0")
    child_elsewhere = pyflow.ChildWorkflowDescriptor(
        "Child",
        "2.0",
        child_policy="ABANDON",
        lambda_role="arn:aws:iam::1:role/other",
        task_list="elsewhere",
        execution_start_to_close_timeout=86400,
    )

    def run(self, workflow_input):
        futures = []
        for invoke in (
            self.function,
            self.function_in_time,
            self.activity,
            self.activity_elsewhere,
            self.child,
            self.child_elsewhere,
        ):
            futures += [invoke(), invoke(workflow_input), invoke(a=1, b=[2])]
            for wrong in (lambda call=invoke: call(1, 2), lambda call=invoke: call(1, b=2)):
                with contextlib.suppress(pyflow.InvocationException):
                    wrong()
        swf = self.swf
        futures += [
            self.function(None),
            self.activity({"c": "é"}),
            swf.invoke_lambda("direct", None),
            swf.invoke_lambda("direct", 1, 30),
            swf.invoke_lambda(function_name="direct", input_arg=False, timeout="45"),
            swf.invoke_activity("direct", "v1"),
            swf.invoke_activity("direct", "v1", 0, 30, "elsewhere"),
            swf.invoke_activity(name="direct", version="v1", input_arg="", timeout=None, task_list=""),
            swf.invoke_child_workflow("Direct", "1.0"),
            swf.invoke_child_workflow("Direct", "1.0", [], swf.CHILD_POLICY_REQUEST_CANCEL, "role", "elsewhere", 60),
            swf.invoke_child_workflow(name="Direct", version="1.0", child_policy=swf.CHILD_POLICY_TERMINATE),
        ]
        swf.wait_for_all(futures)
        return [f.result() for f in futures]


class FanOut(pyflow.Workflow):
    """Some in parallel, the results in the order of the calls."""

    NAME = "FanOut"

    work = pyflow.ActivityDescriptor("work", "1.0")

    def run(self, items):
        futures = [self.work(item) for item in items]
        self.swf.wait_for_all(futures)
        return [f.result() for f in futures]


class Pool(pyflow.Workflow):
    """Two at a time: as one is done the next begins, and is told which one it follows."""

    NAME = "Pool"

    work = pyflow.LambdaDescriptor("work")

    def run(self, items):
        waiting = list(items)
        running = {}
        log = []
        while waiting or running:
            while waiting and len(running) < 2:
                item = waiting.pop(0)
                running[self.work(item=item, after=log[-1:])] = item
            for done in self.swf.wait_for_any(list(running)):
                log.append([running.pop(done), done.result()])
        return log


class Timers(pyflow.Workflow):
    """Timers beside work, waits with a timeout that are in time and that are not."""

    NAME = "Timers"

    work = pyflow.ActivityDescriptor("work", "1.0")

    def run(self, seconds):
        swf = self.swf
        log = []
        timer = swf.start_timer(seconds)
        work = self.work("long")
        log.append(swf.sleep(5))
        log.append([timer.done, work.done])
        try:
            log.append(len(swf.timed_wait_for_all(10, timer, work)))
        except pyflow.WaitTimedOutException:
            log.append("timed out")
        log.append([timer.done, work.done])
        other = self.work("other")
        try:
            log.append(len(swf.timed_wait_for_any(60, work, other)))
        except pyflow.WaitTimedOutException:
            log.append("timed out")
        swf.wait_for_all(timer, work, other)
        log.append(timer.result())
        swf.sleep(0)
        return log


class Once(pyflow.Workflow):
    """Recorded values: a result, arguments, a failure, None, several in one task, one nobody asks for."""

    NAME = "Once"

    work = pyflow.LambdaDescriptor("work")

    def run(self, number):
        def fail(text):
            raise KeyError(text)

        first = self.swf.invoke_once(lambda: {"number": number})
        second = self.swf.invoke_once(divmod, 17, 5)
        log = [first.result(), second.result()]
        log.append(self.work(log).result())
        third = self.swf.invoke_once(fail, text="lost")
        self.swf.wait_for_all([third])
        try:
            third.result()
        except pyflow.InvocationFailedException as failure:
            log.append(str(failure).startswith("Exception raised while invoking callable: Traceback"))
        log.append(self.swf.invoke_once(lambda: None).result())
        self.swf.sleep(1)
        self.swf.invoke_once(lambda: "nobody asks")
        return log


class Children(pyflow.Workflow):
    """Children, each with its own end; what is told of it."""

    NAME = "Children"

    child = pyflow.ChildWorkflowDescriptor("Child", "1.0", child_policy="ABANDON")

    def run(self, count):
        futures = [self.child(n) for n in range(count)]
        log = []
        for f in futures:
            try:
                log.append(f.result())
            except pyflow.InvocationException as failure:
                log.append([type(failure).__name__, str(failure)])
        return log


class Failures(pyflow.Workflow):
    """One of a kind after another; what is told of each that does not succeed."""

    NAME = "Failures"

    function = pyflow.LambdaDescriptor("function")
    activity = pyflow.ActivityDescriptor("activity", "1.0")
    child = pyflow.ChildWorkflowDescriptor("Child", "1.0")

    def run(self, kinds):
        log = []
        for kind in kinds:
            f = self.swf.start_timer(1) if kind == "timer" else getattr(self, kind)(len(log))
            self.swf.wait_for_all(f)
            if f.failed:
                same = f.exception is f.exception
                log.append([type(f.exception).__name__, list(f.exception.args), f.succeeded, same])
            else:
                log.append([f.exception, f.succeeded, f.result()])
        return log


class Uncaught(pyflow.Workflow):
    """A failure that the code lets out."""

    NAME = "Uncaught"

    work = pyflow.ActivityDescriptor("work", "1.0")

    def run(self, what):
        if what == "at once":
            raise ValueError("at once")
        if what == "failed on purpose":
            self.work(1).result()
            raise pyflow.WorkflowFailedException("SOLD_OUT", "nothing is left")
        return self.work(1).result()


class Saga(pyflow.Workflow):
    """What was done is undone when something after it fails."""

    NAME = "Saga"

    book = pyflow.ActivityDescriptor("book", "1.0", timeout=30)
    cancel = pyflow.ActivityDescriptor("cancel", "1.0", timeout=30)

    def run(self, trip):
        done = []
        try:
            for leg in trip:
                done.append(self.book(leg).result())
        except pyflow.InvocationException as failure:
            self.swf.wait_for_all([self.cancel(booking) for booking in reversed(done)])
            raise pyflow.WorkflowFailedException("TRIP_FAILED", str(failure)) from failure
        return done


class Polled(pyflow.Workflow):
    """Looks at futures without waiting for them."""

    NAME = "Polled"

    work = pyflow.ActivityDescriptor("work", "1.0")

    def run(self, _):
        work = self.work("x")
        rounds = 0
        while not work.done:
            rounds += 1
            self.swf.sleep(2)
        return [rounds, work.result()]


class Clock(pyflow.Workflow):
    """Times, ids, the role, and whether this is a replay."""

    NAME = "Clock"

    function = pyflow.LambdaDescriptor("function")

    def run(self, _):
        swf = self.swf
        log = [[swf.workflow_id, swf.run_id, swf.lambda_role, self.name, self.version]]
        for n in range(3):
            before = swf.workflow_time()
            f = self.function(n)
            f.result()
            log.append([before.isoformat(), swf.workflow_time().isoformat(), f.invocation_id])
        log.append(swf.is_replaying in (True, False))
        return log


class Early(pyflow.Workflow):
    """Returns while things are open."""

    NAME = "Early"

    work = pyflow.ActivityDescriptor("work", "1.0")
    function = pyflow.LambdaDescriptor("function")

    def run(self, _):
        self.work("open")
        self.function("open")
        self.swf.start_timer(600)
        return self.function("awaited").result()


class Object(pyflow.Workflow):
    """Keeps its state on itself and its code in several methods and generators."""

    NAME = "Object"

    work = pyflow.LambdaDescriptor("work")

    def __init__(self, swf):
        super().__init__(swf)
        self.total = 0

    def run(self, limit):
        for number in self.numbers():
            self.total += number
            if self.total >= limit:
                break
        return self.total

    def numbers(self):
        n = 1
        while True:
            yield self.double(n)
            n += 1

    def double(self, n):
        return self.work(n).result()


class Wrapped(pyflow.Workflow):
    """Futures of the author's own making."""

    NAME = "Wrapped"

    work = pyflow.LambdaDescriptor("work")

    class Doubled(pyflow_future.WrappedFuture):
        def result(self):
            return super().result() * 2

    class Both(pyflow_future.Future):
        """Done when two others are."""

        def __init__(self, one, other):
            self.one, self.other = one, other

        @property
        def done(self):
            return self.one.done and self.other.done

        def result(self):
            return [self.one.result(), self.other.result()]

    class Lenient(pyflow_future.WrappedFuture):
        """Done as soon as its timer is."""

        def __init__(self, base, timer):
            super().__init__(base)
            self.timer = timer

        @property
        def done(self):
            return super().done or self.timer.done

    def run(self, _):
        one, other, third = (self.work(n) for n in range(3))
        both = self.Both(one, other)
        log = [len(self.swf.wait_for_any(both, third))]
        log.append([one.done, other.done, third.done])
        self.swf.wait_for_all([both], third)
        log.append(both.result())
        log.append(self.Doubled(third).result())
        slow = self.work("slow")
        lenient = self.Lenient(slow, self.swf.start_timer(3))
        self.swf.wait_for_all(lenient)
        log.append([lenient.done, slow.done])
        return log


class Several(pyflow.Workflow):
    """A bit of everything in one run."""

    NAME = "Several"
    OPTIONS = {"defaultTaskStartToCloseTimeout": 60}

    function = pyflow.LambdaDescriptor("function", 90)
    activity = pyflow.ActivityDescriptor("activity", "1.0")
    child = pyflow.ChildWorkflowDescriptor("Child", "1.0")

    def run(self, order):
        stamp = self.swf.invoke_once(lambda: "stamp").result()
        first = self.function(order=order, stamp=stamp)
        second = self.activity(order)
        third = self.child(order)
        done = self.swf.wait_for_any(first, second, third)
        log = [len(done)]
        try:
            self.swf.timed_wait_for_all(20, first, second, third)
        except pyflow.WaitTimedOutException:
            log.append("slow")
        self.swf.wait_for_all(first, second, third)
        for f in (first, second, third):
            log.append(str(f.exception) if f.failed else f.result())
        self.swf.sleep(30)
        log.append(self.activity(log).result())
        return {"log": log, "stamp": stamp}


ALL = [
    Steps,
    Conventions,
    FanOut,
    Pool,
    Timers,
    Once,
    Children,
    Failures,
    Uncaught,
    Saga,
    Polled,
    Clock,
    Early,
    Object,
    Wrapped,
    Several,
]
