"""The operator's password is sealed under the catalog's certificate, in whichever form that is."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from integrations.account import NotConfigured
from integrations.mpesa.building import certificate_of
from integrations.mpesa.credential import security_credential
from integrations.sandbox.daraja_keys import CERTIFICATE, opened

DER = base64.b64encode(
    x509.load_pem_x509_certificate(CERTIFICATE.encode()).public_bytes(Encoding.DER)
).decode()


@pytest.mark.parametrize("certificate", [CERTIFICATE, f"\n  {CERTIFICATE}", DER, f"{DER[:64]}\n{DER[64:]}\n"])
def test_the_password_itself_is_sealed(certificate: str) -> None:
    first, second = (security_credential("p%ss#wörd", certificate) for _ in range(2))

    assert first != second
    assert opened(first) == opened(second) == "p%ss#wörd"


@pytest.mark.parametrize("certificate", ["", "nonsense", DER[:100], CERTIFICATE[:200], "äöü"])
def test_a_certificate_that_cannot_be_read_is_said_to_be_missing(certificate: str) -> None:
    with pytest.raises(NotConfigured):
        security_credential("password", certificate)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, None),
        ({"certificates": None}, None),
        ({"certificates": {"sandbox": " "}}, None),
        ({"certificates": {"production": CERTIFICATE}}, None),
        ({"certificates": {"sandbox": CERTIFICATE}}, CERTIFICATE),
    ],
)
def test_each_environment_has_its_own_certificate(settings: dict[str, object], found: str | None) -> None:
    assert certificate_of(settings, "sandbox") == found
