import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lakeward.jobs.bundle.bundle import job_id, load
from lakeward.jobs.bundle.checks import check
from lakeward.jobs.bundle.faults import BundleRefused
from lakeward.jobs.bundle.graph import upstream

Write = Callable[..., Path]
NotebookOf = Callable[[str, Mapping[str, object]], Path]


def _refused(root: Path, job: str | None = None, parameters: Mapping[str, str] | None = None) -> list[str]:
    bundle = load(root)
    with pytest.raises(BundleRefused) as refused:
        check(bundle, job, parameters)
    return [str(fault) for fault in refused.value.faults]


def _condition(key: str, *before: str, left: str = "a", outcome: str = "") -> str:
    depends = ", ".join(f"{{task_key: {one}{', outcome: ' + repr(outcome) if outcome else ''}}}" for one in before)
    return f"{{task_key: {key}, depends_on: [{depends}], condition_task: {{left: '{left}', op: EQUAL_TO, right: b}}}}"


def _tasks(*tasks: str) -> str:
    return "name: A\ntasks:\n" + "".join(f"  - {task}\n" for task in tasks)


@pytest.mark.parametrize(
    ("tasks", "faults"),
    [
        (
            [_condition("ingest"), _condition("b", "ingst")],
            ["7: b depends on ingst, which is not a task of this job; did"],
        ),
        ([_condition("a"), _condition("a")], ["7: the task_key a is there twice; give it another."]),
        ([_condition("a", "a")], ["6: a depends on itself.", "6: tasks that wait for each other: a -> a."]),
        (
            [_condition("a", "c"), _condition("b", "a"), _condition("c", "b")],
            ["6: tasks that wait for each other: a -> c -> b -> a. Take out one depends_on."],
        ),
        (
            ["{task_key: s, spark_python_task: {python_file: p.py}}", _condition("b", "s", outcome="true")],
            ["7: b asks for the outcome of s, which is not a condition_task; take the outcome out."],
        ),
        (
            ["{task_key: s, spark_python_task: {python_file: p.py}, job_cluster_key: c, environment_key: e}"],
            [
                "6: the job has no environment_key e; there is none.",
                "6: the job has no job_cluster_key c; there is none.",
            ],
        ),
        ([_condition("a"), _condition("b", "a", "a")], []),
    ],
)
def test_the_graph_of_tasks_holds(tasks: list[str], faults: list[str], write: Write) -> None:
    root = write(_tasks(*tasks))
    (root / "p.py").touch()
    found = [] if not faults else _refused(root)
    assert len(found) == len(faults)
    for one, expected in zip(found, faults, strict=True):
        assert one.startswith(f"jobs/a.job.yml:{expected}")
    if not faults:
        check(load(root))


def test_upstream_is_all_that_ended_before(write: Write) -> None:
    job = load(
        write(_tasks(_condition("d", "b", "c"), _condition("b", "a"), _condition("c", "a"), _condition("a")))
    ).jobs["a"]
    assert upstream(job) == {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"a", "b", "c"}}


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (
            "{{tasks.later.values.k}}",
            "{{tasks.later.values.k}} asks later, which need not have ended by then; add it to",
        ),
        ("{{tasks.none.values.k}}", "{{tasks.none.values.k}} asks a task that is not in this job; there is"),
        (
            "{{tasks.first.output.rows}}",
            "{{tasks.first.output.rows}} has a value on Databricks alone; hand it on as a task value",
        ),
        ("{{job.trigger.table_update.updated_tables}}", "{{job.trigger.table_update.updated_tables}} has a value on"),
        ("{{job.trigger.file_arrival.location}}", "{{job.trigger.file_arrival.location}} has a value only in a job"),
        ("{{tasks.first.notebook_path}}", "{{tasks.first.notebook_path}} asks for the notebook of first, which is not"),
        ("{{job.parameters.q}}", "{{job.parameters.q}} asks for a parameter that the job has not; there is p."),
        ("{{input}}", "{{input}} has a value only in the task of a for_each_task."),
        ("{{run_id}}", "{{run_id}} is the old form; write {{task.run_id}}."),
        ("{{tasks.first.result_state}} {{job.parameters.p}} {{task.name}}", ""),
    ],
)
def test_a_reference_has_a_value_when_its_task_starts(left: str, reason: str, write: Write) -> None:
    tasks = _tasks(_condition("first"), _condition("second", "first", left=left), _condition("later", "second"))
    root = write(tasks + "parameters: [{name: p, default: '{{job.run_id}}'}]\n")
    if not reason:
        check(load(root))
        return
    assert f"jobs/a.job.yml:7: {reason}" in _refused(root)[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{tasks.t.values.k}}", "{{tasks.t.values.k}} has no value yet when the job's parameters are set"),
        ("{{job.trigger.file_arrival.location}}", "{{job.trigger.file_arrival.location}} has a value only in a job"),
        ("{{job.naem}}", "{{job.naem}} is not a reference"),
    ],
)
def test_a_parameter_may_not_ask_what_is_not_there_yet(text: str, reason: str, write: Write) -> None:
    tasks = _tasks(_condition("t", left="{{job.parameters.p}}"))
    assert reason in _refused(write(tasks + f"parameters: [{{name: p, default: '{text}'}}]\n"))[0]
    root = write(tasks + "parameters: [{name: p, default: '{{job.run_id}}'}]\n")
    check(load(root), "a", {"p": "{{job.start_time.iso_date}}"})
    with pytest.raises(BundleRefused, match=re.escape(reason)):
        check(load(root), "a", {"p": text})


def test_a_loops_task_may_ask_for_its_input_and_what_came_before_the_loop(write: Write) -> None:
    inner = "{task_key: i, condition_task: {left: '{{input.k}} {{tasks.t.result_state}}', op: EQUAL_TO, right: x}}"
    inputs = "'{{tasks.t.values.v}}'"
    loop = f"{{task_key: l, depends_on: [{{task_key: t}}], for_each_task: {{inputs: {inputs}, task: {inner}}}}}"
    check(load(write(_tasks(_condition("t"), loop))))


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (
            "notebook_task: {notebook_path: n.py}",
            "n.py is not a notebook that can run here: its name must end with .ipynb.",
        ),
        ("notebook_task: {notebook_path: ../on.ipynb}", "there is no file on.ipynb; did you mean one.ipynb?"),
        ("notebook_task: {notebook_path: /Workspace/x.ipynb}", "there is no file /Workspace/x.ipynb; there is none."),
        ("spark_python_task: {python_file: 'dbfs:/a.py'}", "there is no file dbfs:/a.py"),
        ("sql_task: {warehouse_id: w, file: {path: q.sql}}", "there is no file jobs/q.sql"),
        ("python_wheel_task: {package_name: no-such, entry_point: e}", "the package no-such is not installed here"),
        ("run_job_task: {job_id: 123}", "job 123 is not of this bundle; write ${resources.jobs.KEY.id}; there is a."),
        ("run_job_task: {job_id: '${resources.jobs.a.id}', job_parameters: {p: 1}}", "the job a has no parameter p"),
    ],
)
def test_what_a_task_needs_is_there(task: str, reason: str, write: Write, notebook: NotebookOf) -> None:
    notebook("one", {})
    faults = _refused(write(_tasks(f"{{task_key: t, {task}}}")))
    assert any(fault.startswith(f"jobs/a.job.yml:6: {reason}") for fault in faults)


def test_sql_asks_for_parameters_by_colon(write: Write) -> None:
    root = write(_tasks("{task_key: t, sql_task: {file: {path: q.sql}, warehouse_id: w}}"))
    (root / "q.sql").write_text("USE CATALOG {{catalog}}; USE SCHEMA {{ s }}; SELECT {{catalog}}")
    reason = "the file asks for {{catalog}}, {{ s }} in braces, which is not read here; write :name."
    assert _refused(root) == [f"jobs/a.job.yml:6: {reason}"]


def test_jobs_that_run_each_other_without_end_are_refused(write: Write) -> None:
    run = "{{name: {n}, tasks: [{{task_key: t, run_job_task: {{job_id: '${{resources.jobs.{o}.id}}'}}}}]}}"
    jobs = f"{{x: {run.format(n='X', o='y')}, y: {run.format(n='Y', o='x')}}}"
    root = write(root=f"bundle: {{name: b}}\nresources: {{jobs: {jobs}}}")
    assert load(root).job_of(job_id("b", "y")) == "y"
    assert "the jobs run each other without end: " in _refused(root)[0]


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ("{quartz_cron_expression: 0 0 7 * * ?, timezone_id: Berlin}", "timezone_id Berlin is not a time zone"),
        ("{quartz_cron_expression: 0 7 * * *, timezone_id: UTC}", "quartz_cron_expression 0 7 * * *: "),
    ],
)
def test_a_schedule_is_one_that_can_be_kept(schedule: str, reason: str, write: Write) -> None:
    assert reason in _refused(write(_tasks(_condition("t")) + f"schedule: {schedule}"))[0]
