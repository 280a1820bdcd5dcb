import sys

from realtime.loadtest.command import main

sys.exit(main())
