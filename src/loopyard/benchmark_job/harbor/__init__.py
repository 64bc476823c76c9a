"""Jobs that Harbor itself carries out, in a process beside the server, with this server as its sandboxes."""
