"""Sealed values open where they were sealed, and nowhere else."""

import base64
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from core.ids import new_id
from tenancy.keyring import Keyring, Place, WrappedKey
from tenancy.wrappers import (
    KeyMissing,
    LocalKeyWrapper,
    MasterKeyUnusable,
    SealBroken,
    refuse_inside,
)

SHOP, OTHER = new_id(), new_id()
PLACE = Place("sealed_secrets", "sealed", new_id())


class KeyTable:
    """The rows of tenant_keys."""

    def __init__(self) -> None:
        self.rows: dict[UUID, list[WrappedKey]] = {}
        self.reads = 0

    async def load(self, tenant_id: UUID) -> list[WrappedKey]:
        self.reads += 1
        return list(self.rows.get(tenant_id, []))


@pytest.fixture
def wrapper(tmp_path: Path) -> LocalKeyWrapper:
    return LocalKeyWrapper.made_if_missing(tmp_path / "keys" / "master.key")


@pytest.fixture
async def table(wrapper: LocalKeyWrapper) -> KeyTable:
    """Both tenants have the same data key, so that only the binding keeps them apart."""
    table = KeyTable()
    key = await Keyring(table.load, wrapper).new_wrapped_key()
    table.rows = {SHOP: [key], OTHER: [key]}
    return table


@pytest.fixture
def ring(table: KeyTable, wrapper: LocalKeyWrapper) -> Keyring:
    return Keyring(table.load, wrapper)


async def test_a_secret_opens_where_it_was_sealed_and_prints_sealed(ring: Keyring) -> None:
    sealed = await ring.seal(SHOP, PLACE, "passkey é")
    secret = await ring.open(SHOP, PLACE, sealed)

    assert secret.reveal() == "passkey é"
    assert f"{secret} {secret!r}" == "<sealed> <sealed>"
    assert "passkey" not in sealed
    assert await ring.seal(SHOP, PLACE, "passkey é") != sealed


@pytest.mark.parametrize(
    "place",
    [
        replace(PLACE, table="orders"),
        replace(PLACE, column="name"),
        replace(PLACE, row_id=new_id()),
    ],
)
async def test_a_value_moved_to_another_place_does_not_open(ring: Keyring, place: Place) -> None:
    sealed = await ring.seal(SHOP, PLACE, "secret")

    with pytest.raises(SealBroken):
        await ring.open(SHOP, place, sealed)


async def test_a_value_moved_to_another_tenant_does_not_open(ring: Keyring) -> None:
    sealed = await ring.seal(SHOP, PLACE, "secret")

    with pytest.raises(SealBroken):
        await ring.open(OTHER, PLACE, sealed)


async def test_a_value_under_another_version_of_the_same_key_does_not_open(
    ring: Keyring, table: KeyTable
) -> None:
    sealed = await ring.seal(SHOP, PLACE, "secret")
    table.rows[SHOP].append(replace(table.rows[SHOP][0], version=2))
    ring.forget(SHOP)

    with pytest.raises(SealBroken):
        await ring.open(SHOP, PLACE, sealed.replace("v1.1.", "v1.2."))


@pytest.mark.parametrize("part", [2, 3])
async def test_a_changed_nonce_or_ciphertext_does_not_open(ring: Keyring, part: int) -> None:
    parts = (await ring.seal(SHOP, PLACE, "secret")).split(".")
    raw = bytearray(base64.urlsafe_b64decode(parts[part] + "=="))
    raw[0] ^= 1
    parts[part] = base64.urlsafe_b64encode(raw).decode().rstrip("=")

    with pytest.raises(SealBroken):
        await ring.open(SHOP, PLACE, ".".join(parts))


@pytest.mark.parametrize("text", ["", "v1", "v2.1.AAAA.AAAA", "v1.x.AAAA.AAAA", "v1.1.!.AAAA", "v1.1.AAAA.A"])
async def test_what_is_no_sealed_value_does_not_open(ring: Keyring, text: str) -> None:
    with pytest.raises(SealBroken):
        await ring.open(SHOP, PLACE, text)


async def test_after_a_rotation_old_values_open_and_new_ones_use_the_new_key(
    ring: Keyring, table: KeyTable, wrapper: LocalKeyWrapper
) -> None:
    here, elsewhere = ring, Keyring(table.load, wrapper)
    old = await here.seal(SHOP, PLACE, "old")
    table.rows[SHOP].append(await elsewhere.new_wrapped_key(version=2))
    new = await elsewhere.seal(SHOP, PLACE, "new")

    assert new.startswith("v1.2.")
    assert (await here.open(SHOP, PLACE, new)).reveal() == "new"
    assert (await here.open(SHOP, PLACE, old)).reveal() == "old"


async def test_the_unwrapped_key_is_kept_and_forgotten_when_told(ring: Keyring, table: KeyTable) -> None:
    sealed = await ring.seal(SHOP, PLACE, "secret")
    await ring.open(SHOP, PLACE, sealed)
    assert table.reads == 1

    del table.rows[SHOP]
    ring.forget(SHOP)

    with pytest.raises(KeyMissing):
        await ring.open(SHOP, PLACE, sealed)


def test_keys_may_not_be_kept_for_long(table: KeyTable, wrapper: LocalKeyWrapper) -> None:
    with pytest.raises(ValueError, match="at most"):
        Keyring(table.load, wrapper, ttl_s=301)


async def test_a_new_master_key_takes_over_while_the_old_one_still_opens(
    ring: Keyring, table: KeyTable, wrapper: LocalKeyWrapper, tmp_path: Path
) -> None:
    sealed = await ring.seal(SHOP, PLACE, "secret")
    fresh = LocalKeyWrapper.made_if_missing(tmp_path / "fresh.key")
    between = Keyring(table.load, fresh, retired=[wrapper])
    assert (await between.open(SHOP, PLACE, sealed)).reveal() == "secret"

    table.rows[SHOP] = [await between.rewrap(key) for key in table.rows[SHOP]]

    after = Keyring(table.load, fresh)
    assert (await after.open(SHOP, PLACE, sealed)).reveal() == "secret"
    with pytest.raises(KeyMissing):
        await ring_without(wrapper, table).open(SHOP, PLACE, sealed)


def ring_without(wrapper: LocalKeyWrapper, table: KeyTable) -> Keyring:
    return Keyring(table.load, wrapper)


async def test_the_platforms_own_secret_is_bound_to_its_place_too(ring: Keyring) -> None:
    place = Place("signing_keys", "sealed_private_key", new_id())
    sealed = await ring.seal_platform(place, b"\x00private")

    assert await ring.open_platform(place, sealed) == b"\x00private"
    with pytest.raises(SealBroken):
        await ring.open_platform(replace(place, row_id=new_id()), sealed)
    with pytest.raises(SealBroken):
        await ring.open_platform(place, b"v1.\xff")
    with pytest.raises(KeyMissing):
        await ring.open_platform(place, sealed.replace(b"local-", b"other-"))


def test_the_master_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    first = LocalKeyWrapper.made_if_missing(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert LocalKeyWrapper.made_if_missing(path).name == first.name
    assert [one.name for one in path.parent.iterdir()] == ["master.key"]


def test_a_master_key_that_is_missing_open_to_others_or_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with pytest.raises(MasterKeyUnusable, match="can't be read"):
        LocalKeyWrapper(path)
    path.write_bytes(bytes(32))
    path.chmod(0o644)
    with pytest.raises(MasterKeyUnusable, match="chmod 600"):
        LocalKeyWrapper(path)
    path.chmod(0o600)
    path.write_bytes(bytes(31))
    with pytest.raises(MasterKeyUnusable, match="31 bytes"):
        LocalKeyWrapper(path)


def test_a_master_key_beside_the_data_is_refused(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    (data_dir / "keys").mkdir(parents=True)
    (tmp_path / "link").symlink_to(data_dir / "keys")

    for inside in (data_dir / "keys" / "master.key", tmp_path / "link" / "master.key"):
        with pytest.raises(MasterKeyUnusable, match="HAZINA_MASTER_KEY_FILE"):
            refuse_inside(inside, data_dir)
    refuse_inside(tmp_path / "master.key", data_dir)
