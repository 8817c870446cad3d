package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func main() {
	provider, err := oidc.NewProvider(context.Background(), "__ISSUER__")
	if err != nil {
		log.Fatal(err)
	}
	config := oauth2.Config{
		ClientID:     "__CLIENT_ID__",
		ClientSecret: os.Getenv("OIDC_CLIENT_SECRET"),
		RedirectURL:  "__REDIRECT_URI__",
		Endpoint:     provider.Endpoint(),
		Scopes:       []string{__SCOPE_LIST__},
	}
	config.Endpoint.AuthStyle = oauth2.__GO_STYLE__
	tokens := provider.Verifier(&oidc.Config{ClientID: config.ClientID})

	remember := func(w http.ResponseWriter, name, value string) {
		http.SetCookie(w, &http.Cookie{
			Name: name, Value: value, Path: "/", MaxAge: 600,
			HttpOnly: true, Secure: __SECURE__, SameSite: http.SameSiteLaxMode,
		})
	}
	recall := func(r *http.Request, name string) string {
		cookie, err := r.Cookie(name)
		if err != nil {
			return ""
		}
		return cookie.Value
	}

	http.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		// GenerateVerifier gives 32 random bytes: just as good for state and nonce.
		state, nonce, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
		remember(w, "state", state)
		remember(w, "nonce", nonce)
		remember(w, "verifier", verifier)
		url := config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
		http.Redirect(w, r, url, http.StatusFound)
	})

	http.HandleFunc("__REDIRECT_PATH__", func(w http.ResponseWriter, r *http.Request) {
		state := recall(r, "state")
		if state == "" || r.URL.Query().Get("state") != state {
			http.Error(w, "this sign-in was begun elsewhere", http.StatusBadRequest)
			return
		}
		answer, err := config.Exchange(r.Context(), r.URL.Query().Get("code"), oauth2.VerifierOption(recall(r, "verifier")))
		if err != nil {
			http.Error(w, "the code wasn't accepted", http.StatusBadGateway)
			return
		}
		raw, _ := answer.Extra("id_token").(string)
		idToken, err := tokens.Verify(r.Context(), raw)
		if err != nil || idToken.Nonce != recall(r, "nonce") {
			http.Error(w, "the ID token isn't good", http.StatusBadGateway)
			return
		}
		// Name, e-mail address and the rest.
		person, err := provider.UserInfo(r.Context(), oauth2.StaticTokenSource(answer))
		var claims map[string]any
		if err != nil || person.Subject != idToken.Subject || person.Claims(&claims) != nil {
			http.Error(w, "userinfo didn't answer", http.StatusBadGateway)
			return
		}
		// Begin your own session here; idToken.Subject is who it is.
		json.NewEncoder(w).Encode(claims)
	})

	log.Print("Listening on port __PORT__; a sign-in begins at /login")
	log.Fatal(http.ListenAndServe(":__PORT__", nil))
}
