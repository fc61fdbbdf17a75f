"""Who may do what, and electronic signatures that stand for a person's own (21 CFR Part 11, subparts B and C)."""
