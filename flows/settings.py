"""Settings: FIGUREKEEPER_* variables or a .env file, checked once.

Does not belong here: what is done with them. Nothing of Prefect or of a provider is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, DirectoryPath, Field, SecretStr, ValidationError, field_serializer
from pydantic_settings import BaseSettings, SettingsConfigDict

from warehouse import server
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from warehouse.storage import Storage


class Settings(BaseSettings):
    """What an installation decides. Unset provider addresses mean the built-in sandbox in profile sandbox, and the
    publisher's own service in profile live."""

    model_config = SettingsConfigDict(
        env_prefix="FIGUREKEEPER_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    home: Path = Field(Path(".figurekeeper"), description="where warehouses, Prefect's home and pages lie")
    profile: Literal["sandbox", "live", "synthetic"] = "sandbox"
    catalog_uri: SecretStr | None = Field(None, description="a PostgreSQL instead of SQLite: the server form")
    storage_uri: str | None = Field(None, description="a bucket instead of the folder; needs catalog_uri")
    host: str | None = Field(None, description="what this machine is called, where its own name will not do")
    oecd_url: str | None = None
    worldbank_url: str | None = None
    nbs_url: str | None = None
    datasets: Annotated[DirectoryPath, AfterValidator(Path.resolve)] | None = Field(
        None, description="a folder of your own dataset files, which count beside ours"
    )
    papers: Annotated[DirectoryPath, AfterValidator(Path.resolve)] | None = Field(
        None, description="a folder of your own papers, which count beside ours and stay private"
    )
    pages: bool = Field(
        True, description="whether each run renews the pages of the papers; else `figurekeeper pages` does"
    )
    sandbox_url: str | None = Field(None, description="a running sandbox; unset: one is started when needed")
    webhook_url: SecretStr | None = Field(None, description="notices are posted here as JSON, besides the inbox")
    slack_url: SecretStr | None = Field(None, description="an incoming webhook of Slack that is told of notices, too")
    mail_server: SecretStr | None = Field(
        None, description="smtp://, smtp+starttls:// or smtps://user:password@host:port, by which notices are mailed"
    )
    mail_from: str | None = Field(None, description="the sender's address; needed with mail_server")
    mail_to: str | None = Field(None, description="who gets notices by mail, comma-separated; needed with mail_server")
    apprise_urls: SecretStr | None = Field(
        None, description="any other channels, as apprise writes them, blank-separated"
    )
    language: Literal["en", "zh"] = Field("en", description="of the notices")
    port: int = Field(4200, description="of the Prefect server that `figurekeeper up` starts")
    bind: str = Field("127.0.0.1", description="the address on which server and pages of `figurekeeper up` listen")
    ui_url: str | None = Field(None, description="the Prefect UI as people reach it, for links; unset: on this machine")
    pages_url: str | None = Field(None, description="the pages as people reach them, for links; unset: on this machine")
    server_database: SecretStr | None = Field(
        None, description="a PostgreSQL for the Prefect server instead of its SQLite: postgresql+asyncpg://…"
    )
    server_url: str | None = Field(
        None, description="the Prefect server that `figurekeeper worker` joins, such as http://host:4200/api"
    )

    @property
    def root(self) -> Path:
        """The folder of this profile's warehouse."""
        return (self.home / self.profile).resolve()

    @property
    def place(self) -> dict[str, Any]:
        """What `warehouse.store.Warehouse` is opened with, but for `create`."""
        catalog_uri = self.catalog_uri.get_secret_value() if self.catalog_uri else None
        return {
            "home": self.home,
            "profile": self.profile,
            "catalog_uri": catalog_uri,
            "storage_uri": self.storage_uri,
            "host": self.host,
        }

    @property
    def storage(self) -> Storage:
        """Where journal and payloads of the profile's warehouse lie; the warehouse itself need not be there."""
        from warehouse.storage import LocalStorage, ObjectStorage

        if self.storage_uri is None:
            return LocalStorage(self.root)
        return ObjectStorage(self.storage_uri, self.profile, self.root / "cache")

    @property
    def quota_place(self) -> Path | str:
        """Where `connectors.http.quota.Quota` counts: beside the catalogue."""
        if self.catalog_uri is None:
            return self.root / "quota.sqlite"
        return server.catalogue(self.catalog_uri.get_secret_value(), self.profile)

    @field_serializer("catalog_uri")
    def _masked(self, uri: SecretStr | None) -> str | None:
        return server.masked(uri.get_secret_value()) if uri else None

    def provider_url(self, provider: str) -> str | None:
        """The configured base address of a provider; None when it is to be the default of the profile."""
        configured: str | None = getattr(self, f"{provider}_url")
        return configured.rstrip("/") if configured else None


def load(**overrides: Any) -> Settings:
    """The effective settings. Raises UsageError naming every variable that is wrong."""
    try:
        return Settings(**overrides)
    except ValidationError as problem:
        wrong = "; ".join(f"FIGUREKEEPER_{str(e['loc'][0]).upper()}: {e['msg']}" for e in problem.errors() if e["loc"])
        raise UsageError(
            f"settings cannot be used: {wrong}", next_step="mend these variables or the .env file"
        ) from None
