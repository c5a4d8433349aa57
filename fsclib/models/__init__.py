"""Networks and their parts. Only `weights` reads files: those that come with the package."""
