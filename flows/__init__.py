"""The flows, one file each; their steps are in subflows/.

A flow that is run by hand (`python -m flows.daily`) has its server started while it is imported.
"""

import gc
import sys

from tasks.runs.temporary_server import begin_temporary_server

RUN_BY_HAND = ("flows.daily", "flows.data_quality", "flows.inventory", "flows.maintenance", "flows.rebuild")
# Without `--run` these only show what they would do, and run no flow.
SHOWN_FIRST = ("flows.backfill", "flows.replay", "flows.restore")

# While Python looks for the module after `-m`, this package is imported, and `-m` stands for its name in
# `argv`. `-mflows.daily` is one word.
names = RUN_BY_HAND + (SHOWN_FIRST if "--run" in sys.argv else ())
is_by_hand = sys.argv[0] == "-m" and any(word.endswith(names) for word in sys.orig_argv)
if is_by_hand and not {"-h", "--help"} & {*sys.argv}:
    # What is imported, half a million objects, lives as long as the process. Python would look for garbage
    # among them again and again, a seventh of the imports' time; `run_checked` lets it look elsewhere.
    gc.disable()
    begin_temporary_server()
