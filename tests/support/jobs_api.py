"""A server on this machine that answers as the Jobs API 2.2 does; it is stricter: an unknown field is refused.

Source: Databricks REST API reference, "Jobs" and "Current user"; the numbers that 401 and 404 have as error codes are
those that clients of the service report.
"""

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import databricks.bundles.jobs as official

TOKEN = "dapi-of-a-test"
_RESET = {"job_id", "new_settings"}
_RUN_NOW = {"job_id", "job_parameters", "idempotency_token", "only", "queue", "performance_target"}
_ONLY_OF_THE_API = ("deployment", "edit_mode", "format", "access_control_list")

Json = dict[str, Any]


class Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, code: str | int, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error_code": code, "message": message}


@dataclass
class Going:
    """A run: each look at it takes every task one state further."""

    job_id: int
    settings: Json
    fails: dict[str, int]
    parameters: Json
    tries: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tries = [self._try(task, "BLOCKED", 0) for task in self.settings["tasks"]]

    @staticmethod
    def _try(task: Json, state: str, number: int) -> Json:
        return {"task_key": task["task_key"], "attempt_number": number, "state": {"life_cycle_state": state}}

    @property
    def now(self) -> dict[str, Json]:
        """The last try of each task."""
        return {one["task_key"]: one for one in self.tries}

    @property
    def state(self) -> Json:
        states = [one["state"] for one in self.now.values()]
        if all(state["life_cycle_state"] == "BLOCKED" for state in states):
            return {"life_cycle_state": "PENDING", "state_message": ""}
        if any(state["life_cycle_state"] != "TERMINATED" for state in states):
            return {"life_cycle_state": "RUNNING", "state_message": ""}
        failed = any(state["result_state"] != "SUCCESS" for state in states)
        return {"life_cycle_state": "TERMINATED", "result_state": "FAILED" if failed else "SUCCESS"}

    def step(self) -> None:
        now = self.now
        before = {key: dict(one["state"]) for key, one in now.items()}
        for task in self.settings["tasks"]:
            last = now[task["task_key"]]
            upstream = [before[one["task_key"]] for one in task.get("depends_on", [])]
            match last["state"]["life_cycle_state"]:
                case "BLOCKED" if all(state["life_cycle_state"] == "TERMINATED" for state in upstream):
                    well = all(state["result_state"] == "SUCCESS" for state in upstream)
                    last["state"] = {"life_cycle_state": "PENDING"} if well else _ended("UPSTREAM_FAILED")
                case "PENDING":
                    last["state"] = {"life_cycle_state": "RUNNING"}
                case "RUNNING":
                    fails = last["attempt_number"] < self.fails.get(task["task_key"], 0)
                    last["state"] = _ended("FAILED" if fails else "SUCCESS")
                    if fails and last["attempt_number"] < task.get("max_retries", 0):
                        self.tries.append(self._try(task, "PENDING", last["attempt_number"] + 1))


def _ended(result: str) -> Json:
    return {"life_cycle_state": "TERMINATED", "result_state": result}


class JobsApi:
    """A workspace's jobs and runs.

    Attributes
    ----------
    received : list
        Method, path and content of each request.
    busy : list of int
        Codes that the next requests are answered with, one each; 503 after they were done, 429 before.
    fails : dict of str to int
        How often each task fails before it succeeds.
    page : int
        Tasks on one page of a run.
    """

    def __init__(self) -> None:
        self.received: list[tuple[str, str, Json]] = []
        self.busy: list[int] = []
        self.fails: dict[str, int] = {}
        self.page = 100
        self.jobs: dict[int, Json] = {}
        self.runs: dict[int, Going] = {}
        self.tokens: dict[str, int] = {}
        self.numbers = count(1001)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def sent(self, path: str) -> list[Json]:
        """What was sent to a path."""
        return [body for _, where, body in self.received if where == path]

    def take(self, method: str, path: str, given: Json, authorization: str | None) -> Json:
        """Answer a request, if it comes from one who may ask and there are not too many."""
        self.received.append((method, path, given))
        if path.startswith("/api/") and authorization != f"Bearer {TOKEN}":
            raise Refused(401, 401, "Credential was not sent or was of an unsupported type for this API.")
        busy = self.busy.pop(0) if self.busy and "/jobs/" in path else 0
        if busy == 429:
            raise Refused(busy, "REQUEST_LIMIT_EXCEEDED", "Too many requests.")
        body = self.answer(method, path, given)
        if busy:
            raise Refused(busy, "TEMPORARILY_UNAVAILABLE", "Try again.")
        return body

    def answer(self, method: str, path: str, given: Json) -> Json:
        called = {
            ("GET", "/api/2.0/preview/scim/v2/Me"): self.me,
            ("POST", "/api/2.2/jobs/create"): self.create,
            ("POST", "/api/2.2/jobs/reset"): self.reset,
            ("GET", "/api/2.2/jobs/get"): self.get,
            ("GET", "/api/2.2/jobs/list"): self.list,
            ("POST", "/api/2.2/jobs/run-now"): self.run_now,
            ("GET", "/api/2.2/jobs/runs/get"): self.get_run,
        }.get((method, path))
        if called is None:
            raise Refused(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")
        return called(given)

    def me(self, given: Json) -> Json:
        return {"id": "1", "userName": "ada@example.org", "displayName": "Ada", "active": True}

    def create(self, given: Json) -> Json:
        number = next(self.numbers)
        self.jobs[number] = _valid(given)
        return {"job_id": number}

    def reset(self, given: Json) -> Json:
        _known(_RESET, given)
        self._job(given["job_id"])
        self.jobs[given["job_id"]] = _valid(given["new_settings"])
        return {}

    def get(self, given: Json) -> Json:
        return {"job_id": int(given["job_id"]), "settings": self._job(int(given["job_id"]))}

    def list(self, given: Json) -> Json:
        """List jobs, newest first, without their tasks."""
        name, limit, start = given.get("name", ""), int(given.get("limit", 20)), int(given.get("page_token", 0))
        if not 1 <= limit <= 100:
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"Invalid limit {limit}")
        found = [
            {"job_id": number, "settings": {key: value for key, value in settings.items() if key != "tasks"}}
            for number, settings in sorted(self.jobs.items(), reverse=True)
            if name.lower() in ("", settings["name"].lower())
        ]
        more = {"next_page_token": str(start + limit)} if len(found) > start + limit else {}
        return {"jobs": found[start : start + limit], "has_more": bool(more), **more}

    def run_now(self, given: Json) -> Json:
        _known(_RUN_NOW, given)
        settings, token = self._job(given["job_id"]), given.get("idempotency_token", "")
        declared = {one["name"]: one["default"] for one in settings.get("parameters", [])}
        for name, value in given.get("job_parameters", {}).items():
            if name not in declared or not isinstance(value, str):
                raise Refused(400, "INVALID_PARAMETER_VALUE", f"Job parameter {name} is not defined or no text")
        if len(token) > 64:
            raise Refused(400, "INVALID_PARAMETER_VALUE", "idempotency_token is longer than 64 characters")
        number = self.tokens.get(token) or next(self.numbers)
        if number not in self.runs:
            parameters = declared | given.get("job_parameters", {})
            self.runs[number] = Going(given["job_id"], settings, self.fails, parameters)
        self.tokens |= {token: number} if token else {}
        return {"run_id": number, "number_in_job": number}

    def get_run(self, given: Json) -> Json:
        number, start = int(given["run_id"]), int(given.get("page_token", 0))
        if number not in self.runs:
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"Run {number} does not exist.")
        run = self.runs[number]
        tasks, state = run.tries[::-1], run.state
        answer = {
            "run_id": number,
            "job_id": run.job_id,
            "state": dict(state),
            "run_page_url": f"{self.url}/#job/{run.job_id}/run/{number}",
            "tasks": [{**one, "state": dict(one["state"])} for one in tasks[start : start + self.page]],
        }
        if len(tasks) > start + self.page:
            return {**answer, "next_page_token": str(start + self.page)}
        run.step()
        return answer

    def _job(self, number: int) -> Json:
        if number not in self.jobs:
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"Job {number} does not exist.")
        return self.jobs[number]


def _valid(settings: Json) -> Json:
    try:
        official.Job.from_dict({k: v for k, v in settings.items() if k not in _ONLY_OF_THE_API})  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise Refused(400, "INVALID_PARAMETER_VALUE", str(error)) from None
    return settings


def _known(names: set[str], given: Json) -> None:
    if unknown := given.keys() - names:
        raise Refused(400, "MALFORMED_REQUEST", f"unknown fields: {', '.join(sorted(unknown))}")


class _Handler(BaseHTTPRequestHandler):
    api: JobsApi

    def do_GET(self) -> None:
        self._answer(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, given: Json) -> None:
        try:
            path, token = urlsplit(self.path).path, self.headers["Authorization"]
            self._send(200, self.api.take(self.command, path, given, token))
        except Refused as refused:
            self._send(refused.status, refused.body)

    def _send(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        if status in (429, 503):
            self.send_header("Retry-After", "0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass
