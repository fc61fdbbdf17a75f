"""Running a job's tasks as processes of this machine; the record says how they ended, and so does nothing else."""
