"""PostgreSQL."""

from pathlib import Path

from apps.stack.ports import LOOPBACK
from apps.stack.postgres_home import PostgresHome
from apps.stack.postgres_programs import PostgresPrograms, find_postgres
from apps.stack.servers.server import Program, Server
from storage.access.roles import role_of
from storage.postgres.bootstrap import ensure_database, server_version

OWNER = "agentruns"
OPERATOR, EVALUATOR, FRONTEND = "operator", "evaluator", "frontend"
SUPERUSER = "postgres"
DATABASE = "agentruns"


class PostgresServer(Server):
    """One PostgreSQL whose database belongs to a role that is no superuser."""

    name = "postgres"
    title = "PostgreSQL"

    @property
    def url(self) -> str:
        """How to reach our database as its operator."""
        return self.url_of(OPERATOR)

    @property
    def owner_url(self) -> str:
        """How to reach it as its owner, who sees no row: for migrations only."""
        return self._url(OWNER, self.site.credentials.postgres_password)

    @property
    def passwords(self) -> dict[str, str]:
        """The password of each component that has a role of its own."""
        credentials = self.site.credentials
        return {
            OPERATOR: credentials.postgres_operator_password,
            EVALUATOR: credentials.postgres_evaluator_password,
            FRONTEND: credentials.postgres_frontend_password,
        }

    def url_of(self, component: str) -> str:
        """How to reach our database as one of the components."""
        return self._url(role_of(component), self.passwords[component])

    def program(self) -> Program:
        """Create its data when there is none."""
        home = PostgresHome.of(self.site.folders)
        home.make()
        home.forget_crash()
        found = find_postgres(home.user, home.major(), home.folder, self.site.say)
        if home.major() is None:
            self.site.say("creating PostgreSQL's data")
            home.initialise(found, SUPERUSER, self.site.credentials.postgres_superuser_password)
        return Program(
            self._command(found, home.data),
            # A folder that everybody may enter; PostgreSQL then goes to its data itself.
            Path("/"),
            {},
            user=home.user,
            stop_signal="INT",
        )

    def settle(self) -> None:
        """Create our role and our database."""
        superuser = f"{SUPERUSER}:{self.site.credentials.postgres_superuser_password}"
        ensure_database(
            f"postgresql://{superuser}@{self.address}/postgres",
            role=OWNER,
            password=self.site.credentials.postgres_password,
            database=DATABASE,
        )

    def version(self, seconds: float) -> str:
        """What the server says of itself."""
        return server_version(self.url, seconds)

    def _url(self, role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@{self.address}/{DATABASE}"

    def _command(self, found: PostgresPrograms, data: Path) -> tuple[str, ...]:
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.site.ports[self.name]),
            "unix_socket_directories": "",
            "max_connections": "200",
            "log_min_messages": "warning",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return (str(found.folder / "postgres"), "-D", str(data), *flags)
