"""Every command, by the person who uses it."""

from cyclopts import App, Group, Parameter

from agentruns import __version__
from apps.cli import (
    agents,
    auditing,
    checking,
    cutting_over,
    deleting,
    delivering,
    deploying,
    environments,
    evaluating,
    holding,
    migrating,
    migration_manifest,
    migration_state,
    quality_reports,
    rebuilding,
    recording,
    repairing,
    retaining,
    scheduling,
    servers,
    spooling,
)
from apps.cli import tasks as recorded


def _group(name: str) -> Group:
    return Group.create_ordered(name)


RECORDING = _group("Agents: record runs, look at them")
EVALUATING = _group("Evaluation: score what was recorded")
OPERATING = _group("Operation: deploy, watch")
SERVERS = _group("Servers on this machine")
ARGUMENTS = _group("Arguments")
OPTIONS = _group("Options")
EVERYWHERE = _group("Options of every command")

app = App(
    name="agentruns",
    help="""Keep everything that a fleet of computer-use agents does, and run the flows around it.

    Begin with `agentruns up`, then `agentruns record --agent browser-1 -- python agent.py`.
    """,
    version=__version__,
    help_format="markdown",
    version_format="plaintext",
    # No option has a twin named `--no-...` or `--empty-...`: one way to say a thing.
    default_parameter=Parameter(negative=()),
    group_arguments=ARGUMENTS,
    group_parameters=OPTIONS,
    # Whoever runs the app decides about errors and exit codes; see `launch.py`.
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
app["--help"].group = app["--version"].group = EVERYWHERE

tasks = App(
    name="tasks", help="List the recorded tasks, look at one, delete or hold one.", group=RECORDING
)
tasks.command(recorded.list_tasks, name="list")
tasks.command(recorded.show_task, name="show")
tasks.command(deleting.delete_task, name="delete")
tasks.command(holding.hold)
tasks.command(holding.release)
tasks.command(holding.list_held, name="held")

spool = App(name="spool", help="Look into a spool of records on their way.", group=OPERATING)
spool.command(spooling.show_status, name="status")
spool.command(spooling.list_rejected, name="rejected")
spool.command(spooling.retry)

access = App(name="agents", help="Say who may write into the stores.", group=OPERATING)
access.command(agents.add)
access.command(agents.list_agents, name="list")
access.command(agents.show)
access.command(agents.rotate)
access.command(agents.append_only)
access.command(agents.disable)
access.command(deleting.delete_agent, name="delete")

migrate = App(name="migrate", help="Bring folders of old runs into the stores.", group=OPERATING)
migrate.command(migrating.run, sort_key=1)
migrate.command(migrating.inventory, sort_key=2)
migrate.command(migrating.copy, sort_key=3)
migrate.command(migrating.verify, sort_key=4)
migrate.command(cutting_over.cutover, sort_key=5)
migrate.command(migration_state.list_migrations, name="list", sort_key=5)
migrate.command(migration_state.show, sort_key=6)
migrate.command(migration_state.quarantine, sort_key=7)
migrate.command(migration_state.report, sort_key=8)
migrate.command(migration_manifest.manifest, sort_key=8)
migrate.command(rebuilding.rebuild, sort_key=9)
migrate.command(scheduling.schedule, sort_key=10)

retention = App(name="retention", help="Say how long what was recorded is kept.", group=OPERATING)
retention.command(retaining.add)
retention.command(retaining.list_policies, name="list")
retention.command(retaining.show)
retention.command(retaining.remove)
retention.command(retaining.run)

audit = App(name="audit", help="See who did what, and say how long that is known.", group=OPERATING)
audit.command(auditing.list_entries, name="list")
audit.command(auditing.prune)
audit.command(auditing.keep)

environment = App(
    name="environment", help="See which environment the stores belong to.", group=OPERATING
)
environment.command(environments.show)
environment.command(environments.set_environment, name="set")

check = App(name="check", help="Ask whether everything is well.", group=OPERATING)
check.command(checking.health)
check.command(checking.quality)
check.command(quality_reports.report)

app.command(recording.record, group=RECORDING)
app.command(tasks)
app.command(evaluating.evaluate, group=EVALUATING)
app.command(check)
app.command(repairing.repair, group=OPERATING)
app.command(access)
app.command(migrate)
app.command(retention)
app.command(audit)
app.command(environment)
app.command(delivering.deliver, group=OPERATING)
app.command(spool)
app.command(deploying.deploy, group=OPERATING)
# In the order in which they are needed, not in that of the alphabet.
app.command(servers.up, group=SERVERS, sort_key=1)
app.command(servers.down, group=SERVERS, sort_key=2)
app.command(servers.reset, group=SERVERS, sort_key=3)
app.command(servers.status, group=SERVERS, sort_key=4)
app.command(servers.logs, group=SERVERS, sort_key=5)
app.command(servers.env, group=SERVERS, sort_key=6)
