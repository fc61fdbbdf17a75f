"""The kernel that jobs run notebooks in: ipykernel, but nothing leaves it with patient data in it.

What cells print, show or raise goes to the archived notebook, the log and the pages, so it is scrubbed where it arises,
in the one process that knows what was read from DICOM files.
"""

import sys
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from jupyter_client.session import Session
from traitlets import default

from lakeward.workspace.scrub import places, scrubbed_output, told, watch_pydicom

_SHOWN = {"stream": "text", "display_data": "data", "update_display_data": "data", "execute_result": "data"}


class ScrubbingSession(Session):
    """Sends messages as its base does, with patient data taken out of what people will see."""

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, *args: Any, **named: Any) -> Any:
        """Send a message."""
        if isinstance(msg_or_type, dict):
            content = msg_or_type["content"] = self._clean(msg_or_type["header"]["msg_type"], msg_or_type["content"])
        else:
            content = self._clean(msg_or_type, content)
        return super().send(stream, msg_or_type, content, *args, **named)

    def _clean(self, kind: str, content: Any) -> Any:
        if field := _SHOWN.get(kind):
            return {**content, field: scrubbed_output(content[field])}
        if kind == "error" or (kind == "execute_reply" and content.get("status") == "error"):
            return {**content, **_told(content)}
        return content


def _told(content: dict[str, Any]) -> dict[str, Any]:
    error: BaseException | None = getattr(sys, "last_value", None)
    if error is None or type(error).__name__ != content["ename"]:
        return {"evalue": "", "traceback": [content["ename"]]}
    text = told(error)
    return {"evalue": text, "traceback": [*places(error), f"{content['ename']}: {text}"]}


class JobKernel(IPKernelApp):
    """The kernel's program."""

    @default("session")
    def _scrubbing(self) -> Session:
        return ScrubbingSession(parent=self)


def main() -> None:
    """Run the kernel, as ``ipykernel_launcher`` would."""
    # The folder that it was started in must not shadow installed packages.
    sys.path[:] = [entry for entry in sys.path if entry]
    watch_pydicom()
    JobKernel.launch_instance()


if __name__ == "__main__":
    main()
