"""
HTTP for what pyflow serves itself: the local service and the health port. How requests and answers travel, not what they mean.

One request of a connection is taken at a time, as a whole, and answered in one write. What is not needed here is not known here:
chunks, upgrades, TLS. Every wait for a client has its end, and everything that a client sends has its limit.
"""
