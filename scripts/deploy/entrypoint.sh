#!/bin/sh
# Starts muster in a container. Every container of a cluster is started with the same arguments: what tells one from
# another, its id and its addresses, comes from its host name. As in rqlite's image, a flag that is given (one dash or
# two, "-flag value" or "-flag=value") wins; one that is not is set from the environment:
#
#   -http-addr      HTTP_ADDR      0.0.0.0:4001
#   -http-adv-addr  HTTP_ADV_ADDR  the fully qualified host name, and the port of -http-addr
#   -raft-addr      RAFT_ADDR      0.0.0.0:4002
#   -raft-adv-addr  RAFT_ADV_ADDR  the fully qualified host name, and the port of -raft-addr
#   -node-id        NODE_ID        the host name
#   -fk             ENABLE_FK      set when this is not empty
#   data directory  DATA_DIR       /muster/data
#
# The arguments may begin with "serve"; another command ("version", "help serve") is handed to muster as it is. A first
# argument with a slash is the data directory. MUSTER names another executable than the muster on the PATH.
set -eu

muster=${MUSTER:-muster}

case ${1-} in
  serve) shift ;;
  "" | -* | */*) ;;
  *) exec "$muster" "$@" ;;
esac

# Which flags are given. The reading stops at the first argument that is none, as muster's own does; it needs to know
# the flags that take a value only with "=".
has_http_addr='' has_http_adv_addr='' has_raft_addr='' has_raft_adv_addr='' has_node_id='' has_fk='' has_data_dir=''
http_addr=${HTTP_ADDR:-0.0.0.0:4001}
raft_addr=${RAFT_ADDR:-0.0.0.0:4002}
flag='' # whose value is the next argument
flags_end=''
for arg in "$@"; do
  if [ -n "$flag" ]; then
    value=$arg
  else
    case $flags_end$arg in
      --)
        flags_end=yes
        continue
        ;;
      -?*) ;;
      *)
        has_data_dir=yes
        break
        ;;
    esac
    flag=${arg#-}
    flag=${flag#-}
    case $flag in
      *=*)
        value=${flag#*=}
        flag=${flag%%=*}
        ;;
      h | help | version | fk | http-verify-client | raft-non-voter | raft-remove-shutdown | raft-lease-reads | raft-rejoin-damaged) value=true ;;
      raft-cluster-remove-shutdown | raft-shutdown-stepdown | compress-snap-transport) value=true ;;
      node-no-verify | node-verify-client | cluster-secret-optional | write-queue-tx | otlp-insecure | otlp-no-verify | otlp-trace-sql | ui) value=true ;;
      *) continue ;;
    esac
  fi
  case $flag in
    http-addr) has_http_addr=yes http_addr=$value ;;
    http-adv-addr) has_http_adv_addr=yes ;;
    raft-addr) has_raft_addr=yes raft_addr=$value ;;
    raft-adv-addr) has_raft_adv_addr=yes ;;
    node-id) has_node_id=yes ;;
    fk) has_fk=yes ;;
  esac
  flag=''
done

# The host name with its domain; without, where no name server knows one.
full_name() {
  hostname -f 2>/dev/null || hostname
}

# Behind the last flag: the data directory, unless that flag still lacks its value, which muster will say.
[ -n "$has_data_dir$flag" ] || set -- "$@" "${DATA_DIR:-/muster/data}"
# Before the first flag: those that are not given, the last of them first.
[ -n "$has_fk" ] || [ -z "${ENABLE_FK-}" ] || set -- -fk "$@"
[ -n "$has_node_id" ] || set -- -node-id "${NODE_ID:-$(hostname)}" "$@"
[ -n "$has_raft_adv_addr" ] || set -- -raft-adv-addr "${RAFT_ADV_ADDR:-$(full_name):${raft_addr##*:}}" "$@"
[ -n "$has_raft_addr" ] || set -- -raft-addr "$raft_addr" "$@"
[ -n "$has_http_adv_addr" ] || set -- -http-adv-addr "${HTTP_ADV_ADDR:-$(full_name):${http_addr##*:}}" "$@"
[ -n "$has_http_addr" ] || set -- -http-addr "$http_addr" "$@"

# In place of this shell, so that signals reach muster.
exec "$muster" serve "$@"
