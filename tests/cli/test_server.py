import signal
import socket
import sqlite3

import pytest

from command import pyflow, served, serving
from pyflow.swf.client import create_client


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
