"""The whole server in this process, called by clients that believe they speak HTTP."""
