"""The picture of services and topics in the README: ``python -m contracts.picture`` prints it from the registry."""

from collections import defaultdict

from contracts.registry import DOMAIN_TOPICS, OPERATOR, SERVICES
from contracts.topic import PLATFORM_PRINCIPAL

EVERYBODY = "all services"
NAMES = {PLATFORM_PRINCIPAL: "national platforms", OPERATOR: "operators"}


def mermaid() -> str:
    """A Mermaid flowchart: who publishes which topics, and who reads them."""
    edges: dict[tuple[str, str], list[str]] = defaultdict(list)
    for topic in DOMAIN_TOPICS:
        name = topic.name.replace("national-platforms.{platform}.", "").replace("national-platforms.", "")
        everybody = set(topic.readers) >= set(SERVICES)
        for writer in (topic.owner, *topic.writers):
            for reader in [EVERYBODY] if everybody else topic.readers:
                if reader != writer:
                    edges[writer, reader].append(name)
    lines = ["flowchart LR", "    portal([portal]) -->|HTTP| gateway", "    gateway -->|HTTP| all-services"]
    for (writer, reader), names in sorted(edges.items()):
        lines.append(f'    {_node(writer)} -->|"{"<br>".join(names)}"| {_node(reader)}')
    nodes = {principal for edge in edges for principal in edge} - set(SERVICES)
    lines += [f"    {_node(principal)}([{NAMES.get(principal, principal)}])" for principal in sorted(nodes)]
    return "\n".join(lines)


def _node(principal: str) -> str:
    return NAMES.get(principal, principal).replace(" ", "-")


if __name__ == "__main__":
    print(mermaid())
