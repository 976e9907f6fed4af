"""
Durable workflows as plain synchronous Python, on Amazon Simple Workflow Service.

Everything public is here; what a run offers its code is on ``self.swf``.
"""

import logging
import sys
from types import ModuleType

from .activities import Activity, activity
from .converter import DataConverter
from .descriptors import ActivityDescriptor, ChildWorkflowDescriptor, LambdaDescriptor
from .exceptions import (
    ActivityCanceledException,
    DeciderException,
    DeciderStuckException,
    GuardException,
    HistoryException,
    HistoryLimitException,
    InvocationCanceledException,
    InvocationException,
    InvocationFailedException,
    InvocationTimedOutException,
    NondeterminismException,
    NotInActivityException,
    NotInWorkflowException,
    PayloadException,
    PayloadStoreException,
    PyflowException,
    SerializationException,
    ServiceFault,
    WaitTimedOutException,
    WorkerStuckException,
    WorkflowBlockedException,
    WorkflowCanceledException,
    WorkflowFailedException,
    WorkflowTerminatedException,
    WorkflowTimedOutException,
)
from .executions import StartedWorkflow, start_workflow
from .future import Future
from .handles import WorkflowHandle, WorkflowStatus, get_workflow_status, handle
from .interceptors import Interceptor, intercept
from .payloads.compression import ZlibCodec
from .payloads.encryption import EncryptionCodec
from .payloads.sealing import Codec, PayloadStore
from .payloads.stores import FileStore, S3Store
from .retry import LAMBDA_RETRY, RetryPolicy
from .signals import signal
from .tasks import ActivityTask, cancel_activity, complete_activity, fail_activity, heartbeat_activity
from .worker.activities import ActivityWorker
from .worker.decider import Decider, poll_for_executions
from .workflow import Workflow, WorkflowInvocationHelper

__all__ = [
    "LAMBDA_RETRY",
    "Activity",
    "ActivityCanceledException",
    "ActivityDescriptor",
    "ActivityTask",
    "ActivityWorker",
    "ChildWorkflowDescriptor",
    "Codec",
    "DataConverter",
    "Decider",
    "DeciderException",
    "DeciderStuckException",
    "EncryptionCodec",
    "FileStore",
    "Future",
    "GuardException",
    "HistoryException",
    "HistoryLimitException",
    "Interceptor",
    "InvocationCanceledException",
    "InvocationException",
    "InvocationFailedException",
    "InvocationTimedOutException",
    "LambdaDescriptor",
    "NondeterminismException",
    "NotInActivityException",
    "NotInWorkflowException",
    "PayloadException",
    "PayloadStore",
    "PayloadStoreException",
    "PyflowException",
    "RetryPolicy",
    "S3Store",
    "SerializationException",
    "ServiceFault",
    "StartedWorkflow",
    "WaitTimedOutException",
    "WorkerStuckException",
    "Workflow",
    "WorkflowBlockedException",
    "WorkflowCanceledException",
    "WorkflowFailedException",
    "WorkflowHandle",
    "WorkflowInvocationHelper",
    "WorkflowStatus",
    "WorkflowTerminatedException",
    "WorkflowTimedOutException",
    "ZlibCodec",
    "activity",
    "cancel_activity",
    "complete_activity",
    "fail_activity",
    "get_workflow_status",
    "handle",
    "heartbeat_activity",
    "intercept",
    "logger",
    "poll_for_executions",
    "signal",
    "start_workflow",
]

logger = logging.getLogger("pyflow")
"""The logger of everything that pyflow itself has to say."""

# pyflow 2.0.0's module names, and what each held. exceptions, future and workflow are modules still.
_MODULES_OF_2_0_0 = {
    "decider": (Decider, WorkflowStatus, get_workflow_status, poll_for_executions, start_workflow),
    "invocation_descriptors": (ActivityDescriptor, ChildWorkflowDescriptor, LambdaDescriptor),
    "workflow_invocation_helper": (WorkflowInvocationHelper,),
}
for _name, _members in _MODULES_OF_2_0_0.items():
    _module = ModuleType(f"{__name__}.{_name}", "A module name of pyflow 2.0.0; what it holds is on ``pyflow``.")
    _module.__dict__.update({_member.__name__: _member for _member in _members})
    sys.modules[_module.__name__] = globals()[_name] = _module
del _name, _members, _module
