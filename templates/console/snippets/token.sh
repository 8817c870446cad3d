curl -s __SH_TOKEN_URL__ \
  __SH_AUTH__ \
  -d grant_type=client_credentials__SH_SCOPE____SH_RESOURCE__
