"""Puts an operator's questions to the database of this container's service: ``python -m infra.compose.ask``.

The databases of a platform in containers are reached from nowhere else. Commands come on standard input as a list in
MongoDB's extended JSON, the answers leave in the same form.
"""

import sys

from bson import json_util

from infra.databases import EXTENDED_JSON, ask
from shared.settings import Settings, secrets_dir


def main() -> None:
    """Reads the commands and writes the answers."""
    settings = Settings(_secrets_dir=secrets_dir())
    commands = json_util.loads(sys.stdin.read(), json_options=EXTENDED_JSON)
    answers = ask(settings.mongo_url.get_secret_value(), settings.database, commands)
    sys.stdout.write(json_util.dumps(answers, json_options=EXTENDED_JSON))


if __name__ == "__main__":
    main()
