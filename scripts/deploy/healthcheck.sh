#!/bin/bash
# Exits 0 when this container's node answers 200 to GET /readyz (or to the path given), else 1. Bash is in the base image
# and connects by itself: nothing is installed for this. Asks at HTTP_ADDR, as entrypoint.sh binds there.
set -u
trap '' PIPE # a connection that is closed at once is no status, not the end of this script

path=${1:-/readyz}
address=${HTTP_ADDR:-0.0.0.0:4001}
host=${address%:*}
host=${host#[}
host=${host%]}
case $host in
  "" | 0.0.0.0 | ::) host=127.0.0.1 ;;
esac

# A status line that does not come in 5 s is none.
exec 3<>"/dev/tcp/$host/${address##*:}" || exit 1
printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$path" "$address" >&3
read -r -t 5 _ status _ <&3
[ "${status-}" = 200 ]
