/*
 * spawner: runs outside programs for the director (send_program checks, hooks).
 *
 * The idea: a fork copies the page tables of the process that forks, and holds it up meanwhile:
 * 20 ms for a director of 500 MB, with its heartbeat thread inside. So this tiny process is started
 * first and does all the forking. It reads requests from standard input and answers on standard
 * output in the order in which programs end. It never uses a shell, and it ends, killing what it
 * runs, when its standard input closes: nothing outlives the director.
 *
 * Wire: numbers of 32 bits in the machine's order, each message after its length.
 *
 *   request   id, uid, gid (0xffffffff: as ourselves), timeout in ms, bytes of output to keep,
 *             count; then for each argument its length and its bytes
 *   answer    id, kind, code, bytes
 *               kind 0   exited            code = status   bytes = output
 *                    1   killed            code = signal   bytes = output
 *                    2   timeout                           bytes = output
 *                    3   failed to start   code = errno    bytes = name of the call
 *
 * A request of another form ends the process with status 1 and a sentence on standard error.
 *
 * Rejected: posix_spawn (cannot drop privilege); a thread per child (memory); watching each child's
 * error pipe with poll (it is only looked into when the child has ended).
 * Source: fork(2), execvp(3), setpgid(2), signalfd(2), credentials(7).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SOURCE_SHA256
#error "build with native/build.sh, which says which source this is"
#endif

enum {
  MAX_CHILDREN = 512,
  MAX_ARGUMENTS = 256,
  MAX_REQUEST = 128 * 1024,
  MAX_OUTPUT = 64 * 1024,
  PIPE_SIZE = 64 * 1024, /* pipe(7) */
  REQUEST_WORDS = 6, /* before the arguments */
  ANSWER_WORDS = 4,  /* the length included */
};

enum { EXITED, KILLED, TIMEOUT, FAILED };
enum { AT_SETGROUPS, AT_SETGID, AT_SETUID, AT_EXEC };
static const char *const stages[] = {"setgroups", "setgid", "setuid", "exec"};
static const uint32_t AS_OURSELVES = UINT32_MAX;

typedef struct {
  uint32_t id, uid, gid, timeout_ms, max_output, count;
  char *argv[MAX_ARGUMENTS + 1];
} Request;

typedef struct {
  pid_t pid; /* 0: this place is free */
  uint32_t id, max_output, length;
  int64_t deadline;
  int output_fd, error_fd;
  bool is_late;
  char *output;
} Child;

/* Which source this was built from; looked for in the file by a test. */
__attribute__((used)) static const char source[] = "source sha256 " SOURCE_SHA256;

static Child children[MAX_CHILDREN];
static struct rlimit own_files;
static char *answers; /* waiting to be written */
static size_t answers_length, answers_room;

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void kill_group(pid_t leader) { kill(-leader, SIGKILL); }

_Noreturn static void end(int status, const char *sentence) {
  for (int i = 0; i < MAX_CHILDREN; i++)
    if (children[i].pid > 0) kill_group(children[i].pid);
  if (sentence != NULL) {
    ssize_t ignored = write(STDERR_FILENO, sentence, strlen(sentence));
    (void)ignored;
  }
  _exit(status);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Reads one request in place (without its length): each argument is moved over its own length word
 * and gets its zero. Gives NULL, or what is wrong with it. */
static const char *parse_request(char *bytes, size_t length, Request *request) {
  uint32_t words[REQUEST_WORDS];
  if (length < sizeof words) return "spawner: a request is too short\n";
  memcpy(words, bytes, sizeof words);
  *request = (Request){.id = words[0],
                       .uid = words[1],
                       .gid = words[2],
                       .timeout_ms = words[3],
                       .max_output = words[4],
                       .count = words[5]};
  if (request->uid != AS_OURSELVES && request->gid == AS_OURSELVES)
    return "spawner: a request changes the user but keeps our group\n";
  if (request->timeout_ms == 0 || request->timeout_ms > INT_MAX)
    return "spawner: a request has no good timeout\n";
  if (request->max_output > MAX_OUTPUT) return "spawner: a request wants too much output\n";
  if (request->count == 0 || request->count > MAX_ARGUMENTS)
    return "spawner: a request has no good argument count\n";
  size_t offset = sizeof words;
  for (uint32_t i = 0; i < request->count; i++) {
    uint32_t size;
    if (length - offset < sizeof size) return "spawner: a request ends within its arguments\n";
    memcpy(&size, bytes + offset, sizeof size);
    if (length - offset - sizeof size < size)
      return "spawner: an argument is longer than its request\n";
    if (memchr(bytes + offset + sizeof size, 0, size) != NULL)
      return "spawner: an argument has a zero byte\n";
    request->argv[i] = memmove(bytes + offset, bytes + offset + sizeof size, size);
    request->argv[i][size] = 0;
    offset += sizeof size + size;
  }
  if (offset != length) return "spawner: a request is longer than its arguments\n";
  if (request->argv[0][0] == 0) return "spawner: a request names no program\n";
  return NULL;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answer(uint32_t id, uint32_t kind, uint32_t code, const char *bytes, size_t length) {
  uint32_t words[ANSWER_WORDS] = {(uint32_t)(sizeof words - sizeof words[0] + length), id, kind,
                                  code};
  size_t needed = answers_length + sizeof words + length;
  if (needed > answers_room) {
    char *grown = realloc(answers, needed + MAX_OUTPUT);
    if (grown == NULL) end(1, "spawner: out of memory\n");
    answers = grown;
    answers_room = needed + MAX_OUTPUT;
  }
  memcpy(answers + answers_length, words, sizeof words);
  if (length > 0) memcpy(answers + answers_length + sizeof words, bytes, length);
  answers_length = needed;
}

static void fail(uint32_t id, const char *call) {
  answer(id, FAILED, (uint32_t)errno, call, strlen(call));
}

static void write_answers(void) {
  ssize_t written = write(STDOUT_FILENO, answers, answers_length);
  if (written < 0 && errno != EAGAIN && errno != EINTR)
    end(1, "spawner: nobody reads the answers\n");
  if (written <= 0) return;
  answers_length -= (size_t)written;
  memmove(answers, answers + written, answers_length);
  if (answers_length == 0) { /* a burst of output must not stay for ever */
    free(answers);
    answers = NULL;
    answers_room = 0;
  }
}

/* ---- children -------------------------------------------------------------------------------- */

/* In the child: becomes the program, or says where that failed and why. */
_Noreturn static void become(const Request *request, int output, int error) {
  int32_t why[2] = {AT_EXEC, 0};
  sigset_t none;
  sigemptyset(&none);
  setpgid(0, 0);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setrlimit(RLIMIT_NOFILE, &own_files);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
      dup2(null, STDERR_FILENO) >= 0) {
    bool changes_user = request->uid != AS_OURSELVES, changes_group = request->gid != AS_OURSELVES;
    if ((changes_user || changes_group) && setgroups(0, NULL) < 0)
      why[0] = AT_SETGROUPS;
    else if (changes_group && setresgid(request->gid, request->gid, request->gid) < 0)
      why[0] = AT_SETGID;
    else if (changes_user && setresuid(request->uid, request->uid, request->uid) < 0)
      why[0] = AT_SETUID;
    else
      execvp(request->argv[0], request->argv);
  }
  why[1] = errno;
  ssize_t ignored = write(error, why, sizeof why);
  (void)ignored;
  _exit(127);
}

static void start(const Request *request) {
  int output[2] = {-1, -1}, error[2] = {-1, -1};
  Child *child = children;
  while (child < children + MAX_CHILDREN && child->pid > 0) child++;
  if (child == children + MAX_CHILDREN) {
    errno = EAGAIN;
    fail(request->id, "fork");
    return;
  }
  if (pipe2(output, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0) {
    fail(request->id, "pipe");
  } else {
    pid_t pid = fork();
    if (pid == 0) become(request, output[1], error[1]);
    if (pid < 0) {
      fail(request->id, "fork");
    } else {
      setpgid(pid, pid); /* both sides do it: whoever is first, the group exists */
      fcntl(output[0], F_SETFL, O_NONBLOCK);
      fcntl(error[0], F_SETFL, O_NONBLOCK);
      *child = (Child){.pid = pid,
                       .id = request->id,
                       .max_output = request->max_output,
                       .deadline = now_ms() + request->timeout_ms,
                       .output_fd = output[0],
                       .error_fd = error[0]};
      output[0] = error[0] = -1;
    }
  }
  int left[] = {output[0], output[1], error[0], error[1]};
  for (size_t i = 0; i < sizeof left / sizeof *left; i++)
    if (left[i] >= 0) close(left[i]);
}

/* Takes what waits in the pipe, at most what a pipe holds: who writes without end must not keep us
 * from the other children and from the clock. What exceeds the bound of the request is dropped. */
static void collect(Child *child) {
  char piece[4096];
  for (size_t turn = 0; turn < PIPE_SIZE / sizeof piece; turn++) {
    ssize_t got = read(child->output_fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      close(child->output_fd);
      child->output_fd = -1;
      return;
    }
    size_t room = child->max_output - child->length, keep = (size_t)got < room ? (size_t)got : room;
    if (keep == 0) continue;
    char *grown = realloc(child->output, child->length + keep);
    if (grown == NULL) end(1, "spawner: out of memory\n");
    child->output = grown;
    memcpy(grown + child->length, piece, keep);
    child->length += (uint32_t)keep;
  }
}

/* Its leader has ended. What it left behind in the background goes on (a hook may start a service).
 */
static void finish(Child *child, int status) {
  int32_t why[2];
  if (child->output_fd >= 0) collect(child);
  if (read(child->error_fd, why, sizeof why) == sizeof why) {
    errno = why[1];
    fail(child->id, stages[why[0]]);
  } else if (child->is_late) {
    answer(child->id, TIMEOUT, 0, child->output, child->length);
  } else if (WIFSIGNALED(status)) {
    answer(child->id, KILLED, (uint32_t)WTERMSIG(status), child->output, child->length);
  } else {
    answer(child->id, EXITED, (uint32_t)WEXITSTATUS(status), child->output, child->length);
  }
  if (child->output_fd >= 0) close(child->output_fd);
  close(child->error_fd);
  free(child->output);
  *child = (Child){0};
}

static void reap(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    for (int i = 0; i < MAX_CHILDREN; i++)
      if (children[i].pid == pid) finish(&children[i], status);
}

/* Kills the groups whose time is over; gives the milliseconds until the next one, -1 when there is
 * none. */
static int expire(void) {
  int64_t now = now_ms(), next = -1;
  for (int i = 0; i < MAX_CHILDREN; i++) {
    Child *child = &children[i];
    if (child->pid == 0 || child->is_late) continue;
    if (child->deadline <= now) {
      child->is_late = true;
      kill_group(child->pid);
    } else if (next < 0 || child->deadline - now < next) {
      next = child->deadline - now;
    }
  }
  return next > INT_MAX ? INT_MAX : (int)next;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Reads what waits on standard input and starts every request that is complete. */
static void read_requests(void) {
  static char buffer[sizeof(uint32_t) + MAX_REQUEST];
  static size_t filled;
  static Request request;
  ssize_t got = read(STDIN_FILENO, buffer + filled, sizeof buffer - filled);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0)
    end(filled == 0 ? 0 : 1, filled == 0 ? NULL : "spawner: the input ends within a request\n");
  filled += (size_t)got;
  size_t offset = 0;
  uint32_t length;
  while (filled - offset >= sizeof length) {
    memcpy(&length, buffer + offset, sizeof length);
    if (length > MAX_REQUEST) end(1, "spawner: a request is too long\n");
    if (filled - offset - sizeof length < length) break;
    const char *problem = parse_request(buffer + offset + sizeof length, length, &request);
    if (problem != NULL) end(1, problem);
    start(&request);
    offset += sizeof length + length;
  }
  filled -= offset;
  memmove(buffer, buffer + offset, filled);
}

/* Signals meant for the director's group (a terminal's interrupt, a supervisor's TERM) are not for
 * us: its hooks still have to run. We end with its pipe. */
static int prepare(void) {
  sigset_t child;
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &child, NULL);
  prctl(PR_SET_NAME, "piranha-spawn");
  getrlimit(RLIMIT_NOFILE, &own_files);
  struct rlimit more = {own_files.rlim_max < 4096 ? own_files.rlim_max : 4096, own_files.rlim_max};
  if (own_files.rlim_cur < more.rlim_cur) setrlimit(RLIMIT_NOFILE, &more);
  fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
  /* Whatever else was inherited is nobody's business in a program that we run. */
  long limit = sysconf(_SC_OPEN_MAX);
  for (int fd = STDERR_FILENO + 1; fd < (limit < 4096 ? limit : 4096); fd++) close(fd);
  return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

#ifndef SPAWNER_WITHOUT_MAIN
int main(void) {
  static struct pollfd polled[3 + MAX_CHILDREN];
  static Child *owner[3 + MAX_CHILDREN];
  int signals = prepare();
  if (signals < 0) end(1, "spawner: signalfd is refused\n");
  for (;;) {
    nfds_t count = 3;
    int timeout = expire();
    polled[0] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
    polled[1] = (struct pollfd){signals, POLLIN, 0};
    polled[2] = (struct pollfd){answers_length > 0 ? STDOUT_FILENO : -1, POLLOUT, 0};
    for (int i = 0; i < MAX_CHILDREN; i++) {
      if (children[i].pid == 0 || children[i].output_fd < 0) continue;
      owner[count] = &children[i];
      polled[count++] = (struct pollfd){children[i].output_fd, POLLIN, 0};
    }
    if (poll(polled, count, timeout) < 0 && errno != EINTR) end(1, "spawner: poll is refused\n");
    for (nfds_t i = 3; i < count; i++)
      if (polled[i].revents != 0) collect(owner[i]);
    if (polled[1].revents != 0) {
      struct signalfd_siginfo taken;
      while (read(signals, &taken, sizeof taken) > 0) {
      }
      reap();
    }
    if (polled[0].revents != 0) read_requests();
    if (answers_length > 0) write_answers();
  }
}
#endif
