"""Run ids and what they are drawn from."""

from pyflow.local.ids import Entropy, Ids


def test_what_is_drawn_is_never_drawn_again(monkeypatch):
    """Whatever the sizes: what is left of a fetch is not enough for the last draw of it."""
    fetched = []

    def urandom(count):
        fetched.append(count)
        return bytes(range(256)) * (count // 256)

    monkeypatch.setattr("pyflow.local.ids.os.urandom", urandom)
    entropy = Entropy()
    drawn = [entropy.randbytes(size) for size in (32, 100, 4_000, 32)]
    assert [len(each) for each in drawn] == [32, 100, 4_000, 32]
    assert drawn[0] + drawn[1] == bytes(range(132))
    assert len(fetched) == 2


def test_run_ids_have_aws_s_form_and_none_comes_twice():
    ids = Ids()
    drawn = [ids.run_id() for _ in range(1_000)]
    assert len(set(drawn)) == 1_000
    assert {(len(each), each[:2], each[-1]) for each in drawn} == {(46, "22", "=")}
