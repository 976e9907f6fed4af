"""
The seam to a service: how a client is made, and how its errors reach us.

A *client* is boto3's SWF client, or anything of its shape (``LocalSWF.direct()``): one method for each operation, named
in snake_case, taking SWF's members as keywords and giving the reply as a dict. boto3 is imported when a client is made,
not before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from os import environ
from typing import Any, Final
from urllib.parse import urlsplit

from pyflow.exceptions import PyflowException, ServiceFault

from .parsing import parse_plainly

Client = Any
"""A boto3 SWF client, or an object of its shape. boto3 makes its methods at run time, so there is no type to name."""

POLL_S: Final = 60
"""How long SWF holds a poll open before it answers empty."""

# Long polls of many threads share a client; botocore throws connections over this number away.
_CONNECTIONS_MAX: Final = 64

# What is sent again only where the table of faults says so.
_TRIED_ONCE: Final = (
    "poll_for_decision_task",
    "poll_for_activity_task",
    "respond_decision_task_completed",
    "respond_activity_task_completed",
    "respond_activity_task_failed",
    "respond_activity_task_canceled",
    "signal_workflow_execution",
    "start_workflow_execution",
)

# Signing needs some key. On a loopback endpoint it is this one, so that a real one never goes there.
_LOOPBACK_KEY: Final = "pyflow-local"
_LOOPBACK_REGION: Final = "us-east-1"


def create_client(
    endpoint_url: str | None = None,
    *,
    read_timeout_s: float = 70.0,
    allow_plain_http: bool = False,
    for_worker: bool = False,
) -> Client:
    """
    Make a boto3 SWF client that is fit for long polls.

    boto3's conventions hold: region, credentials and profile as usual, and ``AWS_ENDPOINT_URL_SWF``,
    ``AWS_ENDPOINT_URL`` or the profile's ``endpoint_url`` where no ``endpoint_url`` is given. An endpoint on this
    machine (``localhost``, 127.0.0.0/8, ::1) needs neither region nor credentials, and is never sent real ones nor
    reached through a proxy.

    Args:
        endpoint_url: ``http://127.0.0.1:8600``, ...; None: what boto3 is configured for, in the end AWS.
        read_timeout_s: over 60 s, because SWF holds a poll open for 60 s.
        allow_plain_http: send signed requests unencrypted to another machine.
        for_worker: replies are parsed ten times faster: their times are seconds since the epoch, not datetimes. Requests
            are checked by the service alone.

    Returns:
        A client. A poll, a response to a task, a signal or a start that fails raises at once; other operations are retried as
        boto3 is configured.

    Raises:
        PyflowException: not a URL, plain ``http`` to another machine, no region, a profile that does not exist.

    Source:
        SWF API Reference, PollForDecisionTask (70 seconds); botocore, "Service-specific endpoints".
    """
    import boto3
    import botocore.session
    from botocore.exceptions import BotoCoreError, NoRegionError

    if read_timeout_s <= POLL_S:
        raise ValueError(
            f"read_timeout_s must be over {POLL_S}, the time that SWF holds a poll open; got {read_timeout_s}"
        )
    try:
        core = botocore.session.Session()
        session = boto3.Session(botocore_session=core, region_name=_region_of_environment())
        url = endpoint_url or _configured_endpoint(session)
        _check(url, allow_plain_http=allow_plain_http)
        options = _loopback_options(session) if is_loopback(url) else {}
        if for_worker:
            parse_plainly(core)
        return _client(session, read_timeout_s, checked=not for_worker, endpoint_url=endpoint_url, **options)
    except NoRegionError as error:
        raise PyflowException(
            "no AWS region is configured: set AWS_REGION, or AWS_ENDPOINT_URL_SWF to the URL of a local service"
        ) from error
    except BotoCoreError as error:
        raise PyflowException(f"boto3 is not configured for SWF: {error}") from error
    except ValueError as error:  # botocore's word for a URL that it cannot use
        raise PyflowException(f"no client for {endpoint_url!r}: {error}") from error


def is_local(client: Client) -> bool:
    """Say whether a client speaks to a service on this machine, or in this process (no endpoint at all)."""
    url = getattr(getattr(client, "meta", None), "endpoint_url", None)
    return url is None or is_loopback(url)


def is_loopback(url: str) -> bool:
    """Say whether a URL's host is this machine: ``localhost``, 127.0.0.0/8 or ::1."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def accepts(client: Client, operation: str, member: str) -> bool:
    """
    Say whether a client knows a member of an action's request: older models of botocore lack what SWF learnt later.

    Args:
        client: boto3's, which has SWF's model; or one with a method ``accepts(operation, member)``. Another one is taken not to.
        operation: ``PollForDecisionTask``.
        member: ``startAtPreviousStartedEvent``.
    """
    model = getattr(getattr(client, "meta", None), "service_model", None)
    if model is not None:
        return member in model.operation_model(operation).input_shape.members
    try:
        return client.accepts(operation, member) is True
    except Exception:  # it has no such method, or makes one of any name
        return False


@contextmanager
def service_faults(operation: str) -> Iterator[None]:
    """
    Raise what goes wrong in a call as ServiceFault, whichever client makes it.

    Args:
        operation: the action that is called, ``PollForDecisionTask``.

    Raises:
        ServiceFault: with the service's code and status; or with status 0 where no answer was understood (the
            connection failed, timed out, or botocore refused to send), and botocore's name for it as the code. The
            cause is botocore's error.
    """
    try:
        yield
    except Exception as error:
        fault = as_fault(error, operation)
        if fault is None or fault is error:
            raise
        raise fault from error


def as_fault(error: Exception, operation: str) -> ServiceFault | None:
    """Translate an error of whichever client; None: it is no client's."""
    if isinstance(error, ServiceFault):
        error.operation = error.operation or operation
        return error
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        message = error.response.get("Error", {}).get("Message", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        return ServiceFault(code, message, operation=operation, status=status)
    if isinstance(error, BotoCoreError | ResponseParserError):
        return ServiceFault(type(error).__name__, str(error), operation=operation, status=0)
    return None


def _region_of_environment() -> str | None:
    # boto3 reads AWS_DEFAULT_REGION only; AWS_REGION is what every other AWS tool reads, and what Lambda sets.
    return None if environ.get("AWS_DEFAULT_REGION") else environ.get("AWS_REGION") or None


def _configured_endpoint(session: Any) -> str:
    """Ask boto3 where a client would go. Keys that are nobody's keep it from looking for credentials."""
    options = _loopback_options(session)
    del options["proxies"]
    return str(session.client("swf", **options).meta.endpoint_url)


def _loopback_options(session: Any) -> dict[str, Any]:
    return {
        "region_name": session.region_name or _LOOPBACK_REGION,
        "aws_access_key_id": _LOOPBACK_KEY,
        "aws_secret_access_key": _LOOPBACK_KEY,
        "proxies": {},
    }


def _check(url: str, *, allow_plain_http: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PyflowException(f"not an endpoint URL: {url!r}; expected the form http://127.0.0.1:8600")
    if parts.scheme == "http" and not is_loopback(url) and not allow_plain_http:
        raise PyflowException(
            f"refused to send AWS-signed requests unencrypted to {parts.hostname!r}: use https://, a service on this "
            "machine, or create_client(..., allow_plain_http=True)"
        )


def _client(
    session: Any, read_timeout_s: float, *, checked: bool, proxies: dict[str, str] | None = None, **options: Any
) -> Client:
    from botocore.config import Config

    config = Config(
        read_timeout=read_timeout_s,
        max_pool_connections=_CONNECTIONS_MAX,
        proxies=proxies,
        parameter_validation=checked,
    )
    # botocore sets retries per client, not per operation. A poll retried below us hides that the service is in trouble
    # and defeats our back-off; of a response or a start retried there, nobody knows whether an earlier try was applied; a signal
    # may arrive twice. So these have a client of their own that tries once, and the rest keeps boto3's retries.
    once = config.merge(Config(retries={"total_max_attempts": 1, "mode": "standard"}))
    client = session.client("swf", config=config, **options)
    single = session.client("swf", config=once, **options)
    for method in _TRIED_ONCE:
        setattr(client, method, getattr(single, method))
    return client
