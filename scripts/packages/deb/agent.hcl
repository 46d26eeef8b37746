# Settings of muster-agent.service, with the keys of Consul: "muster docs consul". All .hcl and .json files of this
# directory are read, in the order of their names. "systemctl reload muster-agent" reads some of them again.
#
# node_name  = "web-1"
# datacenter = "dc1"
# bind_addr  = "10.0.0.1"
# retry_join = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
# encrypt    = "..."   # muster keygen
