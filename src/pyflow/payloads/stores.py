"""Payload stores: a directory, or a bucket."""

import os
import secrets
from pathlib import Path
from threading import Lock
from typing import Any


class FileStore:
    """
    Keep payloads as files of a directory, which all workers see: a local disk, or one that is shared.

    A file is there whole or not at all, and only its owner can read it. Nothing is ever deleted: remove what is older than the
    longest execution and its retention.

    Args:
        path: the directory; it is made when it is first needed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def __repr__(self) -> str:
        return f"FileStore({str(self._path)!r})"

    def put(self, key: str, data: bytes) -> None:
        """
        Keep data under a key.

        Raises:
            OSError: it cannot be written.
        """
        place = self._place(key)
        if place.exists():
            place.touch()  # so that what is cleared away by its age counts from now
            return
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        draft = place.with_name(f".{key}.{secrets.token_hex(8)}")
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - of a descriptor
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(place)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def get(self, key: str) -> bytes:
        """
        Return the data of a key.

        Raises:
            KeyError: there is none.
            OSError: it cannot be read.
        """
        try:
            return self._place(key).read_bytes()
        except FileNotFoundError:
            if not self._path.is_dir():
                raise  # a disk that is not mounted is trouble that passes
            raise KeyError(key) from None

    def _place(self, key: str) -> Path:
        if not key.isalnum():
            raise ValueError(f"a key is letters and digits, not {key!r}")
        return self._path / key[:2] / key


class S3Store:
    """
    Keep payloads as objects of an S3 bucket.

    Who may read them is said by the bucket's policy, and how long they stay by its lifecycle: longer than the longest execution
    and its retention.

    Args:
        bucket: its name.
        prefix: before each key: ``"payloads/"``.
        client: boto3's S3 client; None makes one by boto3's conventions when it is first needed.
        options: more keyword arguments of PutObject, such as ``ServerSideEncryption="aws:kms"``.

    Source:
        Amazon S3 API Reference, PutObject, GetObject.
    """

    def __init__(self, bucket: str, prefix: str = "", client: Any = None, **options: Any) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._given_client = client
        self._options = options
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"S3Store({self._bucket!r}, {self._prefix!r})"

    def put(self, key: str, data: bytes) -> None:
        """
        Keep data under a key.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: S3 did not take it.
        """
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data, **self._options)

    def get(self, key: str) -> bytes:
        """
        Return the data of a key.

        Raises:
            KeyError: there is none.
            botocore.exceptions.ClientError, BotoCoreError: S3 did not give it.
        """
        client = self._client
        try:
            data: bytes = client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()
        except client.exceptions.NoSuchKey:
            raise KeyError(key) from None
        return data

    @property
    def _client(self) -> Any:
        import boto3  # noqa: PLC0415 - only those who keep payloads there pay for it

        with self._lock:  # boto3 makes one client at a time
            if self._given_client is None:
                self._given_client = boto3.client("s3")
            return self._given_client

    def __reduce__(self) -> Any:
        """In another process it makes a client of its own."""
        return _s3_store, (self._bucket, self._prefix, self._options)


def _s3_store(bucket: str, prefix: str, options: dict[str, Any]) -> S3Store:
    return S3Store(bucket, prefix, **options)
