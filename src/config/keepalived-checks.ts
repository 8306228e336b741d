/**
 * The checker of one real_server as check directives of lvs.cf.
 *
 * keepalived probes every `delay_loop`, and after a failure `retry` times more, `delay_before_retry` apart. Here the
 * interval is one and `fall` failures in a row count. So `fall` is retry + 1, and the interval is the one by which
 * the same time passes at most: (delay_loop + retry * delay_before_retry) / fall.
 * Source: keepalived.conf(5) "Virtual server(s)".
 */
import { compileEre } from '../base/index.ts';
import { DNS_TYPES } from '../model/index.ts';
import { type Handlers, walk } from './keepalived-left.ts';
import type { Notes } from './keepalived-notes.ts';
import type { Entry } from './keepalived-syntax.ts';
import { addressOf, commandOf, numberOf, wholeOf } from './keepalived-vrrp.ts';

/** What virtual server, real server and checker may each say; the inner one counts. Milliseconds. */
export type Timing = {
  readonly delayLoopMs?: number;
  readonly connectTimeoutMs?: number;
  readonly retry?: number;
  readonly delayBeforeRetryMs?: number;
  readonly virtualHost?: string;
};

export type ImportedCheck = {
  readonly entry: Entry;
  readonly directives: readonly (readonly [key: string, value: string])[];
};

type Growing = { -readonly [K in keyof Timing]: Timing[K] };

/** Handlers of the words of timing, which fill `timing`. */
export function timingHandlers(timing: Growing, notes: Notes): Handlers {
  const ms = (entry: Entry, byDefault: number) =>
    Math.round(numberOf(entry, { min: 0.001, max: 86_400, byDefault }, notes) * 1000);
  return {
    delay_loop: (entry) => {
      timing.delayLoopMs = ms(entry, 60);
    },
    connect_timeout: (entry) => {
      timing.connectTimeoutMs = ms(entry, 5);
    },
    retry: (entry) => {
      timing.retry = wholeOf(entry, { min: 0, max: 999, byDefault: 1 }, notes);
    },
    nb_get_retry: (entry) => {
      timing.retry = wholeOf(entry, { min: 0, max: 999, byDefault: 1 }, notes);
    },
    delay_before_retry: (entry) => {
      timing.delayBeforeRetryMs = ms(entry, 1);
    },
    virtualhost: (entry) => {
      const [host = ''] = entry.args;
      const isHost = /^(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/.test(host);
      if (isHost && host.length <= 255) timing.virtualHost = host;
      else notes.add('lost', entry, 'no name of a host');
    },
  };
}

/** What stands beside the timing of a checker. */
type Draft = {
  readonly directives: [key: string, value: string][];
  retry: number;
  delayBeforeRetryMs?: number;
  timeoutMs?: number;
};

type Kind = {
  readonly kind: string;
  readonly retry: number;
  readonly delayBeforeRetryMs?: number;
  readonly handlers?: (draft: Draft, timing: Growing, notes: Notes, server: Server) => Handlers;
};

const CHECKERS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['TCP_CHECK', { kind: 'tcp', retry: 1, delayBeforeRetryMs: 1000 }],
  ['HTTP_GET', { kind: 'http', retry: 1, delayBeforeRetryMs: 3000, handlers: httpHandlers }],
  ['SSL_GET', { kind: 'https', retry: 1, delayBeforeRetryMs: 3000, handlers: httpHandlers }],
  ['SMTP_CHECK', { kind: 'smtp', retry: 1, delayBeforeRetryMs: 1000, handlers: smtpHandlers }],
  ['DNS_CHECK', { kind: 'dns', retry: 3, handlers: dnsHandlers }],
  ['MISC_CHECK', { kind: 'program', retry: 0, delayBeforeRetryMs: 1000, handlers: miscHandlers }],
  ['PING_CHECK', { kind: 'ping', retry: 1, delayBeforeRetryMs: 1000 }],
  ['UDP_CHECK', { kind: 'ping', retry: 1, delayBeforeRetryMs: 1000, handlers: udpHandlers }],
]);

export function isChecker(key: string): boolean {
  return CHECKERS.has(key);
}

type Server = { readonly address: string; readonly port: number };

/** `server` is what %h and %p stand for. Undefined when nothing can be made of it, which has been told. */
export function readCheck(
  entry: Entry,
  outer: Timing,
  server: Server,
  notes: Notes,
): ImportedCheck | undefined {
  const checker = CHECKERS.get(entry.key);
  if (checker === undefined) return undefined;
  const timing: Growing = { ...outer };
  const draft: Draft = { directives: [['check', checker.kind]], retry: checker.retry };
  const own = checker.handlers?.(draft, timing, notes, server) ?? {};
  const handlers = {
    ...timingHandlers(timing, notes),
    ...connectHandlers(draft, server, notes),
    ...own,
  };
  walk(entry.children ?? [], handlers, notes);
  const { directives } = draft;
  if (entry.key === 'UDP_CHECK' && !isUdp(draft)) {
    const sentence = 'without require_reply silence is good; here a ping takes its place';
    notes.add('changed', entry, sentence);
  }
  const program = directives.find(([key]) => key === 'send_program');
  if (checker.kind === 'program' && program === undefined) {
    notes.add('lost', entry, 'without a misc_path it checks nothing');
    return undefined;
  }
  if (program !== undefined) program[1] = withPlaceholders(program[1], server);
  if (checker.kind.startsWith('http') && timing.virtualHost !== undefined) {
    directives.push(['http_host', timing.virtualHost]);
  }
  const intervalMs = timing.delayLoopMs ?? 60_000;
  const between = timing.delayBeforeRetryMs ?? checker.delayBeforeRetryMs ?? intervalMs;
  const retry = timing.retry ?? checker.retry;
  const fallbackMs = checker.kind === 'program' ? intervalMs : 5000;
  const timeoutMs =
    draft.timeoutMs ??
    (checker.kind === 'program' ? fallbackMs : (timing.connectTimeoutMs ?? fallbackMs));
  directives.push(...timingDirectives({ intervalMs, between, retry, timeoutMs }));
  return { entry, directives };
}

/** The runner leaves a probe out that is due while the last one still waits, so the limit may exceed the interval. */
export function timingDirectives(of: {
  readonly intervalMs: number;
  readonly between: number;
  readonly retry: number;
  readonly timeoutMs: number;
}): [string, string][] {
  const fall = Math.min(1000, of.retry + 1);
  const same = Math.ceil((of.intervalMs + of.retry * of.between) / fall);
  const interval = Math.min(86_400_000, Math.max(10, same));
  return [
    ['check_interval_ms', String(interval)],
    ['check_timeout_ms', String(Math.max(1, Math.min(of.timeoutMs, 86_400_000)))],
    ['fall', String(fall)],
    ['rise', '1'],
  ];
}

/** `/bin/check 198.51.100.21 80` is one check for every server when it names the server by %h and %p. */
function withPlaceholders(command: string, { address, port }: Server): string {
  const words = command.split(' ');
  const hasAddress = words.includes(address);
  return words
    .map((word) => (word === address ? '%h' : hasAddress && word === String(port) ? '%p' : word))
    .join(' ');
}

/** Its own address and port are what a server is asked at anyway. */
function connectHandlers(draft: Draft, server: Server, notes: Notes): Handlers {
  return {
    connect_ip: (entry) => {
      const address = addressOf(entry.args[0]);
      if (address === undefined) notes.add('lost', entry, 'no IP address');
      else if (address !== server.address) draft.directives.push(['check_address', address]);
    },
    connect_port: (entry) => {
      const port = wholeOf(entry, { min: 1, max: 65_535, byDefault: 80 }, notes);
      if (port !== server.port) draft.directives.push(['check_port', String(port)]);
    },
  };
}

function httpHandlers(draft: Draft, timing: Growing, notes: Notes): Handlers {
  let urls = 0;
  return {
    url: (entry) => {
      if (urls++ > 0) notes.add('lost', entry, 'one address is asked for; this one is left out');
      else walk(entry.children ?? [], urlHandlers(draft, timing, notes), notes);
      const hasStatus = draft.directives.some(([key]) => key === 'http_status');
      if (!hasStatus) draft.directives.push(['http_status', '200-299']);
    },
  };
}

function urlHandlers(draft: Draft, timing: Growing, notes: Notes): Handlers {
  const { virtualhost } = timingHandlers(timing, notes);
  return {
    ...(virtualhost === undefined ? {} : { virtualhost }),
    path: (entry) => {
      const [path = ''] = entry.args;
      const isPath = /^\/[\x21-\x7e]*$/.test(path) && path.length <= 255 && !path.includes('"');
      if (isPath) draft.directives.push(['http_path', path]);
      else
        notes.add(
          'lost',
          entry,
          'a path that begins with / and has no blanks is wanted; / is taken',
        );
    },
    status_code: (entry) => {
      const codes = entry.args.filter((code) => isStatus(code)).slice(0, 20);
      if (codes.length < entry.args.length || codes.length === 0) {
        notes.add('lost', entry, 'up to 20 numbers or ranges from 100 to 599 are wanted');
      }
      if (codes.length > 0) draft.directives.push(['http_status', codes.join(',')]);
    },
    regex: (entry) => {
      const [pattern = ''] = entry.args;
      const compiled = compileEre(pattern);
      const isWritable = pattern !== '' && !/[^\x20-\x7e]/.test(pattern) && !pattern.includes('"');
      if (compiled.ok && isWritable) draft.directives.push(['http_body', pattern]);
      const why = compiled.ok ? 'it cannot be written in lvs.cf' : compiled.error;
      if (!compiled.ok || !isWritable) {
        notes.add('lost', entry, `no extended regular expression: ${why.slice(0, 100)}`);
      } else
        notes.add('changed', entry, 'read as an extended regular expression, not as one of Perl');
    },
  };
}

function isStatus(code: string): boolean {
  const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(code);
  return match !== null && Number(match[1]) <= Number(match[2] ?? match[1]);
}

function smtpHandlers(draft: Draft, timing: Growing, notes: Notes, server: Server): Handlers {
  let hosts = 0;
  return {
    helo_name: (entry) => {
      const [name = ''] = entry.args;
      if (/^[A-Za-z0-9._-]{1,255}$/.test(name)) draft.directives.push(['smtp_helo', name]);
      else notes.add('lost', entry, 'no name of a host');
    },
    host: (entry) => {
      if (hosts++ > 0) notes.add('lost', entry, 'one address is asked; this one is left out');
      else {
        const inner = {
          ...timingHandlers(timing, notes),
          ...connectHandlers(draft, server, notes),
        };
        walk(entry.children ?? [], inner, notes);
      }
    },
  };
}

function dnsHandlers(draft: Draft, _: Growing, notes: Notes): Handlers {
  return {
    type: (entry) => {
      const type = DNS_TYPES.find((known) => known === entry.args[0]?.toUpperCase());
      if (type === undefined) notes.add('changed', entry, 'no such type; SOA is asked for');
      else draft.directives.push(['dns_type', type]);
    },
    name: (entry) => {
      const [name = ''] = entry.args;
      const isName = /^(?:\.|(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?)$/.test(name) && name.length <= 255;
      if (isName) draft.directives.push(['dns_name', name]);
      else notes.add('changed', entry, 'no name of a domain; the root is asked for');
    },
  };
}

function miscHandlers(draft: Draft, _: Growing, notes: Notes): Handlers {
  return {
    misc_path: (entry) => {
      const command = commandOf(entry, notes);
      if (command !== undefined) draft.directives.push(['send_program', command]);
    },
    misc_timeout: (entry) => {
      const seconds = numberOf(entry, { min: 0.001, max: 86_400, byDefault: 60 }, notes);
      draft.timeoutMs = Math.round(seconds * 1000);
    },
    user: (entry) => notes.add('changed', entry, 'checks by program run as user and group 65534'),
  };
}

/**
 * Without require_reply keepalived takes silence for good: only an ICMP error is bad. A probe of UDP here must be
 * answered, so that case becomes a ping.
 */
function udpHandlers(draft: Draft, _: Growing, notes: Notes): Handlers {
  let payload: string | undefined;
  return {
    payload: (entry) => {
      payload = textOf(entry.args);
      if (payload === undefined) {
        notes.add(
          'lost',
          entry,
          '`send` is text: bytes that cannot be printed are not carried over',
        );
      } else if (isUdp(draft)) draft.directives.push(['send', payload]);
    },
    require_reply: (entry) => {
      draft.directives[0] = ['check', 'udp'];
      if (payload !== undefined) draft.directives.push(['send', payload]);
      const reply = textOf(entry.args);
      if (entry.args.length > 0 && reply === undefined) {
        notes.add('lost', entry, 'any answer will do: `expect` is text, these are bytes');
      } else if (reply !== undefined && reply !== '') draft.directives.push(['expect', reply]);
    },
  };
}

function isUdp({ directives }: Draft): boolean {
  return directives[0]?.[1] === 'udp';
}

/** The text of a HEX_STR; undefined when it has bytes that lvs.cf cannot say. */
function textOf(words: readonly string[]): string | undefined {
  const codes = words
    .flatMap((word) => word.match(/..?/g) ?? [])
    .map((byte) => Number.parseInt(byte, 16));
  const isText = codes.every((code) => code >= 0x20 && code < 0x7f && code !== 0x22);
  if (!isText || codes.length === 0 || codes.length > 120 || /[^0-9a-f]/i.test(words.join(''))) {
    return undefined;
  }
  return String.fromCharCode(...codes).replaceAll('\\', '\\\\');
}
