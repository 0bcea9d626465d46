"""One customer of an IPv6 network has more addresses than there are limits."""

import pytest

from tenancy.addresses import counted


@pytest.mark.parametrize(
    ("ip", "as_counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_limits_count_the_network_of_an_ipv6_address(ip: str, as_counted: str) -> None:
    assert counted(ip) == as_counted
