"""MinIO."""

from apps.stack.asking import answer_to
from apps.stack.minio_program import find_minio, minio_version
from apps.stack.servers.server import Program, Server


class MinioServer(Server):
    """One MinIO without its console and without looking for updates."""

    name = "minio"
    title = "MinIO"

    def program(self) -> Program:
        """Build it when the machine has none."""
        binary = find_minio(self.site.say)
        data = self.site.data(self.name)
        data.mkdir(mode=0o700, exist_ok=True)
        configuration = self.site.folders.data / "minio-config"
        configuration.mkdir(mode=0o700, exist_ok=True)
        command = (
            *(str(binary), "server", "--address", self.address),
            # Certificates in the user's own folder must not switch it to TLS.
            *("--certs-dir", str(configuration), str(data)),
        )
        return Program(command, data, self._environment())

    def settle(self) -> None:
        """Wait until it serves."""
        self._ask(seconds=2)

    def version(self, seconds: float) -> str:
        """The version of the program, once the server has answered."""
        self._ask(seconds)
        return minio_version()

    def _ask(self, seconds: float) -> None:
        answer_to(f"http://{self.address}/minio/health/live", seconds)

    def _environment(self) -> dict[str, str]:
        return {
            "MINIO_ROOT_USER": self.site.credentials.minio_access_key,
            "MINIO_ROOT_PASSWORD": self.site.credentials.minio_secret_key,
            "MINIO_SITE_REGION": "us-east-1",
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            "MINIO_CALLHOME_ENABLE": "off",
        }
