"""All checks, run over the same stores."""

from lakeward.governance.reports.checks import backups, care, passwords, people, signing, trail
from lakeward.governance.reports.checks.check import CHECKS, Proof, prove
from lakeward.governance.reports.stores import Stores

GROUPS = {
    "Audit trail": trail,
    "People": people,
    "Passwords": passwords,
    "Signatures and approvals": signing,
    "Patient data": care,
    "Backups": backups,
}
"""Where checks stand, by what they look at."""


def run(stores: Stores) -> dict[str, Proof]:
    """Run all checks, group by group."""
    order = [module.__name__ for module in GROUPS.values()]
    checks = sorted(CHECKS.values(), key=lambda it: order.index(it.look.__module__))
    return {check.name: prove(check, stores) for check in checks}


def group_of(proof: Proof) -> str:
    """Return what a check looks at."""
    return next(name for name, module in GROUPS.items() if module.__name__ == proof.check.look.__module__)
