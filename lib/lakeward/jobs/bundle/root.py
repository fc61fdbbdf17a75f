"""The top of a bundle's files: which sections there are, and where each value belongs.

Source: Databricks documentation, "Databricks Asset Bundles configuration".
"""

from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from lakeward.jobs.bundle.job import Elsewhere, Part, PauseStatus, Texts

FILES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")
"""Names that the root file may have."""
OVERRIDES = ".databricks/bundle/{}/variable-overrides.json"
"""Where a person's values of variables are, for each target."""


class About(Part):
    """What the bundle is called; the rest is the CLI's."""

    name: str | None = None
    git: Elsewhere = None
    uuid: Elsewhere = None
    engine: Elsewhere = None
    cluster_id: Elsewhere = None
    compute_id: Elsewhere = None
    deployment: Elsewhere = None
    databricks_cli_version: Elsewhere = None


class Variable(Part):
    """A variable: a default, or a name that is looked up in a workspace."""

    default: Any = None
    type: Literal["complex", "string"] | None = None
    description: str = ""
    lookup: dict[str, str] | None = None


class Presets(Part):
    """What is put on every job of a target."""

    name_prefix: str = ""
    tags: Texts | None = None
    trigger_pause_status: PauseStatus | None = None
    jobs_max_concurrent_runs: int | None = None
    pipelines_development: Elsewhere = None
    source_linked_deployment: Elsewhere = None
    artifacts_dynamic_version: Elsewhere = None


class Resources(Part):
    """What a bundle makes: jobs, which run here too, and what only a workspace can have."""

    jobs: dict[str, dict[str, Any] | None] | None = None
    alerts: Elsewhere = None
    apps: Elsewhere = None
    catalogs: Elsewhere = None
    clusters: Elsewhere = None
    dashboards: Elsewhere = None
    database_catalogs: Elsewhere = None
    database_instances: Elsewhere = None
    experiments: Elsewhere = None
    external_locations: Elsewhere = None
    genie_spaces: Elsewhere = None
    instance_pools: Elsewhere = None
    job_runs: Elsewhere = None
    model_serving_endpoints: Elsewhere = None
    models: Elsewhere = None
    pipelines: Elsewhere = None
    postgres_branches: Elsewhere = None
    postgres_catalogs: Elsewhere = None
    postgres_databases: Elsewhere = None
    postgres_endpoints: Elsewhere = None
    postgres_projects: Elsewhere = None
    postgres_roles: Elsewhere = None
    postgres_synced_tables: Elsewhere = None
    quality_monitors: Elsewhere = None
    registered_models: Elsewhere = None
    schemas: Elsewhere = None
    secret_scopes: Elsewhere = None
    secrets: Elsewhere = None
    sql_warehouses: Elsewhere = None
    synced_database_tables: Elsewhere = None
    vector_search_endpoints: Elsewhere = None
    vector_search_indexes: Elsewhere = None
    volumes: Elsewhere = None


class Section(Part):
    """What the root and each target may hold."""

    bundle: About | None = None
    workspace: Elsewhere = None
    artifacts: Elsewhere = None
    sync: Elsewhere = None
    permissions: Elsewhere = None
    run_as: Elsewhere = None
    presets: Presets | None = None
    resources: Resources | None = None


class Target(Section):
    """A deployment of the bundle, and what is different there."""

    default: bool = False
    mode: Literal["development", "production"] | None = None
    variables: dict[str, Any] | None = None
    git: Elsewhere = None
    cluster_id: Elsewhere = None
    compute_id: Elsewhere = None


class Experimental(Part):
    """Switches of the CLI; jobs that Python code makes are not among what is read here."""

    python_wheel_wrapper: Elsewhere = None
    use_legacy_run_as: Elsewhere = None
    scripts: Elsewhere = None
    immutable_folder: Elsewhere = None
    skip_artifact_cleanup: Elsewhere = None
    skip_name_prefix_for_schema: Elsewhere = None
    record_deployment_history: Elsewhere = None


class BundleFile(Section):
    """A file of a bundle."""

    include: list[str] | None = None
    variables: dict[str, Variable | None] | None = None
    targets: dict[str, Target | None] | None = None
    experimental: Experimental | None = None
    scripts: Elsewhere = None


class Named(About):
    """What the root file says of the bundle: no less than its name, written out."""

    name: Annotated[str, StringConstraints(pattern=r"^[^$]+$")]


class NamedBundle(BundleFile):
    """The root file: the one that names the bundle."""

    bundle: Named
