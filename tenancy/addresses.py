"""Network addresses as limits count them."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

PREFIX_BITS: Final = 64
"""What one customer of an IPv6 network gets at least: all its addresses are one caller."""


def counted(ip: str) -> str:
    """What limits count in place of an address: itself, or the network of an IPv6 one."""
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    if not isinstance(address, IPv6Address):
        return ip
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), PREFIX_BITS), strict=False))
