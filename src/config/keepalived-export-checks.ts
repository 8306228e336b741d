/**
 * How a service is checked, as a checker of keepalived: one of its own where there is one, else the nearest, and told.
 * Source: keepalived.conf(5) 2.2.7 "Virtual server(s)"; docs/lvs.cf.md "Checks".
 */
import {
  type CheckSettings,
  DEFAULT_CHECK_SETTINGS,
  type RealServer,
  type VirtualService,
} from '../model/index.ts';
import { quoted, quotedCommand, type Tell } from './keepalived-export.ts';

/** The types that DNS_CHECK knows. */
const DNS_KNOWN: readonly string[] = ['A', 'NS', 'CNAME', 'SOA', 'MX', 'TXT', 'AAAA'];

type Checker = {
  readonly name: string;
  /** `program`: the lines of MISC_CHECK depend on the server. */
  readonly lines: readonly string[];
  readonly program?: string;
};

/** The lines of the checker of a server whose line has the port `written`; what is lost is told once for the service. */
export function checkerLines(
  service: VirtualService,
  tell: Tell,
): (server: RealServer, written: number) => readonly string[] {
  const check = service.check ?? DEFAULT_CHECK_SETTINGS;
  const say = (keyword: string, sentence: string) => tell(service.origin.line, keyword, sentence);
  if (check.isVipChecked) {
    say(
      'check_vip',
      'no checker asks a server for the VIP; a MISC_CHECK on the server itself could',
    );
  }
  const checker = checkerOf(service, check, say);
  const timing = timingOf(service, check, checker.program !== undefined, say);
  return (server, written) => {
    const command = checker.program
      ?.split(' ')
      .map((word) => {
        if (word === '%h') return check.address ?? server.address;
        return word === '%p' ? String(check.port ?? server.port) : word;
      })
      .join(' ');
    const port = check.port ?? server.port;
    const hasPort = port > 0 && port !== written && checker.name !== 'PING_CHECK';
    const place = [
      ...(check.address === undefined ? [] : [`connect_ip ${check.address}`]),
      ...(hasPort ? [`connect_port ${port}`] : []),
    ];
    const inner =
      command === undefined
        ? [...checker.lines, ...place, ...timing]
        : [`misc_path ${quotedCommand(command)}`, ...timing];
    return [`${checker.name} {`, ...inner.map((line) => `    ${line}`), '}'];
  };
}

type Say = (keyword: string, sentence: string) => void;

function timingOf(
  service: VirtualService,
  check: CheckSettings,
  isProgram: boolean,
  say: Say,
): readonly string[] {
  const intervalMs = check.intervalMs ?? Math.max(1, service.timeoutSeconds) * 1000;
  const timeoutMs = check.timeoutMs ?? intervalMs;
  const rise = check.rise ?? Math.max(1, Math.floor((service.reentrySeconds * 1000) / intervalMs));
  if (rise > 1) {
    say(
      check.rise === undefined ? 'reentry' : 'rise',
      `one good check brings a server back, not ${rise}`,
    );
  }
  const limit = isProgram
    ? `misc_timeout ${Math.max(1, Math.ceil(timeoutMs / 1000))}`
    : `connect_timeout ${timeoutMs / 1000}`;
  return [
    limit,
    `delay_loop ${intervalMs / 1000}`,
    `retry ${check.fall - 1}`,
    `delay_before_retry ${intervalMs / 1000}`,
  ];
}

function checkerOf(service: VirtualService, check: CheckSettings, say: Say): Checker {
  switch (check.kind) {
    case 'nanny':
      return nannyChecker(service, say);
    case 'tcp':
      return tcpChecker(service, say);
    case 'udp':
      return udpChecker(service, say);
    case 'http':
    case 'https':
      return httpChecker(check, say);
    case 'tls':
      say('check', 'only the connection is checked: no checker ends with the TLS session');
      return { name: 'TCP_CHECK', lines: [] };
    case 'dns': {
      const isKnown = DNS_KNOWN.includes(check.dnsType);
      if (!isKnown) say('dns_type', `${check.dnsType} cannot be asked for; SOA is`);
      const lines = [`type ${isKnown ? check.dnsType : 'SOA'}`, `name ${check.dnsName}`];
      return { name: 'DNS_CHECK', lines };
    }
    case 'smtp':
      return { name: 'SMTP_CHECK', lines: [`helo_name ${check.smtpHelo}`] };
    case 'ping':
      return { name: 'PING_CHECK', lines: [] };
    case 'program':
      return programChecker(service, say);
  }
}

function nannyChecker(service: VirtualService, say: Say): Checker {
  const { send, expect, sendProgram, protocol, port } = service;
  if (sendProgram !== undefined) return programChecker(service, say);
  if (protocol === 'udp') return udpChecker(service, say);
  if (send === undefined && expect === undefined && port === 80) {
    return { name: 'HTTP_GET', lines: ['url {', '    path /', '    status_code 100-599', '}'] };
  }
  return tcpChecker(service, say);
}

function programChecker({ sendProgram = '', expect }: VirtualService, say: Say): Checker {
  if (expect !== undefined) {
    say('expect', 'the exit status of the program counts, not what it prints');
  }
  return { name: 'MISC_CHECK', lines: [], program: sendProgram };
}

function tcpChecker({ send, expect }: VirtualService, say: Say): Checker {
  const sentence = 'only the connection is checked; a MISC_CHECK can send and expect';
  if (send !== undefined) say('send', sentence);
  if (expect !== undefined && expect !== '*') say('expect', sentence);
  return { name: 'TCP_CHECK', lines: [] };
}

function udpChecker({ send, expect, usesRegex }: VirtualService, say: Say): Checker {
  const hasText = expect !== undefined && expect !== '*' && !usesRegex;
  if (expect !== undefined && !hasText && usesRegex) {
    say('expect', 'any answer will do: UDP_CHECK knows no regular expression');
  }
  const payload = send === undefined ? [] : [`payload ${hexOf(send)}`];
  return {
    name: 'UDP_CHECK',
    lines: [...payload, `require_reply${hasText ? ` ${hexOf(expect)}` : ''}`],
  };
}

/** The escapes of `send` that can stand for a byte. */
const ESCAPES = new Map([
  ['\\r', '\r'],
  ['\\n', '\n'],
  ['\\t', '\t'],
]);

/** UTF-8 in hexadecimal, the escapes of `send` resolved. */
function hexOf(text: string): string {
  const bytes = text.replace(/\\([\\rnt'"])/g, (whole, letter) => ESCAPES.get(whole) ?? letter);
  return encodeURIComponent(bytes.toWellFormed()).replace(/%(..)|(.)/g, (_, hex, plain) =>
    hex === undefined ? plain.codePointAt(0).toString(16).padStart(2, '0') : hex.toLowerCase(),
  );
}

function httpChecker(check: CheckSettings, say: Say): Checker {
  const { httpMethod, httpPath, httpHost, httpStatuses, httpBody, kind } = check;
  if (httpMethod !== 'GET') say('http_method', `${httpMethod} becomes GET`);
  if (check.tlsName !== undefined && check.tlsName !== httpHost) {
    say('tls_name', 'the name asked for is that of http_host');
  }
  if (httpPath.includes('"')) say('http_path', 'a path with a double quote cannot be written');
  if (check.tlsIsVerified) say('tls_verify', 'certificates are not verified');
  if (check.tlsMinDays > 0) say('tls_min_days', 'certificates are not looked at');
  if (httpBody !== undefined) say('http_body', 'read as a regular expression of Perl');
  const statuses = httpStatuses.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
  return {
    name: kind === 'https' ? 'SSL_GET' : 'HTTP_GET',
    lines: [
      ...(kind === 'https' ? ['enable_sni'] : []),
      'url {',
      `    path "${httpPath}"`,
      `    status_code ${statuses.join(' ')}`,
      ...(httpHost === undefined ? [] : [`    virtualhost ${httpHost}`]),
      ...(httpBody === undefined ? [] : [`    regex ${quoted(httpBody)}`]),
      '}',
    ],
  };
}
