"""Every code that a receipt can have is in the public interface."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CODE = re.compile(
    r"""(?:refuse|warn|note)\(\s*(?:None, )?"([a-z-]+)"|^\s+\("([a-z-]+)", "|code = "([a-z-]+)" """, re.MULTILINE
)


def test_every_code_is_documented() -> None:
    rooms = ROOT / "services" / "events_calendar"
    texts = [path.read_text() for room in ("domain", "usecases") for path in (rooms / room).glob("*.py")]
    codes = {code for text in texts for found in CODE.findall(text) for code in found if code}
    assert {"offset-misfit", "html-removed", "id-reused", "too-large", "stale", "no-such-time"} <= codes
    said = (ROOT / "docs" / "national-platforms.md").read_text()
    assert not {code for code in codes if f"`{code}`" not in said}
