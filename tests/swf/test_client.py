import subprocess
import sys
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.swf.client import create_client, is_local, service_faults
from stub_service import StubService, fault, stub_service

REAL_KEY = "AKIAREALREALREALREAL"
RESPOND = {"taskToken": "t", "decisions": []}
POLL = {"domain": "d", "taskList": {"name": "l"}}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """No configuration of AWS but what a test sets; botocore's own waits between tries last no time."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SWF"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def stub() -> Iterator[StubService]:
    with stub_service() as stub:
        yield stub


def test_importing_the_seam_imports_neither_boto3_nor_botocore():
    code = (
        "import sys, pyflow.swf.client, pyflow.worker.polling;"
        "sys.exit(any(m in sys.modules for m in ('boto3', 'botocore')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestLoopback:
    def test_needs_neither_region_nor_credentials(self, stub):
        create_client(stub.url).list_domains(registrationStatus="REGISTERED")

        assert stub.asked() == ["ListDomains"]

    def test_is_never_sent_real_credentials_of_the_environment(self, stub, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", REAL_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "real-token")
        client = create_client(stub.url)

        client.poll_for_activity_task(**POLL)
        client.list_domains(registrationStatus="REGISTERED")

        for request in stub.requests:
            assert "Credential=pyflow-local/" in request.headers["Authorization"]
            assert "X-Amz-Security-Token" not in request.headers

    def test_is_never_sent_real_credentials_of_a_profile(self, stub, monkeypatch, tmp_path):
        (tmp_path / "config").write_text(
            f"[profile work]\nregion = eu-west-1\nendpoint_url = {stub.url}\n"
            f"aws_access_key_id = {REAL_KEY}\naws_secret_access_key = real\n"
        )
        monkeypatch.setenv("AWS_PROFILE", "work")

        create_client().list_domains(registrationStatus="REGISTERED")

        assert "Credential=pyflow-local/" in stub.requests[0].headers["Authorization"]

    def test_keeps_a_configured_region(self, monkeypatch):
        monkeypatch.setenv("AWS_REGION", "eu-central-1")

        assert create_client("http://localhost:8600").meta.region_name == "eu-central-1"

    def test_is_not_reached_through_a_proxy(self, stub, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)

        create_client(stub.url).list_domains(registrationStatus="REGISTERED")

        assert stub.asked() == ["ListDomains"]

    @pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_SWF", "AWS_ENDPOINT_URL"])
    def test_may_come_from_the_environment(self, stub, monkeypatch, variable):
        monkeypatch.setenv(variable, stub.url)

        client = create_client()
        client.list_domains(registrationStatus="REGISTERED")

        assert is_local(client)
        assert stub.asked() == ["ListDomains"]


class TestElsewhere:
    @pytest.mark.parametrize(
        "url", ["http://example.com", "http://10.0.0.1:8600", "http://127.0.0.1@example.com", "http://127.0.0.1.nip.io"]
    )
    def test_plain_http_to_another_machine_is_refused(self, url):
        with pytest.raises(PyflowException, match="unencrypted"):
            create_client(url)

    def test_plain_http_configured_by_the_environment_is_refused_too(self, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://example.com")

        with pytest.raises(PyflowException, match="unencrypted"):
            create_client()

    def test_plain_http_is_used_when_told_so(self, monkeypatch):
        monkeypatch.setenv("AWS_REGION", "eu-west-1")

        client = create_client("http://swf.internal", allow_plain_http=True)

        assert client.meta.endpoint_url == "http://swf.internal"
        assert not is_local(client)

    def test_aws_without_a_region_says_what_to_set(self):
        with pytest.raises(PyflowException, match="AWS_REGION"):
            create_client()

    def test_aws_region_names_the_endpoint(self, monkeypatch):
        monkeypatch.setenv("AWS_REGION", "eu-west-1")

        assert create_client().meta.endpoint_url == "https://swf.eu-west-1.amazonaws.com"

    def test_boto3s_own_region_variable_comes_first(self, monkeypatch):
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")

        assert create_client().meta.region_name == "us-west-2"

    def test_fips_endpoints_are_left_to_boto3(self, monkeypatch):
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")

        assert "fips" in create_client().meta.endpoint_url

    @pytest.mark.parametrize("url", ["127.0.0.1:8600", "ftp://localhost", "http://", "http://[::1"])
    def test_what_is_no_url_is_refused(self, url):
        with pytest.raises(PyflowException, match="URL"):
            create_client(url)

    def test_a_profile_that_does_not_exist_is_named(self, monkeypatch):
        monkeypatch.setenv("AWS_PROFILE", "nobody")

        with pytest.raises(PyflowException, match="nobody"):
            create_client()


class TestRetries:
    @pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
    @pytest.mark.parametrize(
        "reply", [fault("ThrottlingException"), (500, {}), None], ids=["throttled", "500", "dropped"]
    )
    @pytest.mark.parametrize(
        ("operation", "request_"),
        [
            ("poll_for_decision_task", POLL),
            ("poll_for_activity_task", POLL),
            ("respond_decision_task_completed", RESPOND),
            ("signal_workflow_execution", {"domain": "d", "workflowId": "w", "signalName": "s"}),
        ],
    )
    def test_polls_responses_and_signals_are_sent_once(self, stub, monkeypatch, operation, request_, reply, mode):
        monkeypatch.setenv("AWS_RETRY_MODE", mode)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
        stub.script(reply)

        with pytest.raises(ServiceFault), service_faults("Poll"):
            getattr(create_client(stub.url), operation)(**request_)

        assert len(stub.requests) == 1

    def test_anything_else_is_retried_as_boto3_is_configured(self, stub, monkeypatch):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
        stub.script((500, {}), fault("ThrottlingException"), (200, {}))

        create_client(stub.url).list_domains(registrationStatus="REGISTERED")

        assert stub.asked() == ["ListDomains"] * 3

    def test_the_read_timeout_outlasts_swfs_poll(self):
        client = create_client("http://localhost:8600")

        for call in (client.poll_for_decision_task, client.poll_for_activity_task, client.list_domains):
            assert call.__self__.meta.config.read_timeout > 60

    def test_a_read_timeout_that_races_swfs_poll_is_refused(self):
        with pytest.raises(ValueError, match="read_timeout_s"):
            create_client("http://localhost:8600", read_timeout_s=60)

    def test_paging_a_poll_goes_through_the_polls_client(self, stub):
        stub.script((500, {}))

        with pytest.raises(ClientError):
            list(create_client(stub.url).get_paginator("poll_for_decision_task").paginate(**POLL))

        assert len(stub.requests) == 1


class TestServiceFaults:
    def test_a_fault_keeps_its_code_message_operation_and_status(self, stub):
        stub.script(fault("UnknownResourceFault", message="Unknown domain: d"))

        with pytest.raises(ServiceFault) as caught, service_faults("PollForDecisionTask"):
            create_client(stub.url).poll_for_decision_task(**POLL)

        assert caught.value.code == "UnknownResourceFault"
        assert caught.value.message == "Unknown domain: d"
        assert caught.value.operation == "PollForDecisionTask"
        assert caught.value.status == 400
        assert isinstance(caught.value.__cause__, ClientError)

    def test_no_answer_has_status_0(self, stub):
        stub.script(None)

        with pytest.raises(ServiceFault) as caught, service_faults("PollForDecisionTask"):
            create_client(stub.url).poll_for_decision_task(**POLL)

        assert (caught.value.code, caught.value.status) == ("ConnectionClosedError", 0)

    def test_a_body_cut_short_has_status_0(self, stub, monkeypatch):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        stub.script((200, b'{"events": [['))

        with service_faults("PollForDecisionTask"):
            reply = create_client(stub.url).poll_for_decision_task(**POLL)

        assert "taskToken" not in reply

    def test_what_botocore_refuses_to_send_is_a_fault_too(self):
        with pytest.raises(ServiceFault) as caught, service_faults("PollForDecisionTask"):
            create_client("http://localhost:8600").poll_for_decision_task(domain=3)

        assert (caught.value.code, caught.value.status) == ("ParamValidationError", 0)

    def test_a_fault_of_a_direct_client_passes_as_it_is(self):
        original = ServiceFault("UnknownResourceFault", "gone", operation="PollForDecisionTask")

        with pytest.raises(ServiceFault) as caught, service_faults("PollForDecisionTask"):
            raise original

        assert caught.value is original

    def test_other_errors_pass_as_they_are(self):
        with pytest.raises(ZeroDivisionError), service_faults("PollForDecisionTask"):
            raise ZeroDivisionError


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.8.9.1", "https://[::1]:9"])
def test_this_machine_is_local(url):
    assert is_local(create_client(url))
