from approving import approvals, clock, in_review, models, peopled

__all__ = ["approvals", "clock", "in_review", "models", "peopled"]
