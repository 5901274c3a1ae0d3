/* The link format is drawn in src/tracking/signed-link.ts: the same checks, so that the work is the same. */
#define _GNU_SOURCE
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"

enum { KEY_ID_BYTES = 8, MAC_TEXT_BYTES = 22, MAC_BYTES = 16, SECRET_BYTES_MAX = 64 };

static char key_id[KEY_ID_BYTES + 1];
static unsigned char secret[SECRET_BYTES_MAX];
static int secret_length;

void set_link_key(const char *id, const char *secret_in_hex) {
  snprintf(key_id, sizeof key_id, "%s", id);
  for (; secret_length < SECRET_BYTES_MAX; secret_length += 1) {
    unsigned int byte;
    if (sscanf(secret_in_hex + 2 * secret_length, "%2x", &byte) != 1) break;
    secret[secret_length] = (unsigned char)byte;
  }
}

static int value_of(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
  if (letter >= '0' && letter <= '9') return letter - '0' + 52;
  if (letter == '-') return 62;
  return letter == '_' ? 63 : -1;
}

static size_t decode(const char *text, size_t length, char *bytes) {
  unsigned int bits = 0;
  int held = 0;
  size_t count = 0;
  for (size_t index = 0; index < length; index += 1) {
    int value = value_of(text[index]);
    if (value < 0) return 0;
    bits = bits << 6 | (unsigned int)value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[count] = (char)(bits >> held & 0xff);
    count += 1;
  }
  return count;
}

static bool is_mac_right(const char *payload, size_t payload_length, const char *hostname,
                         size_t hostname_length, const char *mac_text) {
  char signed_text[4096];
  int length = snprintf(signed_text, sizeof signed_text, "postern/link/1\nc\n%s\n%.*s\n%.*s", key_id,
                        (int)hostname_length, hostname, (int)payload_length, payload);
  unsigned char digest[EVP_MAX_MD_SIZE];
  HMAC(EVP_sha256(), secret, secret_length, (unsigned char *)signed_text, (size_t)length, digest, NULL);
  char mac[MAC_TEXT_BYTES + 2];
  return decode(mac_text, MAC_TEXT_BYTES, mac) == MAC_BYTES && CRYPTO_memcmp(mac, digest, MAC_BYTES) == 0;
}

bool open_link(const char *path, size_t path_length, const char *hostname, size_t hostname_length,
               char *location, const char **reference) {
  static char content[TARGET_BYTES_MAX + 128];
  size_t around = 3 + KEY_ID_BYTES + 1 + 1 + MAC_TEXT_BYTES;
  if (path_length <= around || path_length - around > 2800 || strncmp(path, "/c/", 3) != 0) return false;
  if (strncmp(path + 3, key_id, KEY_ID_BYTES) != 0) return false;
  const char *payload = path + 3 + KEY_ID_BYTES + 1;
  size_t payload_length = path_length - around;
  const char *mac = payload + payload_length + 1;
  if (!is_mac_right(payload, payload_length, hostname, hostname_length, mac)) return false;
  content[decode(payload, payload_length, content)] = '\0';
  char *target = strchr(content, '\n');
  if (!target || strncmp(target + 1, "http", 4) != 0) return false;
  *target = '\0';
  *reference = content;
  snprintf(location, TARGET_BYTES_MAX + 1, "%s", target + 1);
  return true;
}
