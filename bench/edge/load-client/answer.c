/* HTTP/1.1 answers (RFC 9112 §6) with a Content-Length or without a body. The backends of this bench send
 * no others; a proxy that makes chunks of them is told apart as broken. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load-client.h"

static const char *value_of_line(const char *line, const char *name) {
  size_t length = strlen(name);
  return strncasecmp(line, name, length) == 0 && line[length] == ':' ? line + length + 1 : NULL;
}

/* `head` ends with an empty line, and is terminated. */
static bool read_head(struct answer *answer, const char *head) {
  if (strncmp(head, "HTTP/1.", 7) != 0) return false;
  answer->status = atoi(head + 9);
  bool has_length = false;
  for (const char *line = strchr(head, '\n'); line && line[1] != '\r'; line = strchr(line + 1, '\n')) {
    const char *value = value_of_line(line + 1, "content-length");
    if (value) {
      answer->body_length = strtoul(value, NULL, 10);
      has_length = true;
    }
    value = value_of_line(line + 1, "connection");
    if (value && strncasecmp(value + strspn(value, " "), "close", 5) == 0) answer->closes = true;
    if (value_of_line(line + 1, "transfer-encoding")) return false;
  }
  return has_length || answer->status == 204 || answer->status == 304;
}

enum answer_state read_answer(struct answer *answer, bool has_body) {
  if (answer->head_length == 0) {
    char *end = memmem(answer->bytes, answer->length, "\r\n\r\n", 4);
    if (!end) return answer->length < ANSWER_BYTES_MAX ? ANSWER_PARTIAL : ANSWER_BROKEN;
    answer->head_length = (size_t)(end - answer->bytes) + 4;
    char kept = end[3];
    end[3] = '\0';
    bool is_sound = read_head(answer, answer->bytes);
    end[3] = kept;
    if (!is_sound && has_body) return ANSWER_BROKEN;
    if (!has_body) answer->body_length = 0;
  }
  size_t whole = answer->head_length + answer->body_length;
  if (whole > ANSWER_BYTES_MAX) return ANSWER_BROKEN;
  return answer->length >= whole ? ANSWER_WHOLE : ANSWER_PARTIAL;
}
