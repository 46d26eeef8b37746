package main

import (
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
)

func keys(client, server *api.Client) {
	kv := client.KV()
	missing, meta, err := kv.Get("go/none", nil)
	check("a missing key", err)
	equal("a missing key", missing, (*api.KVPair)(nil))
	equal("index of a missing key", meta.LastIndex > 0, true)
	_, err = kv.Put(&api.KVPair{Key: "go/a", Value: []byte("one"), Flags: 42}, nil)
	check("put", err)
	pair, meta, err := kv.Get("go/a", nil)
	check("get", err)
	equal("get", []any{pair.Key, string(pair.Value), pair.Flags, pair.Session}, []any{"go/a", "one", uint64(42), ""})
	equal("index", []any{meta.LastIndex, meta.KnownLeader}, []any{pair.ModifyIndex, true})
	for _, options := range []*api.QueryOptions{{AllowStale: true}, {RequireConsistent: true}} {
		pair, _, err := server.KV().Get("go/a", options)
		check("get at a level", err)
		equal("get at a level", string(pair.Value), "one")
	}

	done, _, err := kv.CAS(&api.KVPair{Key: "go/a", Value: []byte("two"), ModifyIndex: pair.ModifyIndex + 1}, nil)
	check("cas", err)
	equal("cas with another index", done, false)
	done, _, err = kv.CAS(&api.KVPair{Key: "go/a", Value: []byte("two"), ModifyIndex: pair.ModifyIndex}, nil)
	check("cas", err)
	equal("cas", done, true)
	done, _, err = kv.CAS(&api.KVPair{Key: "go/a", Value: []byte("x")}, nil)
	check("cas=0", err)
	equal("cas=0 of a key that is there", done, false)
	done, _, err = kv.DeleteCAS(&api.KVPair{Key: "go/a", ModifyIndex: pair.ModifyIndex}, nil)
	check("delete-cas", err)
	equal("delete-cas with an old index", done, false)

	// What a key may hold: any bytes, any characters.
	binary := []byte{0, 255, 10, 13, 128}
	for _, key := range []string{"go/ a+b%c", "go/ä/ü?x=1&y#z", "go/folder/"} {
		_, err = kv.Put(&api.KVPair{Key: key, Value: binary}, nil)
		check("put "+key, err)
		pair, _, err := kv.Get(key, nil)
		check("get "+key, err)
		equal("get "+key, []any{pair.Key, pair.Value}, []any{key, binary})
	}
	_, err = kv.Put(&api.KVPair{Key: "go/empty"}, nil)
	check("put nothing", err)
	pair, _, err = kv.Get("go/empty", nil)
	check("get nothing", err)
	equal("get nothing", len(pair.Value), 0)
	_, err = kv.Put(&api.KVPair{Key: "go/large", Value: make([]byte, 512*1024+1)}, nil)
	equal("too large", err != nil && strings.Contains(err.Error(), "413"), true)
	_, err = kv.Put(&api.KVPair{Key: "go/large", Value: make([]byte, 512*1024)}, nil)
	check("as large as may be", err)
}

func trees(client, _ *api.Client) {
	kv := client.KV()
	for _, key := range []string{"tree/a", "tree/b/c", "tree/b/d", "treetop"} {
		_, err := kv.Put(&api.KVPair{Key: key, Value: []byte(key)}, nil)
		check("put", err)
	}
	pairs, _, err := kv.List("tree/", nil)
	check("list", err)
	equal("list", []any{len(pairs), pairs[1].Key, string(pairs[2].Value)}, []any{3, "tree/b/c", "tree/b/d"})
	names, _, err := kv.Keys("tree/", "/", nil)
	check("keys", err)
	equal("keys", names, []string{"tree/a", "tree/b/"})
	names, _, err = kv.Keys("tree", "", nil)
	check("keys", err)
	equal("all keys", names, []string{"tree/a", "tree/b/c", "tree/b/d", "treetop"})
	_, err = kv.DeleteTree("tree/", nil)
	check("delete tree", err)
	_, err = kv.Delete("treetop", nil)
	check("delete", err)
	pairs, meta, err := kv.List("tree", nil)
	check("list nothing", err)
	equal("list nothing", []any{len(pairs), meta.LastIndex > 0}, []any{0, true})
	names, _, err = kv.Keys("tree", "", nil)
	check("no keys", err)
	equal("no keys", len(names), 0)
}

func transactions(client, _ *api.Client) {
	kv := client.KV()
	ok, answer, _, err := kv.Txn(api.KVTxnOps{
		{Verb: api.KVSet, Key: "txn/a", Value: []byte("one"), Flags: 3},
		{Verb: api.KVGet, Key: "txn/a"},
		{Verb: api.KVCheckNotExists, Key: "txn/none"},
	}, nil)
	check("txn", err)
	equal("txn", []any{ok, len(answer.Results), len(answer.Errors)}, []any{true, 2, 0})
	equal("its values", []string{string(answer.Results[0].Value), string(answer.Results[1].Value)}, []string{"", "one"})
	ok, answer, _, err = kv.Txn(api.KVTxnOps{
		{Verb: api.KVDelete, Key: "txn/a"},
		{Verb: api.KVCAS, Key: "txn/a", Index: 1, Value: []byte("x")},
	}, nil)
	check("txn that fails", err)
	equal("txn that fails", []any{ok, answer.Errors[0].OpIndex}, []any{false, 1})
	good, reply, _, err := client.Txn().Txn(api.TxnOps{
		{KV: &api.KVTxnOp{Verb: api.KVDelete, Key: "txn/a"}},
		{Node: &api.NodeTxnOp{Verb: api.NodeSet, Node: api.Node{Node: "go-node", Address: "192.0.2.1"}}},
		{Service: &api.ServiceTxnOp{Verb: api.ServiceSet, Node: "go-node",
			Service: api.AgentService{ID: "s", Service: "go-service", Port: 1}}},
		{Check: &api.CheckTxnOp{Verb: api.CheckSet, Check: api.HealthCheck{Node: "go-node", CheckID: "c", Name: "c",
			Status: "passing", ServiceID: "s", Definition: api.HealthCheckDefinition{
				IntervalDuration: 5 * time.Second, HTTP: "http://192.0.2.1/"}}}},
	}, nil)
	check("txn of a node", err)
	equal("txn of a node", good, true)
	equal("its results", []any{reply.Results[0].Node.Address, reply.Results[1].Service.Service,
		reply.Results[2].Check.ServiceName}, []any{"192.0.2.1", "go-service", "go-service"})
	_, err = client.Catalog().Deregister(&api.CatalogDeregistration{Node: "go-node"}, nil)
	check("deregister", err)
}

func sessions(client, server *api.Client) {
	session := client.Session()
	id, _, err := session.Create(&api.SessionEntry{Name: "go", TTL: "10s", LockDelay: time.Millisecond,
		Behavior: api.SessionBehaviorDelete}, nil)
	check("session", err)
	entry, _, err := server.Session().Info(id, nil)
	check("session info", err)
	equal("session info", []any{entry.Name, entry.Node, entry.TTL, entry.Behavior, entry.LockDelay, entry.NodeChecks},
		[]any{"go", "client", "10s", "delete", time.Millisecond, []string{"serfHealth"}})
	entry, _, err = session.Renew(id, nil)
	check("renew", err)
	equal("renew", entry.ID, id)
	list, _, err := session.List(nil)
	check("list", err)
	ofNode, _, err := session.Node("client", nil)
	check("of a node", err)
	equal("lists", []int{len(list), len(ofNode)}, []int{1, 1})

	// RenewPeriodic destroys it at its end.
	done, ended := make(chan struct{}), make(chan error)
	go func() { ended <- session.RenewPeriodic("10s", id, nil, done) }()
	close(done)
	check("renew periodic", <-ended)
	entry, _, err = session.Info(id, nil)
	check("session info", err)
	equal("destroyed", entry, (*api.SessionEntry)(nil))
	entry, _, err = session.Renew(id, nil)
	check("renew of none", err)
	equal("renew of none", entry, (*api.SessionEntry)(nil))
	id, _, err = session.CreateNoChecks(&api.SessionEntry{Node: "client"}, nil)
	check("session without checks", err)
	_, err = session.Destroy(id, nil)
	check("destroy", err)
}

func locks(client, server *api.Client) {
	one, err := client.LockOpts(&api.LockOptions{Key: "go/lock", Value: []byte("me"), SessionTTL: "10s",
		LockDelay: time.Millisecond})
	check("lock", err)
	lost, err := one.Lock(nil)
	check("lock", err)
	pair, _, err := server.KV().Get("go/lock", nil)
	check("get", err)
	equal("held", []any{string(pair.Value), pair.LockIndex, pair.Session != "", pair.Flags},
		[]any{"me", uint64(1), true, uint64(api.LockFlagValue)})

	two, err := server.LockOpts(&api.LockOptions{Key: "go/lock", LockDelay: time.Millisecond})
	check("a second lock", err)
	taken := make(chan (<-chan struct{}))
	go func() {
		lost, err := two.Lock(nil)
		check("lock", err)
		taken <- lost
	}()
	select {
	case <-taken:
		panic("two hold a lock")
	case <-time.After(300 * time.Millisecond):
	}
	equal("destroy", one.Destroy(), api.ErrLockHeld)
	check("unlock", one.Unlock())
	<-lost
	lostAgain := <-taken
	equal("destroy", one.Destroy(), api.ErrLockInUse)
	pair, _, err = client.KV().Get("go/lock", nil)
	check("get", err)
	equal("held again", pair.LockIndex, uint64(2))

	// Whoever destroys the session ends the lock, and its holder hears of it.
	_, err = client.Session().Destroy(pair.Session, nil)
	check("destroy", err)
	select {
	case <-lostAgain:
	case <-time.After(patience):
		panic("a lock is lost and nobody says so")
	}
	check("destroy", one.Destroy())
	tryOnce, err := client.LockOpts(&api.LockOptions{Key: "go/lock", LockTryOnce: true, LockWaitTime: time.Second})
	check("lock", err)
	held, err := tryOnce.Lock(nil)
	check("try once", err)
	equal("held", held != nil, true)
	check("unlock", tryOnce.Unlock())
	check("destroy", tryOnce.Destroy())
}

func semaphores(client, server *api.Client) {
	var inside, most int
	var guard sync.Mutex
	var all sync.WaitGroup
	both := make(chan struct{}) // closed when two are inside
	for nth := range 5 {
		at := client
		if nth%2 == 1 {
			at = server
		}
		all.Add(1)
		go func() {
			defer all.Done()
			semaphore, err := at.SemaphorePrefix("go/semaphore", 2)
			check("semaphore", err)
			_, err = semaphore.Acquire(nil)
			check("acquire", err)
			guard.Lock()
			inside++
			if most < 2 && inside == 2 {
				close(both)
			}
			most = max(most, inside)
			guard.Unlock()
			select {
			case <-both:
			case <-time.After(patience):
			}
			time.Sleep(100 * time.Millisecond) // a third one would be seen
			guard.Lock()
			inside--
			guard.Unlock()
			check("release", semaphore.Release())
		}()
	}
	all.Wait()
	equal("held at once", most, 2)
	semaphore, err := client.SemaphorePrefix("go/semaphore", 2)
	check("semaphore", err)
	check("destroy", semaphore.Destroy())
}
