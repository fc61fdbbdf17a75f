"""From folders into Delta tables and files, and out again."""
