/** How the console answers: the headers that every reply carries, problems as application/problem+json, small bodies. */
import type { ServerResponse } from 'node:http';

/**
 * Nothing from elsewhere, nothing inline, nobody may frame us. Rejected: Strict-Transport-Security, which a browser applies
 * to every port of this host, also to what has nothing to do with us.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'x-frame-options': 'DENY',
};

export type ProblemReason =
  | 'not-logged-in'
  | 'wrong-password'
  | 'too-many-attempts'
  | 'busy'
  | 'forged'
  | 'no-right'
  | 'not-found'
  | 'method'
  | 'type'
  | 'too-long'
  | 'too-slow'
  | 'no-answer';

type Headers = Readonly<Record<string, string>>;

/** `title` is a sentence. */
export function problem(
  response: ServerResponse,
  status: number,
  { title, reason, headers = {} }: { title: string; reason: ProblemReason; headers?: Headers },
): void {
  const body = { type: `urn:piranha:problem:${reason}`, title, status, reason };
  send(response, status, {
    type: 'application/problem+json',
    body: `${JSON.stringify(body)}\n`,
    headers,
  });
}

export function sendJson(response: ServerResponse, body: object, headers: Headers = {}): void {
  send(response, 200, { type: 'application/json', body: `${JSON.stringify(body)}\n`, headers });
}

/** Never kept by anybody: what it says is of this moment, and for this person. */
export function send(
  response: ServerResponse,
  status: number,
  reply: { readonly type: string; readonly body: string | Uint8Array; readonly headers?: Headers },
): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body;
  response.writeHead(status, {
    'content-type': reply.type,
    'content-length': bytes.length,
    'cache-control': 'no-store',
    ...reply.headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}

/** To another page, by GET. */
export function redirect(response: ServerResponse, location: string, headers: Headers = {}): void {
  send(response, 303, { type: 'text/plain', body: '', headers: { location, ...headers } });
}

export function html(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? '');
}
