/**
 * What `muster help` says of the programs that stay, before their flags.
 * @module
 */

/** Help of the command. */
export const SERVE_HELP = `muster serve: run a node that serves SQL over HTTP and replicates it

Usage: muster serve [flags] DATA_DIR

Examples:
  muster serve data                                     one node, HTTP on localhost:4001
  muster serve -node-id 2 -http-addr localhost:4011 -raft-addr localhost:4012 -join localhost:4002 data2
                                                        a second one joins it
  muster serve -bootstrap-expect 3 -join a:4002,b:4002,c:4002 -http-addr a:4001 -raft-addr a:4002 data
                                                        three nodes form a cluster; the same -join on each
  muster serve -disco-mode=dns -disco-config '{"name":"muster.example.com"}' -bootstrap-expect 3 -http-addr a:4001 -raft-addr a:4002 data
                                                        the same, by the addresses of a name in DNS
  muster serve -disco-mode=etcd-kv -disco-key prod -disco-config etcd.json -http-addr a:4001 -raft-addr a:4002 data
                                                        the same, by a key in etcd; the first node starts the cluster

Flags (those of rqlited; one dash or two, -flag value or -flag=value):
`;

/** Help of the command. */
export const AGENT_HELP = `muster agent: run a member of a pool of nodes that find each other

A client agent, or with -server a server, which keeps the data, SQL included. Any member's address is enough to join.

Usage: muster agent [flags]

Examples:
  muster agent -server -bootstrap-expect=1 -data-dir=/tmp/one -node=agent-one -bind=172.20.20.10
                                            the first server
  muster agent -data-dir=/tmp/two -node=agent-two -bind=172.20.20.11 -join=172.20.20.10
                                            a client that joins it
  muster agent -server -bootstrap-expect=3 -data-dir=data -bind=10.0.0.1 -retry-join=servers.example.com
                                            one of three servers, found by a DNS name
  muster agent -dev                         a server to try things with, which keeps nothing

Flags (those of consul agent; one dash or two, -flag value or -flag=value):
`;
