"""Heads of requests: what is taken, and what is refused as no HTTP."""

import pytest

from pyflow.serving.heads import Head, Malformed


def test_a_head_says_what_it_says() -> None:
    head = Head(b"POST /a?b HTTP/1.1\r\nHOST: me\r\nContent-Length: 5 \r\nX:  a b \t\r\nX: c\r\nEmpty:\r\n\r\n")
    assert (head.method, head.target, head.length, head.count) == (b"POST", b"/a?b", 5, 5)
    assert head.headers == {b"host": b"me", b"content-length": b"5", b"x": b"c", b"empty": b""}
    assert head.keeps
    assert not head.expects


@pytest.mark.parametrize(
    ("version", "line", "keeps"),
    [
        ("1.1", "X: close", True),
        ("1.1", "Connection: keep-alive", True),
        ("1.1", "Connection: Close", False),
        ("1.1", "Connection: x, close", False),
        ("1.1", "Connection: close\r\nConnection: keep-alive", False),
        ("1.0", "Connection: keep-alive", False),
    ],
)
def test_who_means_to_ask_more(version: str, line: str, keeps: bool) -> None:
    assert Head(f"POST / HTTP/{version}\r\nHost: a\r\n{line}\r\n\r\n".encode()).keeps is keeps


def test_only_newer_clients_wait_for_a_word() -> None:
    for version, expects in (("1.1", True), ("1.0", False)):
        head = Head(f"POST / HTTP/{version}\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n".encode())
        assert head.expects is expects


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "CONNECT", "PROPFIND"])
def test_a_method_is_for_others_to_judge(method: str) -> None:
    target = "a:1" if method == "CONNECT" else "/"
    assert Head(f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()).method == method.encode()


def test_an_upgrade_is_passed_over() -> None:
    assert Head(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").method == b"GET"


@pytest.mark.parametrize(
    "line",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x00\x01\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"POST / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"POST / HTTP/0.9\r\nHost: a\r\n\r\n",
        b"POST / RTSP/1.0\r\nHost: a\r\n\r\n",
        b"POST /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1 \r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
    ],
)
def test_a_line_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(Malformed):
        Head(line)


@pytest.mark.parametrize(
    "line",
    [
        b"Host: b",
        b"Bad Name: x",
        b": x",
        b"Content-Length : 1",
        b"X: \x00",
        b"X: a\rb",
        b"X: a\n",
        b"X: a\r\n b",
        b"Content-Length: -1",
        b"Content-Length: +1",
        b"Content-Length:",
        b"Content-Length: 1, 1",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: 1\r\nContent-Length: 1",
        b"Content-Length: 99999999999999999999999",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, x",
    ],
)
def test_a_header_that_could_be_read_in_two_ways_is_refused(line: bytes) -> None:
    with pytest.raises(Malformed):
        Head(b"POST / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n")


@pytest.mark.parametrize("end", [b"\n\n", b"\n\r\n", b"\r\n\n"])
def test_no_second_request_hides_behind_another_end_of_the_head(end: bytes) -> None:
    with pytest.raises(Malformed):
        Head(b"POST / HTTP/1.1\r\nHost: a" + end + b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
