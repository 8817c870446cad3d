package interop;

import org.springframework.boot.CommandLineRunner;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.web.client.RestClient;

/** What stands around the program that calls an API: the call. */
@EnableAutoConfiguration
class Service {

    @Bean
    CommandLineRunner call(RestClient api) {
        return arguments -> api.get().uri("/").retrieve().toBodilessEntity();
    }
}
