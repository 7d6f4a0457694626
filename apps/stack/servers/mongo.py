"""MongoDB."""

import json

from apps.stack.files import write_private
from apps.stack.mongod_program import find_mongod
from apps.stack.ports import LOOPBACK
from apps.stack.servers.server import Program, Server
from storage.access.roles import MONGODB_EVALUATOR as EVALUATOR
from storage.mongo.bootstrap import ensure_administrator, server_version

USER = "agentruns"


class MongoServer(Server):
    """One mongod that knows one administrator and runs no JavaScript."""

    name = "mongodb"
    title = "MongoDB"

    @property
    def url(self) -> str:
        """How to reach it as its administrator."""
        password = self.site.credentials.mongodb_password
        return f"mongodb://{USER}:{password}@{self.address}/?authSource=admin"

    @property
    def evaluator_url(self) -> str:
        """How to reach it as the evaluator, who only reads."""
        password = self.site.credentials.mongodb_evaluator_password
        return f"mongodb://{EVALUATOR}:{password}@{self.address}/?authSource=admin"

    def program(self) -> Program:
        """Write its configuration."""
        found = find_mongod()
        data = self.site.data(self.name)
        data.mkdir(mode=0o700, exist_ok=True)
        configuration = self.site.folders.data / "mongod.conf"
        # JSON is YAML, and quotes every path safely.
        write_private(configuration, json.dumps(self._configuration(found.major), indent=2) + "\n")
        return Program((str(found.path), "--config", str(configuration)), data, {})

    def settle(self) -> None:
        """Create its administrator."""
        password = self.site.credentials.mongodb_password
        ensure_administrator(LOOPBACK, self.site.ports[self.name], USER, password)

    def version(self, seconds: float) -> str:
        """What the server says of itself."""
        return server_version(self.url, seconds)

    def _configuration(self, major: int) -> dict[str, object]:
        configuration: dict[str, object] = {
            "net": {
                "bindIp": LOOPBACK,
                "port": self.site.ports[self.name],
                "unixDomainSocket": {"enabled": False},
            },
            "storage": {
                "dbPath": str(self.site.data(self.name)),
                # By default it takes half of the machine's memory.
                "wiredTiger": {"engineConfig": {"cacheSizeGB": 1}},
            },
            "security": {"authorization": "enabled", "javascriptEnabled": False},
            "setParameter": {"diagnosticDataCollectionEnabled": False},
        }
        if major < 7:
            configuration["cloud"] = {"monitoring": {"free": {"state": "off"}}}
        return configuration
