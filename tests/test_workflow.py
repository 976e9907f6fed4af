"""The class that authors write: what is said at once, where it is defined."""

import pytest

import pyflow


async def coroutine(self, _):
    return 1


def generator(self, _):
    yield 1


async def asynchronous_generator(self, _):
    yield 1


@pytest.mark.parametrize("run", [coroutine, generator, asynchronous_generator])
def test_run_that_is_no_plain_function_is_refused_where_it_is_defined(run):
    with pytest.raises(TypeError, match=r"is an? .*: workflow code is plain Python, .* without await and yield"):
        type("Odd", (pyflow.Workflow,), {"NAME": "Odd", "__qualname__": "Odd", "run": run})


def test_signal_handler_that_is_no_plain_function_is_refused_too():
    with pytest.raises(TypeError, match=r"hear is an async def"):

        class Odd(pyflow.Workflow):
            __qualname__ = "Odd"
            NAME = "Odd"

            @pyflow.signal
            async def hear(self, value):
                pass


def test_other_methods_may_be_generators():
    class Even(pyflow.Workflow):
        NAME = "Even"

        def numbers(self):
            yield from range(0, 10, 2)
