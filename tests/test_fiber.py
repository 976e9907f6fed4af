"""Fibers: what starts, parks, ends and closes, and what is refused."""

import contextvars
import gc
import os
import threading

import pytest

from pyflow._fiber import Fiber, FiberClosed, current


def parked(function):
    """Make a fiber of ``function(fiber)`` and run it to its first wait."""
    holder = []
    fiber = Fiber(lambda: function(holder[0]), "owner")
    holder.append(fiber)
    fiber.resume()
    return fiber


def test_runs_to_its_wait_and_goes_on_from_there():
    steps = []

    def code(fiber):
        steps.append(1)
        fiber.suspend()
        steps.append(2)

    fiber = parked(code)
    assert steps == [1]
    fiber.resume()
    assert steps == [1, 2]
    assert fiber.dead


def test_finally_does_not_run_because_code_waits():
    ran = []

    def code(fiber):
        try:
            fiber.suspend()
        finally:
            ran.append(True)

    fiber = parked(code)
    assert ran == []
    fiber.resume()
    assert ran == [True]


def test_control_goes_back_to_whoever_resumes():
    seen = []
    inner = parked(lambda fiber: (fiber.suspend(), seen.append("inner")))
    outer = parked(lambda fiber: (inner.resume(), seen.append("outer")))

    assert seen == ["inner", "outer"]
    assert outer.dead


def test_error_given_to_resume_is_raised_at_the_wait():
    caught = []

    def code(fiber):
        try:
            fiber.suspend()
        except KeyError as error:
            caught.append(error)

    fiber = parked(code)
    fiber.resume(KeyError("x"))
    assert caught[0].args == ("x",)


def test_error_let_out_reaches_whoever_resumes():
    def code(fiber):
        fiber.suspend()
        raise KeyError("out")

    with pytest.raises(KeyError, match="out"):
        parked(code).resume()


def test_context_variables_set_inside_stay_inside():
    variable = contextvars.ContextVar("variable", default="outside")
    fiber = parked(lambda fiber: (variable.set("inside"), fiber.suspend()))

    assert variable.get() == "outside"
    fiber.close()


def test_context_of_the_creator_is_seen_inside():
    variable = contextvars.ContextVar("variable", default="none")
    seen = []
    token = variable.set("creator")
    fiber = Fiber(lambda: seen.append(variable.get()), None)
    variable.reset(token)
    fiber.resume()

    assert seen == ["creator"]


def test_current_is_the_fiber_inside_and_none_outside():
    seen = []
    fiber = parked(lambda fiber: seen.append(current()))

    assert seen == [fiber]
    assert current() is None


class TestClose:
    def test_runs_finally_bodies_once(self):
        ran = []

        def code(fiber):
            try:
                fiber.suspend()
            finally:
                ran.append(True)

        fiber = parked(code)
        fiber.close()
        assert fiber.dead
        assert ran == [True]

    def test_is_not_caught_by_except_exception(self):
        caught = []

        def code(fiber):
            try:
                fiber.suspend()
            except Exception as error:
                caught.append(error)

        parked(code).close()
        assert caught == []

    def test_wait_in_a_finally_raises_at_once(self):
        seen = []

        def code(fiber):
            try:
                fiber.suspend()
            finally:
                try:
                    fiber.suspend()
                except FiberClosed:
                    seen.append("closed")

        fiber = parked(code)
        fiber.close()
        assert seen == ["closed"]
        assert fiber.dead

    def test_code_that_swallows_it_for_ever_is_set_aside_and_named(self, caplog):
        attempts = []

        def code(fiber):
            while True:
                try:
                    fiber.parent.switch()  # what a hostile C extension could do: leave without asking
                except BaseException as error:
                    attempts.append(error)

        fiber = parked(code)
        fiber.close()

        assert len(attempts) == 5
        assert "set aside" in caplog.text
        assert "test_fiber.py" in caplog.text
        del fiber
        gc.collect()
        assert len(attempts) == 5

    def test_generator_waiting_inside_is_finalised(self):
        ran = []

        def items(fiber):
            try:
                yield 1
                fiber.suspend()
                yield 2
            finally:
                ran.append(True)

        parked(lambda fiber: list(items(fiber))).close()
        assert ran == [True]

    def test_error_on_the_way_out_is_logged_not_raised(self, caplog):
        def code(fiber):
            try:
                fiber.suspend()
            finally:
                raise KeyError("late")

        fiber = parked(code)
        fiber.close()
        assert fiber.dead
        assert "late" in caplog.text

    def test_of_an_unstarted_fiber_runs_nothing(self):
        ran = []
        fiber = Fiber(lambda: ran.append(True), None)
        fiber.close()
        assert fiber.dead
        assert ran == []

    def test_twice_is_once(self):
        ran = []

        def code(fiber):
            try:
                fiber.suspend()
            finally:
                ran.append(True)

        fiber = parked(code)
        fiber.close()
        fiber.close()
        assert ran == [True]


def test_another_thread_may_neither_resume_nor_close():
    fiber = parked(lambda fiber: fiber.suspend())
    errors = []

    def foreign(function):
        try:
            function()
        except RuntimeError as error:
            errors.append(str(error))

    for function in (fiber.resume, fiber.close):
        thread = threading.Thread(target=foreign, args=(function,))
        thread.start()
        thread.join()

    assert len(errors) == 2
    assert "one thread of one process" in errors[0]
    fiber.close()


def test_forked_child_may_not_resume():
    fiber = parked(lambda fiber: fiber.suspend())
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            fiber.resume()
        except RuntimeError:
            os.write(write, b"refused")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    assert os.read(read, 100) == b"refused"
    os.close(read)
    fiber.close()
