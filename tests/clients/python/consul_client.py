"""py-consul as its documentation shows it: `python consul_client.py CLIENT SERVER`, each the HOST:PORT of an agent's HTTP.

Fails at the first wrong value."""

import asyncio
import sys
import threading
import time

import consul
import consul.aio
import consul.exceptions


def connect(address, kind=consul.Consul):
    host, port = address.split(":")
    return kind(host=host, port=int(port))


client, server = map(connect, sys.argv[1:3])


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def until(what, check):
    started = time.monotonic()
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() - started < 15, f"{what} did not happen"
        time.sleep(0.02)


def raises(error, call, *args, **named):
    try:
        call(*args, **named)
    except error as raised:
        return str(raised)
    raise AssertionError(f"no {error}")


def keys():
    index, missing = client.kv.get("py/none")
    equal((int(index) > 0, missing), (True, None))
    equal(client.kv.put("py/a", "one", flags=5), True)
    index, one = client.kv.get("py/a")
    equal((one["Value"], one["Flags"], one["ModifyIndex"]), (b"one", 5, int(index)))
    equal(client.kv.put("py/a", "two", cas=0), False)
    equal(client.kv.put("py/a", b"\x00\xff", cas=int(index)), True)
    equal(client.kv.get("py/a", consistency="consistent")[1]["Value"], b"\x00\xff")
    equal(client.kv.put("py/none", None), True)
    equal(client.kv.get("py/none", consistency="stale")[1]["Value"], None)
    client.kv.put("py/b/c ü", "x")
    equal([one["Key"] for one in client.kv.get("py/", recurse=True)[1]], ["py/a", "py/b/c ü", "py/none"])
    equal(client.kv.get("py/", keys=True, separator="/")[1], ["py/a", "py/b/", "py/none"])
    equal(client.kv.delete("py/a", cas=1), False)
    equal(client.kv.delete("py/", recurse=True), True)
    equal(client.kv.get("py/", recurse=True)[1], None)

    # A long poll, as the documentation shows it.
    index, _ = client.kv.get("py/polled")
    timer = threading.Timer(0.3, lambda: server.kv.put("py/polled", "there"))
    timer.start()
    equal(client.kv.get("py/polled", index=index, wait="10s")[1]["Value"], b"there")
    equal(client.kv.get("py/polled", index=client.kv.get("py/polled")[0], wait="100ms")[1]["Value"], b"there")
    done = client.txn.put([{"KV": {"Verb": "get", "Key": "py/polled"}}, {"KV": {"Verb": "delete", "Key": "py/polled"}}])
    equal(done["Results"][0]["KV"]["Value"], "dGhlcmU=")
    raises(consul.exceptions.ClientError, client.txn.put, [{"KV": {"Verb": "get", "Key": "py/polled"}}])


def sessions():
    one = client.session.create(name="py", ttl=10, lock_delay=1, behavior="delete")
    two = client.session.create(node="server", lock_delay=0)
    equal(client.session.info(one)[1]["Behavior"], "delete")
    equal(len(client.session.list()[1]), 2)
    equal(client.session.node("server")[1][0]["ID"], two)
    equal(client.session.renew(one)["ID"], one)
    equal(client.kv.put("py/lock", "1", acquire=one), True)
    equal(client.kv.put("py/lock", "2", acquire=two), False)
    equal(client.kv.put("py/lock", "1", release=one), True)
    equal(client.kv.put("py/lock", "2", acquire=two), True)
    equal(client.kv.get("py/lock")[1]["LockIndex"], 2)
    equal(client.session.destroy(two), True)
    equal("Session" in client.kv.get("py/lock")[1], False)
    equal(client.session.destroy(one), True)
    raises(consul.NotFound, client.session.renew, one)
    equal(client.session.info(one)[1], None)
    raises(consul.ConsulException, client.session.create, behavior="release", checks=["none"])


def services():
    agent = client.agent
    check = consul.Check.ttl("10s")
    equal(agent.service.register("py-web", "py-web-1", port=80, tags=["a", "b"], check=check, meta={"v": "1"},
                                 weights={"Passing": 3, "Warning": 1}, enable_tag_override=True), True)
    equal(server.health.service("py-web", passing=True)[1], [])
    equal(agent.check.ttl_pass("service:py-web-1", notes="well"), True)
    found = until("it passes", lambda: server.health.service("py-web", passing=True, tag="b")[1])
    equal((found[0]["Service"]["Port"], found[0]["Service"]["Weights"]["Passing"]), (80, 3))
    equal(agent.check.ttl_warn("service:py-web-1"), True)
    equal(agent.check.ttl_fail("service:py-web-1", notes="no"), True)
    equal(agent.checks()["service:py-web-1"]["Output"], "no")
    equal(agent.service_definition("py-web-1")["Service"], "py-web")
    equal(list(agent.services(filter_expr='Service == "py-web"')), ["py-web-1"])
    equal(agent.check.register("own", check=consul.Check.tcp("127.0.0.1", 1, "10s"), service_id="py-web-1"), True)
    equal(agent.check.register("http", check=consul.Check.http("http://127.0.0.1:1/", "10s", timeout="1s",
                                                               header={"a": ["b"]})), True)
    equal(agent.check.deregister("http"), True)
    until("both checks", lambda: len(server.health.checks("py-web")[1]) == 2)
    equal(agent.service.maintenance("py-web-1", True, reason="x y"), True)
    equal(agent.service.maintenance("py-web-1", False), True)
    equal(agent.maintenance(True), True)
    equal(agent.maintenance(False), True)
    equal(len(server.catalog.service("py-web", tag="a")[1]), 1)
    equal(agent.service.deregister("py-web-1"), True)
    until("it is gone", lambda: server.catalog.service("py-web")[1] == [])
    raises(consul.ConsulException, agent.service.register, "script", script="true", interval="10s")


def catalog():
    equal(client.catalog.datacenters(), ["dc1"])
    equal(client.catalog.register("py-node", "192.0.2.3", service={"service": "py-db", "port": 1, "tags": ["x"]},
                                  check={"name": "up", "status": "passing"}), True)
    equal(client.catalog.nodes(node_meta={"a": "b"})[1], [])
    equal(client.catalog.services()[1], {"consul": [], "py-db": ["x"]})
    equal(client.catalog.node("py-node")[1]["Services"]["py-db"]["Port"], 1)
    equal(client.catalog.node("none")[1], None)
    equal(client.health.node("py-node")[1][0]["Status"], "passing")
    equal(len(client.health.state("any", near="_agent")[1]), 3)
    equal(client.catalog.deregister("py-node", check_id="up"), True)
    equal(client.catalog.deregister("py-node", service_id="py-db"), True)
    equal(client.catalog.deregister("py-node"), True)
    equal(len(client.catalog.nodes(consistency="stale")[1]), 2)


def cluster():
    equal(client.agent.self()["Config"]["NodeName"], "client")
    members = {one["Name"]: one for one in client.agent.members()}
    equal(members["server"]["Status"], 1)
    address = "{Addr}:{Port}".format(**members["server"])
    equal(client.agent.join(address), True)
    equal(client.agent.reload(), True)
    equal((client.status.leader(), client.status.peers()), (address, [address]))
    equal(client.operator.raft_config()["Servers"][0]["Leader"], True)
    config = client.operator.autopilot_configuration()
    equal(config["MaxTrailingLogs"], 250)
    equal(client.operator.autopilot_health()["Healthy"], True)
    raises(consul.ConsulException, client.operator.raft_remove_peer, address="127.0.0.9:1")
    until("coordinates", lambda: len(client.coordinate.nodes()[1]) == 2)
    equal(client.coordinate.node("client")[1][0]["Node"], "client")
    equal(client.coordinate.datacenters()[0]["Datacenter"], "dc1")
    equal(client.event.fire("py-event", "body")["Name"], "py-event")
    until("the event", lambda: server.event.list("py-event")[1])
    equal(client.config.set("service-defaults", "py-web", config_entry={"Protocol": "http"}), True)
    equal(client.config.get("service-defaults", "py-web")["Protocol"], "http")
    equal(len(client.config.list("service-defaults")), 1)
    client.config.delete("service-defaults", "py-web")
    raises(consul.ACLDisabled, client.acl.token.list)


def queries():
    server.agent.service.register("py-query", port=9)
    id = client.query.create("py-query", name="py-q", ttl="4s")["ID"]
    equal(client.query.get(id)[0]["DNS"]["TTL"], "4s")
    until("an answer", lambda: client.query.execute("py-q")["Nodes"])
    equal(client.query.update(id, "py-query", name="py-q2"), True)
    equal([one["Name"] for one in client.query.list()], ["py-q2"])
    equal(client.query.delete(id), True)
    server.agent.service.deregister("py-query")


def snapshots():
    client.kv.put("py/saved", "then")
    saved = client.snapshot.save()
    client.kv.put("py/saved", "now")
    raises(consul.ConsulException, client.snapshot.restore, b"none")
    equal(client.snapshot.restore(saved), True)
    equal(client.kv.get("py/saved")[1]["Value"], b"then")


async def coroutines():
    async with connect(sys.argv[1], consul.aio.Consul) as one:
        index, _ = await one.kv.get("py/awaited")
        waiting = asyncio.create_task(one.kv.get("py/awaited", index=index, wait="10s"))
        await asyncio.sleep(0.2)
        equal(await one.kv.put("py/awaited", "x"), True)
        equal((await waiting)[1]["Value"], b"x")


for part in [keys, sessions, services, catalog, cluster, queries, snapshots]:
    part()
asyncio.run(coroutines())
print("all as documented")
