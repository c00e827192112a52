"""What Charrua wants to reach beside its peers, as ratios within one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Goal:
    """One comparison: `floor` must not be undercut without a profile that says why, `goal` is what we aim at.

    `kind` says how `reached` is made of the two figures: ours / theirs, theirs / ours, or minus our figure itself.
    """

    key: str
    metric: str
    ours: str
    theirs: str
    floor: float
    goal: float
    kind: Literal["more", "less", "at most"] = "more"

    def reached(self, ours: float, theirs: float) -> float:
        """Greater is better."""
        if self.kind == "at most":
            return -ours
        return ours / theirs if self.kind == "more" else theirs / max(ours, 1e-9)

    def shown(self, value: float) -> str:
        """As a person reads it."""
        return f"<= {-value:.0f}" if self.kind == "at most" else f"{value:.2f}x"


US, TWO = "charrua", "charrua-2"
STOCK, NODELAY, NOSYNC, WEB = "orthanc", "orthanc-nodelay", "orthanc-nosync", "orthanc-web"

GOALS: tuple[Goal, ...] = (
    Goal("P1", "dcmsend, 1 association: CT/s", US, STOCK, 15, 20),
    Goal("P2", "1 association: CT/s", US, NOSYNC, 3.5, 5),
    Goal("P2", "4 associations: CT/s", US, NOSYNC, 1.5, 3.5),
    Goal("P2", "4 associations: CT/s", TWO, NOSYNC, 1.5, 3.5),
    Goal("P2", "8 associations: CT/s", US, NOSYNC, 1.7, 3.5),
    Goal("P2", "8 associations: CT/s", TWO, NOSYNC, 1.7, 3.5),
    Goal("P3", "1 association: CPU ms/CT", US, NOSYNC, 3.5, 5, "less"),
    Goal("P3", "8 associations: CPU ms/CT", US, NOSYNC, 3.5, 5, "less"),
    Goal("P4", "1 association: CT/s", US, "storescp", 0.7, 0.85),
    Goal("P4", "8 associations: CT/s", US, "storescp", 0.45, 0.7),
    Goal("P4", "8 associations: CT/s", TWO, "storescp", 0.45, 0.7),
    Goal("P5", "1 association: CT/s", US, NODELAY, 2.3, 2.5),
    Goal("P5", "8 associations: CT/s", US, NODELAY, 1.4, 2.5),
    Goal("P5", "8 associations: CT/s", TWO, NODELAY, 1.4, 2.5),
    Goal("P6", "1 association: SR/s", US, NOSYNC, 1.6, 2.5),
    Goal("P6", "8 associations: SR/s", US, NOSYNC, 2.2, 4),
    Goal("P6", "8 associations: SR/s", TWO, NOSYNC, 2.2, 4),
    Goal("P7", "8 large objects at once: MiB over idle", US, NODELAY, -32, -16, "at most"),
    Goal("P10", "QIDO everything of 20000 studies: p50 ms", US, WEB, 20, 40, "less"),
    Goal("P10", "QIDO everything of 1000 studies: p50 ms", US, WEB, 20, 40, "less"),
    Goal("P13", "WADO-RS study, 1 client: MB/s", US, "nginx", 0.45, 0.9),
    Goal("P13", "WADO-RS study, 4 clients: MB/s", US, "nginx", 0.45, 0.9),
    Goal("P13", "WADO-RS study, 1 client: MB/s", US, WEB, 1, 1),
    Goal("P13", "WADO-RS study, 4 clients: MB/s", US, WEB, 1, 1),
    Goal("P14", "WADO-RS metadata of 200 CT: first ms", US, WEB, 20, 100, "less"),
    Goal("P14", "WADO-RS metadata of 200 CT: p50 ms", US, WEB, 10, 15, "less"),
    Goal("P14", "WADO-RS metadata of 1,000: p50 ms", US, WEB, 10, 15, "less"),
    Goal("P15", "WADO-RS frames, 4 clients: a second", US, WEB, 1, 3),
    Goal("", "WADO-RS rendered, 1 client: a second", US, WEB, 1, 3),
    Goal("", "stored and forwarded: CT/s", US, "orthanc-forwarding", 1, 2),
    Goal("", "stored and forwarded: CT/s", US, "storescu", 0.5, 1),
    Goal("P16", "STOW, 200 CT in one request: MB/s", US, WEB, 2.3, 4),
    Goal("P16", "STOW, 4 clients of 50 CT: MB/s", US, WEB, 2.3, 4),
    Goal("P11", "findscu, one match of 1000 studies: ms", US, STOCK, 10, 20, "less"),
    Goal("", "C-FIND one match of 1000 studies: p50 ms", US, NODELAY, 1, 2, "less"),
    Goal("", "C-FIND one match of 1000 studies: p50 ms", US, "dcmqrscp", 1, 2, "less"),
    Goal("P12", "C-MOVE of 200 CT: CT/s", US, NODELAY, 1, 2),
    Goal("P12", "C-GET of 200 CT: CT/s", US, NODELAY, 1, 2),
    Goal("P12", "C-MOVE of 200 CT: CT/s", US, "dcmqrscp", 1, 2),
    Goal("P12", "C-GET of 200 CT: CT/s", US, "dcmqrscp", 1, 2),
)
