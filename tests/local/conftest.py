from collections.abc import Iterator

import pytest

from local_driver import DOORS, Driver, opened
from pyflow.local import LocalSWF, VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(start_s=1_000_000.0)


@pytest.fixture
def swf(clock: VirtualClock) -> Iterator[LocalSWF]:
    with LocalSWF(clock=clock, poll_wait_s=0.0, seed=1) as swf:
        yield swf


@pytest.fixture
def flow(swf: LocalSWF) -> Driver:
    return Driver(swf.direct())


@pytest.fixture(params=DOORS)
def each_door(request: pytest.FixtureRequest, swf: LocalSWF) -> Iterator[Driver]:
    with opened(swf, request.param) as client:
        yield Driver(client)
