// The whole flow with x/oauth2 and go-oidc. Says where the person has to go, reads where they
// came back to, and says what it got.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/url"
	"os"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

type outcome struct {
	Email     string `json:"email"`
	Issuer    string `json:"iss"`
	Refreshed bool   `json:"refreshed"`
	Again     string `json:"again"`
	Machine   string `json:"machine"`
}

func main() {
	result, err := run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (*outcome, error) {
	provider, err := oidc.NewProvider(ctx, os.Getenv("ISSUER"))
	if err != nil {
		return nil, err
	}
	config := oauth2.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		RedirectURL:  os.Getenv("REDIRECT_URI"),
		Endpoint:     provider.Endpoint(),
		Scopes:       []string{oidc.ScopeOpenID, "email", oidc.ScopeOfflineAccess, "projects:read"},
	}
	code, verifier, err := askThePerson(&config)
	if err != nil {
		return nil, err
	}
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, err
	}
	idToken, err := verified(ctx, provider, &config, token)
	if err != nil {
		return nil, err
	}
	userInfo, err := provider.UserInfo(ctx, config.TokenSource(ctx, token))
	if err != nil {
		return nil, err
	}
	if userInfo.Subject != idToken.Subject {
		return nil, errors.New("userinfo is about somebody else")
	}
	// Without an access token the source has to refresh.
	refreshed, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil {
		return nil, err
	}
	if _, err := verified(ctx, provider, &config, refreshed); err != nil {
		return nil, err
	}
	machine := clientcredentials.Config{
		ClientID:     config.ClientID,
		ClientSecret: config.ClientSecret,
		TokenURL:     config.Endpoint.TokenURL,
		Scopes:       []string{"projects:read"},
	}
	given, err := machine.Token(ctx)
	if err != nil {
		return nil, err
	}
	return &outcome{
		Email:     userInfo.Email,
		Issuer:    idToken.Issuer,
		Refreshed: refreshed.RefreshToken != token.RefreshToken,
		Again:     errorOf(config.Exchange(ctx, code, oauth2.VerifierOption(verifier))),
		Machine:   fmt.Sprint(given.Extra("scope")),
	}, nil
}

// askThePerson sends them to the server, and gives the code with which they came back.
func askThePerson(config *oauth2.Config) (code, verifier string, err error) {
	verifier = oauth2.GenerateVerifier()
	state := oauth2.GenerateVerifier()
	fmt.Println(config.AuthCodeURL(
		state,
		oauth2.S256ChallengeOption(verifier),
		oidc.Nonce(nonce),
		oauth2.SetAuthURLParam("prompt", "consent"),
	))
	line := bufio.NewScanner(os.Stdin)
	line.Scan()
	back, err := url.Parse(line.Text())
	if err != nil {
		return "", "", err
	}
	if back.Query().Get("state") != state {
		return "", "", errors.New("the answer is to another request")
	}
	return back.Query().Get("code"), verifier, nil
}

const nonce = "n-0S6_WzA2Mj"

// verified gives the ID token of an answer, if it is right.
func verified(
	ctx context.Context, provider *oidc.Provider, config *oauth2.Config, token *oauth2.Token,
) (*oidc.IDToken, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("there is no ID token")
	}
	verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: config.ClientID})
	idToken, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if idToken.Nonce != nonce {
		return nil, errors.New("the ID token is of another request")
	}
	return idToken, idToken.VerifyAccessToken(token.AccessToken)
}

// errorOf gives the error of RFC 6749 in the answer to an exchange.
func errorOf(_ *oauth2.Token, err error) string {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return refused.ErrorCode
	}
	return fmt.Sprint(err)
}
