import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeward.jobs.bundle.references import TIMES, references, resolve, steps

DOCUMENTED = [
    *("job.id", "job.name", "job.run_id", "job.repair_count", "job.parameters.x", "job.trigger.type"),
    *(f"job.{when}.{what}" for when in ("start_time", "trigger.time") for what in sorted(TIMES)),
    *("job.trigger.file_arrival.location", "job.trigger.table_update.updated_tables"),
    "job.trigger.table_update.main.imaging.images.version",
    "job.trigger.table_update.main.imaging.images.commit_timestamp.iso_datetime",
    *("task.name", "task.run_id", "task.execution_count", "task.notebook_path"),
    *(f"tasks.a.{what}" for what in ("run_id", "result_state", "error_code", "execution_count", "notebook_path")),
    *("tasks.a.values.k", "tasks.a.output.rows", "tasks.a.output.first_row.n", "tasks.`a-b`.values.`the key`"),
    *("input", "input.k", "workspace.id", "workspace.url"),
]


@pytest.mark.parametrize("inside", DOCUMENTED)
def test_what_is_documented_is_taken(inside: str) -> None:
    (reference,) = references(f"x {{{{ {inside} }}}} y")
    assert (reference.text, reference.wrong) == (inside, "")


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("job_id", "is the old form; write {{job.id}}."),
        ("start_date", "is the old form; write {{job.start_time.iso_date}}."),
        ("job.naem", "is not a reference that Databricks documents."),
        ("job.start_time.weekday", "is not a reference that Databricks documents."),
        ("job.parameters", "is not a reference that Databricks documents."),
        ("tasks.a.values.k.inner", "is not a reference that Databricks documents."),
        ("ds", "is not a reference that Databricks documents."),
        ("tasks.a-b.values.k", "is not a reference: names of letters, digits and _, others in `backticks`"),
        ("job.id + 1", "is not a reference: names of letters"),
        ("", "is not a reference: names of letters"),
    ],
)
def test_what_is_not_documented_is_refused(inside: str, reason: str) -> None:
    (reference,) = references(f"{{{{{inside}}}}}")
    assert reference.wrong.startswith(reason)


def test_a_reference_tells_what_it_asks() -> None:
    first, second, third = references("{{tasks.`a-b`.values.k}}{{ job.parameters.`p.q` }}{{job.id}}")
    assert (first.task, second.task, third.task) == ("a-b", None, None)
    assert (first.parameter, second.parameter, third.parameter) == (None, "p.q", None)
    assert steps("tasks.`a-b`.values.k") == ("tasks", "a-b", "values", "k")


def test_each_reference_is_replaced_once_and_what_it_becomes_is_left_alone() -> None:
    values = {"job.id": "7", "input": "{{job.id}}"}
    assert (
        resolve("{{job.id}}-{{ input }}-{one}-[{'a': {'b': 1}}]", values.__getitem__)
        == "7-{{job.id}}-{one}-[{'a': {'b': 1}}]"
    )


@given(parts=st.lists(st.text(st.characters(exclude_characters="{}")), min_size=1, max_size=5), value=st.text())
@settings(deadline=None, max_examples=80, derandomize=True)
def test_the_text_around_references_is_kept(parts: list[str], value: str) -> None:
    assert resolve("{{job.id}}".join(parts), lambda _: value) == value.join(parts)
