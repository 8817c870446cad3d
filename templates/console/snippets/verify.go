package main

import (
	"context"
	"log"
	"net/http"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

func main() {
	provider, err := oidc.NewProvider(context.Background(), "__ISSUER__")
	if err != nil {
		log.Fatal(err)
	}
	// The "client" of an access token is the API that it is for.
	tokens := provider.Verifier(&oidc.Config{ClientID: "__AUDIENCE__"})

	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		raw, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		token, err := tokens.Verify(r.Context(), raw)
		var claims struct {
			Scope string `json:"scope"`
		}
		if !found || err != nil || token.Claims(&claims) != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !slices.Contains(strings.Fields(claims.Scope), "__FIRST_SCOPE__") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Write([]byte("Hello " + token.Subject + "\n"))
	})
	log.Fatal(http.ListenAndServe(":3001", nil))
}
