"""What is owed to patients, and to the tables, after the ingestion."""
