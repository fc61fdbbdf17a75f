"""The Jupyter kernel that papermill runs notebooks in."""

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets import CaselessStrEnum


class RunningInterpreter(AsyncKernelManager):
    """Starts this very Python, whatever kernels happen to be installed under the name python3."""

    # Sockets in the user's own folder: what cells show stays off the network, loopback included.
    transport = CaselessStrEnum(["ipc"], default_value="ipc")

    @property
    def kernel_spec(self) -> KernelSpec:
        """How this Python is started as a kernel."""
        # Its own log would go to the caller's screen; what a cell raises is reported by the caller.
        quiet = get_kernel_dict(python_arguments=["-Xfrozen_modules=off"], extra_arguments=["--log-level=CRITICAL"])
        quiet["argv"] = ["lakeward.workspace.job_kernel" if it == "ipykernel_launcher" else it for it in quiet["argv"]]
        return KernelSpec(**quiet)
