"""Failures as they travel: the writer and the reader, and what a workflow sees of what failed elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyflow
from pyflow import RetryPolicy
from pyflow.failures import read, write


class PaymentError(Exception):
    def __init__(self, message, retry_after=None):
        super().__init__(message)
        self.retry_after = retry_after


class Outer:
    class Inner(Exception):
        pass


@pyflow.activity(start_to_close=60)
def charge(retry_after=None):
    try:
        raise LookupError("no such card")
    except LookupError as error:
        raise PaymentError("no money\nfor book", retry_after) from error


@pyflow.activity(start_to_close=60)
def nested():
    raise Outer.Inner("deep")


def workflow(run, name="W", **members):
    return type(name, (pyflow.Workflow,), {"NAME": name, "run": run, "__module__": __name__, **members})


def caught(error):
    try:
        raise error
    except BaseException as raised:
        return raised


def timers(execution):
    return [
        event["timerStartedEventAttributes"]["startToFireTimeout"]
        for event in execution.history
        if event["eventType"] == "TimerStarted"
    ]


class TestWriteAndRead:
    @given(st.text(), st.none() | st.floats(0, 1e6) | st.integers(0, 1000))
    def test_what_is_written_is_read_again(self, message, after):
        report = read(write(caught(PaymentError(message, after))))
        assert report.type == "PaymentError"
        assert report.message == message.encode("utf-8", "replace").decode()
        assert report.retry_after == (None if after is None else round(float(after), 3))
        assert report.traceback.startswith("Traceback (most recent call last):\n")

    @pytest.mark.parametrize("after", ["3", True, float("nan"), float("inf"), -1, object()])
    def test_a_retry_after_that_is_no_number_of_seconds_is_left_out(self, after):
        assert read(write(PaymentError("no", after))).retry_after is None

    def test_a_retry_after_beyond_swfs_year_is_a_year(self):
        assert read(write(PaymentError("no", 1e12))).retry_after == 31_536_000
        assert read("pyflow.failure/1 E message=0 retry_after=99999999999\n").retry_after == 31_536_000

    @pytest.mark.parametrize(
        "details",
        [None, "", "no money", "pyflow.failure/1", "pyflow.failure/1 E\nx", "pyflow.failure/2 E message=1\nx"],
    )
    def test_what_others_wrote_is_not_taken_for_a_report(self, details):
        assert read(details) is None

    def test_any_text_that_was_cut_can_be_read(self):
        whole = write(caught(PaymentError("no money", 3)))
        first_line = whole.index("\n")
        for length in range(first_line, len(whole)):
            report = read(whole[:length])
            assert (report.type, report.retry_after) == ("PaymentError", 3)
            assert "no money".startswith(report.message)

    def test_a_long_traceback_loses_its_middle_and_never_its_end(self):
        error = caught(PaymentError("x" * 40_000))
        for number in range(100):
            further = caught(PaymentError(f"{number} " + "y" * 1_000))
            further.__cause__, error = error, further
        text = write(error)
        assert len(text) == 32_768
        report = read(text)
        assert report.traceback.startswith("Traceback")
        assert "[cut]" in report.traceback
        assert "PaymentError: 99 yyy" in report.traceback

    def test_a_long_message_leaves_room_for_the_frames(self):
        report = read(write(caught(PaymentError("x" * 40_000))))
        assert (len(report.message), report.message[-5:]) == (8_192, "[cut]")
        assert "in caught" in report.traceback
        assert len(report.traceback) < 3_000

    def test_an_error_that_cannot_tell_its_message_is_reported_all_the_same(self):
        class Mute(Exception):
            def __str__(self):
                raise ValueError("no words")

        report = read(write(caught(Mute())))
        assert report.type.endswith("Mute")
        assert report.message == "(its message cannot be had)"

    def test_causes_that_go_in_a_circle_are_reported_once(self):
        first, second = PaymentError("first"), PaymentError("second")
        first.__cause__, second.__cause__ = second, first
        assert len(write(first)) < 1000

    def test_a_type_with_an_odd_name_stays_on_its_line(self):
        assert read(write(type("two\nlines message=3", (Exception,), {})("m"))).type == "two lines message=3"

    def test_frames_of_pyflow_are_left_out_of_every_exception_of_a_group(self):
        def refuse():
            pyflow.RetryPolicy(initial=-1)

        try:
            refuse()
        except ValueError as error:
            text = write(ExceptionGroup("several", [error]))
        assert "in refuse" in text
        assert "pyflow/retry.py" not in text


class TestActivities:
    def test_failure_has_type_message_and_the_tracebacks_of_error_and_cause(self, flow):
        def run(self, _):
            try:
                charge()
            except pyflow.InvocationFailedException as failure:
                return [
                    failure.reason,
                    failure.remote_type,
                    failure.remote_message,
                    failure.remote_traceback,
                    str(failure),
                ]

        reason, type_, message, traceback, text = flow.run(workflow(run))
        assert (reason, type_, message) == ("PaymentError", "PaymentError", "no money\nfor book")
        assert text == "PaymentError: no money\nfor book"
        assert "in charge" in traceback
        assert "LookupError: no such card\n\nThe above exception was the direct cause" in traceback
        assert "/src/pyflow/" not in traceback

    def test_failure_that_nobody_catches_shows_where_it_happened(self, flow):
        with pytest.raises(pyflow.WorkflowFailedException) as raised:
            flow.run(workflow(lambda self, _: charge()))
        failure = raised.value
        assert failure.remote_type == "InvocationFailedException"
        assert failure.remote_message == "PaymentError: no money\nfor book"
        assert "where it happened:" in failure.remote_traceback
        assert "in charge" in failure.remote_traceback

    def test_of_another_worker_has_reason_and_details_as_they_are(self, flow):
        tokens = []

        @pyflow.activity(start_to_close=60)
        def foreign():
            tokens.append(pyflow.activity.current().complete_later())

        flow.use(foreign)

        def run(self, _):
            try:
                foreign()
            except pyflow.InvocationFailedException as failure:
                return [failure.remote_type, failure.remote_message, failure.remote_traceback, str(failure)]

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        pyflow.fail_activity(tokens[0], "E17", "printer on fire", client=flow.client)
        assert execution.result() == ["E17", "printer on fire", None, "E17: printer on fire"]

    def test_completed_later_with_an_exception_tells_as_much(self, flow):
        tokens = []

        @pyflow.activity(start_to_close=60)
        def later():
            tokens.append(pyflow.activity.current().complete_later())

        flow.use(later)

        def run(self, _):
            try:
                later()
            except pyflow.InvocationFailedException as failure:
                return [failure.reason, failure.remote_message, failure.retry_after]

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        pyflow.fail_activity(tokens[0], PaymentError("no", 7), client=flow.client)
        assert execution.result() == ["PaymentError", "no", 7.0]


class TestRetry:
    def test_after_what_the_exception_says(self, flow):
        policy = RetryPolicy(initial=1, jitter=0, max_attempts=3)

        def run(self, _):
            with pytest.raises(pyflow.InvocationFailedException):
                charge.options(retry=policy)(41.5)

        execution = flow.start(workflow(run))
        execution.result()
        assert timers(execution) == ["42", "42"]

    def test_of_a_child_honours_what_its_activity_says(self, flow):
        child = workflow(lambda self, _: charge(100), "Child")
        flow.use(child)
        policy = RetryPolicy(initial=1, jitter=0, max_attempts=2)

        def run(self, _):
            with pytest.raises(pyflow.InvocationFailedException) as raised:
                self.swf.start_child(child, retry=policy).result()
            return raised.value.retry_after

        execution = flow.start(workflow(run))
        assert execution.result() == 100
        assert timers(execution) == ["100"]

    @pytest.mark.parametrize("kind", [Outer.Inner, "Outer.Inner", "Inner"])
    def test_knows_a_nested_class_by_itself_and_by_its_whole_name(self, kind, flow):
        def run(self, _):
            with pytest.raises(pyflow.InvocationFailedException):
                nested.options(retry=RetryPolicy(initial=1, jitter=0, max_attempts=2, retry_on=kind))()

        execution = flow.start(workflow(run))
        execution.result()
        assert timers(execution) == ([] if kind == "Inner" else ["1"])


class TestChildren:
    def test_failure_has_the_childs_exception_and_what_was_beneath_it(self, flow):
        child = workflow(lambda self, _: charge(), "Child")
        flow.use(child)

        def run(self, _):
            try:
                self.swf.child(child)
            except pyflow.InvocationFailedException as failure:
                return [
                    failure.reason,
                    failure.remote_type,
                    failure.remote_message,
                    failure.remote_traceback,
                    str(failure),
                ]

        reason, type_, message, traceback, text = flow.run(workflow(run))
        assert reason == "Caught exception while executing workflow ('Child', '1.0')"
        assert (type_, message) == ("InvocationFailedException", "PaymentError: no money\nfor book")
        assert text == f"{reason}: {type_}: {message}"
        assert "in <lambda>" in traceback
        assert "in charge" in traceback
        assert "LookupError: no such card" in traceback

    def test_failure_of_three_levels_reaches_the_top_within_swfs_length(self, flow):
        @pyflow.activity(start_to_close=60)
        def huge():
            raise PaymentError("x" * 30_000 + "END")

        bottom = workflow(lambda self, _: huge(), "Bottom")
        middle = workflow(lambda self, _: self.swf.child(bottom), "Middle")
        flow.use(huge, bottom, middle)
        execution = flow.start(workflow(lambda self, _: self.swf.child(middle)))
        with pytest.raises(pyflow.WorkflowFailedException) as raised:
            execution.result()
        assert len(raised.value.details) <= 32_768
        assert "in huge" in raised.value.remote_traceback

    def test_failure_on_purpose_has_its_reason_and_details(self, flow):
        def fail(self, _):
            raise pyflow.WorkflowFailedException("SOLD_OUT", "no books")

        child = workflow(fail, "Child")
        flow.use(child)

        def run(self, _):
            try:
                self.swf.child(child)
            except pyflow.InvocationFailedException as failure:
                return [failure.reason, failure.details, failure.remote_type, failure.remote_traceback]

        assert flow.run(workflow(run)) == ["SOLD_OUT", "no books", "SOLD_OUT", None]

    def test_terminated_and_timed_out_children_are_told_apart(self, flow):
        def wait(self, _):
            self.swf.sleep(1000)

        child = workflow(wait, "Child")
        flow.use(child)

        def run(self, _):
            terminated = self.swf.start_child(child, workflow_id="terminated")
            timed_out = self.swf.start_child(child, execution_start_to_close=60)
            self.swf.wait_for_all(terminated, timed_out)
            return [terminated.exception.cause, type(timed_out.exception).__name__, timed_out.exception.timeout_type]

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        pyflow.handle("terminated", domain=flow.domain, client=flow.client).terminate()
        assert execution.result() == ["TERMINATED", "InvocationTimedOutException", "START_TO_CLOSE"]


def test_what_invoke_once_raised_is_told_as_in_2_0_0_with_the_authors_frames(flow):
    def refuse():
        raise PaymentError("no money")

    def run(self, _):
        failure = self.swf.invoke_once(refuse).exception
        return [str(failure), failure.remote_traceback]

    text, traceback = flow.run(workflow(run))
    assert text.startswith("Exception raised while invoking callable: Traceback (most recent call last):\n")
    assert "in refuse" in text
    assert "/src/pyflow/" not in text
    assert traceback is None
