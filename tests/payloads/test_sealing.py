"""Codecs and stores: what is sealed is opened, by whoever has what it takes, and the others are told what they lack."""

import base64
import hashlib
import json
import pickle
import re
import stat
import threading

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from pyflow import (
    DataConverter,
    EncryptionCodec,
    FileStore,
    PayloadException,
    PayloadStoreException,
    S3Store,
    SerializationException,
    ZlibCodec,
)
from pyflow.converter import DATA_MAX, JSON
from pyflow.payloads import stores
from pyflow.payloads.sealing import describe

KEY = b"k" * 32
LONG = json.dumps("word " * 10_000)


class Memory:
    """A store that counts, and fails when told to."""

    def __init__(self):
        self.data = {}
        self.puts = self.gets = 0
        self.broken = False

    def put(self, key, data):
        if self.broken:
            raise OSError("no route")
        self.puts += 1
        self.data[key] = data

    def get(self, key):
        if self.broken:
            raise OSError("no route")
        self.gets += 1
        return self.data[key]


def rot13(name="rot13"):
    class Rot:
        def __init__(self):
            self.name = name

        def encode(self, data):
            return bytes(byte ^ 13 for byte in data)

        decode = encode

    return Rot()


def encryption(*ids, key=KEY):
    return EncryptionCodec(dict.fromkeys(ids or ("k1",), key))


CHAINS = {
    "zlib": [ZlibCodec()],
    "encryption": [encryption()],
    "both": [ZlibCodec(), encryption()],
    "own": [rot13(), ZlibCodec(min_size=0), encryption()],
}


@pytest.mark.parametrize("codecs", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("store", [None, Memory()], ids=["no store", "store"])
def test_sealed_text_is_opened_again(codecs, store):
    converter = DataConverter(codecs=codecs, store=store)

    @given(st.text(st.characters(codec="ascii"), max_size=2_000), st.integers(1, 40))
    def holds(text, times):
        text = json.dumps(text * times)
        try:
            converter.refuse_too_long(text, "it")
        except SerializationException:
            assert store is None
            return
        sealed = converter.seal(text)
        assert len(sealed) <= DATA_MAX
        assert sealed.isascii()
        assert converter.open(sealed) == text

    holds()


def test_text_says_what_made_it():
    sealed = DataConverter(codecs=CHAINS["both"]).seal(LONG)
    assert re.fullmatch(r"pyflow\.payload/1 codecs=zlib,aes-gcm data=[A-Za-z0-9+/]+=*", sealed)
    assert "word" not in base64.b64decode(sealed.rpartition("data=")[2]).decode("latin-1")


def test_what_no_codec_touches_stays_plain_json():
    assert DataConverter(codecs=[ZlibCodec()]).seal('{"a": 1}') == '{"a": 1}'
    assert DataConverter(store=Memory()).seal('{"a": 1}') == '{"a": 1}'


def test_plain_json_is_read_by_every_converter():
    assert DataConverter(codecs=CHAINS["both"], store=Memory()).decode(' {"a": 1}') == {"a": 1}


def test_sealing_twice_is_sealing_once():
    converter = DataConverter(codecs=CHAINS["both"])
    sealed = converter.seal(LONG)
    assert converter.seal(sealed) == sealed


def test_zlib_is_read_without_being_configured():
    assert JSON.decode(DataConverter(codecs=[ZlibCodec()]).seal(LONG)) == json.loads(LONG)


def test_retired_codec_reads_and_does_not_write():
    old = DataConverter(codecs=[rot13("old")])
    now = DataConverter(retired=[rot13("old")])
    assert now.open(old.seal(LONG[:9000])) == LONG[:9000]
    assert now.seal(LONG[:9000]) == LONG[:9000]


def test_missing_codec_is_named():
    with pytest.raises(PayloadException, match="codec 'aes-gcm', which this side does not have") as caught:
        JSON.open(DataConverter(codecs=[encryption()]).seal('"x"'))
    assert caught.value.codec == "aes-gcm"


def test_key_rotates_by_its_id():
    before = DataConverter(codecs=[encryption("old")])
    between = DataConverter(codecs=[EncryptionCodec({"old": KEY, "new": b"n" * 32})])
    after = DataConverter(codecs=[EncryptionCodec({"new": b"n" * 32, "old": KEY})])
    assert after.open(before.seal('"x"')) == after.open(between.seal('"x"')) == between.open(after.seal('"x"')) == '"x"'
    with pytest.raises(PayloadException, match="key 'new', which this side does not have") as caught:
        before.open(after.seal('"x"'))
    assert caught.value.key == "new"


def test_other_key_of_the_same_id_and_changed_data_are_told():
    sealed = DataConverter(codecs=[encryption()]).seal('"x"')
    with pytest.raises(PayloadException, match="another key that is called 'k1'"):
        DataConverter(codecs=[encryption(key=b"o" * 32)]).open(sealed)


@given(st.data())
def test_changed_text_never_opens_as_something_else(data):
    converter = DataConverter(codecs=[ZlibCodec(min_size=0), encryption()])
    sealed = converter.seal(json.dumps("word " * 50))
    place = data.draw(st.integers(0, len(sealed) - 1))
    letter = data.draw(st.characters(codec="ascii"))
    changed = sealed[:place] + letter + sealed[place + 1 :]
    try:
        opened = converter.open(changed)
    except PayloadException:
        return
    assert opened == json.dumps("word " * 50) or not changed.startswith("pyflow.payload/")


@pytest.mark.parametrize("bad", ["", "a b", "x" * 33, "a,b", "ä"])
def test_codec_needs_a_name_that_fits(bad):
    with pytest.raises(ValueError, match="name"):
        DataConverter(codecs=[rot13(bad)])


def test_two_codecs_of_one_name_are_refused():
    with pytest.raises(ValueError, match="names of their own"):
        DataConverter(codecs=[rot13(), rot13()])


def test_compressed_data_that_was_cut_is_told():
    sealed = DataConverter(codecs=[ZlibCodec()]).seal(LONG)
    with pytest.raises(PayloadException, match="was cut"):
        JSON.open(sealed[:-8])


def test_bomb_is_not_inflated():
    bomb = DataConverter(codecs=[ZlibCodec()]).seal(json.dumps("a" * 1_000_000))
    with pytest.raises(PayloadException, match="over 1,000 bytes when decompressed"):
        DataConverter(codecs=[ZlibCodec(max_size=1_000)]).open(bomb)


@pytest.mark.parametrize("keys", [{}, {"": KEY}, {"k": b"short"}, {"ä": KEY}])
def test_keys_that_are_none_are_refused(keys):
    with pytest.raises(ValueError, match=r".+"):
        EncryptionCodec(keys)


def test_new_keys_differ_and_so_does_the_same_payload_twice():
    assert EncryptionCodec.new_key() != EncryptionCodec.new_key()
    converter = DataConverter(codecs=[encryption()])
    assert converter.seal('"x"') != converter.seal('"x"')


# -- too long, and stores


@pytest.mark.parametrize(("size", "stored"), [(DATA_MAX, 0), (DATA_MAX + 1, 1)])
def test_store_is_for_what_is_over_swfs_length(size, stored):
    store = Memory()
    converter = DataConverter(store=store)
    text = converter.encode("x" * (size - 2), "it")
    assert store.puts == 0  # asking whether it can be sent stores nothing
    assert converter.open(converter.seal(text)) == text
    assert len(store.data) == stored


def test_compression_alone_lets_longer_texts_through():
    converter = DataConverter(codecs=[ZlibCodec()])
    assert converter.decode(converter.seal(converter.encode("word " * 50_000, "it"))) == "word " * 50_000
    with pytest.raises(
        SerializationException, match=r"the input of activity 'charge' is 1,[0-9]{3},[0-9]{3} characters"
    ):
        converter.encode(
            [hashlib.sha256(str(n).encode()).hexdigest() for n in range(20_000)], "the input of activity", "charge"
        )


def test_encryption_makes_longer_and_that_is_told_at_once():
    with pytest.raises(SerializationException, match="payload store"):
        DataConverter(codecs=[encryption()]).encode("x" * 30_000, "it")


def test_what_a_lambda_function_gets_is_never_sealed():
    with pytest.raises(SerializationException, match="Send a reference"):
        DataConverter(store=Memory()).encode("x" * 40_000, "it", sealable=False)


def test_same_payload_is_one_object_and_fetched_once():
    store = Memory()
    sealed = DataConverter(store=store).seal(LONG)
    assert DataConverter(store=store).seal(LONG) == sealed
    assert len(store.data) == 1
    other = DataConverter(store=store)
    assert other.open(sealed) == other.open(sealed) == LONG
    assert store.gets == 1


def test_cache_is_bounded():
    store = Memory()
    converter = DataConverter(store=store, cache_bytes=100_000)
    texts = [json.dumps(str(n) * 40_000) for n in range(4)]
    sealed = [converter.seal(text) for text in texts]
    assert [converter.open(one) for one in sealed] == texts
    assert store.gets > 0
    gets = store.gets
    converter.open(sealed[-1])
    assert store.gets == gets


def test_object_that_was_changed_or_is_gone_is_told():
    store = Memory()
    sealed = DataConverter(store=store).seal(LONG)
    (key,) = store.data
    store.data[key] = store.data[key][:-1]
    with pytest.raises(PayloadException, match="not what was put there") as caught:
        DataConverter(store=store).open(sealed)
    assert caught.value.key == key
    store.data.clear()
    with pytest.raises(PayloadException, match="has nothing under") as caught:
        DataConverter(store=store).open(sealed)
    assert not isinstance(caught.value, PayloadStoreException)


def test_missing_store_is_told():
    with pytest.raises(PayloadException, match=r"this side has none: give it the DataConverter\(store"):
        JSON.decode(DataConverter(store=Memory()).seal(LONG))


def test_store_that_does_not_answer_is_another_thing():
    store = Memory()
    sealed = DataConverter(store=store).seal(LONG)
    store.broken = True
    with pytest.raises(PayloadStoreException, match="OSError: no route"):
        DataConverter(store=store).open(sealed)
    with pytest.raises(PayloadStoreException, match="did not take 50,002 bytes: OSError: no route"):
        DataConverter(store=store).seal(LONG)


def test_converter_goes_to_another_process(tmp_path):
    converter = DataConverter(codecs=CHAINS["both"], store=FileStore(tmp_path))
    sealed = converter.seal(json.dumps([hashlib.sha256(str(n).encode()).hexdigest() for n in range(9_000)]))
    copy = pickle.loads(pickle.dumps(converter))
    assert copy.open(sealed) == converter.open(sealed)
    assert copy.encode({1}, "it") == "[1]"


class TestFileStore:
    def test_files_are_their_owners_alone(self, tmp_path):
        FileStore(tmp_path / "new" / "store").put("ab12", b"x")
        (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700

    def test_missing_key_is_a_key_error_and_missing_disk_is_not(self, tmp_path):
        with pytest.raises(KeyError):
            FileStore(tmp_path).get("ab12")
        with pytest.raises(OSError, match="No such file"):
            FileStore(tmp_path / "not mounted").get("ab12")

    def test_half_a_file_is_never_there(self, tmp_path, monkeypatch):
        def fail(_):
            raise OSError("disk full")

        monkeypatch.setattr(stores.os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            FileStore(tmp_path).put("ab12", b"x")
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]

    @pytest.mark.parametrize("key", ["../x", "", "a/b", "."])
    def test_key_leads_nowhere_else(self, tmp_path, key):
        with pytest.raises(ValueError, match="letters and digits"):
            FileStore(tmp_path).put(key, b"")

    def test_many_threads_put_the_same(self, tmp_path):
        store = FileStore(tmp_path)
        threads = [threading.Thread(target=store.put, args=("ab12", b"x" * 100_000)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.get("ab12") == b"x" * 100_000
        assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="payloads")
        yield "payloads"


class TestS3Store:
    def test_payload_is_kept_and_found(self, bucket):
        sealed = DataConverter(store=S3Store(bucket, "p/", ServerSideEncryption="AES256")).seal(LONG)
        assert DataConverter(store=S3Store(bucket, "p/")).open(sealed) == LONG
        (found,) = boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
        assert found["Key"] == "p/" + hashlib.sha256(LONG.encode()).hexdigest()

    def test_missing_object_is_a_key_error_and_missing_bucket_may_pass(self, bucket):
        with pytest.raises(KeyError):
            S3Store(bucket).get("ab12")
        sealed = DataConverter(store=S3Store(bucket)).seal(LONG)
        with pytest.raises(PayloadStoreException, match="NoSuchBucket"):
            DataConverter(store=S3Store("elsewhere")).open(sealed)


@pytest.mark.parametrize(
    ("codecs", "stored", "told"),
    [
        ([], True, "(in the payload store, 60,001 bytes)"),
        ([rot13("a"), rot13("b")], False, "(sealed by a, b, 60,001 bytes)"),
        ([rot13("a")], True, "(sealed by a, in the payload store, 60,001 bytes)"),
    ],
)
def test_a_sealed_text_is_described_by_what_made_it_and_its_size(codecs, stored, told):
    converter = DataConverter(codecs=codecs, store=Memory())
    sealed = converter.seal(json.dumps("x" * 59_999), DATA_MAX if stored else 10**6)

    assert describe(sealed) == told


def test_a_sealed_text_of_another_form_is_described_as_such():
    assert describe("pyflow.payload/7 whatever") == "(sealed in a form that this pyflow does not know)"
