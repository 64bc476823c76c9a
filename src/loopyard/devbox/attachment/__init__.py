"""Commands whose streams the server holds: terminals, SSH sessions and listings of folders."""
