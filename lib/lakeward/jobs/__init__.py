"""Jobs: bundle files read, run by papermill here, scheduled, recorded; deployed to Databricks there."""
