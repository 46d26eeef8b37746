package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

func events(client, server *api.Client) {
	id, _, err := client.Event().Fire(&api.UserEvent{Name: "go-deploy", Payload: []byte("v1")}, nil)
	check("fire", err)
	until("the event", func() bool {
		list, meta, err := server.Event().List("go-deploy", nil)
		check("list", err)
		return len(list) == 1 && list[0].ID == id && string(list[0].Payload) == "v1" &&
			meta.LastIndex == server.Event().IDToIndex(id)
	})
}

func queries(client, server *api.Client) {
	check("register", server.Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "go-query", Port: 9,
		Tags: []string{"v1"}}))
	passing(client, "go-query", 1)
	query := client.PreparedQuery()
	definition := &api.PreparedQueryDefinition{Name: "go-q",
		Service: api.ServiceQuery{Service: "go-query", OnlyPassing: true, Tags: []string{"v1", "!v2"}},
		DNS:     api.QueryDNSOptions{TTL: "7s"}}
	id, _, err := query.Create(definition, nil)
	check("create", err)
	found, _, err := query.Get(id, nil)
	check("get", err)
	equal("get", []any{len(found), found[0].Name, found[0].DNS.TTL}, []any{1, "go-q", "7s"})
	for _, name := range []string{id, "go-q"} {
		result, _, err := query.Execute(name, nil)
		check("execute", err)
		equal("execute", []any{result.Service, result.Nodes[0].Service.Port, result.DNS.TTL, result.Datacenter},
			[]any{"go-query", 9, "7s", "dc1"})
	}
	definition.ID, definition.Service.Tags = id, []string{"v2"}
	_, err = query.Update(definition, nil)
	check("update", err)
	result, _, err := query.Execute("go-q", nil)
	check("execute", err)
	equal("none", len(result.Nodes), 0)
	list, _, err := query.List(nil)
	check("list", err)
	equal("list", len(list), 1)
	_, err = query.Delete(id, nil)
	check("delete", err)
	_, _, err = query.Execute("go-q", nil)
	equal("none", err != nil && strings.Contains(err.Error(), "404"), true)
	check("deregister", server.Agent().ServiceDeregister("go-query"))
}

func agents(client, server *api.Client) {
	self, err := client.Agent().Self()
	check("self", err)
	equal("self", []any{self["Config"]["NodeName"], self["Config"]["Datacenter"], self["Config"]["Server"],
		self["Member"]["Name"]}, []any{"client", "dc1", false, "client"})
	name, err := server.Agent().NodeName()
	check("name", err)
	equal("name", name, "server")
	members, err := client.Agent().Members(false)
	check("members", err)
	equal("members", len(members), 2)
	for _, member := range members {
		equal("a member", []any{member.Status, member.Tags["dc"], member.Tags["role"] == "consul"},
			[]any{1, "dc1", member.Name == "server"})
	}
	_, err = client.Agent().MembersOpts(api.MembersOpts{Filter: `Name == "server"`})
	check("members", err)
	_, err = client.Agent().Host()
	if err != nil {
		equal("host", strings.Contains(err.Error(), "404"), true)
	}
	err = client.Agent().ForceLeave("nobody")
	equal("force leave of nobody", err != nil, true)
	address, err := server.Status().Leader()
	check("leader", err)
	check("join", client.Agent().Join(address, false))
	check("reload", client.Agent().Reload())
	stop := make(chan struct{})
	lines, err := server.Agent().Monitor("debug", stop, nil)
	check("monitor", err)
	check("register", server.Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "go-monitored"}))
	select {
	case line := <-lines:
		equal("a line", line != "", true)
	case <-time.After(patience):
		panic("the monitor says nothing")
	}
	close(stop)
	check("deregister", server.Agent().ServiceDeregister("go-monitored"))
	nodes, _, err := client.Coordinate().Nodes(nil)
	check("coordinates", err)
	until("both have coordinates", func() bool {
		nodes, _, err = client.Coordinate().Nodes(nil)
		check("coordinates", err)
		return len(nodes) == 2
	})
	equal("dimensions", len(nodes[0].Coord.Vec), 8)
	_, _, err = client.Coordinate().Node("client", nil)
	check("coordinate", err)
	_, err = client.Coordinate().Datacenters()
	check("coordinates", err)
	_, _, err = client.ACL().TokenReadSelf(nil)
	equal("no ACL", err != nil && strings.Contains(err.Error(), "ACL support disabled"), true)
}

func operators(client, server *api.Client) {
	leader, err := client.Status().Leader()
	check("leader", err)
	peers, err := client.Status().Peers()
	check("peers", err)
	equal("peers", peers, []string{leader})
	raft, err := client.Operator().RaftGetConfiguration(&api.QueryOptions{AllowStale: true})
	check("raft", err)
	equal("raft", []any{raft.Servers[0].Node, raft.Servers[0].Address, raft.Servers[0].Leader, raft.Servers[0].Voter},
		[]any{"server", leader, true, true})
	err = client.Operator().RaftRemovePeerByAddress("127.0.0.9:1", nil)
	equal("remove", err != nil && strings.Contains(err.Error(), "was not found in the Raft configuration"), true)
	config, err := client.Operator().AutopilotGetConfiguration(nil)
	check("autopilot", err)
	equal("autopilot", []any{config.MaxTrailingLogs, config.LastContactThreshold.String()}, []any{uint64(250), "200ms"})
	health, err := client.Operator().AutopilotServerHealth(nil)
	check("health", err)
	equal("health", []any{health.Healthy, health.FailureTolerance, health.Servers[0].Name, health.Servers[0].SerfStatus},
		[]any{true, 0, "server", "alive"})
	_, err = server.Operator().KeyringList(nil)
	equal("no keyring", err != nil, true)
	_, _, err = client.ConfigEntries().List(api.ServiceDefaults, nil)
	check("config entries", err)
	_, _, err = client.ConfigEntries().Set(&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "go-web",
		Protocol: "http"}, nil)
	check("config entry", err)
	entry, _, err := client.ConfigEntries().Get(api.ServiceDefaults, "go-web", nil)
	check("config entry", err)
	equal("config entry", entry.GetName(), "go-web")
	_, err = client.ConfigEntries().Delete(api.ServiceDefaults, "go-web", nil)
	check("config entry", err)
	_, _, err = client.ConfigEntries().Get(api.ServiceDefaults, "go-web", nil)
	var status api.StatusError
	equal("no config entry", errors.As(err, &status) && status.Code == 404, true)
}

func snapshots(client, server *api.Client) {
	kv := client.KV()
	_, err := kv.Put(&api.KVPair{Key: "go/saved", Value: []byte("then")}, nil)
	check("put", err)
	saved, meta, err := client.Snapshot().Save(nil)
	check("save", err)
	archive, err := io.ReadAll(saved)
	check("save", err)
	check("save", saved.Close())
	equal("index", meta.LastIndex > 0, true)
	_, err = kv.Put(&api.KVPair{Key: "go/saved", Value: []byte("now")}, nil)
	check("put", err)
	_, meta, err = kv.Get("go/saved", nil)
	check("get", err)
	woken := make(chan string)
	go func() {
		pair, _, err := server.KV().Get("go/saved", &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: patience})
		check("get", err)
		woken <- string(pair.Value)
	}()
	check("restore of what is none", func() error {
		if client.Snapshot().Restore(nil, strings.NewReader("no snapshot")) == nil {
			return errors.New("it was taken")
		}
		return nil
	}())
	time.Sleep(200 * time.Millisecond)
	check("restore", client.Snapshot().Restore(nil, bytes.NewReader(archive)))
	equal("a restore wakes whoever waits", <-woken, "then")
	pair, _, err := kv.Get("go/saved", &api.QueryOptions{RequireConsistent: true})
	check("get", err)
	equal("restored", string(pair.Value), "then")
}
