"""`agentruns deploy`: give the flows to Prefect."""

from typing import Annotated

from cyclopts import Parameter

from apps.cli.answer import Answer
from apps.cli.prefect_server import prefect_server
from apps.cli.terminal import Terminal


def deploy(*, terminal: Annotated[Terminal, Parameter(parse=False)]) -> Answer:
    """Make every flow a deployment of the Prefect server, with its schedule; harmless twice.

    Example: `agentruns deploy`

    Args:
        terminal: Where to print.
    """
    with terminal.working("Deploying"), prefect_server(terminal):
        from apps.deploying import deploy as deploy_flows

        names = deploy_flows()
    return Answer({"deployments": names}, "\n".join(names))
