"""Has the directory of places loaded in the background, by one instance, in a process that ends with its memory."""

import asyncio
import json
import sys
from pathlib import Path

import structlog
from pymongo.errors import PyMongoError

from services.registration.load_places import task
from services.registration.settings import RegistrationSettings
from services.registration.usecases import places
from shared.service import Service

RETRY_SECONDS = 5
ROOT = Path(__file__).resolve().parents[3]

log = structlog.get_logger()


class Loading:
    """The background task of one service process. Hooks: ``start`` and ``stop``."""

    def __init__(self, settings: RegistrationSettings) -> None:
        self._given = json.dumps(task(settings)).encode()
        self._task: asyncio.Task[None] | None = None

    async def start(self, service: Service) -> None:
        """Begins to see to it that the directory is there."""
        if self._task is None:
            self._task = asyncio.create_task(self._see_to_it(service), name="places")

    async def stop(self, service: Service) -> None:
        """Ends the loading process when it runs, and leaves the work to whoever comes next."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _see_to_it(self, service: Service) -> None:
        while True:
            try:
                if await places.loaded(service.store):
                    return
                if await places.claim_loading(service.store, service.instance):
                    await self._load(service)
                    continue
            except (PyMongoError, OSError) as error:
                log.warning("places-retry", error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _load(self, service: Service) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.registration.load_places", "--task-on-stdin"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=ROOT,
        )
        try:
            said, _ = await process.communicate(self._given)
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
            if process.returncode != 0:
                await places.release_claim(service.store, service.instance)
        if process.returncode == 0:
            log.info("places-loaded", said=said.decode(errors="replace").strip())
        else:
            log.error("places-not-loaded", code=process.returncode, said=said.decode(errors="replace")[-2000:])
            await asyncio.sleep(RETRY_SECONDS)
