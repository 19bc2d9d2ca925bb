"""The documented ports are the real ones."""

from contracts.registry import SERVICES
from infra.local.ports import Ports
from infra.local.stack import ROOT


def test_every_default_port_is_documented() -> None:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (ROOT / "docs" / "operations" / "local.md").read_text().splitlines()
        if line.startswith("|") and line.rstrip(" |").endswith(tuple("0123456789"))
    ]
    documented = {int(default): int(offset) for _, offset, default in rows}
    ports = Ports()
    assert documented == {port: port - ports.base for _, port in ports.table()}
    names = {int(default): what for what, _, default in rows}
    for service in SERVICES:
        assert service in names[ports.service(service)]


def test_windows_of_neighbouring_checkouts_do_not_overlap() -> None:
    first, second = Ports(8080), Ports(8180)
    last = max(first.service(name, instance) for name in SERVICES for instance in range(1, 10))
    assert last < second.base
