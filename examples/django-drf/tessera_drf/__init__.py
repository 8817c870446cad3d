"""What a Django REST service needs to accept Tessera's tokens; copy this package into your own project.

`issuers` and `tokens` know no framework: from a tenant's slug to its issuer and keys, and from a token to what it says.
`tenancy`, `authentication`, `permissions`, `errors` and `handler` fit them into Django and Django REST framework.
"""
