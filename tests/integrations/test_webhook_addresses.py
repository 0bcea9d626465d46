"""Where webhooks to tenants may lead."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest

from core.errors import InvalidInput
from integrations.webhooks_out.addresses import AddressRefused, is_public, public_address
from tenant_db.webhooks.rules import require_url

HERE = [IPv4Network("127.0.0.0/8")]


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - to be refused
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "64:ff9b:1::7f00:1",
        "::ffff:0:7f00:1",
        "::127.0.0.1",
        "fec0::1",
    ],
)
def test_no_way_to_write_a_private_address_is_public(address: str) -> None:
    assert not is_public(ip_address(address))


def test_public_addresses_are_public() -> None:
    assert is_public(IPv4Address("93.184.215.14"))
    assert is_public(IPv6Address("2606:2800:21f:cb07:6820:80da:af6b:8b2c"))
    assert is_public(IPv6Address("::ffff:93.184.215.14"))


async def test_a_host_name_that_leads_home_is_refused() -> None:
    with pytest.raises(AddressRefused):
        await public_address("localhost", 443)
    assert str(await public_address("127.0.0.1", 443, HERE)) == "127.0.0.1"


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com/",
        "https://",
        "https://user:secret@shop.example.com/",
        "https://shop.example.com/#a",
        "ftp://shop.example.com/",
        "https://shop.example.com:99999/",
        "https://shop example.com/",
        "https://shop.example.com/" + "a" * 500,
        "javascript:alert(1)",
    ],
)
def test_an_unusable_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        require_url(url, may_be_plain=False)
