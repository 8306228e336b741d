/*
 * spawner-fuzz: feeds the spawner's request parser with millions of damaged requests, under the
 * sanitizers.
 *
 *   spawner-fuzz COUNT SEED
 *
 * Each request lies in memory of exactly its own size, so that one byte read too far is seen. What
 * the parser accepts must be a list that execvp can take: arguments that end within the request,
 * then NULL. Nothing is ever started.
 */
#define SPAWNER_WITHOUT_MAIN
#include "spawner.c"

#include <stdio.h>

static uint64_t state;

/* xorshift64*: the same requests for the same seed, everywhere. */
static uint32_t draw(uint32_t below) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)((state * UINT64_C(0x2545F4914F6CDD1D)) >> 32) % below;
}

static size_t make(char *into, size_t room) {
  uint32_t count = draw(8) == 0 ? draw(300) : 1 + draw(4);
  uint32_t words[REQUEST_WORDS] = {draw(1000),       AS_OURSELVES,         AS_OURSELVES,
                                   1 + draw(100000), draw(MAX_OUTPUT + 1), count};
  size_t length = sizeof words;
  memcpy(into, words, sizeof words);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t size = i == 0 ? 1 + draw(8) : draw(12);
    if (room - length < sizeof size + size) break;
    memcpy(into + length, &size, sizeof size);
    memset(into + length + sizeof size, 'a', size);
    length += sizeof size + size;
  }
  return length;
}

/* Nothing, a byte, a whole word with a value that likes to go wrong, a cut, or something at the
 * end. */
static size_t damage(char *bytes, size_t length, size_t room) {
  static const uint32_t nasty[] = {0,     1,          255,        256,        257,       65536,
                                   65537, 0x7fffffff, 0x80000000, 0xfffffffb, 0xffffffff};
  for (uint32_t times = draw(3); times > 0; times--) {
    switch (draw(4)) {
      case 0: bytes[draw((uint32_t)length)] = (char)draw(256); break;
      case 1:
        if (length >= 4) memcpy(bytes + draw((uint32_t)(length / 4)) * 4, &nasty[draw(11)], 4);
        break;
      case 2: length = draw((uint32_t)length + 1); break;
      case 3:
        if (room > length) bytes[length++] = (char)draw(256);
        break;
    }
    if (length == 0) break;
  }
  return length;
}

static void check(bool is_true, const char *claim, unsigned long number) {
  if (is_true) return;
  printf("request %lu: %s\n", number, claim);
  exit(1);
}

int main(int argc, char **argv) {
  unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000, accepted = 0;
  static char made[8192];
  static Request request;
  state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 1;
  for (unsigned long number = 0; number < count; number++) {
    size_t length = damage(made, make(made, sizeof made), sizeof made);
    char *exact = malloc(length > 0 ? length : 1);
    if (exact == NULL) return 2;
    memcpy(exact, made, length);
    const char *problem = parse_request(exact, length, &request);
    if (problem == NULL) {
      accepted++;
      check(request.count >= 1 && request.count <= MAX_ARGUMENTS, "the count is out of its range",
            number);
      check(request.argv[request.count] == NULL, "the list has no end", number);
      check(request.max_output <= MAX_OUTPUT && request.timeout_ms > 0,
            "a bound is out of its range", number);
      for (uint32_t i = 0; i < request.count; i++) {
        const char *argument = request.argv[i];
        check(argument >= exact && argument + strlen(argument) < exact + length,
              "an argument leaves the request", number);
      }
    } else {
      size_t end = strlen(problem);
      check(end > 1 && problem[end - 1] == '\n' && strchr(problem, '\n') == problem + end - 1,
            "no sentence", number);
    }
    free(exact);
  }
  /* Were nearly all refused at their first word, the rest of the parser would have seen nothing. */
  check(accepted > count / 10 && accepted < count - count / 10, "too few or too many were accepted",
        count);
  printf("%lu requests, %lu accepted\n", count, accepted);
  return 0;
}
