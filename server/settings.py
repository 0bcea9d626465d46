"""The environment, read once: `HAZINA_` and the name in capitals; units stand in the name."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from server.startup_errors import SettingMissing
from tenancy.policy import Policy

Network = IPv4Network | IPv6Network

LOOPBACK: Final[tuple[Network, ...]] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


def required(value: str | None, name: str) -> str:
    """A setting without which nothing works. Raises SettingMissing."""
    if value is None:
        raise SettingMissing(name)
    return value


class Settings(BaseSettings):
    """What one process of Hazina is told from outside.

    `hazina up` fills in what it starts itself; a deployment sets at least `database_url`,
    `migrator_url`, `redis_url`, `public_url` and `master_key_file`.
    """

    model_config = SettingsConfigDict(env_prefix="HAZINA_", env_file=".env", extra="ignore")

    environment: Literal["development", "sandbox", "production"] = "development"
    """Development shows GraphiQL, introspection and the sandbox; production refuses unsafe settings."""
    data_dir: Path = Path(".hazina")
    """Where `hazina up` keeps the embedded services, demo.json and development keys."""

    database_url: str | None = None
    """The owner database as role hazina_owner: postgresql+asyncpg://hazina_owner:…@host/hazina_owner."""
    migrator_url: str | None = None
    """A maintenance database as role hazina_migrator, which may create databases."""
    tenant_url: str | None = None
    """The first database server as role hazina_tenant, without a database name."""
    redis_url: str | None = None
    """redis://, rediss:// or unix://."""
    database_server_name: str = "primary"
    database_server_capacity: int = 500
    """Tenant databases on the first server; autovacuum suffers above some hundreds on one server."""

    tenant_connections_max: int = 64
    """The server's budget of connections to tenant databases."""
    worker_connections_max: int = 24
    sweep_connections_max: int = 4
    owner_connections_max: int = 5
    """Of each process, to the owner database."""

    host: str = "127.0.0.1"
    port: int = 8000
    metrics_port: int = 0
    """Where the worker serves its metrics; 0 is nowhere."""
    public_url: str | None = None
    """Where providers and browsers reach the server: https://pay.example.com."""
    tenant_domain: str | None = None
    """`{slug}.{tenant_domain}` names a tenant by subdomain; unset, only tokens do."""
    allowed_origins: list[str] = Field(default_factory=list)
    """Browser origins that may call the API, such as https://app.example.com."""
    trusted_proxies: list[Network] = Field(default_factory=list)
    """Whose X-Forwarded-For is believed."""
    owner_networks: list[Network] = Field(default_factory=lambda: list(LOOPBACK))
    """From where /owner/graphql answers."""
    hook_networks: list[Network] | None = None
    """From where /hooks accepts providers. Unset: their published addresses in production, else anywhere."""
    webhook_networks: list[Network] | None = None
    """Private networks that webhooks may be sent into. Unset: this machine in development, else none."""
    metrics_networks: list[Network] = Field(default_factory=lambda: list(LOOPBACK))
    """From where /metrics answers."""
    body_bytes_max: int = 2_000_000
    """Of one GraphQL request: 1,000 postings fit."""
    operation_timeout_s: float = 10.0
    """Of one query; mutations always run to their end."""
    documents: Literal["any", "persisted_only"] = "any"
    """Whether clients may send GraphQL text, or only ids of persisted documents."""

    master_key_file: Path | None = None
    """The key that wraps every tenant's data key. In production it may not lie in data_dir."""
    registration: Literal["open", "invite", "approval"] | None = None
    """Who may register a business. Unset: open in development, approval elsewhere."""
    tenants_per_user_max: int = 5
    provisioning_concurrency_max: int = 3

    smtp_host: str = "127.0.0.1"
    smtp_port: int = 1025
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    mail_from: str = "Hazina <no-reply@hazina.localhost>"

    sandbox_url: str | None = None
    """Stands in for every provider's sandbox host; development only."""
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otlp_endpoint: str | None = None
    """Where spans go; needs the extra `telemetry`."""

    @model_validator(mode="after")
    def refuse_unsafe(self) -> "Settings":
        """Open registration, no master key, an unknown proxy, a provider stand-in: for development only."""
        if self.environment == "development":
            return self
        if self.registration == "open":
            raise ValueError("HAZINA_REGISTRATION=open is for development; use invite or approval.")
        if self.sandbox_url is not None:
            raise ValueError("HAZINA_SANDBOX_URL is for development; unset it.")
        if self.base_url.startswith("https://") and not self.trusted_proxies:
            raise ValueError(
                "Set HAZINA_TRUSTED_PROXIES to what ends TLS before this server: else every caller seems to"
                " be the proxy, which may stand on HAZINA_OWNER_NETWORKS."
            )
        if self.environment == "production" and self.master_key_file is None:
            raise ValueError("Set HAZINA_MASTER_KEY_FILE to a file outside the data directory.")
        return self

    @property
    def base_url(self) -> str:
        """The public URL without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def webhook_networks_allowed(self) -> list[Network]:
        """Private networks that webhooks may be sent to."""
        fallback = LOOPBACK if self.environment == "development" else ()
        return list(fallback if self.webhook_networks is None else self.webhook_networks)

    @property
    def key_file(self) -> Path:
        """Where the master key is."""
        return self.master_key_file or self.data_dir / "keys" / "master.key"

    @property
    def policy(self) -> Policy:
        """What the use cases may know of the settings."""
        fallback = "open" if self.environment == "development" else "approval"
        return Policy(
            environment=self.environment,
            registration=self.registration or fallback,
            tenants_per_user_max=self.tenants_per_user_max,
            provisioning_concurrency_max=self.provisioning_concurrency_max,
            public_url=self.base_url,
        )
