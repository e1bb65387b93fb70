"""The gateway: receives Zoho's callbacks, believes only those that carry the channel's token, and queues looks.

app        routes, and what each callback is answered
bodies     reading a body within a size and a time
sources    how fast one sender may be
known      the channels and their tokens, kept for a moment
intake     callbacks that arrive together are committed together, and answered after that
metrics    what is counted
server     the process: uvicorn, with a time limit for headers too
"""
