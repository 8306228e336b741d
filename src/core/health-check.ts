/**
 * From the words of an lvs.cf to the check of one real server: pure text work, done once per reload.
 *
 * Without a `check` directive the rules are nanny's: send_program, else send / expect / use_regex, else (TCP port 80)
 * a GET that must be answered with `HTTP`, else a connection. With one, today's procedures.
 * Deliberate differences from nanny, each documented in docs/lvs.cf.md: a program that fails or runs too long means
 * down (nanny counted it as up when `expect` was set); an answer is read until there is enough of it (nanny judged the
 * first read); UDP without `expect` takes any answer (nanny crashed on one).
 * Source: nanny(8), lvs.cf(5), piranha 0.8.6.
 */

import { parseIpAddress } from '../base/index.ts';
import {
  type Check,
  type CheckSettings,
  type CheckTiming,
  DEFAULT_CHECK_SETTINGS,
  type Expectation,
  makeCheck,
  type Procedure,
  type RealServer,
  type TlsSettings,
  type VirtualService,
} from '../model/index.ts';

const DEFAULT_PORT = 80;
const DEFAULT_SEND = 'GET / HTTP/1.0\r\n\r\n';
const DEFAULT_EXPECT = 'HTTP';
const MAX_WORDS = 40;

/** The check that decides about `server` in `service`. */
export function checkFor(
  service: VirtualService,
  server: RealServer,
  settings: CheckSettings = service.check ?? DEFAULT_CHECK_SETTINGS,
): Check {
  const address = settings.address ?? server.address;
  const port = settings.port ?? server.port;
  return makeCheck({
    address,
    port,
    ...timingOf(service, settings),
    procedure: procedureOf(service, { ...server, address, port }, settings),
  });
}

/** The check of a `failover` section: at its VIP, on the node that has it and from the other one. */
export function failoverCheck(service: VirtualService): Check {
  const { name, vip, port, origin } = service;
  return checkFor(service, {
    name,
    address: vip.address,
    port,
    isEnabled: true,
    weight: 1,
    origin,
  });
}

/** With `check_vip = 1`, the one that decides beside it: does the server answer for the VIP, as its clients ask for it? */
export function vipCheckFor(service: VirtualService, server: RealServer): Check | undefined {
  const { check: settings, vip, port } = service;
  if (settings?.isVipChecked !== true) return undefined;
  const procedure = { kind: 'knock', vip: vip.address } as const;
  return makeCheck({ address: server.address, port, ...timingOf(service, settings), procedure });
}

/** `timeout` is nanny's interval and limit at once, `reentry / timeout` (whole) the number of good probes. */
function timingOf(service: VirtualService, settings: CheckSettings): CheckTiming {
  const intervalMs = settings.intervalMs ?? Math.max(1, service.timeoutSeconds) * 1000;
  const rise = Math.max(1, Math.floor((service.reentrySeconds * 1000) / intervalMs));
  return {
    intervalMs,
    timeoutMs: settings.timeoutMs ?? intervalMs,
    rise: settings.rise ?? rise,
    fall: settings.fall,
  };
}

function procedureOf(
  service: VirtualService,
  server: RealServer,
  settings: CheckSettings,
): Procedure {
  switch (settings.kind) {
    case 'nanny':
      return nannyProcedure(service, server);
    case 'tcp':
    case 'udp':
      return exchange(settings.kind, service);
    case 'http':
      return httpProcedure(settings);
    case 'https':
      return { ...httpProcedure(settings), tls: tlsOf(settings) };
    case 'tls':
      return { kind: 'tls', tls: tlsOf(settings) };
    case 'dns':
      return { kind: 'dns', name: settings.dnsName, type: settings.dnsType };
    case 'smtp':
      return { kind: 'smtp', helo: settings.smtpHelo };
    case 'ping':
      return { kind: 'ping' };
    case 'program':
      return {
        kind: 'program',
        argv: programWords(service.sendProgram ?? '', server),
        ...(service.expect === undefined ? {} : { output: service.expect }),
      };
  }
}

function nannyProcedure(service: VirtualService, server: RealServer): Procedure {
  const { sendProgram, send, expect, protocol, port } = service;
  if (sendProgram !== undefined) {
    // Output is compared as it stands: nanny applied neither escapes nor regular expressions to it.
    return { kind: 'program', argv: programWords(sendProgram, server), output: expect ?? '' };
  }
  const saysNothing = send === undefined && expect === undefined;
  if (saysNothing && protocol === 'tcp' && port === DEFAULT_PORT) {
    return { kind: 'tcp', send: DEFAULT_SEND, expect: { kind: 'prefix', text: DEFAULT_EXPECT } };
  }
  return exchange(protocol, service);
}

function exchange(kind: 'tcp' | 'udp', service: VirtualService): Procedure {
  const { send, expect, usesRegex } = service;
  return {
    kind,
    ...(send === undefined ? {} : { send: unescapeText(send) }),
    ...(expect === undefined ? {} : { expect: expectationOf(expect, usesRegex) }),
  };
}

function expectationOf(expect: string, usesRegex: boolean): Expectation {
  if (expect === '*') return { kind: 'anything' };
  const text = unescapeText(expect);
  return usesRegex ? { kind: 'regex', pattern: text } : { kind: 'prefix', text };
}

function httpProcedure(settings: CheckSettings): Procedure & { readonly kind: 'http' } {
  const { httpMethod, httpPath, httpHost, httpStatuses, httpBody } = settings;
  return {
    kind: 'http',
    method: httpMethod,
    path: httpPath,
    statuses: httpStatuses,
    ...(httpHost === undefined ? {} : { host: httpHost }),
    ...(httpBody === undefined ? {} : { body: httpBody }),
  };
}

/** The name of the certificate is that of the site; an address is no name (RFC 6066 §3). */
function tlsOf(settings: CheckSettings): TlsSettings {
  const host = settings.httpHost?.replace(/:\d+$/, '');
  const isName = host !== undefined && !host.startsWith('[') && !parseIpAddress(host).ok;
  const name = settings.tlsName ?? (isName ? host : undefined);
  const { tlsIsVerified: isVerified, tlsMinDays: minDays } = settings;
  return name === undefined ? { isVerified, minDays } : { name, isVerified, minDays };
}

/** Words by spaces, no quotes, at most 40, as nanny; `%h` and `%p` only as whole words. */
export function programWords(text: string, server: Pick<RealServer, 'address' | 'port'>): string[] {
  const words = text.split(' ').filter((word) => word !== '');
  return words.slice(0, MAX_WORDS).map((word) => {
    if (word === '%h') return server.address;
    return word === '%p' ? String(server.port) : word;
  });
}

const ESCAPES: { readonly [letter: string]: string } = {
  '\\': '\\',
  r: '\r',
  n: '\n',
  t: '\t',
  "'": "'",
  '"': '"',
};

/** nanny's escapes `\\ \r \n \t \' \"`; any other backslash stays, and a text of one character is left alone. */
export function unescapeText(text: string): string {
  if (text.length <= 1) return text;
  return text.replace(/\\([\\rnt'"])/g, (whole, letter: string) => ESCAPES[letter] ?? whole);
}
