package interop;

import java.util.Map;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.annotation.RegisteredOAuth2AuthorizedClient;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.web.csrf.CsrfToken;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** What a person, or a caller of the API, gets to see. */
@RestController
class Pages {

    @GetMapping(path = "/", produces = "application/json")
    Map<String, Object> home(
            @AuthenticationPrincipal OidcUser user, @RegisteredOAuth2AuthorizedClient OAuth2AuthorizedClient client, CsrfToken csrf) {
        return Map.of(
            "claims", user.getClaims(),
            "id_token", user.getIdToken().getTokenValue(),
            "access_token", client.getAccessToken().getTokenValue(),
            "csrf", csrf.getToken());
    }

    /** Where a sign-out ends. */
    @GetMapping(path = "/bye", produces = "text/html")
    String bye() {
        return "<!doctype html><title>bye</title>";
    }

    @GetMapping(path = {"/api/acme", "/api/globex"}, produces = "application/json")
    Map<String, Object> api(@AuthenticationPrincipal Jwt token) {
        return Map.of("sub", token.getSubject());
    }
}
