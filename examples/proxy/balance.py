"""The balance, through `nomba-auth serve` or `nomba-auth exec -- python3 balance.py`."""
import json
import os
import sys
import urllib.error
import urllib.request

url = os.environ.get("NOMBA_PROXY_URL", "http://127.0.0.1:4020")
key = os.environ["NOMBA_PROXY_KEY"]

request = urllib.request.Request(f"{url}/v1/accounts/balance", headers={"x-nomba-key": key})
try:
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
except urllib.error.HTTPError as failure:  # Nomba's reason is in the body.
    answer = json.load(failure)

if answer.get("code") != "00":
    sys.exit(answer.get("description"))
print(answer["data"]["amount"], answer["data"]["currency"])
