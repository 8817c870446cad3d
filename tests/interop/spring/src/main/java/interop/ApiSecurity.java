package interop;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import java.util.List;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.annotation.Order;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.web.SecurityFilterChain;

/** The API, of each tenant below a path of its own: the console's snippet. */
@Configuration
class ApiSecurity {

    @Bean
    @Order(0)
    SecurityFilterChain acme(HttpSecurity http, @Value("${spring.security.oauth2.client.provider.acme.issuer-uri}") String issuer)
            throws Exception {
        return api(http, "/api/acme", issuer);
    }

    @Bean
    @Order(1)
    SecurityFilterChain globex(HttpSecurity http, @Value("${spring.security.oauth2.client.provider.globex.issuer-uri}") String issuer)
            throws Exception {
        return api(http, "/api/globex", issuer);
    }

    private static SecurityFilterChain api(HttpSecurity http, String path, String issuer) throws Exception {
        return http
            .securityMatcher(path)
            .authorizeHttpRequests(rules -> rules.anyRequest().hasAuthority("SCOPE_profile"))
            .sessionManagement(sessions -> sessions.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
            .oauth2ResourceServer(server -> server.jwt(jwt -> jwt.decoder(decoder(issuer))))
            .build();
    }

    private static JwtDecoder decoder(String issuer) {
        // Access tokens are of type at+jwt (RFC 9068), and without a resource for the issuer.
        var decoder = NimbusJwtDecoder.withIssuerLocation(issuer)
            .jwtProcessorCustomizer(processor -> processor.setJWSTypeVerifier(
                new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt"))))
            .build();
        decoder.setJwtValidator(new DelegatingOAuth2TokenValidator<>(
            new JwtTimestampValidator(),
            new JwtIssuerValidator(issuer),
            new JwtClaimValidator<List<String>>("aud", audience -> audience != null && audience.contains(issuer))));
        return decoder;
    }
}
