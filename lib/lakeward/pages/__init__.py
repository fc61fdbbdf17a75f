"""The pages: jobs, runs and tables in a browser, rendered on the server, for the one person at this machine."""
