import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/**
 * Apache Iceberg's REST catalog on the loopback interface: its own main class listens on all of them, without any access
 * control, and writes the database password into its log. Configured by the same variables:
 * CATALOG_SOME__KEY_NAME becomes the property some-key.name, and CATALOG_REST_PORT is the port.
 */
public class ForgeIcebergRest {
  public static void main(String[] args) throws Exception {
    Map<String, String> properties = new HashMap<>();
    System.getenv().forEach((name, value) -> {
      if (name.startsWith("CATALOG_")) {
        String key = name.substring("CATALOG_".length()).replace("__", "-").replace("_", ".");
        properties.put(key.toLowerCase(Locale.ROOT), value);
      }
    });
    String port = properties.remove("rest.port");
    String host = properties.remove("rest.host");
    String name = properties.getOrDefault("catalog.name", "rest_backend");

    ServletContextHandler context = new ServletContextHandler();
    context.addServlet(
        new ServletHolder(new RESTCatalogServlet(new RESTCatalogAdapter(
            CatalogUtil.buildIcebergCatalog(name, properties, null)))),
        "/*");

    Server server = new Server(new QueuedThreadPool(12, 2));
    ServerConnector connector = new ServerConnector(server, 1, 1, new HttpConnectionFactory());
    connector.setHost(host == null ? "127.0.0.1" : host);
    connector.setPort(port == null ? 8181 : Integer.parseInt(port));
    server.addConnector(connector);
    server.setHandler(context);
    server.setStopAtShutdown(true);
    server.start();
    server.join();
  }
}
