package interop;

import java.util.Map;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** What stands around the program that verifies tokens: what its callers get. */
@RestController
@EnableAutoConfiguration
class Endpoint {

    @GetMapping(path = "/", produces = "application/json")
    Map<String, Object> caller(@AuthenticationPrincipal Jwt token) {
        return Map.of("client_id", token.getClaimAsString("client_id"));
    }
}
