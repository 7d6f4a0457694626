"""`agentruns deploy`: give the flows to Prefect."""

from apps.cli.answer import Answer
from apps.cli.prefect_server import prefect_server
from apps.cli.values import GivenTerminal


def deploy(*, terminal: GivenTerminal) -> Answer:
    """Give every flow with its schedule to the Prefect server; harmless twice.

    Brings the schema of PostgreSQL up to date first, as the flows need it, and marks stores that
    have no marker yet as those of AGENTRUNS_ENVIRONMENT.

    Example: `agentruns deploy`

    Args:
        terminal: Where to print.
    """
    with terminal.working("Deploying"), prefect_server(terminal):
        from apps.deploying import deploy as deploy_flows
        from storage import load_settings
        from storage.access.installation import Installation
        from storage.marker import guard_of
        from storage.postgres.schema import migrate

        settings = load_settings()
        migrate(settings.required("postgres_owner_url"), guard_of(settings))
        claimed = Installation(settings, as_owner=True).claim()
        for store, reason in claimed.unmarked.items():
            terminal.say(f"{store} is not marked as {claimed.marker.environment} yet: {reason}")
        names = deploy_flows()
    environment = {"environment": claimed.marker.environment, "unmarked": list(claimed.unmarked)}
    return Answer({"deployments": names, **environment}, "\n".join(names))
