"""`agentruns deploy`: give the flows to Prefect."""

from apps.cli.answer import Answer
from apps.cli.prefect_server import prefect_server
from apps.cli.values import GivenTerminal


def deploy(*, terminal: GivenTerminal) -> Answer:
    """Give every flow with its schedule to the Prefect server; harmless twice.

    Brings the schema of PostgreSQL up to date first, as the flows need it.

    Example: `agentruns deploy`

    Args:
        terminal: Where to print.
    """
    with terminal.working("Deploying"), prefect_server(terminal):
        from apps.deploying import deploy as deploy_flows
        from storage import load_settings
        from storage.postgres.schema import migrate

        migrate(load_settings().required("postgres_owner_url"))
        names = deploy_flows()
    return Answer({"deployments": names}, "\n".join(names))
