package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func main() {
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, "__ISSUER__")
	if err != nil {
		log.Fatal(err)
	}
	// Any free port: of a loopback address only the port may differ from what is registered.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	config := oauth2.Config{
		ClientID:    "__CLIENT_ID__",
		RedirectURL: fmt.Sprintf("http://%s__REDIRECT_PATH__", listener.Addr()),
		Endpoint:    provider.Endpoint(),
		Scopes:      []string{__SCOPE_LIST__},
	}
	state, nonce, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	fmt.Println("Open", config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))

	codes := make(chan string, 1)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.URL.Path != "__REDIRECT_PATH__" || query.Get("state") != state || query.Get("code") == "" {
			http.Error(w, "not what this program waits for", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "Signed in. You can close this page.")
		select {
		case codes <- query.Get("code"):
		default:
		}
	}))

	tokens, err := config.Exchange(ctx, <-codes, oauth2.VerifierOption(verifier))
	if err != nil {
		log.Fatal(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).Verify(ctx, raw)
	if err != nil || idToken.Nonce != nonce {
		log.Fatal("the ID token isn't good: ", err)
	}
	fmt.Println("Signed in:", idToken.Subject)
}
