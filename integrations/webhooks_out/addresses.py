"""Finds where a tenant's host leads, and refuses what is not on the public internet."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

RESOLVE_S: Final = 5.0
_HOLDS_IPV4: Final = tuple(
    ipaddress.IPv6Network(network) for network in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
"""IPv4 addresses in the last 32 bits: compatible, translated, NAT64."""
_NEVER: Final = tuple(ipaddress.IPv6Network(network) for network in ("64:ff9b:1::/48", "fec0::/10"))
"""Translators of one's own network, and what site-local addresses were."""
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")


class AddressRefused(Exception):
    """The host can't be found, or leads into a private network; nothing was sent."""


async def public_address(host: str, port: int, allowed: Sequence[Network] = ()) -> Address:
    """The address to connect to, and no other: asking again could give another answer.

    A host of which any address is private is refused whole. `allowed` are networks that may be
    called all the same: for development.

    Raises:
        AddressRefused: as above.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise AddressRefused("The host name can't be found.") from error
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    if not addresses or not all(is_public(address, allowed) for address in addresses):
        raise AddressRefused("The host leads to an address that is not on the public internet.")
    return addresses[0]


def is_public(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether anybody on the internet could be meant, seen through every way to write an IPv4 address."""
    plain = _plain(address)
    if any(plain in network for network in allowed):
        return True
    return plain.is_global and not plain.is_multicast and not any(plain in never for never in _NEVER)


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if any(address in network for network in _HOLDS_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return ipaddress.IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
    return address
