"""When jobs start by themselves: cron expressions, intervals, files that arrive, tables that change."""
