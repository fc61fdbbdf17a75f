"""Settings: from ``LAKEWARD_...`` in the environment, else ``lakeward.toml`` in the current folder, else defaults."""

import os
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, HttpUrl, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from lakeward.workspace.errors import ConfigurationError

FILE = "lakeward.toml"


class Settings(BaseSettings):
    """What a workspace is set up with; secrets are not among it."""

    model_config = SettingsConfigDict(env_prefix="LAKEWARD_", toml_file=FILE, extra="forbid", frozen=True)

    home: Path = Field(Path("lakehouse"), description="The lakehouse folder: tables, events, notebooks that ran.")
    environment: Literal["dev", "staging", "prod"] = Field("dev", description="Which deployment this is.")
    secrets_dir: Path | None = Field(None, description="Folder with one file per secret.")
    secret_scope: str | None = Field(None, description="Databricks secret scope.")
    catalog: str | None = Field(None, description="Unity Catalog catalog, on Databricks.")
    audit_store: str = Field("", description="Where the audit trail is kept; empty: a file in the lakehouse.")
    spark_master: str = Field("local[*]", description="Where Spark runs when not on Databricks.")
    archive_days: int | None = Field(None, ge=1, description="Days that the archives of job runs are kept; None: all.")
    driver_memory: str = Field("2g", pattern=r"^\d+[mg]$", description="Memory of Spark's driver.")
    parallel_tasks: int = Field(max(2, os.cpu_count() or 1), ge=1, description="How many tasks of jobs run at once.")
    smtp_host: str | None = Field(None, description="Mail server for the notices of jobs.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_starttls: bool = Field(True, description="Whether to encrypt; the server's certificate is checked.")
    smtp_user: str | None = Field(None, description="Who logs in there, with the secret smtp_password.")
    smtp_from: str | None = Field(None, description="Address that notices come from; smtp_user if not given.")
    backup_to: str | None = Field(None, description="Where backups lie: a folder, or an address such as s3://bucket/x.")
    backup_days: int = Field(90, ge=1, description="Days that backups are kept.")
    report_certificate: Path | None = Field(None, description="PKCS #12 file whose certificate seals reports as PDF.")
    webhooks: dict[str, HttpUrl] = Field({}, description="Address of each notification destination that jobs name.")
    entra_tenant: str | None = Field(None, description="Tenant id of Entra ID, whose tokens may stand for a login.")
    entra_audience: str | None = Field(
        None,
        description="Client id of the application that the tokens are for; switch its optional claim auth_time on.",
    )
    entra_issuer: str | None = Field(None, description="Issuer of the tokens; Microsoft's for the tenant if not given.")

    @field_validator("home", "secrets_dir", "report_certificate")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()

    @field_validator("home")
    @classmethod
    def _openable(cls, path: Path) -> Path:
        if "%" in str(path):
            raise ValueError("delta-rs can't open tables in a folder with a % in its name")
        return path

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


@cache
def settings() -> Settings:
    """Return the settings of this process, read once.

    Raises
    ------
    ConfigurationError
        If a setting is unknown or ill-typed.
    """
    try:
        return Settings()
    except ValidationError as error:
        # Names and reasons only: the value may be a secret in the wrong place.
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise ConfigurationError(f"Wrong settings (LAKEWARD_* in the environment, or {FILE}): {wrong}") from None
    except ValueError as error:
        raise ConfigurationError(f"{FILE} can't be read: {error}") from None


def on_databricks() -> bool:
    """Whether this process runs on a Databricks cluster."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ
