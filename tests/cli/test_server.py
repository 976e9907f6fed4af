import json
import signal
import socket
import sqlite3
from contextlib import suppress
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

import decisions
from command import pyflow, served, serving
from local_driver import Driver
from pyflow.swf.client import create_client
from pyflow.swf.events import attributes_of

LIST = {"domain": "d", "taskList": {"name": "tl"}}


def test_it_says_in_one_line_where_it_is_and_where_data_is_kept(tmp_path):
    with serving(tmp_path, "server", "--port", "0") as server:
        line = server.line("ready")
        url = line.split(" at ")[1].split(",")[0]

        create_client(url).list_domains(registrationStatus="REGISTERED")

        assert server.log.read_text().splitlines() == [line]
        assert line == f"pyflow server is ready at {url}, data is kept in {tmp_path / 'pyflow.db'}"
        assert (tmp_path / "pyflow.db").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_what_it_kept_is_there_again(tmp_path, number):
    for known in (0, 1):
        with serving(tmp_path, "server", "--port", "0", "--db", "flow.db") as server:
            client = create_client(server.line("ready").split(" at ")[1].split(",")[0])
            domains = client.list_domains(registrationStatus="REGISTERED")["domainInfos"]
            if not domains:
                client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")

            assert len(domains) == known
            assert server.end(number) == 0


def test_what_is_not_http_fills_no_log(tmp_path):
    with serving(tmp_path, "server", "--port", "0", "--memory") as server:
        line = server.line("ready")
        with socket.create_connection(("127.0.0.1", int(line.split(",")[0].rpartition(":")[2]))) as stranger:
            stranger.sendall(b"nonsense\r\n\r\n")
            assert b"400" in stranger.recv(100)

        assert server.log.read_text().splitlines() == [line]


def test_a_signal_ends_it_while_a_poll_waits(tmp_path):
    with serving(tmp_path, "server", "--port", "0", "--memory", "--poll-wait-s", "60") as server:
        port = int(server.line("ready").split(",")[0].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)):
            assert server.end(signal.SIGTERM) == 0


def test_memory_leaves_no_file(tmp_path):
    with serving(tmp_path, "server", "--port", "0", "--memory") as server:
        assert "memory" in server.line("ready")
        server.end(signal.SIGTERM)

    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]


def refused(tmp_path, *arguments: str) -> str:
    done = pyflow("server", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("pyflow: ")
    return line


def test_a_busy_port_is_one_line_and_exit_2(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])

        assert port in refused(tmp_path, "--port", port, "--memory")


def test_a_file_of_another_program_is_one_line_and_exit_2_and_stays_as_it_is(tmp_path):
    path = tmp_path / "songs.db"
    with sqlite3.connect(path) as songs:
        songs.execute("create table song (title)")
    songs.close()
    before = path.read_bytes()

    assert "songs.db" in refused(tmp_path, "--port", "0", "--db", "songs.db")
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_one_line_and_exit_2_and_stays_as_it_is(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear Ada,\n" * 1000)

    assert "letter.txt" in refused(tmp_path, "--port", "0", "--db", "letter.txt")
    assert path.read_text() == "Dear Ada,\n" * 1000


def test_a_file_in_no_folder_is_one_line_and_exit_2(tmp_path):
    assert "nowhere" in refused(tmp_path, "--port", "0", "--db", "nowhere/flow.db")


def test_a_file_in_use_is_one_line_and_exit_2(tmp_path):
    with serving(tmp_path, "server", "--port", "0", "--db", "flow.db") as server:
        server.line("ready")

        assert "flow.db" in refused(tmp_path, "--port", "0", "--db", "flow.db")


def test_file_and_memory_exclude_each_other(tmp_path):
    done = pyflow("server", "--memory", "--db", "flow.db", cwd=tmp_path)

    assert done.returncode == 2
    assert "--db and --memory" in done.stderr


def test_a_lambda_function_that_is_not_there_is_one_line_and_exit_2(tmp_path):
    (tmp_path / "shop.py").write_text("")

    line = refused(tmp_path, "--port", "0", "--memory", "--lambda", "price=shop.py:price")

    assert "shop.py has no function price" in line


def test_poll_wait_is_how_long_a_poll_is_held(tmp_path):
    with served(tmp_path, "--poll-wait-s", "0.05") as url:
        client = create_client(url)
        client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")

        assert not client.poll_for_activity_task(domain="d", taskList={"name": "l"}).get("taskToken")


def url_of(line: str) -> str:
    return line.split(" at ")[1].split(",", maxsplit=1)[0]


def asked(url: str, target: str, body: dict) -> dict:
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=10) as answer:
        return json.loads(answer.read() or b"{}")


def test_a_virtual_clock_stands_until_it_is_told(tmp_path):
    with served(tmp_path, "--clock", "virtual", "--clock-start", "2026-01-01T00:00:00Z") as url:
        flow = Driver(create_client(url))
        flow.start()
        flow.decide(decisions.start_timer("t", "900"))

        assert asked(url, "PyflowLocal.AdvanceClock", {"seconds": 899.5}) == {"now": 1_767_225_600 + 899.5}
        assert asked(url, "SimpleWorkflowService.CountPendingDecisionTasks", LIST)["count"] == 0
        assert asked(url, "PyflowLocal.AdvanceClock", {"seconds": 0.5})["now"] == 1_767_225_600 + 900
        assert asked(url, "SimpleWorkflowService.CountPendingDecisionTasks", LIST)["count"] == 1


def test_a_skipping_clock_leaps_over_a_year(tmp_path):
    with served(tmp_path, "--clock", "skip", "--clock-start", "2026-01-01") as url:
        flow = Driver(create_client(url))
        flow.start(executionStartToCloseTimeout="31536000")
        flow.decide(decisions.start_timer("t", "31535999"))

        assert attributes_of(flow.decision_task()["events"][-3])["timerId"] == "t"


def test_a_start_of_the_systems_clock_is_refused(tmp_path):
    done = pyflow("server", "--memory", "--clock-start", "2026-01-01", cwd=tmp_path)

    assert done.returncode == 2
    assert "--clock virtual" in done.stderr


def test_a_seed_gives_the_same_run_id(tmp_path):
    runs = []
    for _ in range(2):
        with served(tmp_path, "--seed", "7") as url:
            runs.append(Driver(create_client(url)).start())

    assert runs[0] == runs[1]


def test_aws_throttles_refuse_what_is_over_the_rate(tmp_path):
    with served(tmp_path, "--aws-throttles", "--clock", "virtual") as url:
        for _ in range(50):
            with suppress(HTTPError):
                asked(url, "SimpleWorkflowService.ListTagsForResource", {"resourceArn": "arn"})
        with pytest.raises(HTTPError) as refusal:
            asked(url, "SimpleWorkflowService.ListTagsForResource", {"resourceArn": "arn"})

        assert b"ThrottlingException" in refusal.value.read()


def ended_lambda(url: str) -> dict:
    flow = Driver(create_client(url))
    run_id = flow.start()
    flow.decide(decisions.schedule_lambda_function("l", "elsewhere"))
    flow.decision_task()
    return flow.events(run_id)


def test_functions_that_are_not_here_are_invoked_at_the_endpoint(tmp_path):
    with served(tmp_path, "--lambda-endpoint-url", "http://127.0.0.1:1") as url:
        failure = attributes_of(ended_lambda(url)[6])

    assert "http://127.0.0.1:1 did not answer" in failure["details"]


def test_a_lambda_endpoint_that_is_no_url_is_one_line_and_exit_2(tmp_path):
    assert "'nowhere'" in refused(tmp_path, "--memory", "--lambda-endpoint-url", "nowhere")


def test_a_role_can_be_required(tmp_path):
    with served(tmp_path, "--require-lambda-role") as url:
        assert ended_lambda(url)[5]["eventType"] == "StartLambdaFunctionFailed"


def test_fast_says_what_it_gives_up(tmp_path):
    with serving(tmp_path, "server", "--port", "0", "--fast") as server:
        assert "power cut" in server.line("ready")


def test_the_port_file_is_there_while_it_serves(tmp_path):
    path = tmp_path / "port"
    with serving(tmp_path, "server", "--port", "0", "--memory", "--port-file", "port") as server:
        assert url_of(server.line("ready")) == f"http://127.0.0.1:{path.read_text().strip()}"
        server.end(signal.SIGTERM)

    assert not path.exists()


def test_a_port_file_that_cannot_be_written_is_one_line_and_exit_2(tmp_path):
    assert "nowhere" in refused(tmp_path, "--port", "0", "--memory", "--port-file", "nowhere/port")


@pytest.mark.parametrize("more", [[], ["--allow-remote"], ["--token-file", "token"]])
def test_the_network_takes_a_token_and_the_word(tmp_path, more):
    assert "--allow-remote and --token-file" in refused(tmp_path, "--port", "0", "--memory", "--host", "0.0.0.0", *more)


def test_the_network_is_served_to_those_who_know_the_token(tmp_path):
    remote = ["--host", "0.0.0.0", "--allow-remote", "--token-file", "token"]
    with serving(tmp_path, "server", "--port", "0", "--memory", *remote) as server:
        port = url_of(server.line("ready")).rpartition(":")[2]
        token = (tmp_path / "token").read_text().strip()
        assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
        assert "unencrypted" in server.line("other machines")
        answers = []
        for key in (token, "x" * 32):
            client = boto3.client(
                "swf",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="us-east-1",
                aws_access_key_id=key,
                aws_secret_access_key="any",
            )
            try:
                answers.append(client.list_domains(registrationStatus="REGISTERED")["domainInfos"])
            except ClientError as error:
                answers.append(error.response["Error"]["Code"])
            client.close()

        assert answers == [[], "UnrecognizedClientException"]
        assert token not in server.log.read_text()


def test_a_token_that_others_can_read_or_guess_is_one_line_and_exit_2(tmp_path):
    remote = ["--port", "0", "--memory", "--host", "0.0.0.0", "--allow-remote", "--token-file", "token"]
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    token.chmod(0o644)
    assert "chmod 600" in refused(tmp_path, *remote)
    token.chmod(0o600)
    token.write_text("secret")
    assert "hard to guess" in refused(tmp_path, *remote)
