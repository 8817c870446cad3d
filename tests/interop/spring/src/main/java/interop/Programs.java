package interop;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.tools.ToolProvider;
import org.springframework.boot.SpringApplication;
import org.springframework.core.io.DefaultResourceLoader;

/**
 * Compiles and starts programs as the console shows them, each of a folder that is named, one after the other in this one machine: to start four
 * of them would take four times as long. A folder holds the program's files as they are, and in <code>surroundings.properties</code> what stands
 * around it.
 */
public class Programs {

    public static void main(String[] folders) {
        try {
            for (var folder : folders) {
                start(Path.of(folder));
            }
        } catch (Exception error) {
            // Those that run already would go on for ever.
            error.printStackTrace();
            System.exit(1);
        }
    }

    private static void start(Path folder) throws IOException {
        var classes = Files.createDirectory(folder.resolve("classes"));
        compile(folder, classes);
        // Their classes have the same names.
        var loader = new URLClassLoader(new URL[] {classes.toUri().toURL()}, Programs.class.getClassLoader());
        Thread.currentThread().setContextClassLoader(loader);
        var files = "optional:file:" + folder + "/application.yml,file:" + folder + "/surroundings.properties";
        new SpringApplication(new DefaultResourceLoader(loader)).run("--spring.config.location=" + files);
    }

    private static void compile(Path folder, Path classes) throws IOException {
        var arguments = new ArrayList<>(List.of("-parameters", "-cp", System.getProperty("java.class.path"), "-d", classes.toString()));
        try (var sources = Files.newDirectoryStream(folder, "*.java")) {
            sources.forEach(source -> arguments.add(source.toString()));
        }
        var ended = ToolProvider.getSystemJavaCompiler().run(null, null, null, arguments.toArray(String[]::new));
        if (ended != 0) {
            throw new IllegalStateException(folder + " doesn't compile");
        }
    }
}
