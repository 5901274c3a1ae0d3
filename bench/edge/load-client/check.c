#include <openssl/err.h>
#include <unistd.h>

#include "load-client.h"

/* Enough to see that the server has the hosts; all of 100,000 would take minutes. */
enum { CHECKED_MAX = 100 };

void check_certificates(const struct options *options, const struct targets *targets) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!context || SSL_CTX_load_verify_locations(context, options->ca_file, NULL) != 1) {
    give_up("%s is no file of certificates", options->ca_file);
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  for (size_t index = 0; index < targets->count && index < CHECKED_MAX; index += 1) {
    const char *hostname = targets->list[index].hostname;
    int descriptor = connect_to_server(options, true);
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, descriptor);
    SSL_set_tlsext_host_name(tls, hostname);
    SSL_set1_host(tls, hostname);
    if (SSL_connect(tls) != 1) {
      give_up("%s: %s", hostname, X509_verify_cert_error_string(SSL_get_verify_result(tls)));
    }
    SSL_shutdown(tls);
    SSL_free(tls);
    close(descriptor);
  }
  SSL_CTX_free(context);
}
