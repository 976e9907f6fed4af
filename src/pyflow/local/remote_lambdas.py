"""Lambda functions elsewhere: passed on to AWS Lambda, or to an emulator of it on this machine."""

import json
import threading
from typing import Any, Final
from urllib.parse import urlsplit

from pyflow.exceptions import PyflowException
from pyflow.swf.client import is_loopback

from .lambdas import Invocation, Outcome, completion, failure

TIMEOUT_MAX_S: Final = 905
CONNECTIONS_MAX: Final = 64
MADE_UP: Final = "local"


class RemoteFunctions:
    """
    Invokes functions at an endpoint of the Lambda API (AWS, SAM, LocalStack).

    Args:
        endpoint_url: where. On this machine, and wherever nothing is encrypted, made-up credentials are used; elsewhere those
            that boto3 is configured for.

    Raises:
        PyflowException: not a URL.
    """

    def __init__(self, endpoint_url: str) -> None:
        parts = urlsplit(endpoint_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise PyflowException(f"not a Lambda endpoint: {endpoint_url!r}; expected the form http://127.0.0.1:4566")
        self._endpoint_url = endpoint_url
        self._client: Any = None
        self._lock = threading.Lock()

    def __call__(self, invocation: Invocation) -> Outcome:
        """Invoke a function and return how it ended; an endpoint that does not answer is a failure of the function."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only those who pass on need it

        try:
            reply = self._connected().invoke(FunctionName=invocation.name, Payload=(invocation.input or "{}").encode())
            text = reply["Payload"].read().decode("utf-8", "replace")
        except ClientError as error:
            told = error.response["Error"]
            return failure(told.get("Code", "ClientError"), told.get("Message", str(error)))
        except (BotoCoreError, OSError) as error:
            return failure(type(error).__name__, f"{self._endpoint_url} did not answer: {error}")
        if "FunctionError" in reply:
            return _as_told(reply["FunctionError"], text)
        return completion(text)

    def _connected(self) -> Any:
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        with self._lock:
            if self._client is None:
                local = is_loopback(self._endpoint_url)
                config = Config(
                    read_timeout=TIMEOUT_MAX_S,
                    retries={"total_max_attempts": 1},
                    max_pool_connections=CONNECTIONS_MAX,
                    proxies={} if local else None,
                )
                options: dict[str, Any] = {}
                if local or self._endpoint_url.startswith("http:"):
                    # Real credentials never go to a process on this machine, nor unencrypted to another one.
                    options = {
                        "region_name": "us-east-1",
                        "aws_access_key_id": MADE_UP,
                        "aws_secret_access_key": MADE_UP,
                    }
                self._client = boto3.client("lambda", endpoint_url=self._endpoint_url, config=config, **options)
            return self._client


def _as_told(kind: str, document: str) -> Outcome:
    """Return a function's own error as Lambda told it, named by the error's type."""
    try:
        told = json.loads(document)
        return failure(str(told.get("errorType", kind)), str(told.get("errorMessage", "")), told.get("stackTrace"))
    except (ValueError, AttributeError):
        return failure(kind, document)
