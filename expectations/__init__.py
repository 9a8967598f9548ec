"""What the data should be: contracts of the source tables, and the gates' expectations of each layer.

Great Expectations imports SciPy's statistics, a third of its import, for expectations that are not used here.
They are loaded when something of them is used (Python's documentation, "Implementing lazy imports").
"""

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

import scipy

STATISTICS = "scipy.stats"

spec = find_spec(STATISTICS)
if STATISTICS not in sys.modules and spec is not None and spec.loader is not None:
    loader = LazyLoader(spec.loader)
    spec.loader = loader
    module = module_from_spec(spec)
    sys.modules[STATISTICS] = scipy.stats = module
    loader.exec_module(module)
