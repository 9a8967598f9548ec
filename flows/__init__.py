"""The flows, one file each; their steps are in subflows/.

A flow that is run by hand (`python -m flows.daily`) has its server started while it is imported.
"""

import sys

from tasks.runs.temporary_server import begin_temporary_server

RUN_BY_HAND = {"flows.daily", "flows.data_quality", "flows.inventory", "flows.maintenance", "flows.rebuild"}

# While Python looks for the module after `-m`, this package is imported, and `-m` stands for its name.
if sys.argv[0] == "-m" and not {"-h", "--help"} & {*sys.argv}:
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1]
    if module in RUN_BY_HAND:
        begin_temporary_server()
