"""
Replies to workers, parsed without botocore's general parser.

That one looks at every member that SWF's model declares, 57 for each event, and makes a datetime of each time: 30 ms for a page
of 1,000 events, fifteen times what JSON itself takes. What SWF sends is what its model says, so its JSON is taken as it is.

botocore finds its parsers through a component of its session, and components can be replaced. Faults, replies that do not parse,
and what is told beside the body still go through botocore's own parser.
"""

import json
from typing import Any, Final

__all__ = ["parse_plainly"]

COMPONENT: Final = "response_parser_factory"
BACKSLASH: Final = ord("\\")


def parse_plainly(core: Any) -> bool:
    """
    Let the clients that a session makes from now on parse replies plainly.

    Args:
        core: a botocore session.

    Returns:
        Whether it could be done; if botocore has changed, its clients parse as they always do: slower, and with datetimes.
    """
    try:
        general = core.get_component(COMPONENT)
        fits = callable(general.create_parser("json").parse)
    except Exception:  # whatever a botocore of another make raises
        return False
    if not fits:
        return False
    core.register_component(COMPONENT, _Factory(general))
    return True


class _Factory:
    """Makes the parsers of a client's endpoint."""

    def __init__(self, general: Any) -> None:
        self._general = general
        self._parsers: dict[str, Any] = {}

    def create_parser(self, protocol_name: str) -> Any:
        """Return the parser for a protocol; botocore asks at each reply."""
        parser = self._parsers.get(protocol_name)
        if parser is None:
            parser = self._general.create_parser(protocol_name)
            if protocol_name == "json":
                parser = _Parser(parser)
            self._parsers[protocol_name] = parser
        return parser

    def set_parser_defaults(self, **defaults: Any) -> None:
        """Pass on what others set for all parsers."""
        self._parsers.clear()
        self._general.set_parser_defaults(**defaults)


class _Parser:
    """Parses the body as JSON, and leaves all else to the general parser."""

    def __init__(self, general: Any) -> None:
        self._general = general

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        """Return a reply as a dict, with its ``ResponseMetadata``."""
        body = response["body"]
        if response["status_code"] != 200 or not body or shape is None:
            return self._general.parse(response, shape)
        try:
            reply = json.loads(body)
        except ValueError:
            return self._general.parse(response, shape)
        if type(reply) is not dict:
            return self._general.parse(response, shape)
        if b"null" in body and _has_null(body):
            reply = _without_nulls(reply)
        reply.update(self._general.parse({**response, "body": b""}, shape))
        return reply


def _has_null(body: bytes) -> bool:
    """Say whether a member is null; in a text that holds JSON a quote has a backslash before it."""
    for null in (b'":null', b'": null'):
        at = body.find(null)
        while at > 0:
            if body[at - 1] != BACKSLASH:
                return True
            at = body.find(null, at + 1)
    return False


def _without_nulls(value: Any) -> Any:
    """Leave out members that are null, as botocore does; texts that hold JSON stay as they are."""
    if type(value) is dict:
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if type(value) is list:
        return [_without_nulls(member) for member in value]
    return value
