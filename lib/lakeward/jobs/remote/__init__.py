"""Jobs in a Databricks workspace: deployed by the Databricks CLI, run and followed through databricks-sdk."""
