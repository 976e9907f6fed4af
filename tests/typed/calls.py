"""Not run: checked by mypy and pyright. Each line that ends in ``# wrong`` must be refused, and no other."""

from dataclasses import dataclass

import pyflow


@dataclass
class Item:
    name: str
    price: int


@pyflow.activity(start_to_close=60)
def charge(item: Item, times: int = 1) -> str:
    return item.name * times


@pyflow.activity(start_to_close=60)
async def ask(name: str) -> int:
    return len(name)


class Child(pyflow.Workflow):
    NAME = "Child"

    def run(self, name: str) -> list[int]:
        return [len(name)]


class Parent(pyflow.Workflow):
    NAME = "Parent"

    @pyflow.signal
    def more(self, count: int) -> None: ...

    def run(self, item: Item) -> str:
        receipt: str = charge(item, times=2)
        later: pyflow.Future[str] = charge.submit(item)
        again: str = charge.options(start_to_close=5, retry=pyflow.RetryPolicy())(item)
        length: int = ask(item.name)
        lengths: list[int] = self.swf.child(Child, "x")
        child = self.swf.start_child(Child, "x", tags=["a"])
        first: int = child.result()[0]
        spawned: pyflow.Future[int] = self.swf.spawn(len, "abc")
        charge(3)  # wrong
        charge(item, times="2")  # wrong
        charge(item, 1, 2)  # wrong
        charge.submit()  # wrong
        charge.options(start_to_close=object())  # wrong
        ask(1)  # wrong
        number: int = charge(item)  # wrong
        words: list[str] = self.swf.child(Child, "x")  # wrong
        letters: pyflow.Future[str] = self.swf.spawn(len, "abc")  # wrong
        self.swf.spawn(len, 3)  # wrong
        self.swf.sleep("a while")  # wrong
        self.swf.child(Item, "x")  # wrong
        return f"{receipt}{later}{again}{length}{lengths}{first}{spawned}{number}{words}{letters}"


def outside(item: Item) -> str:
    pyflow.RetryPolicy(max_attempts="3")  # wrong
    return charge(item)
