// Web applications and an API as go-oidc and golang.org/x/oauth2 make them, one of each tenant on a port of its own. They do what the console's
// snippet for Go does, and keep what came of it, so that it can be renewed and looked at.
//
// Left out: signing out at the provider, which the libraries have nothing for.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// setting is one application: where it listens, and what it was registered with.
type setting struct {
	Listen       string `json:"listen"`
	Issuer       string `json:"issuer"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RedirectURL  string `json:"redirect_uri"`
	InParams     bool   `json:"in_params"`
}

// session is what an application keeps of a person.
type session struct {
	token  *oauth2.Token
	claims map[string]any
}

type application struct {
	provider *oidc.Provider
	config   oauth2.Config
	tokens   *oidc.IDTokenVerifier
	// An access token without a resource is for the issuer; the "client" of such a token is the API that it is for.
	accessTokens *oidc.IDTokenVerifier

	mutex    sync.Mutex
	sessions map[string]session
}

func newApplication(ctx context.Context, own setting) (*application, error) {
	provider, err := oidc.NewProvider(ctx, own.Issuer)
	if err != nil {
		return nil, err
	}
	config := oauth2.Config{
		ClientID:     own.ClientID,
		ClientSecret: own.ClientSecret,
		RedirectURL:  own.RedirectURL,
		Endpoint:     provider.Endpoint(),
		Scopes:       []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
	}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if own.InParams {
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &application{
		provider:     provider,
		config:       config,
		tokens:       provider.Verifier(&oidc.Config{ClientID: config.ClientID}),
		accessTokens: provider.Verifier(&oidc.Config{ClientID: own.Issuer}),
		sessions:     map[string]session{},
	}, nil
}

func remember(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func recall(r *http.Request, name string) string {
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func (a *application) login(w http.ResponseWriter, r *http.Request) {
	state, nonce, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	remember(w, "state", state)
	remember(w, "nonce", nonce)
	remember(w, "verifier", verifier)
	url := a.config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	http.Redirect(w, r, url, http.StatusFound)
}

func (a *application) callback(w http.ResponseWriter, r *http.Request) {
	state := recall(r, "state")
	if state == "" || r.URL.Query().Get("state") != state {
		http.Error(w, "this sign-in was begun elsewhere", http.StatusBadRequest)
		return
	}
	if code := r.URL.Query().Get("error"); code != "" {
		http.Error(w, code, http.StatusForbidden)
		return
	}
	answer, err := a.config.Exchange(r.Context(), r.URL.Query().Get("code"), oauth2.VerifierOption(recall(r, "verifier")))
	if err != nil {
		http.Error(w, "the code wasn't accepted: "+err.Error(), http.StatusBadGateway)
		return
	}
	claims, err := a.person(r.Context(), answer, recall(r, "nonce"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	a.keep(w, session{token: answer, claims: claims})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// person verifies the ID token, and with it the access token, and asks userinfo for the rest.
func (a *application) person(ctx context.Context, answer *oauth2.Token, nonce string) (map[string]any, error) {
	raw, _ := answer.Extra("id_token").(string)
	idToken, err := a.tokens.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if idToken.Nonce != nonce {
		return nil, errors.New("the ID token has another nonce")
	}
	if idToken.AccessTokenHash != "" {
		if err := idToken.VerifyAccessToken(answer.AccessToken); err != nil {
			return nil, err
		}
	}
	claims := map[string]any{}
	if err := idToken.Claims(&claims); err != nil {
		return nil, err
	}
	info, err := a.provider.UserInfo(ctx, oauth2.StaticTokenSource(answer))
	if err != nil {
		return nil, err
	}
	if info.Subject != idToken.Subject {
		return nil, errors.New("userinfo is of somebody else")
	}
	return claims, info.Claims(&claims)
}

func (a *application) keep(w http.ResponseWriter, kept session) {
	name := oauth2.GenerateVerifier()
	a.mutex.Lock()
	a.sessions[name] = kept
	a.mutex.Unlock()
	remember(w, "session", name)
}

func (a *application) find(r *http.Request) (session, bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	found, known := a.sessions[recall(r, "session")]
	return found, known
}

func (a *application) home(w http.ResponseWriter, r *http.Request) {
	found, known := a.find(r)
	if !known {
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return
	}
	idToken, _ := found.token.Extra("id_token").(string)
	answer(w, map[string]any{"claims": found.claims, "access_token": found.token.AccessToken, "id_token": idToken})
}

// refresh has the library believe that the token has ended, which it then renews by itself.
func (a *application) refresh(w http.ResponseWriter, r *http.Request) {
	found, known := a.find(r)
	if !known {
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return
	}
	ended := *found.token
	ended.Expiry = time.Now().Add(-time.Minute)
	renewed, err := a.config.TokenSource(r.Context(), &ended).Token()
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) {
			answer(w, map[string]any{"error": refused.ErrorCode})
			return
		}
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	// OpenID Connect Core §12.2: an ID token of a refresh has the nonce of the first, or none.
	if raw, _ := renewed.Extra("id_token").(string); raw != "" {
		if _, err := a.tokens.Verify(r.Context(), raw); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
	}
	a.keep(w, session{token: renewed, claims: found.claims})
	answer(w, map[string]any{"access_token": renewed.AccessToken})
}

// api is the console's snippet for a service.
func (a *application) api(w http.ResponseWriter, r *http.Request) {
	raw, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, err := a.accessTokens.Verify(r.Context(), raw)
	var claims struct {
		Scope string `json:"scope"`
	}
	if !found || err != nil || token.Claims(&claims) != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if !slices.Contains(strings.Fields(claims.Scope), "profile") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	answer(w, map[string]any{"sub": token.Subject})
}

// idToken says whether the library takes an ID token of elsewhere for one of this application's.
func (a *application) idToken(w http.ResponseWriter, r *http.Request) {
	if _, err := a.tokens.Verify(r.Context(), r.FormValue("id_token")); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	answer(w, map[string]any{})
}

func answer(w http.ResponseWriter, document map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(document); err != nil {
		log.Print(err)
	}
}

func main() {
	var settings []setting
	if err := json.NewDecoder(os.Stdin).Decode(&settings); err != nil {
		log.Fatal(err)
	}
	for _, own := range settings {
		made, err := newApplication(context.Background(), own)
		if err != nil {
			log.Fatal(err)
		}
		urls := http.NewServeMux()
		urls.HandleFunc("/login", made.login)
		urls.HandleFunc("/callback", made.callback)
		urls.HandleFunc("/refresh", made.refresh)
		urls.HandleFunc("/api", made.api)
		urls.HandleFunc("POST /id-token", made.idToken)
		urls.HandleFunc("/{$}", made.home)
		go func() { log.Fatal(http.ListenAndServe(own.Listen, urls)) }()
	}
	select {}
}
