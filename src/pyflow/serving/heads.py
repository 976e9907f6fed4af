"""The head of a request: what stands before its body. The only file that imports httptools."""

from typing import Final

import httptools

VERSIONS: Final = (b" HTTP/1.1", b" HTTP/1.0")


class Malformed(Exception):
    """What came is not the head of a request; the text says how it is not."""


class Head:
    """
    A request but for its body.

    Args:
        data: from the first byte up to the empty line, which ends it.

    ``headers`` are by name in lower case, of several of a name the last; ``count`` says how many came. ``length`` is its body's.
    ``keeps``: the client means to ask more over this connection. ``expects``: it waits for a word before it sends the body.

    Raises:
        Malformed: not a request in HTTP/1.1 or HTTP/1.0.
    """

    __slots__ = ("_complete", "_hosts", "count", "expects", "headers", "keeps", "length", "method", "target")

    def __init__(self, data: bytes) -> None:
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.count = 0
        self.keeps = True
        self._complete = False
        self._hosts = 0
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # Nothing else is spoken here; it is answered as if it had not been asked for.
        except httptools.HttpParserError as error:
            raise Malformed(str(error)) from None
        line = data[: data.index(b"\r\n")]
        if not self._complete or not line.endswith(VERSIONS):
            raise Malformed("Expected a request in HTTP/1.1")
        self.expects = self.headers.get(b"expect", b"").lower() == b"100-continue"
        if line.endswith(b"1.0"):
            self.keeps = self.expects = False
        elif self._hosts != 1:
            raise Malformed("Expected one Host")
        self.method = parser.get_method()
        self.length = int(self.headers.get(b"content-length", b"0"))

    # -- what the parser calls

    def on_url(self, url: bytes) -> None:
        """Take the target."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"connection" and b"close" in value.lower():
            self.keeps = False
        self.headers[name] = value.strip()
        self.count += 1

    def on_headers_complete(self) -> None:
        """Note that it is whole."""
        self._complete = True
