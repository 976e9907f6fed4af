"""
The pytest plugin: there once pyflow is installed.

It stands outside of the package, so that pytest can load it without importing pyflow: a session that tests no workflow pays
nothing, and coverage sees pyflow's own imports. What it does is in ``pyflow.testing``.
"""

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pyflow.testing import Flow


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pyflow", "workflows under test")
    group.addoption("--pyflow-record", metavar="DIR", help="write the history of every execution of a test that passed")
    group.addoption("--pyflow-no-replay", action="store_true", help="do not replay what tests ran")
    group.addoption(
        "--pyflow-service",
        choices=["local", "moto", "aws"],
        help="where executions run: local (default), moto, or aws: what boto3 is configured for, where each costs money",
    )
    group.addoption("--pyflow-domain", help="with --pyflow-service=aws: the domain, which is made if it is not there")
    parser.addini("pyflow_service", "where executions run (local, moto, aws)", default="local")
    parser.addini("pyflow_domain", "the domain for the service aws", default="")
    parser.addini("pyflow_replay", "replay every history that a test makes (on, off)", type="bool", default=True)
    parser.addini("pyflow_spin_seconds", "processor time that workflow code may take at one go", default="")
    parser.addini("pyflow_guard", "what is done about code that cannot be replayed (off, warn, strict)", default="warn")
    parser.addini(
        "pyflow_converter", "what values become on their way, a pyflow.DataConverter: module:NAME", default=""
    )
    parser.addini(
        "pyflow_workflows", "modules with the workflow classes of *.history.json files", type="args", default=[]
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


class Hooks:
    """What a conftest may implement."""

    @staticmethod
    def pytest_pyflow_workflows(config: pytest.Config) -> list[Any]:
        """Return workflow classes, and modules that hold some, for ``*.history.json`` files that are tests."""
        raise NotImplementedError


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "flow(replay=..., spin_s=..., guard=...): how the fixture flow is made for this test"
    )


# -- fixtures


@pytest.fixture
def flow(request: pytest.FixtureRequest) -> "Iterator[Flow]":
    """
    A service, a decider and an activity worker of the test's own, with time that skips.

    ``flow.run(OrderWorkflow, {...})`` runs an execution to its end. When the test is over, the history of each of its
    executions has been replayed from every prefix; a difference fails the test.
    """
    marker = request.node.get_closest_marker("flow")
    with _made(request.config, **(marker.kwargs if marker else {})) as flow:
        yield flow


@pytest.fixture(scope="module")
def flow_module(request: pytest.FixtureRequest) -> "Iterator[Flow]":
    """As ``flow``, shared by the tests of a module; what a test leaves open is terminated at its end."""
    with _made(request.config) as flow:
        yield flow


@pytest.fixture(scope="session")
def flow_session(request: pytest.FixtureRequest) -> "Iterator[Flow]":
    """As ``flow``, shared by all tests; what a test leaves open is terminated at its end."""
    with _made(request.config) as flow:
        yield flow


@pytest.fixture(scope="session")
def flow_factory(request: pytest.FixtureRequest) -> "Callable[..., Any]":
    """
    A function that makes a ``Flow``, for fixtures of your own and of any scope.

    ``with flow_factory() as flow: yield flow``; it takes what ``Flow`` takes.
    """
    return lambda **options: _made(request.config, **options)


@contextmanager
def _made(config: pytest.Config, **options: Any) -> "Iterator[Flow]":
    from pyflow.testing import Flow

    converter = _converter(config)
    spin_s = config.getini("pyflow_spin_seconds")
    world = options.pop("world", None) or _world(config)
    defaults: dict[str, Any] = {"world": world, "replay": _replays(config), "guard": config.getini("pyflow_guard")}
    if spin_s:
        defaults["spin_s"] = float(spin_s)
    flow = Flow(**{**defaults, **options})
    flow.folder = config.rootpath / ".pyflow"
    if converter is not None:
        flow.converter = converter
    try:
        yield flow
    finally:
        flow.close()


def _converter(config: pytest.Config) -> Any:
    """Return the converter that the ini file names; None: plain JSON."""
    if not config.getini("pyflow_converter"):
        return None
    from pyflow.testing.settings import converter_of

    return converter_of(config)


def _world(config: pytest.Config) -> Any:
    """Return the service that is asked for; None: a local one."""
    name = config.getoption("--pyflow-service") or config.getini("pyflow_service")
    if name == "local":
        return None
    from pyflow.testing import services

    try:
        if name == "moto":
            return services.moto()
        domain = config.getoption("--pyflow-domain") or config.getini("pyflow_domain")
        if name == "aws" and domain:
            return services.aws(domain)
    except services.UnsupportedException as error:
        pytest.skip(str(error))
    raise pytest.UsageError(
        f"pyflow_service is local, moto, or aws with --pyflow-domain=NAME (or pyflow_domain), not {name!r} alone"
    )


def _replays(config: pytest.Config) -> bool:
    return bool(config.getini("pyflow_replay")) and not config.getoption("--pyflow-no-replay")


# -- around each test

_STORIES = pytest.StashKey[list[str]]()
_DEBUGGED = pytest.StashKey[bool]()


def pytest_enter_pdb(config: pytest.Config) -> None:
    """A test that stops in the debugger is not replayed: each replay would stop there again."""
    config.stash[_DEBUGGED] = True


def _flows() -> "list[Flow]":
    """Return the flows that are there; none, and nothing is imported, if nobody has imported pyflow.testing."""
    module = sys.modules.get("pyflow.testing.flow")
    return [] if module is None else sorted(module.opened, key=id)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> "Generator[None, Any, Any]":
    item.config.stash[_DEBUGGED] = False
    for flow in _flows():
        flow.mark()
    return (yield)


def _is_unsupported(error: BaseException) -> bool:
    """Tell whether a test asked for what the service that it runs on cannot do."""
    module = sys.modules.get("pyflow.testing.world")
    return module is not None and isinstance(error, module.UnsupportedException)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> "Generator[None, Any, Any]":
    __tracebackhide__ = True
    for flow in _flows():
        flow.begin()
    try:
        result = yield
        for number, flow in enumerate(flow for flow in _flows() if not flow.closed):
            if flow.replay and not item.config.stash.get(_DEBUGGED, False):
                flow.check()
            if item.config.getoption("--pyflow-record"):
                from pyflow.testing.golden import record

                record(flow, Path(item.config.getoption("--pyflow-record")), f"{item.nodeid}-{number}")
    except BaseException as error:
        if _is_unsupported(error):
            pytest.skip(str(error))
        item.stash[_STORIES] = [story for flow in _flows() if (story := flow.story())]
        raise
    finally:
        for flow in _flows():
            if not flow.closed:
                flow.leave()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> "Generator[None, Any, Any]":
    if call.excinfo is not None and "pyflow" in sys.modules:
        from pyflow.testing.golden import hide_own_frames

        hide_own_frames(call.excinfo)
    report: Any = yield
    if call.when == "call" and call.excinfo is not None:
        report.sections += [("pyflow: what happened", story) for story in item.stash.get(_STORIES, [])]
    return report


# -- recorded histories


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not file_path.name.endswith(".history.json"):
        return None
    from pyflow.testing.golden import HistoryFile

    return HistoryFile.from_parent(parent, path=file_path)
