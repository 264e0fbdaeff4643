#!/bin/bash
# SPDX-License-Identifier: MIT
# `./run echo` in the current tree, and a client that talks to it: nothing but bash, since
# a fresh system has no more.
set -eu

fail()
{
    echo "$1" >&2
    exit 1
}

coproc server { exec ./run echo --port 0 2>&1; }
pid=$server_PID
port=
while [ -z "$port" ] && read -r line <&"${server[0]}"; do
    echo "$line"
    case $line in 'listening on 127.0.0.1:'*) port=${line##*:} ;; esac
done
[ -n "$port" ] || fail 'it does not listen'

exec 3<>"/dev/tcp/127.0.0.1/$port"
for text in hello 'hello again'; do
    echo "$text" >&3
    read -r -t 60 answer <&3 || fail "no answer to '$text'"
    [ "$answer" = "$text" ] || fail "'$answer' for '$text'"
done
exec 3>&-

kill -INT "$pid"
wait "$pid" || fail "it ended with $?"
echo 'answered, and ended when asked to'
