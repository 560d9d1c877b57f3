"""Secrets of webhooks: valid, wrong and malformed ones.

The third vector is that of the Standard Webhooks specification, which GitLab follows.
"""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.webhooks import signatures
from gitlab_jobs_async.webhooks.signatures import Secrets

KEY = b"k" * 32
SIGNING = "whsec_" + base64.b64encode(KEY).decode()
NOW = 1_700_000_000
BODY = b'{"object_kind": "build"}'


def signature(key=KEY, number="id-1", stamp=NOW, body=BODY):
    signed = f"{number}.{stamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed(number="id-1", stamp=NOW, **more):
    headers = {"webhook-id": number, "webhook-timestamp": str(stamp)}
    return headers | {"webhook-signature": signature(number=number, stamp=stamp)} | more


def refusal(headers, body=BODY, token=None, signing_token=SIGNING, tolerance=300.0, now=NOW):
    return Secrets.of(token, signing_token, tolerance).refusal(headers, body, now)


def without(name):
    return {key: value for key, value in signed().items() if key != name}


def test_signature_of_the_specification_verifies():
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    assert refusal(headers, body, signing_token=secret, now=1614265330.5) is None
    assert refusal(headers, body + b" ", signing_token=secret, now=1614265330.5)


WRONG = signature(key=b"x" * 32)


@pytest.mark.parametrize(
    "header",
    [
        signature(),
        f"{WRONG} {signature()}",
        f"{signature()} {WRONG}",
        f"v1a,AAAA {signature()} v2,BBBB",
        f"  {signature()}\t",
        f"v1 v1, , {signature()}",
    ],
)
def test_any_matching_v1_signature_verifies(header):
    assert refusal(signed(**{"webhook-signature": header})) is None


@pytest.mark.parametrize(
    "header",
    [
        WRONG,
        signature().removeprefix("v1,"),
        signature().replace("v1,", "v2,"),
        signature().replace("v1,", "V1,"),
        signature().replace("v1,", "v1=") ,
        signature().rstrip("="),
        signature() + "A",
        f"v1,,{signature()[3:]}",
        "v1,",
        "v1",
        ",",
        "v1,ö\udcff",
        f"{WRONG},{signature()}",
    ],
)  # fmt: skip
def test_wrong_signature_is_refused(header):
    assert refusal(signed(**{"webhook-signature": header})) == (
        "webhook-signature header does not match the body"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "id-2"},
        {"webhook-id": "id-1 "},
        {"webhook-timestamp": str(NOW + 1)},
        {"webhook-timestamp": f"0{NOW}"},
    ],
)
def test_signature_covers_id_and_timestamp(changed):
    assert refusal(signed(**changed)) == "webhook-signature header does not match the body"


@given(st.binary())
def test_signature_covers_every_byte_of_the_body(body):
    assert (refusal(signed(), body) is None) == (body == BODY)


@pytest.mark.parametrize("name", ["id", "timestamp", "signature"])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_signature_header_is_named(name, value):
    headers = without(f"webhook-{name}") | ({} if value is None else {f"webhook-{name}": value})
    assert refusal(headers) == f"webhook-{name} header missing"


@pytest.mark.parametrize("away", [0, 1, 299, 300, -1, -299, -300, 0.4])
def test_time_within_the_tolerance_verifies(away):
    assert refusal(signed(), now=NOW + away) is None


@pytest.mark.parametrize("away", [300.1, 301, 86400, 1e12, -300.1, -301, -1e9])
def test_time_outside_the_tolerance_is_refused(away):
    assert refusal(signed(), now=NOW + away) == (
        "webhook-timestamp header more than 300 s from now"
    )


def test_tolerance_is_an_argument():
    assert refusal(signed(), now=NOW + 9, tolerance=10) is None
    assert refusal(signed(), now=NOW + 11, tolerance=10)
    assert refusal(signed(), now=NOW + 1e9, tolerance=float("inf")) is None


@pytest.mark.parametrize(
    "stamp",
    [
        "-1700000000", "+1700000000", "1700000000.0", "1e9", " 1700000000", "1700000000 ", "0x1",
        "1_700_000_000", "\u0661\u0667\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660", "²",
        "NaN", "inf", "9" * 5000, "1700000000\n", "1700000000, 1700000000", "soon",
    ],
)  # fmt: skip
def test_timestamp_must_be_a_number(stamp):
    assert refusal(signed(stamp=stamp)) == (
        "invalid webhook-timestamp header: expected Unix seconds"
    )


def test_huge_timestamp_is_refused():
    assert "s from now" in refusal(signed(stamp=999_999_999_999))


OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()


@pytest.mark.parametrize("signing", [[OLD, SIGNING], (SIGNING, OLD), iter([OLD, SIGNING])])
def test_one_of_several_signing_tokens_verifies(signing):
    assert refusal(signed(), signing_token=signing) is None


def test_no_matching_signing_token_is_refused():
    assert refusal(signed(), signing_token=[OLD, OLD])


def test_all_secrets_are_compared(monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    class Hmac:
        digest = hmac.digest
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(signatures, "hmac", Hmac)
    headers = signed(**{"x-gitlab-token": "a", "webhook-signature": f"{signature()} {WRONG}"})
    assert refusal(headers, token=["a", "b", "c"], signing_token=[SIGNING, OLD]) is None
    assert len(compared) == 3 + 2 * 2, "the time would say which one fitted"


@pytest.mark.parametrize("given_token", ["old", "new"])
def test_one_of_several_tokens_verifies(given_token):
    headers = {"x-gitlab-token": given_token}
    assert refusal(headers, token=["old", "new"], signing_token=None) is None
    assert refusal(headers, token=["older", "newer"], signing_token=None) == (
        "X-Gitlab-Token header wrong or missing"
    )


@pytest.mark.parametrize(
    ("headers", "is_right"),
    [
        (signed(), False),
        ({"x-gitlab-token": "s"}, False),
        (signed(**{"x-gitlab-token": "other"}), False),
        (without("webhook-signature") | {"x-gitlab-token": "s"}, False),
        (signed(**{"x-gitlab-token": "s", "webhook-signature": WRONG}), False),
        (signed(**{"x-gitlab-token": "s"}), True),
        ({}, False),
    ],
)
def test_each_secret_that_is_given_must_verify(headers, is_right):
    assert (refusal(headers, token="s") is None) is is_right


def test_without_secrets_everything_verifies():
    assert refusal({}, token=None, signing_token=None) is None


@pytest.mark.parametrize(
    "signing",
    [
        "", "whsec_", "whsec", "secret", base64.b64encode(KEY).decode(), SIGNING[:-1],
        SIGNING + "\n", f" {SIGNING}", SIGNING.replace("a2", "a-", 1), "whsec_a", "whsec_ä",
        "WHSEC_" + SIGNING[6:], "whsec_\udcff", SIGNING + "A", "whsec_====",
    ],
)  # fmt: skip
def test_malformed_secret_is_refused_unshown(signing):
    with pytest.raises(ValueError, match=r"expected whsec_ and base64") as wrong:
        Secrets.of(None, signing, 300.0)
    if len(signing) > 10:
        assert signing[7:12] not in str(wrong.value)
    assert wrong.value.__cause__ is wrong.value.__context__ is None
    with pytest.raises(ValueError, match=r"not shown"):
        Secrets.of(None, [SIGNING, signing], 300.0)


@pytest.mark.parametrize("name", ["token", "signing_token"])
def test_empty_list_of_secrets_is_refused(name):
    given_secrets = {"token": None, "signing_token": None} | {name: []}
    with pytest.raises(ValueError, match=rf"^{name} must be at least one string"):
        Secrets.of(**given_secrets, tolerance=300.0)


@pytest.mark.parametrize("name", ["token", "signing_token"])
@pytest.mark.parametrize(
    ("wrong", "kind"), [(b"s", "bytes"), (1, "int"), ([b"s"], "bytes"), ([None], "NoneType")]
)
def test_secret_must_be_a_string(name, wrong, kind):
    given_secrets = {"token": None, "signing_token": None} | {name: wrong}
    with pytest.raises(TypeError, match=rf"^{name} must be a string, not {kind}$"):
        Secrets.of(**given_secrets, tolerance=300.0)


@pytest.mark.parametrize("tolerance", [0, -1, float("nan"), "300", None, True])
def test_tolerance_must_be_positive(tolerance):
    with pytest.raises(ValueError, match=r"^tolerance must be seconds above 0, not "):
        Secrets.of(None, SIGNING, tolerance)


def test_secrets_are_not_shown():
    shown = repr(Secrets.of("hunter2", SIGNING, 300.0))
    assert "hunter2" not in shown
    assert "kkk" not in shown


@given(
    st.dictionaries(
        st.sampled_from(["x-gitlab-token", "webhook-id", "webhook-timestamp", "webhook-signature"]),
        st.sampled_from([str(NOW), "v1,", WRONG, signature(key=b"", number="")]) | st.text(),
    ),
    st.binary(),
)
def test_forged_headers_never_verify(headers, body):
    assert isinstance(refusal(headers, body, token="s3cret"), str)
    assert isinstance(refusal(headers, body), str)
