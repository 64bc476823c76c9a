"""HTTP/2 on the same port as HTTP/1.1, for clients that begin with it, as the official TypeScript client does.

uvicorn speaks HTTP/1.1 only. Here `h2` reads and writes the frames; the application is the same.
"""
