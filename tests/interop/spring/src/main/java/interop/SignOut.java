package interop;

import org.springframework.context.ApplicationContext;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configurers.AbstractHttpConfigurer;
import org.springframework.security.config.annotation.web.configurers.oauth2.client.OAuth2LoginConfigurer;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;

/**
 * Signing out in both directions, which the console's program leaves to whoever uses it. Spring applies this to every chain
 * (<code>META-INF/spring.factories</code>), so that the program stays as it is.
 */
public class SignOut extends AbstractHttpConfigurer<SignOut, HttpSecurity> {

    @Override
    public void init(HttpSecurity http) throws Exception {
        if (http.getConfigurer(OAuth2LoginConfigurer.class) == null) {
            return;
        }
        var clients = http.getSharedObject(ApplicationContext.class).getBean(ClientRegistrationRepository.class);
        var signOut = new OidcClientInitiatedLogoutSuccessHandler(clients);
        signOut.setPostLogoutRedirectUri("{baseUrl}/bye");
        http
            .logout(logout -> logout.logoutSuccessHandler(signOut))
            .oidcLogout(logout -> logout.backChannel(Customizer.withDefaults()));
    }
}
