"""A job as the Databricks Jobs API (2.2) words it: the part that runs here, and what is accepted for Databricks alone.

Source: Jobs API reference, POST /api/2.2/jobs/create. A field that is not declared here is refused.
"""

from collections.abc import Iterator
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator


def _text(value: object) -> object:
    """Write a YAML value as the CLI does where text is asked for."""
    if isinstance(value, bool):
        return str(value).lower()
    return format(Decimal(repr(value)), "f") if isinstance(value, float) and isfinite(value) else value


Key = Annotated[str, StringConstraints(pattern=r"^[\w-]{1,100}$")]
Text = Annotated[str, BeforeValidator(_text)]
Texts = dict[str, Text]
# Means something on Databricks alone: kept as it is, and checked there.
Elsewhere = Any

RunIf = Literal["ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED"]
Operator = Literal["EQUAL_TO", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"]
PauseStatus = Literal["PAUSED", "UNPAUSED"]


class Part(BaseModel):
    """Base of all parts: no field but those declared, none changed later; a number is text where text is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class NotebookTask(Part):
    """A notebook, with parameters that the job's own override."""

    notebook_path: str
    base_parameters: Texts = {}
    source: Literal["WORKSPACE"] | None = None
    warehouse_id: Elsewhere = None


class ConditionTask(Part):
    """A comparison; the tasks after it ask for its outcome, ``true`` or ``false``."""

    left: Text
    op: Operator
    right: Text


class RunJobTask(Part):
    """Another job, run as a part of this one."""

    job_id: str
    job_parameters: Texts = {}


class PythonWheelTask(Part):
    """An entry point of an installed package."""

    package_name: str
    entry_point: str
    parameters: list[Text] = []
    named_parameters: Texts = {}

    @model_validator(mode="after")
    def _one_kind(self) -> "PythonWheelTask":
        if self.parameters and self.named_parameters:
            raise ValueError("parameters and named_parameters exclude each other")
        return self


class SparkPythonTask(Part):
    """A Python file, run in a process of its own."""

    python_file: str
    parameters: list[Text] = []
    source: Literal["WORKSPACE"] | None = None


class SqlFile(Part):
    """A file of SQL statements, separated by semicolons."""

    path: str
    source: Literal["WORKSPACE"] | None = None


class SqlTask(Part):
    """SQL from a file; named parameters are written ``:name`` in it. The warehouse is Databricks' alone."""

    file: SqlFile
    warehouse_id: Elsewhere
    parameters: Texts = {}


class Dependency(Part):
    """A task that comes before; `outcome` asks for that of a condition."""

    task_key: Key
    outcome: Literal["true", "false"] | None = None


class EmailNotifications(Part):
    """Addresses that are written to at each event."""

    on_start: list[str] = []
    on_success: list[str] = []
    on_failure: list[str] = []
    on_duration_warning_threshold_exceeded: list[str] = []
    no_alert_for_skipped_runs: bool = False


class Webhook(Part):
    """A notification destination; locally its address is the setting of that name."""

    id: str


class WebhookNotifications(Part):
    """Destinations that are posted to at each event; three at most for one, as there."""

    on_start: Annotated[list[Webhook], Field(max_length=3)] = []
    on_success: Annotated[list[Webhook], Field(max_length=3)] = []
    on_failure: Annotated[list[Webhook], Field(max_length=3)] = []
    on_duration_warning_threshold_exceeded: Annotated[list[Webhook], Field(max_length=3)] = []


class NotificationSettings(Part):
    """Which notifications are left out."""

    no_alert_for_skipped_runs: bool = False
    no_alert_for_canceled_runs: bool = False


class TaskNotificationSettings(NotificationSettings):
    """The same for a task, which may be tried again."""

    alert_on_last_attempt: bool = False


class HealthRule(Part):
    """A duration that is worth a warning; the streaming metrics are Databricks' alone."""

    metric: Literal["RUN_DURATION_SECONDS"]
    op: Literal["GREATER_THAN"]
    value: Annotated[int, Field(gt=0)]


class Health(Part):
    """The rules of a job's or a task's health."""

    rules: list[HealthRule] = []

    def exceeded(self, seconds: float) -> bool:
        """Whether something takes longer than it should."""
        return any(seconds > rule.value for rule in self.rules)


class Watched(Part):
    """What a job and a task both have: how long it may take, and who hears of it."""

    description: str = ""
    timeout_seconds: Annotated[int, Field(ge=0)] = 0
    email_notifications: EmailNotifications = EmailNotifications()
    webhook_notifications: WebhookNotifications = WebhookNotifications()
    notification_settings: NotificationSettings = NotificationSettings()
    health: Health = Health()


class BaseTask(Watched):
    """All of a task but ``for_each_task``, which holds one of these."""

    task_key: Key
    depends_on: list[Dependency] = []
    run_if: RunIf = "ALL_SUCCESS"
    disabled: bool = False
    max_retries: Annotated[int, Field(ge=-1)] = 0
    min_retry_interval_millis: Annotated[int, Field(ge=0)] = 0
    retry_on_timeout: bool = False
    notification_settings: TaskNotificationSettings = TaskNotificationSettings()
    notebook_task: NotebookTask | None = None
    condition_task: ConditionTask | None = None
    run_job_task: RunJobTask | None = None
    python_wheel_task: PythonWheelTask | None = None
    spark_python_task: SparkPythonTask | None = None
    sql_task: SqlTask | None = None
    environment_key: str | None = None
    job_cluster_key: str | None = None
    new_cluster: dict[str, Any] | None = None
    existing_cluster_id: Elsewhere = None
    libraries: Elsewhere = None
    disable_auto_optimization: Elsewhere = None

    @property
    def kinds(self) -> list[str]:
        """Names of the kinds of work that the task sets; a valid one sets exactly one."""
        return [name for name in type(self).model_fields if name.endswith("_task") and getattr(self, name)]

    @model_validator(mode="after")
    def _one_kind(self) -> "BaseTask":
        if len(self.kinds) != 1:
            raise ValueError(f"a task has one kind of work, this has {', '.join(self.kinds) or 'none'}")
        return self


class ForEachTask(Part):
    """A task for each of the inputs: a JSON list, or a reference to one."""

    inputs: str
    task: BaseTask
    concurrency: Annotated[int, Field(ge=1, le=100)] = 1


class Task(BaseTask):
    """One step of a job."""

    for_each_task: ForEachTask | None = None


class JobParameter(Part):
    """A parameter of the job, with what it is when nobody says otherwise."""

    name: Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,100}$")]
    default: Text


class Schedule(Part):
    """When the job runs, as a Quartz cron expression in a time zone."""

    quartz_cron_expression: str
    timezone_id: str
    pause_status: PauseStatus = "UNPAUSED"


class FileArrival(Part):
    """A folder in which new files start the job."""

    url: str
    min_time_between_triggers_seconds: Annotated[int, Field(ge=60)] | None = None
    wait_after_last_change_seconds: Annotated[int, Field(ge=60)] | None = None


class Periodic(Part):
    """A fixed interval."""

    interval: Annotated[int, Field(ge=1)]
    unit: Literal["MINUTES", "HOURS", "DAYS", "WEEKS"]


class TableUpdate(Part):
    """Tables whose new versions start the job."""

    table_names: Annotated[list[str], Field(min_length=1, max_length=10)]
    condition: Literal["ANY_UPDATED", "ALL_UPDATED"] = "ANY_UPDATED"
    min_time_between_triggers_seconds: Annotated[int, Field(ge=60)] | None = None
    wait_after_last_change_seconds: Annotated[int, Field(ge=60)] | None = None


class Trigger(Part):
    """What else starts the job: exactly one of the three."""

    file_arrival: FileArrival | None = None
    periodic: Periodic | None = None
    table_update: TableUpdate | None = None
    pause_status: PauseStatus = "UNPAUSED"

    @model_validator(mode="after")
    def _one(self) -> "Trigger":
        if sum(kind is not None for kind in (self.file_arrival, self.periodic, self.table_update)) != 1:
            raise ValueError("a trigger is one of file_arrival, periodic, table_update")
        return self


class Queue(Part):
    """Whether a run waits when as many run as may."""

    enabled: bool


class Environment(Part):
    """A serverless environment; the local one is the environment that Lakeward is installed in."""

    environment_key: str
    spec: Elsewhere = None


class JobCluster(Part):
    """A cluster that tasks share; locally its ``spark_conf`` sizes the session."""

    job_cluster_key: str
    new_cluster: dict[str, Any]


class Job(Watched):
    """A job: tasks, parameters, and when it runs."""

    name: str
    tasks: Annotated[list[Task], Field(min_length=1, max_length=1000)]
    parameters: list[JobParameter] = []
    max_concurrent_runs: Annotated[int, Field(ge=0, le=1000)] = 1
    queue: Queue = Queue(enabled=False)
    schedule: Schedule | None = None
    trigger: Trigger | None = None
    tags: Texts = {}
    environments: list[Environment] = []
    job_clusters: list[JobCluster] = []
    lifecycle: Elsewhere = None
    permissions: Elsewhere = None
    run_as: Elsewhere = None
    edit_mode: Elsewhere = None
    performance_target: Elsewhere = None
    budget_policy_id: Elsewhere = None
    usage_policy_id: Elsewhere = None

    @model_validator(mode="after")
    def _one_start(self) -> "Job":
        if self.schedule and self.trigger:
            raise ValueError("a job has a schedule or a trigger, not both")
        return self

    @property
    def heard(self) -> bool:
        """Whether anybody wants to hear of it, or of one of its tasks."""
        silent = (EmailNotifications(), WebhookNotifications())
        each: list[Watched] = [self, *self.every_task()]
        return any((one.email_notifications, one.webhook_notifications) != silent for one in each)

    def every_task(self) -> Iterator[BaseTask]:
        """Yield the tasks, and after a loop the task inside it."""
        for task in self.tasks:
            yield task
            if task.for_each_task:
                yield task.for_each_task.task
