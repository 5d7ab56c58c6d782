"""The promises of a deployment as named invariants over the simulator's history: one checker for all tests.

Two tables: ``STEPS`` are asked at every record of the history, ``ENDINGS`` after every run. Each row is a name and a
function that answers what is broken, or "". ``Promises`` reads records as they come and collects what they break, so it
can listen to a simulator in process (``History.add``) or read a file of JSON lines afterwards.

Beside the simulator's own records it understands some that only a test kit can write: ``app`` (the state of a machine's
app), ``commit`` (an owner's record in the state store), ``sent`` (a request's body) and ``said`` (a line for people).
"""

from tests.bluegreen.promises.checker import Broken, Promises
from tests.bluegreen.promises.endings import ENDINGS, End
from tests.bluegreen.promises.steps import STEPS
from tests.bluegreen.promises.told import Record, Rules, Told

__all__ = ["ENDINGS", "STEPS", "Broken", "End", "Promises", "Record", "Rules", "Told"]
