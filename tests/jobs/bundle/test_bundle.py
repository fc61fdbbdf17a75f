from collections.abc import Callable
from pathlib import Path

import pytest

from lakeward.jobs.bundle.bundle import Bundle, find_root, job_id, load
from lakeward.jobs.bundle.faults import BundleRefused, hint
from lakeward.jobs.bundle.reading import state_of
from lakeward.jobs.bundle.root import BundleFile
from lakeward.workspace.errors import ConfigurationError

Write = Callable[..., Path]
TASK = "tasks: [{task_key: t, notebook_task: {notebook_path: n.ipynb}}]"


def refused(root: Path, **options: object) -> list[str]:
    with pytest.raises(BundleRefused) as error:
        load(root, **options)  # type: ignore[arg-type]
    assert error.value.exit_code == 2
    return [str(fault) for fault in error.value.faults]


def test_a_job_has_absolute_paths_and_settings_as_the_jobs_api_words_them(write: Write) -> None:
    root = write("""
        name: A
        tasks:
          - task_key: one
            notebook_task: {notebook_path: ../nb/one.ipynb, base_parameters: {n: 1, flag: true, ratio: 0.5}}
          - task_key: many
            depends_on: [{task_key: one}]
            for_each_task:
              inputs: "[1, 2]"
              task: {task_key: each, sql_task: {file: {path: q.sql}, warehouse_id: w}}
    """)
    bundle = load(root)
    one = bundle.jobs["a"].tasks[0].notebook_task
    assert one is not None
    assert one.notebook_path == str(root.parent / "nb" / "one.ipynb")
    assert bundle.settings["a"] == {
        "name": "A",
        "tasks": [
            {
                "task_key": "one",
                "notebook_task": {
                    "notebook_path": "nb/one.ipynb",
                    "base_parameters": {"n": "1", "flag": "true", "ratio": "0.5"},
                },
            },
            {
                "task_key": "many",
                "depends_on": [{"task_key": "one"}],
                "for_each_task": {
                    "inputs": "[1, 2]",
                    "task": {"task_key": "each", "sql_task": {"file": {"path": "jobs/q.sql"}, "warehouse_id": "w"}},
                },
            },
        ],
    }


def test_each_value_has_its_file_and_line(write: Write) -> None:
    bundle = load(write(f"name: A\n{TASK}\nparameters:\n  - name: p\n    default: x"))
    assert bundle.place("a", "parameters", 0, "default") == "jobs/a.job.yml:8"
    assert bundle.place("a", "parameters", 5, "default") == "jobs/a.job.yml:6"


def test_unknown_fields_are_refused_all_at_once_with_what_is_close(write: Write) -> None:
    root = write("""
        name: A
        timeout_secs: 3
        tasks:
          - task_key: t
            max_retry: 1
            notebook_task: {notebook_pth: n.ipynb}
          - task_key: u
            dbt_task: {commands: [run]}
          - {}
          - task_key: v
            run_if: SOMETIMES
            sql_task: {warehouse_id: w, file: {path: a.sql, source: GIT}}
    """)
    assert refused(root) == [
        "jobs/a.job.yml:6: timeout_secs is not known; did you mean timeout_seconds?",
        "jobs/a.job.yml:9: tasks[0].max_retry is not known; did you mean max_retries?",
        "jobs/a.job.yml:10: tasks[0].notebook_task.notebook_path is missing.",
        "jobs/a.job.yml:10: tasks[0].notebook_task.notebook_pth is not known; did you mean notebook_path?",
        "jobs/a.job.yml:12: tasks[1].dbt_task is a kind of task that runs on Databricks only.",
        "jobs/a.job.yml:13: tasks[2].task_key is missing.",
        "jobs/a.job.yml:15: tasks[3].run_if: Input should be 'ALL_SUCCESS', 'ALL_DONE', 'NONE_FAILED', "
        "'AT_LEAST_ONE_SUCCESS', 'ALL_FAILED' or 'AT_LEAST_ONE_FAILED'.",
        "jobs/a.job.yml:16: tasks[3].sql_task.file.source: GIT takes code out of a repository, where the parameters "
        "can't be checked; name files of this one.",
    ]


def test_of_many_faults_the_first_are_shown(write: Write) -> None:
    root = write("name: A\n" + TASK + "\n" + "\n".join(f"wrong_{n}: 1" for n in range(30)))
    with pytest.raises(BundleRefused, match=r"wrong_19 is not known(.|\n)*\nand 10 more$"):
        load(root)


@pytest.mark.parametrize(
    ("root", "reason"),
    [
        ("include: []", "jobs/databricks.yml:1: bundle is missing."),
        ("bundle:\n  uuid: u", "jobs/databricks.yml:1: bundle.name is missing."),
        ("bundle: {name: '${var.x}'}", "jobs/databricks.yml:1: bundle.name: '${var.x}' should match"),
        ("bundle: {name: b}\nresorces: {}", "jobs/databricks.yml:2: resorces is not known; did you mean resources?"),
        ("bundle: {name: b}\nresources: {job: {}}", "jobs/databricks.yml:2: resources.job is not known; did you mean"),
        ("bundle: {name: b}\npython: {}", "jobs/databricks.yml:2: python makes jobs by Python code, which is not run"),
        ("bundle: {name: b}\ninclude: [x.yml]", "jobs/databricks.yml:2: include: there is no file x.yml in jobs."),
        ("bundle: {name: b}\ninclude: ['*.txt']", "jobs/databricks.yml:2: include: a.txt is not YAML or JSON."),
        ("bundle: {name: b}\ntargets: {d: {modus: x}}", "jobs/databricks.yml:2: targets.d.modus is not known; did you"),
    ],
)
def test_the_root_file_is_held_to_its_shape(root: str, reason: str, write: Write) -> None:
    (write() / "a.txt").touch()
    assert refused(write(root=root))[0].startswith(reason)


def test_included_files_are_merged_but_no_job_twice(write: Write) -> None:
    task = "{task_key: t, condition_task: {left: a, op: NOT_EQUAL, right: b}}"
    job = f"resources: {{jobs: {{KEY: {{name: A, tasks: [{task}]}}}}}}"
    root = "bundle: {name: b}\ninclude: ['*.yml']"
    assert list(load(write(root=root, x=job.replace("KEY", "x"), y=job.replace("KEY", "y"))).jobs) == ["x", "y"]
    assert refused(write(root=root, y=job.replace("KEY", "x"))) == [
        "jobs/y.yml:1: the job x is there twice, first in jobs/x.yml:1."
    ]


TARGETS = """
    bundle: {name: b}
    include: ['*.job.yml']
    presets: {tags: {team: x}}
    targets:
      dev: {mode: development, default: true}
      prod:
        resources:
          jobs:
            a:
              name: Produced
              tasks:
                - task_key: t
                  max_retries: 5
                - {task_key: new, depends_on: [{task_key: t}], notebook_task: {notebook_path: m.ipynb}}
              parameters: [{name: p, default: prod}]
              job_clusters: [{job_cluster_key: c, new_cluster: {num_workers: 9}}]
"""
OVERRIDDEN = """
    name: A
    schedule: {quartz_cron_expression: 0 0 0 * * ?, timezone_id: UTC}
    tags: {own: y}
    tasks: [{task_key: t, notebook_task: {notebook_path: n.ipynb}, job_cluster_key: c}]
    parameters: [{name: q, default: 1}, {name: p, default: root}]
    job_clusters: [{job_cluster_key: c, new_cluster: {num_workers: 1, spark_version: s}}]
"""


def test_a_target_merges_tasks_parameters_and_clusters_by_their_keys(write: Write) -> None:
    job = load(write(OVERRIDDEN, root=TARGETS), "prod").settings["a"]
    assert job["name"] == "Produced"
    assert [(task["task_key"], task.get("max_retries")) for task in job["tasks"]] == [("t", 5), ("new", None)]
    assert job["parameters"] == [{"name": "q", "default": "1"}, {"name": "p", "default": "prod"}]
    assert job["job_clusters"] == [{"job_cluster_key": "c", "new_cluster": {"num_workers": 9, "spark_version": "s"}}]
    assert "pause_status" not in job["schedule"]
    assert job["tags"] == {"team": "x", "own": "y"}


def test_a_path_in_a_target_is_seen_from_the_file_that_it_stands_in(write: Write) -> None:
    root = write(root=TARGETS.replace("*.job.yml", "sub/*.yml"))
    (root / "sub").mkdir()
    (root / "sub" / "a.yml").write_text(
        "resources: {jobs: {a: {tasks: [{task_key: t, notebook_task: {notebook_path: ../n.ipynb}}]}}}"
    )
    paths = [str(task.notebook_task.notebook_path) for task in load(root, "prod").jobs["a"].tasks if task.notebook_task]
    assert paths == [str(root / "n.ipynb"), str(root / "m.ipynb")]


def test_development_mode_marks_and_pauses_what_it_deploys(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann.lee")
    bundle = load(write(OVERRIDDEN, root=TARGETS))
    job = bundle.jobs["a"]
    assert (bundle.target, bundle.targets, job.name) == ("dev", ["dev", "prod"], "[dev ann_lee] A")
    assert job.schedule is not None
    assert (job.schedule.pause_status, job.max_concurrent_runs) == ("PAUSED", 4)
    assert job.tags == {"team": "x", "own": "y", "dev": "ann_lee"}


@pytest.mark.parametrize(
    ("targets", "wanted", "reason"),
    [
        ("{x: {}, y: {}}", None, "none is marked as default: choose a target with --target; there is x, y."),
        ("{x: {default: true}, y: {default: true}}", None, "x and y are marked as default"),
        ("{staging: {}, prod: {}}", "stagin", "there is no target stagin; did you mean staging?"),
    ],
)
def test_it_must_be_clear_which_target_is_meant(targets: str, wanted: str | None, reason: str, write: Write) -> None:
    assert reason in refused(write(root=f"bundle: {{name: b}}\ntargets: {targets}"), target=wanted)[0]


def test_what_does_not_merge_is_refused(write: Write) -> None:
    root = TARGETS.replace("name: Produced", "tags: [x]")
    assert refused(write(OVERRIDDEN, root=root), target="prod") == [
        "jobs/databricks.yml:11: resources.jobs.a.tags is a list here, and a mapping in jobs/a.job.yml:7."
    ]


def test_a_jobs_number_is_always_the_same_and_leads_back(write: Write) -> None:
    bundle: Bundle = load(write(f"name: A\n{TASK}"))
    number = job_id("b", "a")
    assert number == 6792861466752743921
    assert 0 < number < 2**63
    assert (bundle.job_of(number), bundle.job_of(number + 1)) == ("a", None)
    with pytest.raises(ConfigurationError, match=r"The bundle b has no job aa; did you mean a\?"):
        bundle.job("aa")


def test_a_bundle_is_found_from_a_folder_inside_the_project(write: Write, tmp_path: Path) -> None:
    root = write()
    (inside := tmp_path / "notebooks" / "imaging").mkdir(parents=True)
    assert find_root(inside) == find_root(root) == root
    with pytest.raises(ConfigurationError, match=r"No databricks\.yml in /"):
        find_root(Path("/"))


def test_a_files_top_may_hold_anchors_for_what_is_repeated(write: Write) -> None:
    root = write()
    task = "{task_key: t, <<: *often, condition_task: {left: a, op: EQUAL_TO, right: a}}"
    jobs = f"resources: {{jobs: {{a: {{name: A, tasks: [{task}]}}}}}}\n"
    (root / "a.job.yml").write_text("defaults:\n  often: &often\n    max_retries: 3\n" + jobs)
    assert load(root).jobs["a"].tasks[0].max_retries == 3
    (root / "b.job.yml").write_text("defaults: {often: {max_retries: 3}}\n")
    assert refused(root) == ["jobs/b.job.yml:1: defaults is not known" + hint("defaults", BundleFile.model_fields)]


def test_what_else_a_bundle_makes_is_left_to_databricks(write: Write) -> None:
    root = write(
        TASK,
        root="""
        bundle: {name: b}
        include: ['*.job.yml']
        permissions: [{level: CAN_VIEW, group_name: users}]
        run_as: {service_principal_name: robot}
        experimental: {python_wheel_wrapper: true}
        resources:
          pipelines: {p: {name: P, libraries: [{notebook: {path: ./p.py}}]}}
          experiments: {e: {name: /Shared/e}}
          volumes: {v: {catalog_name: "${var.c}", schema_name: s}}
        variables: {c: {lookup: {metastore: main}}}
        """,
    )
    (root / "a.job.yml").write_text((root / "a.job.yml").read_text() + "      name: A\n")
    assert load(root).elsewhere == ["pipelines.p", "experiments.e", "volumes.v"]


@pytest.mark.parametrize("kind", ["pipeline_task", "dbt_task", "spark_jar_task", "dashboard_task", "power_bi_task"])
def test_a_kind_of_task_that_cannot_run_here_is_refused_by_name_and_line(kind: str, write: Write) -> None:
    root = write(f"name: A\ntasks:\n  - task_key: t\n    {kind}: {{x: 1}}")
    assert refused(root) == [f"jobs/a.job.yml:7: tasks[0].{kind} is a kind of task that runs on Databricks only."]


def test_a_bundle_has_changed_if_what_is_read_of_it_has(write: Write) -> None:
    root = write("name: A")
    overrides = root / ".databricks" / "bundle" / "default" / "variable-overrides.json"
    overrides.parent.mkdir(parents=True)
    states = [state_of(root)]
    for file, text in (
        (root / "a.job.yml", "{}"),
        (root / "new.job.yml", "{}"),
        (overrides, "{}"),
        (root / "databricks.yml", "bundle: {name: b}"),
    ):
        file.write_text(text)
        states.append(state_of(root))
        assert states[-1] != states[-2], file.name
    (root / "not_included.yml").touch()
    assert state_of(root) == states[-1]
