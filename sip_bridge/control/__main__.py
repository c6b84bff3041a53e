"""`python -m sip_bridge.control`: the control process, started by the keeper."""

import sys

from sip_bridge.control.process import main

sys.exit(main())
