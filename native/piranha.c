/*
 * piranha: the system calls that Node lacks, as a small Node-API addon.
 *
 * The idea: no protocol is known here. Bytes go in, bytes come out, an errno comes back as a
 * negative number; what the bytes mean is TypeScript's business (src/ports, src/wire). Every
 * function checks each argument for type and range and throws a TypeError that begins with the
 * argument's name; the kernel's refusals are never thrown. Sockets are always non-blocking and
 * close-on-exec; only `ppoll` blocks. There is no global mutable state, so each worker thread may
 * load the addon and use it at the same time.
 *
 * Rejected: one generic syscall() (any number is reachable, pointers leak into TypeScript, numbers
 * differ between architectures); a foreign-function package (megabytes, a moving interface, and no
 * safer); C++ wrappers (need a C++ runtime of the right age). Options and requests that carry
 * pointers are refused for the same reason.
 *
 * The face in TypeScript, with the meaning of every argument, is `Native` in src/ports/native.ts.
 * Source: socket(7), packet(7), netlink(7), recvmmsg(2), ppoll(2), sched(7), Node-API version 8,
 * libuv uv_poll_t.
 */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <node_api.h>
#include <uv.h>

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef SOURCE_SHA256
#error "build with native/build.sh, which says which source this is"
#endif

enum {
  MAX_ARGUMENTS = 6,
  MAX_MESSAGES = 64,      /* of one recvmmsg or sendmmsg */
  MAX_POLLED = 1024,      /* descriptors of one ppoll */
  MAX_TRANSFER = 1 << 24, /* bytes of one arena or datagram; far above what a socket takes */
  MAX_OPTION = 4096,      /* bytes of one socket option */
  ADDRESS_STRIDE = 32,    /* one source address in recvmmsg's list: fits in, in6, ll and nl */
};

/* ---- arguments and answers ------------------------------------------------------------------- */

/* One call from JavaScript. After the first bad argument `refused` is set, a TypeError is pending,
 * and the readers below give harmless values, so that each function reads all its arguments and
 * asks once. */
typedef struct {
  napi_env env;
  napi_value argument[MAX_ARGUMENTS];
  bool refused;
} Call;

typedef struct {
  void *data;
  size_t length; /* in elements */
} View;

static Call enter(napi_env env, napi_callback_info info) {
  Call call = {.env = env, .refused = false};
  size_t count = MAX_ARGUMENTS; /* missing arguments are filled in as undefined */
  call.refused = napi_get_cb_info(env, info, &count, call.argument, NULL, NULL) != napi_ok;
  return call;
}

static void refuse(Call *call, const char *name, const char *wish) {
  char sentence[160];
  if (call->refused) return;
  call->refused = true;
  snprintf(sentence, sizeof sentence, "%s: %s", name, wish);
  napi_throw_type_error(call->env, NULL, sentence);
}

static napi_value number(Call *call, double value) {
  napi_value made = NULL;
  napi_create_double(call->env, value, &made);
  return made;
}

/* The result of a system call: itself, or the negative errno. */
static napi_value answer(Call *call, int64_t result) {
  return number(call, result < 0 ? -(double)errno : (double)result);
}

static bool is_type(Call *call, size_t at, napi_valuetype wanted) {
  napi_valuetype type;
  return !call->refused && napi_typeof(call->env, call->argument[at], &type) == napi_ok &&
         type == wanted;
}

static int64_t integer(Call *call, size_t at, const char *name, int64_t least, int64_t most) {
  double value = 0;
  if (call->refused) return least;
  if (napi_get_value_double(call->env, call->argument[at], &value) == napi_ok &&
      value >= (double)least && value <= (double)most && value == (double)(int64_t)value)
    return (int64_t)value;
  char wish[96];
  snprintf(wish, sizeof wish, "a whole number from %lld to %lld is needed", (long long)least,
           (long long)most);
  refuse(call, name, wish);
  return least;
}

static int descriptor(Call *call, size_t at) { return (int)integer(call, at, "fd", 0, INT_MAX); }

static View view(Call *call, size_t at, const char *name, napi_typedarray_type type, size_t least,
                 size_t most) {
  View found = {NULL, 0};
  napi_typedarray_type actual;
  bool is_array = false;
  if (call->refused) return found;
  if (napi_is_typedarray(call->env, call->argument[at], &is_array) == napi_ok && is_array &&
      napi_get_typedarray_info(call->env, call->argument[at], &actual, &found.length, &found.data,
                               NULL, NULL) == napi_ok &&
      actual == type && found.length >= least && found.length <= most)
    return found;
  char wish[96];
  snprintf(wish, sizeof wish, "%s with %zu to %zu elements is needed",
           type == napi_uint8_array ? "a Uint8Array" : "an Int32Array", least, most);
  refuse(call, name, wish);
  return (View){NULL, 0};
}

static View bytes(Call *call, size_t at, const char *name, size_t least, size_t most) {
  return view(call, at, name, napi_uint8_array, least, most);
}

/* A socket address as the kernel has it: at least the family. */
static View address(Call *call, size_t at) {
  return bytes(call, at, "address", sizeof(sa_family_t), sizeof(struct sockaddr_storage));
}

static View optional_address(Call *call, size_t at) {
  return is_type(call, at, napi_undefined) ? (View){NULL, 0} : address(call, at);
}

/* Text of 1 to room-1 bytes without a zero byte, which would hide its tail from the kernel. */
static void text(Call *call, size_t at, const char *name, char *into, size_t room) {
  size_t length = 0;
  into[0] = 0;
  if (call->refused) return;
  if (napi_get_value_string_utf8(call->env, call->argument[at], NULL, 0, &length) == napi_ok &&
      length > 0 && length < room &&
      napi_get_value_string_utf8(call->env, call->argument[at], into, room, &length) == napi_ok &&
      strlen(into) == length)
    return;
  char wish[96];
  snprintf(wish, sizeof wish, "a text of 1 to %zu bytes without zero bytes is needed", room - 1);
  refuse(call, name, wish);
}

/* ---- sockets --------------------------------------------------------------------------------- */

/* socket(domain, type, protocol): only the kinds this project has a use for. */
static napi_value socket_open(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int domain = (int)integer(&call, 0, "domain", 0, INT_MAX);
  int type = (int)integer(&call, 1, "type", 0, INT_MAX);
  int protocol = (int)integer(&call, 2, "protocol", 0, 0xffff);
  if (domain != AF_NETLINK && domain != AF_PACKET && domain != AF_INET && domain != AF_INET6 &&
      domain != AF_UNIX)
    refuse(&call, "domain", "AF_UNIX, AF_INET, AF_INET6, AF_NETLINK or AF_PACKET is needed");
  if (type != SOCK_DGRAM && (type != SOCK_RAW || domain == AF_UNIX))
    refuse(&call, "type", "SOCK_DGRAM, or except for AF_UNIX SOCK_RAW, is needed");
  if (call.refused) return NULL;
  return answer(&call, socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

typedef int Addressed(int fd, const struct sockaddr *address, socklen_t length);

static napi_value with_address(napi_env env, napi_callback_info info, Addressed *system_call) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0);
  View to = address(&call, 1);
  return call.refused ? NULL : answer(&call, system_call(fd, to.data, (socklen_t)to.length));
}

static napi_value socket_bind(napi_env env, napi_callback_info info) {
  return with_address(env, info, bind);
}

static napi_value socket_connect(napi_env env, napi_callback_info info) {
  return with_address(env, info, connect);
}

/* The name a socket is bound to: writes it and gives its length. */
static napi_value socket_name(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0);
  View into = address(&call, 1);
  socklen_t length = (socklen_t)into.length;
  if (call.refused) return NULL;
  int result = getsockname(fd, into.data, &length);
  return answer(&call, result < 0 ? result : (int64_t)length);
}

/* Options that hold a pointer, or whose length is not in bytes, would let TypeScript read or write
 * any memory. */
static bool is_plain_option(int level, int name) {
  switch (level) {
    case SOL_SOCKET: return name != SO_ATTACH_FILTER && name != SO_ATTACH_REUSEPORT_CBPF;
    case SOL_PACKET: return name != PACKET_FANOUT_DATA;
    case IPPROTO_IP: return name < 64;                  /* from 64 on: iptables, IPVS */
    case IPPROTO_IPV6: return name != 64 && name != 65; /* ip6tables */
    case IPPROTO_ICMPV6:
    case SOL_RAW:
    case SOL_NETLINK: return true;
    default: return false;
  }
}

static void option(Call *call, int *level, int *name) {
  *level = (int)integer(call, 1, "level", 0, INT_MAX);
  *name = (int)integer(call, 2, "name", 0, INT_MAX);
  if (!call->refused && !is_plain_option(*level, *name))
    refuse(call, "name", "this level and option is not one that this project uses");
}

/* setsockopt(fd, level, name, value): an int or bytes. */
static napi_value socket_set(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0), level, name, small = 0;
  option(&call, &level, &name);
  View value = {&small, sizeof small};
  if (is_type(&call, 3, napi_number))
    small = (int)integer(&call, 3, "value", INT_MIN, INT_MAX);
  else
    value = bytes(&call, 3, "value", 1, MAX_OPTION);
  if (call.refused) return NULL;
  return answer(&call, setsockopt(fd, level, name, value.data, (socklen_t)value.length));
}

/* getsockopt(fd, level, name, into): gives the number of bytes written. */
static napi_value socket_get(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0), level, name;
  option(&call, &level, &name);
  View into = bytes(&call, 3, "into", 1, MAX_OPTION);
  socklen_t length = (socklen_t)into.length;
  if (call.refused) return NULL;
  int result = getsockopt(fd, level, name, into.data, &length);
  return answer(&call, result < 0 ? result : (int64_t)length);
}

/* attachFilter(fd, instructions): a classic BPF program, eight bytes an instruction. */
static napi_value socket_filter(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0);
  View program = bytes(&call, 1, "instructions", sizeof(struct sock_filter),
                       BPF_MAXINSNS * sizeof(struct sock_filter));
  if (program.length % sizeof(struct sock_filter) != 0 ||
      (uintptr_t)program.data % _Alignof(struct sock_filter) != 0)
    refuse(&call, "instructions", "eight bytes an instruction, aligned to four, are needed");
  if (call.refused) return NULL;
  struct sock_fprog filter = {(unsigned short)(program.length / sizeof(struct sock_filter)),
                              program.data};
  return answer(&call, setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter));
}

/* send(fd, bytes, address | undefined) */
static napi_value socket_send(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0);
  View data = bytes(&call, 1, "bytes", 0, MAX_TRANSFER);
  View to = optional_address(&call, 2);
  if (call.refused) return NULL;
  return answer(&call,
                sendto(fd, data.data, data.length, MSG_DONTWAIT, to.data, (socklen_t)to.length));
}

/* recvmmsg(fd, arena, stride, lengths, addresses | undefined): message i lies at i * stride of the
 * arena, its source at i * ADDRESS_STRIDE of addresses; a message that did not fit has its negative
 * length. Gives their number. */
static napi_value socket_receive(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0);
  View arena = bytes(&call, 1, "arena", 1, MAX_TRANSFER);
  size_t stride = (size_t)integer(&call, 2, "stride", 1, MAX_TRANSFER);
  View lengths = view(&call, 3, "lengths", napi_int32_array, 1, MAX_TRANSFER);
  bool wants_addresses = !is_type(&call, 4, napi_undefined);
  View from = wants_addresses ? bytes(&call, 4, "addresses", ADDRESS_STRIDE, MAX_TRANSFER)
                              : (View){NULL, 0};
  if (arena.length < stride) refuse(&call, "stride", "not more than the arena's length is needed");
  if (call.refused) return NULL;

  struct mmsghdr messages[MAX_MESSAGES];
  struct iovec parts[MAX_MESSAGES];
  size_t count = arena.length / stride;
  if (count > lengths.length) count = lengths.length;
  if (wants_addresses && count > from.length / ADDRESS_STRIDE) count = from.length / ADDRESS_STRIDE;
  if (count > MAX_MESSAGES) count = MAX_MESSAGES;
  memset(messages, 0, count * sizeof *messages);
  if (wants_addresses) memset(from.data, 0, count * ADDRESS_STRIDE);
  for (size_t i = 0; i < count; i++) {
    parts[i] = (struct iovec){(char *)arena.data + i * stride, stride};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = wants_addresses ? (char *)from.data + i * ADDRESS_STRIDE : NULL;
    messages[i].msg_hdr.msg_namelen = wants_addresses ? ADDRESS_STRIDE : 0;
  }
  int received = recvmmsg(fd, messages, (unsigned)count, MSG_DONTWAIT, NULL);
  for (int i = 0; i < received; i++) {
    int32_t length = (int32_t)messages[i].msg_len;
    ((int32_t *)lengths.data)[i] = messages[i].msg_hdr.msg_flags & MSG_TRUNC ? -length : length;
  }
  return answer(&call, received);
}

/* sendmmsg(fd, arena, lengths, address | undefined): messages lie one after the other. Gives the
 * number sent. */
static napi_value socket_send_many(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0);
  View arena = bytes(&call, 1, "arena", 1, MAX_TRANSFER);
  View lengths = view(&call, 2, "lengths", napi_int32_array, 1, MAX_MESSAGES);
  View to = optional_address(&call, 3);
  struct mmsghdr messages[MAX_MESSAGES];
  struct iovec parts[MAX_MESSAGES];
  size_t offset = 0;
  memset(messages, 0, lengths.length * sizeof *messages);
  for (size_t i = 0; i < lengths.length && !call.refused; i++) {
    int32_t length = ((int32_t *)lengths.data)[i];
    if (length < 0 || (size_t)length > arena.length - offset) {
      refuse(&call, "lengths",
             "lengths from 0 on whose sum is not more than the arena's length are needed");
      break;
    }
    parts[i] = (struct iovec){(char *)arena.data + offset, (size_t)length};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = to.data;
    messages[i].msg_hdr.msg_namelen = (socklen_t)to.length;
    offset += (size_t)length;
  }
  if (call.refused) return NULL;
  return answer(&call, sendmmsg(fd, messages, (unsigned)lengths.length, MSG_DONTWAIT));
}

/* close(fd): from 3 on; standard input, output and error are not ours to close. */
static napi_value socket_close(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = (int)integer(&call, 0, "fd", 3, INT_MAX);
  return call.refused ? NULL : answer(&call, close(fd));
}

/* ---- waiting without the event loop ---------------------------------------------------------- */

/* ppoll(fds, events, timeoutMs): events[i] holds what to wait for and then what happened. Gives how
 * many. */
static napi_value wait_for(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  View fds = view(&call, 0, "fds", napi_int32_array, 0, MAX_POLLED);
  View events = view(&call, 1, "events", napi_int32_array, fds.length, MAX_POLLED);
  double timeout = 0;
  if (!call.refused &&
      (napi_get_value_double(env, call.argument[2], &timeout) != napi_ok || !(timeout >= 0)))
    refuse(&call, "timeoutMs", "milliseconds from 0 on, or Infinity, are needed");
  if (call.refused) return NULL;

  struct pollfd polled[MAX_POLLED];
  for (size_t i = 0; i < fds.length; i++)
    polled[i] = (struct pollfd){((int32_t *)fds.data)[i], (short)((int32_t *)events.data)[i], 0};
  bool is_bounded = timeout < 1e12; /* 31 years */
  int64_t seconds = is_bounded ? (int64_t)(timeout / 1e3) : 0;
  long nanoseconds = is_bounded ? (long)((timeout - (double)seconds * 1e3) * 1e6) : 0;
  struct timespec limit = {(time_t)seconds, nanoseconds};
  int ready = ppoll(polled, fds.length, is_bounded ? &limit : NULL, NULL);
  for (size_t i = 0; ready >= 0 && i < fds.length; i++)
    ((int32_t *)events.data)[i] = polled[i].revents;
  return answer(&call, ready);
}

/* eventfd(): a counter that a thread may raise to wake another one. */
static napi_value counter_open(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  return call.refused ? NULL : answer(&call, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static napi_value counter_add(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0);
  uint64_t value = (uint64_t)integer(&call, 1, "value", 1, INT64_C(1) << 53);
  return call.refused ? NULL : answer(&call, eventfd_write(fd, value));
}

/* eventfdRead(fd): gives the sum and clears it; -EAGAIN when it is zero. */
static napi_value counter_take(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0);
  eventfd_t value = 0;
  if (call.refused) return NULL;
  int result = eventfd_read(fd, &value);
  return answer(&call, result < 0 ? result : (int64_t)(value & INT64_MAX));
}

/* ---- clock, thread, interfaces --------------------------------------------------------------- */

/* clock(id): milliseconds with fractions. */
static napi_value clock_read(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  clockid_t id = (clockid_t)integer(&call, 0, "id", 0, INT_MAX);
  if (id != CLOCK_REALTIME && id != CLOCK_MONOTONIC && id != CLOCK_BOOTTIME)
    refuse(&call, "id", "CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME is needed");
  struct timespec now;
  if (call.refused) return NULL;
  if (clock_gettime(id, &now) < 0) return answer(&call, -1);
  return number(&call, (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6);
}

/* setRealtime(priority): this thread becomes SCHED_RR; 0 gives it back to SCHED_OTHER. Children
 * never inherit it. */
static napi_value realtime_set(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  struct sched_param parameter = {.sched_priority = (int)integer(&call, 0, "priority", 0, 99)};
  int policy = parameter.sched_priority == 0 ? SCHED_OTHER : SCHED_RR | SCHED_RESET_ON_FORK;
  return call.refused ? NULL : answer(&call, sched_setscheduler(0, policy, &parameter));
}

/* getRealtime(): the SCHED_RR priority of this thread, 0 when it has another class. */
static napi_value realtime_get(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  struct sched_param parameter = {0};
  if (call.refused) return NULL;
  int policy = sched_getscheduler(0);
  if (policy < 0 || sched_getparam(0, &parameter) < 0) return answer(&call, -1);
  return number(&call, (policy & ~SCHED_RESET_ON_FORK) == SCHED_RR ? parameter.sched_priority : 0);
}

/* setThreadName(name): what ps -L and top show for this thread. */
static napi_value thread_name_set(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  char name[16];
  text(&call, 0, "name", name, sizeof name);
  return call.refused ? NULL : answer(&call, prctl(PR_SET_NAME, name));
}

/* enterNetwork(fd): this thread, and no other, moves into the network namespace that fd refers to
 * (setns(2)). Sockets that it opens from now on belong there; those it has keep theirs. The lab's
 * observer watches six namespaces so. */
static napi_value network_enter(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0);
  return call.refused ? NULL : answer(&call, setns(fd, CLONE_NEWNET));
}

static napi_value interface_index(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  char name[IF_NAMESIZE];
  text(&call, 0, "name", name, sizeof name);
  if (call.refused) return NULL;
  unsigned index = if_nametoindex(name);
  return answer(&call, index == 0 ? -1 : (int64_t)index);
}

static napi_value interface_name(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  unsigned index = (unsigned)integer(&call, 0, "index", 1, INT_MAX);
  char name[IF_NAMESIZE];
  napi_value made = NULL;
  if (call.refused) return NULL;
  if (if_indextoname(index, name) == NULL) return answer(&call, -1);
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &made);
  return made;
}

/* ---- waiting in the event loop --------------------------------------------------------------- */

/*
 * A watch has two owners: the JavaScript object that stands for it (until it is collected) and
 * libuv (until the handle is closed). The last one frees it. The environment may go first, a worker
 * that ends with its watches open: the asynchronous cleanup hook then closes the handle, and Node
 * waits for that before the loop goes.
 */
typedef struct {
  uv_poll_t handle;
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  int owners;
  bool is_closing;
} Watch;

static const napi_type_tag watch_tag = {0x70697261776174ULL, 0x6368206f66206664ULL};

static void watch_disown(Watch *watch) {
  if (--watch->owners == 0) free(watch);
}

static void watch_collected(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  watch_disown(data);
}

static void watch_closed(uv_handle_t *handle) {
  Watch *watch = handle->data;
  if (watch->cleanup != NULL) napi_remove_async_cleanup_hook(watch->cleanup);
  watch_disown(watch);
}

static void watch_close(Watch *watch) {
  if (watch->is_closing) return;
  watch->is_closing = true;
  if (watch->callback != NULL) napi_delete_reference(watch->env, watch->callback);
  if (watch->context != NULL) napi_async_destroy(watch->env, watch->context);
  uv_close((uv_handle_t *)&watch->handle, watch_closed);
}

static void watch_environment_ends(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle; /* the same as watch->cleanup, given back when the handle is closed */
  watch_close(data);
}

static void watch_fired(uv_poll_t *handle, int status, int events) {
  Watch *watch = handle->data;
  napi_env env = watch->env;
  napi_handle_scope scope;
  napi_value receiver, callback, argument, error;
  bool has_failed = false;
  (void)events;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_global(env, &receiver) == napi_ok &&
      napi_get_reference_value(env, watch->callback, &callback) == napi_ok &&
      napi_create_int32(env, status, &argument) == napi_ok)
    napi_make_callback(env, watch->context, receiver, callback, 1, &argument, NULL);
  /* What the callback throws becomes an uncaughtException, as from any callback of the loop. */
  if (napi_is_exception_pending(env, &has_failed) == napi_ok && has_failed &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok)
    napi_fatal_exception(env, error);
  napi_close_handle_scope(env, scope);
}

/* watch(fd, callback): calls callback(0), or callback(-errno), each time the loop finds fd
 * readable. */
static napi_value watch_open(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  int fd = descriptor(&call, 0);
  uv_loop_t *loop = NULL;
  if (!is_type(&call, 1, napi_function)) refuse(&call, "callback", "a function is needed");
  if (call.refused || napi_get_uv_event_loop(env, &loop) != napi_ok) return NULL;

  Watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return number(&call, -ENOMEM);
  /* The codes of libuv are negative errnos on Linux. */
  int result = uv_poll_init(loop, &watch->handle, fd);
  if (result != 0) {
    free(watch);
    return number(&call, result);
  }
  watch->handle.data = watch;
  watch->env = env;
  watch->owners = 2;
  napi_value object, label;
  bool is_held = napi_create_object(env, &object) == napi_ok &&
                 napi_wrap(env, object, watch, watch_collected, NULL, NULL) == napi_ok;
  if (!is_held) watch->owners = 1;
  bool is_complete =
      is_held && napi_type_tag_object(env, object, &watch_tag) == napi_ok &&
      napi_create_string_utf8(env, "piranha.watch", NAPI_AUTO_LENGTH, &label) == napi_ok &&
      napi_async_init(env, NULL, label, &watch->context) == napi_ok &&
      napi_create_reference(env, call.argument[1], 1, &watch->callback) == napi_ok &&
      napi_add_async_cleanup_hook(env, watch_environment_ends, watch, &watch->cleanup) == napi_ok;
  result = is_complete ? uv_poll_start(&watch->handle, UV_READABLE, watch_fired) : -EAGAIN;
  if (result == 0) return object;
  watch_close(watch);
  return number(&call, result);
}

/* unwatch(watcher): no callback comes after it; a second time it does nothing. */
static napi_value watch_stop(napi_env env, napi_callback_info info) {
  Call call = enter(env, info);
  bool is_ours = false;
  Watch *watch = NULL;
  if (!is_type(&call, 0, napi_object) ||
      napi_check_object_type_tag(env, call.argument[0], &watch_tag, &is_ours) != napi_ok ||
      !is_ours || napi_unwrap(env, call.argument[0], (void **)&watch) != napi_ok)
    refuse(&call, "watcher", "what watch gave is needed");
  else
    watch_close(watch);
  return NULL;
}

/* ---- the module ------------------------------------------------------------------------------ */

#define FUNCTION(name, body) {name, NULL, body, NULL, NULL, NULL, napi_enumerable, NULL}

NAPI_MODULE_INIT() {
  napi_value hash = NULL, stride = NULL;
  napi_create_string_utf8(env, SOURCE_SHA256, NAPI_AUTO_LENGTH, &hash);
  napi_create_int32(env, ADDRESS_STRIDE, &stride);
  const napi_property_descriptor face[] = {
      {"sourceHash", NULL, NULL, NULL, NULL, hash, napi_enumerable, NULL},
      {"addressStride", NULL, NULL, NULL, NULL, stride, napi_enumerable, NULL},
      FUNCTION("socket", socket_open),
      FUNCTION("bind", socket_bind),
      FUNCTION("connect", socket_connect),
      FUNCTION("getsockname", socket_name),
      FUNCTION("setsockopt", socket_set),
      FUNCTION("getsockopt", socket_get),
      FUNCTION("attachFilter", socket_filter),
      FUNCTION("send", socket_send),
      FUNCTION("recvmmsg", socket_receive),
      FUNCTION("sendmmsg", socket_send_many),
      FUNCTION("close", socket_close),
      FUNCTION("ppoll", wait_for),
      FUNCTION("eventfd", counter_open),
      FUNCTION("eventfdWrite", counter_add),
      FUNCTION("eventfdRead", counter_take),
      FUNCTION("clock", clock_read),
      FUNCTION("setRealtime", realtime_set),
      FUNCTION("getRealtime", realtime_get),
      FUNCTION("setThreadName", thread_name_set),
      FUNCTION("enterNetwork", network_enter),
      FUNCTION("interfaceIndex", interface_index),
      FUNCTION("interfaceName", interface_name),
      FUNCTION("watch", watch_open),
      FUNCTION("unwatch", watch_stop),
  };
  napi_define_properties(env, exports, sizeof face / sizeof *face, face);
  return exports;
}
