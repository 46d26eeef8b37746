package main

import (
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

func passing(client *api.Client, service string, count int) []*api.ServiceEntry {
	var entries []*api.ServiceEntry
	until(service, func() bool {
		var err error
		entries, _, err = client.Health().Service(service, "", true, nil)
		check("health", err)
		return len(entries) == count
	})
	return entries
}

func services(client, server *api.Client) {
	agent := client.Agent()
	check("register", agent.ServiceRegister(&api.AgentServiceRegistration{
		ID: "go-web-1", Name: "go-web", Tags: []string{"a", "b"}, Port: 8080, Address: "127.0.0.9",
		Meta:            map[string]string{"version": "1"},
		TaggedAddresses: map[string]api.ServiceAddress{"wan": {Address: "198.51.100.1", Port: 80}},
		Weights:         &api.AgentWeights{Passing: 10, Warning: 1},
		Check: &api.AgentServiceCheck{TTL: "15s", Notes: "n", Status: api.HealthCritical,
			DeregisterCriticalServiceAfter: "90m"},
	}))
	check("pass", agent.PassTTL("service:go-web-1", "well"))
	entry := passing(server, "go-web", 1)[0]
	equal("health", []any{entry.Node.Node, entry.Service.Tags, entry.Service.Meta["version"], entry.Service.Weights.Passing},
		[]any{"client", []string{"a", "b"}, "1", 10})
	equal("tagged", entry.Service.TaggedAddresses["wan"], api.ServiceAddress{Address: "198.51.100.1", Port: 80})
	equal("status", entry.Checks.AggregatedStatus(), api.HealthPassing)
	all, err := agent.Services()
	check("services", err)
	equal("services", []any{all["go-web-1"].Port, all["go-web-1"].Datacenter}, []any{8080, "dc1"})
	some, err := agent.ServicesWithFilter(`Service == "go-web" and "a" in Tags`)
	check("filter", err)
	equal("filter", len(some), 1)
	one, _, err := agent.Service("go-web-1", nil)
	check("service", err)
	equal("service", []any{one.Service, one.ContentHash != ""}, []any{"go-web", true})
	for _, status := range []string{api.HealthWarning, api.HealthCritical, api.HealthPassing} {
		check("update", agent.UpdateTTL("service:go-web-1", "because", status))
		state, info, err := agent.AgentHealthServiceByID("go-web-1")
		check("health", err)
		equal("health", []any{state, info.Service.Service}, []any{status, "go-web"})
	}
	check("warn", agent.WarnTTL("service:go-web-1", "hm"))
	state, _, err := agent.AgentHealthServiceByName("go-web")
	check("health", err)
	equal("health", state, api.HealthWarning)
	check("fail", agent.FailTTL("service:go-web-1", "no"))
	passing(server, "go-web", 0)

	check("deregister", agent.ServiceDeregister("go-web-1"))
	until("it is gone", func() bool {
		gone, _, err := server.Catalog().Service("go-web", "", nil)
		check("catalog", err)
		return len(gone) == 0
	})
	err = agent.ServiceDeregister("go-web-1")
	equal("unknown", err != nil && strings.Contains(err.Error(), "Unknown service ID"), true)
	_, _, err = agent.Service("go-web-1", nil)
	equal("unknown", err != nil && strings.Contains(err.Error(), "unknown service ID"), true)
}

func checks(client, _ *api.Client) {
	agent := client.Agent()
	check("register", agent.CheckRegister(&api.AgentCheckRegistration{ID: "go-check", Name: "check",
		AgentServiceCheck: api.AgentServiceCheck{TTL: "30s"}}))
	check("pass", agent.PassTTL("go-check", ""))
	found, err := agent.ChecksWithFilter(`Name == "check"`)
	check("checks", err)
	equal("checks", []any{len(found), found["go-check"].Status, found["go-check"].Type}, []any{1, "passing", "ttl"})
	check("register", agent.ServiceRegisterOpts(&api.AgentServiceRegistration{Name: "go-tcp",
		Checks: api.AgentServiceChecks{
			{CheckID: "tcp", TCP: "127.0.0.1:1", Interval: "10s", Timeout: "1s", SuccessBeforePassing: 1},
			{CheckID: "http", HTTP: "http://127.0.0.1:1/", Method: "HEAD", Interval: "10s", FailuresBeforeCritical: 2,
				Header: map[string][]string{"X-A": {"b"}}},
			{CheckID: "alias", AliasNode: "client"},
		}}, api.ServiceRegisterOpts{ReplaceExistingChecks: true}))
	until("a refused connection is critical", func() bool {
		all, err := agent.Checks()
		check("checks", err)
		tcp := all["tcp"]
		return tcp.Status == api.HealthCritical && strings.Contains(tcp.Output, "refused")
	})
	check("deregister", agent.ServiceDeregister("go-tcp"))
	check("deregister", agent.CheckDeregister("go-check"))
	found, err = agent.Checks()
	check("checks", err)
	equal("checks", len(found), 0)
	err = agent.PassTTL("go-check", "")
	equal("unknown", err != nil && strings.Contains(err.Error(), "Unknown check ID"), true)
}

func maintenance(client, server *api.Client) {
	agent := client.Agent()
	check("register", agent.ServiceRegister(&api.AgentServiceRegistration{Name: "go-maint"}))
	passing(server, "go-maint", 1)
	check("maintenance", agent.EnableServiceMaintenance("go-maint", "works & more"))
	passing(server, "go-maint", 0)
	entries, _, err := server.Health().Checks("go-maint", nil)
	check("checks", err)
	equal("reason", []any{entries[0].Notes, entries.AggregatedStatus()}, []any{"works & more", api.HealthMaint})
	check("maintenance", agent.DisableServiceMaintenance("go-maint"))
	passing(server, "go-maint", 1)
	check("maintenance", agent.EnableNodeMaintenance("all"))
	passing(server, "go-maint", 0)
	check("maintenance", agent.DisableNodeMaintenance())
	passing(server, "go-maint", 1)
	check("deregister", agent.ServiceDeregister("go-maint"))
}

func catalog(client, server *api.Client) {
	catalog := client.Catalog()
	centers, err := catalog.Datacenters()
	check("datacenters", err)
	equal("datacenters", centers, []string{"dc1"})
	_, err = catalog.Register(&api.CatalogRegistration{Node: "go-external", Address: "192.0.2.9",
		NodeMeta: map[string]string{"external-node": "true"},
		Service:  &api.AgentService{ID: "db1", Service: "go-db", Port: 5432, Tags: []string{"primary"}},
		Checks:   api.HealthChecks{{CheckID: "up", Name: "up", Status: api.HealthPassing, ServiceID: "db1"}}}, nil)
	check("register", err)
	nodes, _, err := catalog.Nodes(&api.QueryOptions{NodeMeta: map[string]string{"external-node": "true"}})
	check("nodes", err)
	equal("nodes", []any{len(nodes), nodes[0].Node, nodes[0].Address}, []any{1, "go-external", "192.0.2.9"})
	nodes, _, err = catalog.Nodes(&api.QueryOptions{Filter: `Node == "server"`, Near: "_agent"})
	check("nodes", err)
	equal("nodes", []any{len(nodes), nodes[0].Datacenter}, []any{1, "dc1"})
	names := map[string][]string{}
	until("the services of other parts are gone", func() bool {
		names, _, err = catalog.Services(nil)
		check("services", err)
		return len(names) == 2
	})
	equal("services", names, map[string][]string{"consul": {}, "go-db": {"primary"}})
	instances, _, err := catalog.ServiceMultipleTags("go-db", []string{"primary"}, nil)
	check("service", err)
	equal("service", []any{instances[0].Node, instances[0].ServicePort, instances[0].NodeMeta["external-node"]},
		[]any{"go-external", 5432, "true"})
	node, _, err := catalog.Node("go-external", nil)
	check("node", err)
	equal("node", node.Services["db1"].Service, "go-db")
	list, _, err := catalog.NodeServiceList("go-external", nil)
	check("node services", err)
	equal("node services", []any{list.Node.Node, list.Services[0].ID}, []any{"go-external", "db1"})
	node, _, err = catalog.Node("nobody", nil)
	check("no node", err)
	equal("no node", node, (*api.CatalogNode)(nil))
	state, _, err := server.Health().State(api.HealthAny, nil)
	check("state", err)
	equal("state", len(state), 3)
	ofNode, _, err := server.Health().Node("server", nil)
	check("node", err)
	equal("node", []string{ofNode[0].CheckID, ofNode[0].Output}, []string{"serfHealth", "Agent alive and reachable"})
	_, err = catalog.Deregister(&api.CatalogDeregistration{Node: "go-external"}, nil)
	check("deregister", err)
}

func watches(client, server *api.Client) {
	entries, meta, err := client.Health().Service("go-watched", "", false, nil)
	check("health", err)
	equal("nothing yet", len(entries), 0)
	started := time.Now()
	_, same, err := client.Health().Service("go-watched", "", false,
		&api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: 500 * time.Millisecond})
	check("health", err)
	equal("waited", []any{time.Since(started) >= 500*time.Millisecond, same.LastIndex >= meta.LastIndex}, []any{true, true})
	woken := make(chan int)
	go func() {
		for index := same.LastIndex; ; {
			entries, meta, err := client.Health().Service("go-watched", "", false, &api.QueryOptions{WaitIndex: index})
			check("health", err)
			if len(entries) > 0 {
				woken <- len(entries)
				return
			}
			index = meta.LastIndex
		}
	}()
	check("register", server.Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "go-watched"}))
	equal("woken", <-woken, 1)

	// One service of an agent is watched by its hash.
	one, _, err := server.Agent().Service("go-watched", nil)
	check("service", err)
	changed := make(chan int)
	go func() {
		other, _, err := server.Agent().Service("go-watched", &api.QueryOptions{WaitHash: one.ContentHash})
		check("service", err)
		changed <- other.Port
	}()
	check("register", server.Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "go-watched", Port: 7}))
	equal("changed", <-changed, 7)
	check("deregister", server.Agent().ServiceDeregister("go-watched"))
}
