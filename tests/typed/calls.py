"""Not run: checked by mypy and pyright. Each line that ends in ``# wrong`` must be refused, and no other."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pyflow
from pyflow.testing import Flow


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


def price_of(item: Item, *, rebate: int = 0) -> Decimal:
    return Decimal(item.price - rebate)


class Child(pyflow.Workflow):
    NAME = "Child"

    def run(self, name: str) -> list[int]:
        return [len(name)]


class Parent(pyflow.Workflow):
    NAME = "Parent"

    @pyflow.signal
    def more(self, count: int) -> None: ...

    @pyflow.signal("named")
    def less(self, count: int) -> None: ...

    def run(self, item: Item) -> str:
        receipt: str = charge(item, times=2)
        later: pyflow.Future[str] = charge.submit(item)
        again: str = charge.options(start_to_close=5, retry=pyflow.RetryPolicy())(item)
        length: int = ask(item.name)
        charge(3)  # wrong
        charge(item, times="2")  # wrong
        charge(item, 1, 2)  # wrong
        charge.submit()  # wrong
        charge.options(start_to_close=object())  # wrong
        ask(1)  # wrong
        number: int = charge(item)  # wrong
        self.more(1)
        self.less("1")  # wrong
        self.swf.sleep("a while")  # wrong
        return f"{receipt}{later}{again}{length}{number}"

    def children(self) -> list[int]:
        lengths: list[int] = self.swf.child(Child, "x")
        child = self.swf.start_child(Child, "x", tags=["a"])
        first: int = child.result()[0]
        words: list[str] = self.swf.child(Child, "x")  # wrong
        self.swf.child(Item, "x")  # wrong
        self.swf.child(Child, 3)  # wrong
        self.swf.child(Child, "x", tag=["a"])  # wrong
        self.swf.start_child(Child, "x", priority="high")  # wrong
        return [*lengths, first, len(words)]

    def fibers(self, items: list[Item]) -> None:
        spawned: pyflow.Future[int] = self.swf.spawn(len, "abc")
        letters: pyflow.Future[str] = self.swf.spawn(len, "abc")  # wrong
        self.swf.spawn(len, 3)  # wrong
        receipts: list[str] = self.swf.map(charge, items, limit=3, tolerate=1)
        submitted: list[str] = self.swf.map(charge.submit, items, enough=2)
        lengths: list[int] = self.swf.map(charge, items)  # wrong
        self.swf.map(charge, ["a", "b"])  # wrong
        self.swf.map(charge, items, limit="3")  # wrong
        for each in self.swf.as_completed([charge.submit(item) for item in items]):
            word: str = each.result()
            count: int = each.result()  # wrong
            print(word, count)
        for either in self.swf.as_completed(spawned, self.swf.start_timer(1)):
            either.result()
        found: list[pyflow.Future[str]] = self.swf.wait_for_any(charge.submit(items[0]))
        all_of_them: list[pyflow.Future[int]] = self.swf.timed_wait_for_all(5, [ask.submit("a")], ask.submit("b"))
        self.swf.wait_for_all([[spawned], [letters]], self.swf.start_timer(1))
        print(receipts, submitted, lengths, found, all_of_them)

    def recorded(self, item: Item) -> Decimal:
        price: pyflow.Future[Decimal] = self.swf.invoke_once(price_of, item, rebate=3)
        text: pyflow.Future[str] = self.swf.invoke_once(price_of, item)  # wrong
        self.swf.invoke_once(price_of)  # wrong
        self.swf.invoke_once(price_of, item, rebate="3")  # wrong
        print(text)
        return price.result()

    def signals(self) -> Item:
        self.swf.receive("anything").whatever()
        maybe: Item | None = self.swf.receive("maybe", returns=Item | None)
        item: Item = self.swf.receive("item", returns=Item, timeout=5)
        word: str = self.swf.receive("item", returns=Item)  # wrong
        self.swf.wait_until(lambda: "yes", timeout=[])  # wrong
        print(word, maybe)
        return item


class Described(pyflow.Workflow):
    NAME = "Described"
    plain = pyflow.ActivityDescriptor("a", "1.0", 60, "list", heartbeat=5, priority=1)
    price = pyflow.ActivityDescriptor("a", "1.0", returns=Decimal, retry=pyflow.RetryPolicy())
    maybe = pyflow.ActivityDescriptor("a", "1.0", returns=Decimal | None)
    function = pyflow.LambdaDescriptor("f", 60, returns=list[Item], retry=None)
    child = pyflow.ChildWorkflowDescriptor("c", "1.0", returns=Item, tags=["a"], priority=3)
    unversioned = pyflow.ActivityDescriptor("a")  # wrong
    misspelt = pyflow.ActivityDescriptor("a", "1.0", returns=Decimal, heart_beat=5)  # wrong
    mistyped = pyflow.ChildWorkflowDescriptor("c", "1.0", retry=3)  # wrong

    def run(self, _: None) -> Decimal:
        self.plain(1).result().whatever()
        self.maybe(a=1, b=2).result().whatever()
        item: Item = self.function(1).result()[0]
        child: Item = self.child().result()
        future: pyflow.Future[Decimal] = self.price(1)
        word: str = self.price(1).result()  # wrong
        print(item, child, word, self.price.result)  # wrong
        return future.result()


def outside(item: Item) -> str:
    pyflow.RetryPolicy(initial=timedelta(minutes=1), max_total=timedelta(hours=2), retry_on=(OSError, "HEARTBEAT"))
    pyflow.RetryPolicy(max_attempts="3")  # wrong
    started = pyflow.start_workflow("d", workflow=Child, input="x")
    lengths: list[int] = started.handle.result(timeout=5)
    text: str = started.handle.result()  # wrong
    again: list[int] = pyflow.handle("id", domain="d", workflow=Child).result()
    number: int = pyflow.handle("id", domain="d", workflow=Child).result()  # wrong
    pyflow.handle("id", domain="d").result().whatever()
    pyflow.start_workflow("d", "Name", "1.0").handle.result().whatever()
    pyflow.start_workflow("d", workflow=Item)  # wrong
    plain: Callable[[Parent, int], None] = Parent.more
    print(lengths, text, again, number, plain)
    return charge(item)


def test(flow: Flow) -> None:
    lengths: list[int] = flow.run(Child, "x")
    again: list[int] = flow.start(Child, "x", workflow_id="id").result()
    text: str = flow.run(Child, "x")  # wrong
    number: int = flow.start(Child, "x").result()  # wrong
    flow.run(Item)  # wrong
    print(lengths, again, text, number)
