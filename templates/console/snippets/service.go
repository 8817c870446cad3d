package main

import (
	"context"
	"log"
	"net/url"
	"os"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	config := clientcredentials.Config{
		ClientID:       "__CLIENT_ID__",
		ClientSecret:   os.Getenv("OIDC_CLIENT_SECRET"),
		TokenURL:       "__ISSUER__/token",
		Scopes:         []string{__SCOPE_LIST__},
		AuthStyle:      oauth2.__GO_STYLE__,
		EndpointParams: url.Values{__GO_RESOURCE__},
	}
	// Asks for a token when there is none or it is about to end.
	client := config.Client(context.Background())
	answer, err := client.Get("https://api.example.com/")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	log.Println(answer.Status)
}
