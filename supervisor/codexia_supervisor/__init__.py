"""The supervisor process: login, configuration, control API, and the workers' life."""
