"""The Jupyter kernel that papermill runs notebooks in."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import CaselessStrEnum, default


class RunningInterpreter(AsyncKernelManager):
    """Starts this very Python, whatever kernels happen to be installed under the name python3."""

    # Sockets in the user's own folder: what cells show stays off the network, loopback included.
    transport = CaselessStrEnum(["ipc"], default_value="ipc")

    @default("ip")
    def _sockets(self) -> str:
        # The default is the same for all kernels that start in one folder, and two at once get each other's messages.
        folder = Path(jupyter_runtime_dir())
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return str(folder / uuid4().hex[:16])

    @property
    def kernel_spec(self) -> KernelSpec:
        """How this Python is started as a kernel."""
        # Its own log would go to the caller's screen; what a cell raises is reported by the caller.
        # A person's history of IPython is not for a job's cells, whose parameters may be paths of patients' folders.
        arguments = ["--log-level=CRITICAL", "--ext=lakeward.workspace.dbutils", "--HistoryManager.enabled=False"]
        kernel = get_kernel_dict(python_arguments=["-Xfrozen_modules=off"], extra_arguments=arguments)
        program = ["lakeward.workspace.job_kernel" if it == "ipykernel_launcher" else it for it in kernel["argv"]]
        return KernelSpec(**{**kernel, "argv": program})


@contextmanager
def started() -> Iterator[RunningInterpreter]:
    """Start a kernel, without waiting until it answers, and see to it that it ends."""
    kernel = RunningInterpreter()
    asyncio.run(_done(kernel.start_kernel()))
    try:
        yield kernel
    finally:
        if kernel.has_kernel:
            asyncio.run(_done(kernel.shutdown_kernel(now=True)))


async def _done(work: Awaitable[None]) -> None:
    await work
