"""
A result of 5 MB, where SWF takes 32,768 characters: compressed, encrypted, and kept in a payload store.

    python examples/big_payloads.py
"""

import importlib.util
import tempfile
from pathlib import Path

import pyflow
from pyflow.testing import Flow


@pyflow.activity(start_to_close=600)
def readings(count: int) -> list[dict[str, int]]:
    return [{"sensor": number % 100, "value": number * 7919 % 100_003} for number in range(count)]


class Measure(pyflow.Workflow):
    NAME = "Measure"

    def run(self, count: int) -> list[int]:
        measured = readings(count)
        return [len(measured), max(reading["value"] for reading in measured)]


def converter(directory: str) -> pyflow.DataConverter:
    codecs: list[pyflow.Codec] = [pyflow.ZlibCodec()]
    if importlib.util.find_spec("cryptography"):  # pip install 'pyflow-swf[encryption]'
        codecs.append(pyflow.EncryptionCodec({"k1": pyflow.EncryptionCodec.new_key()}))
    return pyflow.DataConverter(codecs=codecs, store=pyflow.FileStore(directory))


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, Flow() as flow:  # a local service, with time that skips
        flow.converter = converter(directory)
        execution = flow.start(Measure, 150_000)
        print(execution.result())
        (completed,) = (event for event in execution.history if event["eventType"] == "ActivityTaskCompleted")
        print("in history:", completed["activityTaskCompletedEventAttributes"]["result"][:16])
        stored = [path.stat().st_size for path in Path(directory).rglob("*") if path.is_file()]
        print(f"{len(stored)} object in the store, compressed to less than 1 MB: {sum(stored) < 1_000_000}")


if __name__ == "__main__":
    main()

# On AWS: the same converter, with S3Store("my-bucket"), for Decider, ActivityWorker and start_workflow.
