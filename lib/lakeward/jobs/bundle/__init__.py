"""Reading Databricks bundle files: places, variables, targets, the jobs in them, and what is wrong with them."""
