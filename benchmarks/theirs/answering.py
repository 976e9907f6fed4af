"""The other end of ``benchmarks.peers``: one request a line, one answer a line."""

import json
import os
import sys


def answer(**cases):
    """Answer requests with the functions given, until standard input ends; what they print does not get in between."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"value": cases[request["case"]](**request["arguments"])}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()
