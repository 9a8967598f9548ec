"""stub"""

from dataclasses import dataclass, field


@dataclass
class Written:
    sentences: list[str] = field(default_factory=list)
    is_whole: bool = True


def scaffold(settings, folder):
    return Written()
