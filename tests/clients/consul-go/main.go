// Uses Go's client library of Consul as its documentation shows it, and checks what it gets.
// Arguments: the HTTP addresses of a client agent and of the server.
package main

import (
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/hashicorp/consul/api"
)

// patience is the longest time that a change may take to be seen.
const patience = 15 * time.Second

// check ends the program unless err is nil.
func check(what string, err error) {
	if err != nil {
		panic(fmt.Sprintf("%s: %v", what, err))
	}
}

// equal ends the program unless got is what is expected.
func equal(what string, got, expected any) {
	if !reflect.DeepEqual(got, expected) {
		panic(fmt.Sprintf("%s: got %#v, expected %#v", what, got, expected))
	}
}

// until waits for found to hold.
func until(what string, found func() bool) {
	for started := time.Now(); !found(); time.Sleep(20 * time.Millisecond) {
		if time.Since(started) > patience {
			panic(what + " did not happen")
		}
	}
}

func connect(address string) *api.Client {
	config := api.DefaultConfig()
	config.Address = address
	client, err := api.NewClient(config)
	check("a client", err)
	return client
}

func main() {
	if os.Args[1] == "acl" {
		for _, address := range os.Args[2:] {
			accessControl(address)
		}
		fmt.Println("all as documented")
		return
	}
	client, server := connect(os.Args[1]), connect(os.Args[2])
	parts := []func(client, server *api.Client){
		keys, trees, transactions, sessions, locks, semaphores,
		services, checks, maintenance, catalog, watches, events, queries, agents, operators, snapshots,
	}
	for _, part := range parts {
		part(client, server)
	}
	fmt.Println("all as documented")
}
