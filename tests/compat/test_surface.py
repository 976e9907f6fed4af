"""Every name and signature of pyflow 2.0.0, as code written against it uses them."""

import importlib
import inspect

import pytest

import pyflow
from pyflow import future, workflow_invocation_helper

NO_DEFAULT = inspect.Parameter.empty

EXPORTED = """
    ActivityDescriptor ChildWorkflowDescriptor LambdaDescriptor Workflow Decider poll_for_executions start_workflow
    get_workflow_status WorkflowStatus logger PyflowException DeciderException WorkflowBlockedException
    WorkflowFailedException InvocationException InvocationTimedOutException InvocationFailedException
    InvocationCanceledException WaitTimedOutException
"""

MODULES = {
    "exceptions": """
        PyflowException DeciderException WorkflowBlockedException WorkflowFailedException InvocationException
        InvocationTimedOutException InvocationFailedException InvocationCanceledException WaitTimedOutException
    """,
    "future": "Future InvocationFuture WrappedFuture",
    "workflow": "Workflow",
    "decider": "Decider WorkflowStatus poll_for_executions start_workflow get_workflow_status",
    "invocation_descriptors": "LambdaDescriptor ActivityDescriptor ChildWorkflowDescriptor",
    "workflow_invocation_helper": "WorkflowInvocationHelper",
}

swf = workflow_invocation_helper.WorkflowInvocationHelper

# What may be given by position or name, in order, as 2.0.0 had it.
SIGNATURES = [
    (pyflow.Workflow.__init__, "self swf"),
    (pyflow.Workflow.run, "self workflow_input"),
    (swf.workflow_time, "self"),
    (swf.invoke_lambda, "self function_name input_arg timeout=None"),
    (swf.invoke_activity, "self name version input_arg=None timeout=None task_list=None"),
    (
        swf.invoke_child_workflow,
        """
        self name version input_arg=None child_policy=None lambda_role=None task_list=None
        execution_start_to_close_timeout=None
        """,
    ),
    (swf.invoke_once, "self callable *args **kwargs"),
    (swf.start_timer, "self seconds"),
    (swf.sleep, "self seconds"),
    (swf.wait_for_all, "self *futures"),
    (swf.wait_for_any, "self *futures"),
    (swf.timed_wait_for_all, "self timeout *futures"),
    (swf.timed_wait_for_any, "self timeout *futures"),
    (pyflow.LambdaDescriptor.__init__, "self function_name timeout=None"),
    (pyflow.ActivityDescriptor.__init__, "self activity_name activity_version timeout=None task_list=None"),
    (
        pyflow.ChildWorkflowDescriptor.__init__,
        """
        self workflow_name workflow_version child_policy=None lambda_role=None task_list=None
        execution_start_to_close_timeout=None
        """,
    ),
    (future.Future.result, "self"),
    (future.InvocationFuture.result, "self"),
    (future.WrappedFuture.__init__, "self base_future"),
    (future.WrappedFuture.result, "self"),
    (pyflow.Decider.__init__, "self workflow_classes domain task_list identity client=None"),
    (pyflow.Decider.ensure_workflows_registered, "self"),
    (pyflow.Decider.process_decision_task, "self decision_task"),
    (pyflow.Decider.poll_for_decision_tasks, "self max_time=None"),
    (pyflow.poll_for_executions, "workflows domain task_list identity max_time=None"),
    (
        pyflow.start_workflow,
        # the type, task_list and lambda_role had no defaults in 2.0.0; a type may be given by its class now
        """
        domain workflow_name=None workflow_version=None task_list=None lambda_role=None input=None client=None
        task_start_to_close_timeout=None execution_start_to_close_timeout=None task_priority=None tag_list=None
        child_policy=None
        """,
    ),
    (pyflow.get_workflow_status, "domain workflow_id run_id client=None"),
    (
        pyflow.WorkflowStatus.__init__,
        """
        self execution_status workflow_description close_status=None latest_activity_timestamp=None result=None
        failure_reason=None failure_details=None exit_event=None
        """,
    ),
    (pyflow.WorkflowFailedException.__init__, "self reason details"),
    (pyflow.InvocationFailedException.__init__, "self reason=None details=None"),
    (pyflow.InvocationCanceledException.__init__, "self reason=None details=None"),
]


@pytest.mark.parametrize("name", EXPORTED.split())
def test_name_of_2_0_0_is_on_pyflow(name):
    assert hasattr(pyflow, name)
    assert name in pyflow.__all__


@pytest.mark.parametrize("module", MODULES)
def test_module_of_2_0_0_is_importable_and_an_attribute(module):
    imported = importlib.import_module(f"pyflow.{module}")

    assert imported is getattr(pyflow, module)
    for name in MODULES[module].split():
        assert getattr(imported, name) is getattr(pyflow, name, getattr(imported, name))


@pytest.mark.parametrize("module", ["decision_task_helper", "event_handler", "utils", "workflow_state"])
def test_module_that_was_internal_is_gone(module):
    with pytest.raises(ImportError):
        importlib.import_module(f"pyflow.{module}")


@pytest.mark.parametrize(
    ("function", "expected"), [pytest.param(*case, id=case[0].__qualname__) for case in SIGNATURES]
)
def test_signature_is_that_of_2_0_0_and_what_is_new_is_keyword_only(function, expected):
    said = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            continue
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = "" if parameter.default is NO_DEFAULT else f"={parameter.default!r}"
        said.append(f"{stars}{parameter.name}{default}")

    assert said == expected.split()


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (pyflow.Workflow, "name version options swf"),
        (swf, "run_id workflow_id lambda_role is_replaying"),
        (future.Future, "done succeeded failed exception"),
        (future.InvocationFuture, "done succeeded failed exception invocation_id"),
        (future.WrappedFuture, "done succeeded failed exception"),
        (pyflow.WorkflowFailedException, "reason details"),
    ],
)
def test_property_of_2_0_0_can_be_read_and_not_set(owner, names):
    for name in names.split():
        attribute = inspect.getattr_static(owner, name)
        assert isinstance(attribute, property), name
        assert attribute.fset is None, name


def test_child_policies():
    assert swf.CHILD_POLICY_TERMINATE == "TERMINATE"
    assert swf.CHILD_POLICY_REQUEST_CANCEL == "REQUEST_CANCEL"
    assert swf.CHILD_POLICY_ABANDON == "ABANDON"


class TestWorkflow:
    def test_defaults(self):
        assert pyflow.Workflow.NAME is None
        assert pyflow.Workflow.VERSION == "1.0"
        assert pyflow.Workflow.OPTIONS == {}
        assert pyflow.Workflow.DEFAULT_OPTIONS == {
            "defaultChildPolicy": "TERMINATE",
            "defaultTaskStartToCloseTimeout": 30,
            "defaultExecutionStartToCloseTimeout": 31_536_000,
        }

    def test_options_are_merged_over_the_defaults_and_leave_both_alone(self):
        class Order(pyflow.Workflow):
            NAME = "Order"
            VERSION = "2"
            OPTIONS = {"defaultChildPolicy": "ABANDON", "defaultLambdaRole": "role"}

        order = Order(None)
        assert (order.name, order.version, order.swf) == ("Order", "2", None)
        assert order.options == {
            "defaultChildPolicy": "ABANDON",
            "defaultTaskStartToCloseTimeout": 30,
            "defaultExecutionStartToCloseTimeout": 31_536_000,
            "defaultLambdaRole": "role",
        }
        assert pyflow.Workflow.DEFAULT_OPTIONS["defaultChildPolicy"] == "TERMINATE"

    @pytest.mark.parametrize("members", [{}, {"NAME": ""}, {"NAME": "Order", "VERSION": ""}])
    def test_without_name_or_version_it_cannot_be_made(self, members):
        with pytest.raises(pyflow.PyflowException):
            type("Order", (pyflow.Workflow,), members)(None)


class TestExceptions:
    @pytest.mark.parametrize(
        ("name", "base"),
        [
            ("PyflowException", Exception),
            ("DeciderException", pyflow.PyflowException),
            ("WorkflowFailedException", pyflow.PyflowException),
            ("InvocationException", pyflow.PyflowException),
            ("WaitTimedOutException", pyflow.PyflowException),
            ("InvocationTimedOutException", pyflow.InvocationException),
            ("InvocationFailedException", pyflow.InvocationException),
            ("InvocationCanceledException", pyflow.InvocationException),
            ("WorkflowBlockedException", Exception),
        ],
    )
    def test_tree(self, name, base):
        assert getattr(pyflow, name).__bases__ == (base,)

    @pytest.mark.parametrize("kind", [pyflow.InvocationFailedException, pyflow.InvocationCanceledException])
    @pytest.mark.parametrize(
        ("given", "text"),
        [((), ""), (("R",), "R"), (("R", "D"), "R: D"), ((None, "D"), "D"), (("", "D"), "D"), (("R", ""), "R")],
    )
    def test_of_an_invocation_have_one_text(self, kind, given, text):
        assert kind(*given).args == (text,)

    def test_of_a_failed_workflow_has_both(self):
        failed = pyflow.WorkflowFailedException("R", "D")

        assert (failed.args, failed.reason, failed.details) == (("R", "D"), "R", "D")
        with pytest.raises(TypeError):
            pyflow.WorkflowFailedException("R")

    @pytest.mark.parametrize("name", ["InvocationException", "InvocationTimedOutException", "DeciderException"])
    def test_of_one_text_have_it(self, name):
        assert getattr(pyflow, name)("said").args == ("said",)


def test_decided_task_has_what_the_decision_helper_had(deciders):
    from histories import task

    class Order(pyflow.Workflow):
        NAME = "W"

        def run(self, _):
            return None

    events = "1 WorkflowExecutionStarted\n2 DecisionTaskScheduled\n3 DecisionTaskStarted scheduledEventId=2"
    decided = deciders(Order).cold.process_decision_task(task(events))

    assert decided.task_token == "token-3"
    assert decided.decisions == [
        {
            "decisionType": "CompleteWorkflowExecution",
            "completeWorkflowExecutionDecisionAttributes": {"result": "null"},
        }
    ]
