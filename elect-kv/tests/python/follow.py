"""A plain and a cluster client of redis-py that live through a failover, and are told of it by nobody.

Arguments: the client ports of the nodes. Says `ready` when both have written, waits for a line that says that the primary is
gone, and says `followed` when both have written again with the objects that they had.
"""

import sys
import time

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException, RedisError

BOUND = 60
ports = [int(port) for port in sys.argv[1:]]


def within_bound(act):
    """Again and again: between two primaries there is none, and that is an error."""
    deadline = time.monotonic() + BOUND
    while True:
        try:
            return act()
        except RedisError as error:
            if time.monotonic() > deadline:
                raise
            last = error
            time.sleep(0.02)


def increments(client, count):
    for _ in range(count):
        within_bound(lambda: client.incr("counter"))


def connect():
    try:
        return RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", port) for port in ports])
    except RedisClusterException as error:
        raise RedisError("nobody has led yet") from error


cluster = within_bound(connect)
increments(cluster, 20)
assert cluster.mset_nonatomic({"a": "1", "b": "2"})
assert cluster.get("a") == b"1"
assert len(cluster.get_nodes()) == 3, cluster.get_nodes()


def primary():
    """The node that says that it is the primary: what a plain client has to look for by itself."""
    for port in ports:
        try:
            client = redis.Redis(port=port, protocol=3)
            if client.role()[0] == b"master":
                return client
        except RedisError:
            pass
    raise redis.ConnectionError("nobody leads")


plain = within_bound(primary)
assert plain.mset({"c": "3", "d": "4"}) and plain.mget("c", "d", "e") == [b"3", b"4", None]
assert plain.pipeline(transaction=False).set("c", 5).get("c").execute() == [True, b"5"]
assert plain.pipeline(transaction=True).set("c", 6).incr("c", 2).setnx("c", 1).execute() == [True, 8, False]
try:
    plain.pipeline(transaction=True).set("c", 1).get("c").execute()
    raise AssertionError("a read was queued")
except redis.ResponseError as error:
    assert "GET inside MULTI" in str(error), error
assert plain.get("c") == b"8"
assert plain.ttl("c") == -1 and plain.type("c") == b"string" and plain.strlen("c") == 1
assert plain.config_get("appendonly") == {"appendonly": "yes"} or plain.config_get("appendonly") == {b"appendonly": b"yes"}
assert plain.info()["redis_mode"] == "cluster"
assert plain.wait(1, 10_000) >= 1
before = int(plain.get("counter"))
print("ready", flush=True)
sys.stdin.readline()
increments(cluster, 20)
assert int(within_bound(lambda: cluster.get("counter"))) >= before + 20
assert within_bound(primary).get("d") == b"4"
print("followed", flush=True)
