"""The sandbox's own operator certificate, and the key that opens what is sealed with it.

Known to everybody, like all of the sandbox's keys: it protects nothing.
"""

import base64
import binascii
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)

CERTIFICATE: Final = """-----BEGIN CERTIFICATE-----
MIIC+jCCAeKgAwIBAgIEATUpATANBgkqhkiG9w0BAQsFADA+MSMwIQYDVQQDDBpz
YW5kYm94LmhhemluYS5leGFtcGxlLmNvbTEXMBUGA1UECgwOSGF6aW5hIHNhbmRi
b3gwIBcNMjYwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMD4xIzAhBgNVBAMM
GnNhbmRib3guaGF6aW5hLmV4YW1wbGUuY29tMRcwFQYDVQQKDA5IYXppbmEgc2Fu
ZGJveDCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAJXZbtgfvCZts+PV
qM0N9CtzaEVOU7uRF2k83M2RauNlCmp/h356SUHmgDCFkeDHVmnpYGsb96x6jgzF
iBEwtYeKy6hpuZbnKFWwEPY+PXjWJy2SAwaB2L7+aVlrzkSNP38wYhuyv8ZVJXha
Gcybx1H7NGkzktPH2blj5xyokSS0qJzPsKB87FySbVt9bwY+Pv9Q9f2bOEIPb6X5
1ulznCi9R5tPb7JyLdmoZvFKRHVT1ULlttaNLZoQw09bsWqYUmJT1+H7s5r1JSEy
azp8H/AqM0ewW8T8RQHvlCl2vEpyeLKUWXTGPiynS2dQ2B3dEmh4+plPODFEYmGQ
EguyADECAwEAATANBgkqhkiG9w0BAQsFAAOCAQEAMTljhOgWt5KqQVvnvhuQiovA
67GcmUrr1mLy4OYFWSJE6NedrlDb2XGrHfkku7cZ7/L4ueLd2t3ew4fiMDVU3N0/
dV58l/aZX4yFVOYFNJvKpL8bJ+tYLPkkOuWNZtDr2jwoXMMsyYBik8LzCdbL8Div
5fh1gagvV7l3Jz3ccy/vahyf6qups+GynmwjSOOha2fxpGRTxOdlR6bW5XZP8hQj
W3g5wKq+dd+MuXNU0YALWKkycYkTAgeqmjOIBURbyiZpdSILu0enV+2A0B7qhLlN
cOO1o86sDMc0i4oCYrKu4kCyUMPtvcPlLfq2UgWiikfG0K5ZcPvVlnCD8+5vEQ==
-----END CERTIFICATE-----
"""
"""X.509 in PEM, as Safaricom publishes one for each environment."""

_EXPONENT: Final = 65_537
_P: Final = int(
    "cd0eabda305802ecb614f3bad612a015acc70934bd9078894d03e11901988aa6fccc87300bf06d12da5c527fcb70237c"
    "7743f05aacbc70bcb337f472d9f58f84d51a8ce1f3c7df3f1279b275d97d4128d0a02bce2f6956c3ce3e11dbb80d9f3c"
    "c3c5b392e59d27acb3916d1b8f402d32a8044d56f6b58a844ca55b73fdaf3735",
    16,
)
_Q: Final = int(
    "bb139ed426b7aa1587066e4a4358617003bfe0ff8420401069f30a0f1d28e5d845965f2f3ceba09171033202ccb33394"
    "847f048604a32fc4cc1892119017fd25dcf70d3bfc26138fdd684a46a44ce63c4ee88cf638a7e0cf9d8b68a3a45ed7c5"
    "ccb9db93dda53ffabe31c51909b9a8e35919ad99f72d3d1366677dd94049388d",
    16,
)


def opened(credential: str) -> str | None:
    """The password in a `SecurityCredential`; None where it was not sealed with our certificate."""
    try:
        return _key().decrypt(base64.b64decode(credential, validate=True), PKCS1v15()).decode()
    except (ValueError, binascii.Error):
        return None


@cache
def _key() -> RSAPrivateKey:
    secret = pow(_EXPONENT, -1, (_P - 1) * (_Q - 1))
    return RSAPrivateNumbers(
        p=_P,
        q=_Q,
        d=secret,
        dmp1=rsa_crt_dmp1(secret, _P),
        dmq1=rsa_crt_dmq1(secret, _Q),
        iqmp=rsa_crt_iqmp(_P, _Q),
        public_numbers=RSAPublicNumbers(_EXPONENT, _P * _Q),
    ).private_key()
