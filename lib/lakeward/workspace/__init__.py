"""The ground floor: settings, secrets, the Spark session, table declarations, notebook parameters, events, progress."""
