"""The bytes of a file as clients send it: as text, in base64, or compressed. Pure."""

import base64
import binascii
import zlib
from enum import StrEnum
from typing import Final

from core.errors import InvalidInput
from tenant_db.statements.rules import FILE_BYTES_MAX

_GZIP: Final = 16 + zlib.MAX_WBITS


class ContentEncoding(StrEnum):
    """How a file stands in a request."""

    TEXT = "text"
    BASE64 = "base64"
    GZIP_BASE64 = "gzip_base64"


def unpacked(content: str, encoding: ContentEncoding) -> bytes:
    """The file itself; never more than FILE_BYTES_MAX of it is unpacked.

    Raises:
        InvalidInput: it is not encoded as was said, or too large.
    """
    if encoding is ContentEncoding.TEXT:
        return _limited(content.encode())
    try:
        packed = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("content", "This is no base64.") from error
    return _inflated(packed) if encoding is ContentEncoding.GZIP_BASE64 else _limited(packed)


def _inflated(packed: bytes) -> bytes:
    inflating = zlib.decompressobj(_GZIP)
    try:
        content = inflating.decompress(packed, FILE_BYTES_MAX + 1)
    except zlib.error as error:
        raise InvalidInput("content", "This is no gzip file.") from error
    if not inflating.eof and len(content) <= FILE_BYTES_MAX:
        raise InvalidInput("content", "This gzip file breaks off.")
    return _limited(content)


def _limited(content: bytes) -> bytes:
    if len(content) > FILE_BYTES_MAX:
        raise InvalidInput("content", f"A statement has at most {FILE_BYTES_MAX // 1_000_000} MB: split it.")
    return content
