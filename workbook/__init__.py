"""What notebooks and the command line need around fsclib: parameters, sweeps, the paper, the explorer.

Importing it shows the messages of fsclib.
"""

from fsclib.system import log

log.show()
