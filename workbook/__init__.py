"""What notebooks and the command line need around fsclib: parameters, sweeps, the paper, the explorer."""
