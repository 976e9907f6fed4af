"""
Failures as they travel: an exception written as the details of a failure, and read again on the other side.

The text is for people, and begins with one line for programs, which no cutting takes away::

    pyflow.failure/1 PaymentError message=17 retry_after=30
    no money for book

    Traceback (most recent call last):
      File "shop.py", line 12, in charge
      ...
    PaymentError: no money for book

``message`` is the length of the message in characters, which may be of several lines.
"""

import math
import re
from traceback import StackSummary, TracebackException
from typing import Final, NamedTuple

from ._fiber import PACKAGE
from .converter import DATA_MAX, DURATION_MAX_S, REASON_MAX, cut, sendable

MARK: Final = "pyflow.failure/1 "
_HEADER: Final = re.compile(MARK + r"(.+) message=([0-9]+)(?: retry_after=([0-9]+(?:\.[0-9]+)?))?")
PIECE_MAX: Final = 2_048
"""Characters of one frame or one message in a traceback, so that long messages leave room for the frames of other sides."""

_LEFT_OUT: Final = "\n... [cut] ...\n"


class Report(NamedTuple):
    """
    What the other side said of an exception.

    ``type`` is the qualified name of its class; ``message`` its text; ``traceback`` that of the author's frames, causes
    included; ``retry_after`` seconds, or None.
    """

    type: str
    message: str
    traceback: str
    retry_after: float | None


def type_of(error: BaseException) -> str:
    """Return the name under which an exception travels: the qualified one of its class, of at most 256 characters."""
    return sendable(" ".join(type(error).__qualname__.split()), REASON_MAX)


def write(error: BaseException, length: int = DATA_MAX) -> str:
    """
    Write an exception as the details of a failure.

    Args:
        error: its ``retry_after``, if it has one, is a number of seconds.
        length: characters that the text may have; a long traceback loses its middle.
    """
    try:
        message = str(error)
    except Exception:
        message = "(its message cannot be had)"
    message = sendable(message, length // 4)
    after = _retry_after(error)
    more = "" if after is None else f" retry_after={after}"
    head = f"{MARK}{type_of(error)} message={len(message)}{more}\n{message}\n\n"
    return head + _without_middle(sendable(format_traceback(error), 1 << 24), length - len(head))


def read(details: str | None) -> Report | None:
    """Read what ``write`` wrote; None if something else did."""
    if details is None or not details.startswith(MARK):
        return None
    line, _, rest = details.partition("\n")
    header = _HEADER.fullmatch(line)
    if header is None:
        return None
    type_, length, after = header[1], int(header[2]), header[3]
    retry_after = None if after is None else min(float(after), float(DURATION_MAX_S))
    return Report(type_, rest[:length], rest[length:].lstrip("\n"), retry_after)


def format_traceback(error: BaseException) -> str:
    """Write an exception with its causes and the author's frames; pyflow's own are left out, unless there are no others."""
    whole = TracebackException.from_exception(error)
    reports = [whole]
    for report in reports:  # grows as it goes
        own = [frame for frame in report.stack if not frame.filename.startswith(PACKAGE)]
        report.stack = StackSummary.from_list(own or report.stack)
        further = [report.__cause__, report.__context__, *(report.exceptions or ())]
        reports += [other for other in further if other is not None]
    return "".join(piece if len(piece) <= PIECE_MAX else cut(piece, PIECE_MAX) + "\n" for piece in whole.format())


def _retry_after(error: BaseException) -> float | None:
    after = getattr(error, "retry_after", None)
    if isinstance(after, bool) or not isinstance(after, (int, float)) or not math.isfinite(after) or after < 0:
        return None
    return round(min(float(after), float(DURATION_MAX_S)), 3)


def _without_middle(text: str, length: int) -> str:
    """Shorten a traceback to a length: how it began, and above all what it ended with, say the most."""
    if len(text) <= length:
        return text
    left = length - len(_LEFT_OUT)
    return text[: left // 4] + _LEFT_OUT + text[len(text) - (left - left // 4) :]
