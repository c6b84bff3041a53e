#!/usr/bin/env bash
# The peers that the tests talk to. As root or with CI=true they are installed, their services not started;
# otherwise one line says how.
set -u
packages="sip-tester baresip kamailio redis-server chromium firefox-esr iproute2 postgresql"
commands="sipp baresip kamailio redis-server chromium firefox-esr ip"
missing=""
for command in $commands; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null || missing="$missing $command"
done
# Debian keeps the server's programs off the path, one folder a version.
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || missing="$missing postgresql"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] && ! { [ "${CI:-}" = true ] && command -v sudo >/dev/null; }; then
    echo "test-deps: missing:$missing. To run every test: sudo apt-get install --no-install-recommends $packages"
    exit 0
fi
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo -n"
# A policy that forbids service starts while the packages are set up (Debian policy 9.3.3.1); ours alone is removed again.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null && $sudo chmod +x "$policy"
    trap '$sudo rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# shellcheck disable=SC2086
if ! { $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends $packages; } >"$log" 2>&1; then
    tail -n 5 "$log"
    echo "test-deps: the packages could not be installed; the groups that need them will say so"
fi
exit 0
