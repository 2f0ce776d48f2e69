#!/bin/sh
# The balance, through `nomba-auth serve` or `nomba-auth exec -- sh balance.sh`.
# The key is given on the standard input of curl, because other users can read its arguments.
printf 'header = "x-nomba-key: %s"\n' "$NOMBA_PROXY_KEY" |
  curl --silent --show-error --fail-with-body --config - \
    "${NOMBA_PROXY_URL:-http://127.0.0.1:4020}/v1/accounts/balance"
