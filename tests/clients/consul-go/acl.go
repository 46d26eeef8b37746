package main

import (
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

// as shows another token.
func as(address, token string) *api.Client {
	config := api.DefaultConfig()
	config.Address = address
	config.Token = token
	client, err := api.NewClient(config)
	check("a client with a token", err)
	return client
}

func denied(what string, err error, reason string) {
	equal(what, err != nil && strings.Contains(err.Error(), reason), true)
}

// accessControl is tried by agents whose own token may do everything.
func accessControl(address string) {
	client := connect(address)
	acl := client.ACL()
	_, _, err := acl.Bootstrap()
	denied("a second bootstrap", err, "ACL bootstrap no longer allowed")

	rules := `key_prefix "go/" { policy = "write" } session_prefix "" { policy = "write" } node_prefix "" { policy = "read" }`
	policy, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: "go-keys", Description: "keys", Rules: rules}, nil)
	check("a policy", err)
	policy.Description = "keys of go"
	policy, _, err = acl.PolicyUpdate(policy, nil)
	check("a changed policy", err)
	named, _, err := acl.PolicyReadByName("go-keys", nil)
	check("a policy by its name", err)
	equal("a policy by its name", []any{named.ID, named.Description, named.Rules}, []any{policy.ID, "keys of go", rules})
	missing, _, err := acl.PolicyReadByName("none", nil)
	equal("a missing policy", []any{missing, err == nil}, []any{(*api.ACLPolicy)(nil), true})
	policies, _, err := acl.PolicyList(nil)
	check("policies", err)
	equal("policies", len(policies), 3)

	role, _, err := acl.RoleCreate(&api.ACLRole{
		Name:              "go-role",
		Policies:          []*api.ACLRolePolicyLink{{Name: "go-keys"}},
		ServiceIdentities: []*api.ACLServiceIdentity{{ServiceName: "go-web"}},
	}, nil)
	check("a role", err)
	byName, _, err := acl.RoleReadByName("go-role", nil)
	check("a role by its name", err)
	equal("a role by its name", []any{byName.ID, byName.Policies[0].ID}, []any{role.ID, policy.ID})
	noRole, _, err := acl.RoleReadByName("none", nil)
	equal("a missing role", []any{noRole, err == nil}, []any{(*api.ACLRole)(nil), true})

	token, _, err := acl.TokenCreate(&api.ACLToken{
		Description:    "go",
		Roles:          []*api.ACLTokenRoleLink{{ID: role.ID}},
		NodeIdentities: []*api.ACLNodeIdentity{{NodeName: "go-node", Datacenter: "dc1"}},
		ExpirationTTL:  time.Hour,
	}, nil)
	check("a token", err)
	equal("its end", token.ExpirationTime.After(token.CreateTime.Add(50*time.Minute)), true)
	read, _, err := acl.TokenRead(token.AccessorID, nil)
	check("a token by its accessor", err)
	equal("its secret", read.SecretID, "<hidden>")
	own := as(address, token.SecretID)
	self, _, err := own.ACL().TokenReadSelf(nil)
	check("its own token", err)
	equal("its own token", []any{self.AccessorID, self.SecretID}, []any{token.AccessorID, token.SecretID})

	_, err = own.KV().Put(&api.KVPair{Key: "go/a", Value: []byte("one")}, nil)
	check("put", err)
	_, err = own.KV().Put(&api.KVPair{Key: "other", Value: []byte("one")}, nil)
	denied("put of another key", err, `lacks permission 'key:write' on "other"`)
	check("a key for everybody else", second(client.KV().Put(&api.KVPair{Key: "other", Value: []byte("one")}, nil)))
	names, meta, err := own.KV().Keys("", "", nil)
	check("keys", err)
	equal("keys", []any{names, meta.ResultsFilteredByACLs, meta.DefaultACLPolicy}, []any{[]string{"go/a"}, true, "deny"})
	check("its service", own.Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "go-web"}))
	denied("another service", own.Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "go-db"}), "service:write")
	lock, err := own.LockKey("go/lock")
	check("a lock", err)
	_, err = lock.Lock(nil)
	check("to lock", err)
	check("to unlock", lock.Unlock())
	check("to take the lock away", lock.Destroy())

	copied, _, err := acl.TokenClone(token.AccessorID, "a copy", nil)
	check("a copy", err)
	equal("a copy", []any{copied.Description, copied.Roles[0].Name}, []any{"a copy", "go-role"})
	copied.Roles = nil
	copied, _, err = acl.TokenUpdate(copied, nil)
	check("a changed copy", err)
	equal("a changed copy", len(copied.Roles), 0)
	tokens, _, err := acl.TokenList(nil)
	check("tokens", err)
	equal("tokens", len(tokens), 4)

	_, err = client.Agent().UpdateReplicationACLToken("go-replication", nil)
	check("a token of the agent", err)
	_, err = own.Agent().UpdateAgentACLToken("x", nil)
	denied("a token of the agent", err, "agent:write")

	_, err = acl.TokenDelete(copied.AccessorID, nil)
	check("a deletion of a copy", err)
	_, err = acl.TokenDelete(token.AccessorID, nil)
	check("a deletion", err)
	until("a token that is gone", func() bool {
		_, _, err := own.KV().Get("go/a", nil)
		return err != nil && strings.Contains(err.Error(), "ACL not found")
	})
	_, err = acl.RoleDelete(role.ID, nil)
	check("a deletion of a role", err)
	_, err = acl.PolicyDelete(policy.ID, nil)
	check("a deletion of a policy", err)
}

func second[T any](_ T, err error) error { return err }
