import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeward.jobs.bundle.bundle import job_id, load
from lakeward.jobs.bundle.faults import BundleRefused

Write = Callable[..., Path]
ROOT = """
    bundle: {name: b}
    include: ['*.job.yml']
    variables:
      plain: {default: 1}
      text: {default: "x-${var.plain}"}
      needed: {description: no default}
      looked_up: {lookup: {warehouse: shared}}
      whole:
        type: complex
        default: {spark_version: s, workers: ["${var.plain}"]}
    targets:
      dev: {default: true, variables: {needed: n}}
      prod: {variables: {needed: {default: p}, plain: 2, whole: {spark_version: t}}}
"""


def _parameters(root: Path, **options: Any) -> dict[str, str]:
    return {parameter.name: parameter.default for parameter in load(root, **options).jobs["a"].parameters}


def _job(**values: str) -> str:
    given = "".join(f"\n  - {{name: {name}, default: '{text}'}}" for name, text in values.items())
    task = "{task_key: t, condition_task: {left: a, op: NOT_EQUAL, right: b}, existing_cluster_id: '${var.looked_up}'}"
    return f"name: A\ntasks: [{task}]\nparameters:{given}"


def _refused(root: Path, **options: Any) -> str:
    with pytest.raises(BundleRefused) as refused:
        load(root, **options)
    return str(refused.value)


def test_a_value_comes_from_the_command_then_the_environment_then_the_target(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(_job(a="${var.plain}", b="${var.text}/${var.needed}", c="${variables.plain.value}"), root=ROOT)
    assert _parameters(root) == {"a": "1", "b": "x-1/n", "c": "1"}
    assert _parameters(root, target="prod") == {"a": "2", "b": "x-2/p", "c": "2"}
    overrides = root / ".databricks" / "bundle" / "prod" / "variable-overrides.json"
    overrides.parent.mkdir(parents=True)
    overrides.write_text('{"plain": 3}')
    assert _parameters(root, target="prod")["a"] == "3"
    monkeypatch.setenv("BUNDLE_VAR_plain", "4")
    assert _parameters(root, target="prod")["a"] == "4"
    assert _parameters(root, target="prod", variables={"plain": "5"})["b"] == "x-5/p"


def test_a_complex_variable_is_put_in_whole_or_in_part(write: Write) -> None:
    job = _job(w="${var.whole.workers[0]}") + "\njob_clusters: [{job_cluster_key: c, new_cluster: '${var.whole}'}]"
    bundle = load(write(job, root=ROOT))
    assert bundle.jobs["a"].job_clusters[0].new_cluster == {"spark_version": "s", "workers": [1]}
    assert bundle.jobs["a"].parameters[0].default == "1"
    over = load(write(job.replace("${var.whole.workers[0]}", ""), root=ROOT), "prod")
    assert over.jobs["a"].job_clusters[0].new_cluster == {"spark_version": "t"}


def test_facts_of_bundle_workspace_and_resources_have_a_local_meaning(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ann.lee@example.com")
    asked = {
        "a": "${bundle.name}.${bundle.target}",
        "b": "${workspace.current_user.userName} ${workspace.current_user.short_name}",
        "c": "${resources.jobs.a.id}",
        "d": "${workspace.root_path} ${workspace.state_path}",
        "e": "${workspace.file_path}",
        "f": "${bundle.git.branch}",
    }
    root = write(_job(**asked), root=ROOT.replace("include", "sync: {paths: [.., ../nb]}\n    include"))
    subprocess.run(["git", "init", "-q", "-b", "trunk", root], check=True)
    subprocess.run(
        ["git", "-C", root, "-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-m", "m"],
        check=True,
    )
    assert _parameters(root) == {
        "a": "b.dev",
        "b": "ann.lee@example.com ann_lee",
        "c": str(job_id("b", "a")),
        "d": "/Workspace/Users/ann.lee@example.com/.bundle/b/dev "
        "/Workspace/Users/ann.lee@example.com/.bundle/b/dev/state",
        "e": str(root.parent),
        "f": "trunk",
    }


def test_without_a_repository_what_git_knows_is_empty(write: Write) -> None:
    root = write(_job(a="url:${bundle.git.origin_url}; commit:${bundle.git.commit}"), root=ROOT)
    assert _parameters(root) == {"a": "url:; commit:"}


def test_a_misspelt_step_is_told_with_what_is_there(write: Write) -> None:
    assert "${var.hole.spark_version} has no value here; did you mean whole?" in _refused(
        write(_job(a="${var.hole.spark_version}"), root=ROOT)
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${var.plan}", "${var.plan} has no value here; did you mean plain?"),
        ("${var.looked_up}", "is looked up in a workspace, which is not here; give it with --var looked_up="),
        ("${bundle.nme}", "${bundle.nme} has no value here; did you mean name?"),
        ("${resources.jobs.b.id}", "${resources.jobs.b.id} has no value here"),
        ("${resources.pipelines.x.id}", "is known only when the resource was made in a workspace."),
        ("${workspace.host}", "${workspace.host} has no value here"),
        ("${HOME}", "${HOME} has no value here"),
        ("a ${var.whole}", "is a list or a mapping, which can't stand inside a text."),
    ],
)
def test_a_reference_without_a_local_value_is_refused_by_name_and_line(text: str, reason: str, write: Write) -> None:
    message = _refused(write(_job(ok="1", x=text), root=ROOT))
    assert message.startswith("jobs/a.job.yml:8: ")
    assert reason in message


def test_what_is_databricks_alone_keeps_its_references_for_the_cli(write: Write) -> None:
    task = load(write(_job(a="1"), root=ROOT)).jobs["a"].tasks[0]
    assert task.existing_cluster_id == "${var.looked_up}"


def test_a_variable_that_leads_to_itself_is_refused(write: Write) -> None:
    root = ROOT.replace("{default: 1}", "{default: '${var.text}'}")
    assert "leads back to itself: var.plain -> var.text -> var.plain" in _refused(
        write(_job(a="${var.plain}"), root=root)
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"variables": {"plian": "1"}}, "jobs: --var plian: there is no such variable; did you mean plain?"),
        ({"variables": {"whole": "1"}}, "jobs/databricks.yml:9: the variable whole is complex, so --var can't give it"),
        ({"target": "bad"}, "jobs/databricks.yml:15: the variable nedded is not declared; did you mean needed?"),
        ({"target": "empty"}, "jobs/databricks.yml:7: the variable needed has no value: give it a default, use --var"),
    ],
)
def test_variables_must_be_declared_and_have_a_value(options: dict[str, Any], reason: str, write: Write) -> None:
    root = ROOT + "      bad: {variables: {nedded: 1, needed: 1}}\n      empty: {}\n"
    assert reason in _refused(write(_job(a="1"), root=root), **options)
