"""
Type hints: which of them say more than JSON does, and values rebuilt by them.

A hint made of JSON's own types says nothing that a decoded value is not already, so that it costs nothing and checks nothing:
what untyped code gets, such code gets too. The others are *rich*.
"""

import dataclasses
import json
import logging
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from pyflow.exceptions import SerializationException

logger = logging.getLogger("pyflow")

_JSON_TYPES: Final = frozenset({None, type(None), Any, object, str, int, float, bool, list, dict})
_UNIONS: Final = frozenset({typing.Union, types.UnionType})
_WRAPPERS: Final = frozenset({typing.Annotated, typing.Required, typing.NotRequired, getattr(typing, "ReadOnly", None)})


class Hints(NamedTuple):
    """
    The rich hints of a function.

    ``parameters`` by name, in their order; ``result``: of what it returns, or None where JSON says it all.
    """

    parameters: Mapping[str, Any]
    result: Any


_NONE: Final = Hints({}, None)
_known: WeakKeyDictionary[Any, Hints] = WeakKeyDictionary()


def hints_of(function: Any) -> Hints:
    """Return the rich hints of a function; they are looked up once."""
    function = getattr(function, "__func__", function)  # a bound method is another object each time
    if not getattr(function, "__annotations__", None):
        return _NONE
    try:
        found = _known.get(function)
    except TypeError:  # it cannot be kept by
        return _resolved(function)
    if found is None:
        found = _known[function] = _resolved(function)
    return found


def _resolved(function: Callable[..., Any]) -> Hints:
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        logger.warning(
            "the type hints of %s cannot be looked up, so that its values stay plain JSON: %s. Names in hints must be there at "
            "run time, outside of `if TYPE_CHECKING`.",
            getattr(function, "__qualname__", function),
            error,
        )
        return _NONE
    result = hints.pop("return", None)
    rich = {name: hint for name, hint in hints.items() if is_rich(hint)}
    return Hints(rich, if_rich(result))


def is_rich(hint: Any, inside: tuple[Any, ...] = ()) -> bool:  # noqa: PLR0911 - one return for each kind of hint
    """
    Tell whether a hint says more than JSON does.

    Args:
        hint: as ``typing.get_type_hints`` gives it.
        inside: the TypedDicts that it is a part of: they may hold themselves.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, typing.NewType):
        return is_rich(hint.__supertype__, inside)
    if hasattr(hint, "__value__"):  # type Name = ..., from 3.12 on
        return hint not in inside and is_rich(hint.__value__, (*inside, hint))
    if args and origin in _WRAPPERS:
        return is_rich(args[0], inside)
    if origin in _UNIONS or origin is list:
        return any(is_rich(arg, inside) for arg in args)
    if origin is dict:
        return args[0] not in {str, Any} or is_rich(args[1], inside)
    if typing.is_typeddict(hint):
        return hint not in inside and any(
            is_rich(field, (*inside, hint)) for field in typing.get_type_hints(hint, include_extras=True).values()
        )
    if origin is None:
        return isinstance(hint, type) and hint not in _JSON_TYPES
    # What is left of the generics: tuples, sets, Sequence[Order], a dataclass's; Literal, Callable, ClassVar say nothing.
    return isinstance(origin, type) and (_is_built(origin) or any(is_rich(arg, inside) for arg in args))


def if_rich(hint: Any) -> Any:
    """Return a hint if it says more than JSON does, else None."""
    return hint if is_rich(hint) else None


def _is_built(kind: type) -> bool:
    return kind in {tuple, set, frozenset} or dataclasses.is_dataclass(kind) or hasattr(kind, "__pydantic_validator__")


def is_unknown(hint: Any) -> bool:
    """Tell whether a hint is a class of which only a converter of the author's own can know how it is built."""
    return (
        isinstance(hint, type)
        and not hasattr(hint, "__pydantic_validator__")
        and not hasattr(hint, "__attrs_attrs__")
        and not hasattr(hint, "__struct_fields__")
        and not dataclasses.is_dataclass(hint)
        and not issubclass(hint, (Enum, tuple))
        and not typing.is_typeddict(hint)
        and hint.__module__ not in {"builtins", "datetime", "decimal", "uuid"}
    )


def rebuild(value: Any, hint: Any, what: str, build: Callable[[type, Any], Any]) -> Any:
    """
    Return the value that a decoded JSON value stands for.

    Args:
        value: JSON's.
        hint: a rich one.
        what: what it is, for messages.
        build: makes an object of a class that is unknown here: called with the class and JSON's value.

    Raises:
        SerializationException: the value does not fit; it says where in it, what was expected and what was found.
    """
    if is_unknown(hint):
        return build(hint, value)
    import msgspec  # noqa: PLC0415 - it takes as long to import as all of pyflow; only rich hints pay

    def hook(kind: type, inner: Any) -> Any:
        return _validated(kind, inner) if hasattr(kind, "__pydantic_validator__") else build(kind, inner)

    try:
        if hasattr(hint, "__pydantic_validator__"):
            return _validated(hint, value)
        return msgspec.convert(value, hint, str_keys=True, dec_hook=hook)
    except TypeError as error:
        message = (
            f"{_name(hint)} cannot be told from JSON: {error}. Write another hint, or leave it out to get plain JSON"
        )
        raise SerializationException(f"{what}: {message}") from None
    except (ValueError, RecursionError) as error:  # msgspec's own and pydantic's are ValueErrors
        raise SerializationException(f"{what} does not fit {_name(hint)}: {error}") from None


def _validated(model: Any, value: Any) -> Any:
    """Let pydantic read it as JSON, in which a strict model too takes a text for a time."""
    if not hasattr(model, "model_validate_json"):  # a dataclass of pydantic's
        from pydantic import TypeAdapter  # noqa: PLC0415 - optional, and there if a model is

        return TypeAdapter(model).validate_python(value)
    from pydantic import ValidationError  # noqa: PLC0415 - as above

    try:
        return model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        first, *more = error.errors(include_url=False)
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        found = type(first["input"]).__name__
        further = f", and {len(more)} more" if more else ""
        raise ValueError(f"{first['msg']}, got `{found}` - at `${path}`{further}") from None


def _name(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
