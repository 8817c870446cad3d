package interop;

import java.util.Map;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.core.annotation.Order;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.annotation.RegisteredOAuth2AuthorizedClient;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.csrf.CsrfToken;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** What stands around the program by which people sign in: what they get to see. */
@RestController
@EnableAutoConfiguration
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

    @Bean
    @Order(0)
    SecurityFilterChain open(HttpSecurity http) throws Exception {
        return http.securityMatcher("/bye", "/error").authorizeHttpRequests(rules -> rules.anyRequest().permitAll()).build();
    }
}
