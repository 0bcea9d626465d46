"""Seals an operator's password for Daraja: `SecurityCredential`.

Source: M-Pesa Daraja, section 1.
"""

import base64
import binascii

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from integrations.account import NotConfigured

PEM_MARK = "-----BEGIN"


def security_credential(password: str, certificate: str) -> str:
    """Encrypt the operator's password for M-Pesa: RSA with PKCS#1 v1.5, in base64.

    `certificate` is the environment's X.509 certificate: PEM text, or DER in base64. Another value
    comes out each time; only Daraja's asynchronous result (`2001`) says whether it was the right one.
    Neither base64 of the password nor a timestamp goes into it, as two outliers among clients do.

    Raises:
        NotConfigured: the catalog's certificate can't be read.
    """
    key = _certificate(certificate).public_key()
    if not isinstance(key, RSAPublicKey):
        raise NotConfigured("the M-Pesa certificate of the catalog has no RSA key")
    return base64.b64encode(key.encrypt(password.encode(), PKCS1v15())).decode()


def _certificate(text: str) -> x509.Certificate:
    try:
        if PEM_MARK in text:
            return x509.load_pem_x509_certificate(text.encode())
        return x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, binascii.Error) as error:
        raise NotConfigured("the M-Pesa certificate of the catalog can't be read") from error
