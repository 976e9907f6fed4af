"""The author's files as syntax trees; each is read once."""

import ast
import linecache
from functools import lru_cache
from types import CodeType
from typing import Final

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

FILES_MAX: Final = 1_000


class Source:
    """
    A file.

    Attributes:
        withs: all ``with`` statements in it.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.withs: list[ast.With] = []
        self._functions: dict[tuple[int, str], Function] = {}
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                self._functions[first, node.name] = node
            elif isinstance(node, ast.Lambda):
                self._functions[node.lineno, "<lambda>"] = node
            elif isinstance(node, ast.With):
                self.withs.append(node)

    def function(self, code: CodeType) -> Function | None:
        """Return the definition that a code object was made of."""
        return self._functions.get((code.co_firstlineno, code.co_name))

    def withs_around(self, code: CodeType, line: int) -> list[ast.With]:
        """Return the ``with`` statements of a function in whose body a line stands."""
        return [
            node
            for node in self.withs
            if code.co_firstlineno <= node.lineno and node.body[0].lineno <= line <= (node.end_lineno or 0)
        ]


@lru_cache(FILES_MAX)
def source_of(filename: str) -> Source | None:
    """Return a file of code; None if it cannot be had: code from a terminal, from ``exec``, or shipped without its source."""
    try:
        return Source(ast.parse("".join(linecache.getlines(filename))))
    except (SyntaxError, ValueError, OSError):
        return None
