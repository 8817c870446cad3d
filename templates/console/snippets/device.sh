#!/bin/sh
# Shows a code, and waits until its person has decided. Needs curl and jq.
codes=$(curl -s __SH_DEVICE_URL__ \
  __SH_AUTH____SH_SCOPE____SH_RESOURCE__)
echo "$codes" | jq -r '"Open \(.verification_uri) and enter \(.user_code)"'
code=$(echo "$codes" | jq -r .device_code)
interval=$(echo "$codes" | jq -r .interval)
while sleep "$interval"; do
  answer=$(curl -s __SH_TOKEN_URL__ \
    __SH_AUTH__ \
    -d grant_type=urn:ietf:params:oauth:grant-type:device_code \
    -d device_code="$code")
  case $(echo "$answer" | jq -r '.error // ""') in
    authorization_pending) ;;
    slow_down) interval=$((interval + 5)) ;;
    *) echo "$answer"; break ;;
  esac
done
