import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.oauth2.client.AuthorizedClientServiceOAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientService;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.client.OAuth2ClientHttpRequestInterceptor;
import org.springframework.web.client.RestClient;

@Configuration
class ApiClient {

    @Bean
    RestClient api(ClientRegistrationRepository registrations, OAuth2AuthorizedClientService clients) {
        var tokens = new OAuth2ClientHttpRequestInterceptor(
            new AuthorizedClientServiceOAuth2AuthorizedClientManager(registrations, clients));
        tokens.setClientRegistrationIdResolver(request -> "tessera");
        return RestClient.builder().baseUrl("https://api.example.com").requestInterceptor(tokens).build();
    }
}
