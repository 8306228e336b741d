/**
 * The certificate of the console: the files it is given, or one of its own, made at the first start and kept.
 *
 * An own one proves nothing by itself: whoever logs in for the first time compares the fingerprint that the console
 * prints. It names the host and every address the machine has then, and is made anew when a month is left.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { writeSecret } from './users.ts';

export type Tls = { readonly cert: string; readonly key: string };
export type CertificateFiles = { readonly certificate: string; readonly key: string };

const day = 24 * 3600 * 1000;
/** Some browsers take no certificate for longer (825 days). */
const LIFE_MS = 800 * day;
const RENEW_MS = 30 * day;
/** By this name an own certificate is known again; others are not touched. */
const OWN = 'Piranha console';

export function ownFiles(stateDirectory: string): CertificateFiles {
  return {
    certificate: join(stateDirectory, 'console.crt'),
    key: join(stateDirectory, 'console.key'),
  };
}

/** Throws what the file system says, or OpenSSL of a file that is no certificate. */
export function readCertificate({ certificate, key }: CertificateFiles): Tls {
  const tls = { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
  new X509Certificate(tls.cert);
  return tls;
}

/** The own certificate, made when there is none, or when the one there is is ours and ends soon. */
export async function ownCertificate(stateDirectory: string): Promise<Tls> {
  const files = ownFiles(stateDirectory);
  if (existsSync(files.certificate) && existsSync(files.key)) {
    const tls = readCertificate(files);
    const { subject } = new X509Certificate(tls.cert);
    if (!subject.includes(OWN) || leftMs(tls) > RENEW_MS) return tls;
  }
  const { cert, private: key } = await make();
  writeSecret(files.key, key);
  writeSecret(files.certificate, cert);
  return { cert, key };
}

/** For people to compare: SHA-256, as browsers show it. */
export function fingerprintOf({ cert }: Tls): string {
  return new X509Certificate(cert).fingerprint256;
}

/** Until it ends; negative: it has ended. */
export function leftMs({ cert }: Tls): number {
  return new X509Certificate(cert).validToDate.getTime() - Date.now();
}

async function make(): Promise<{ readonly cert: string; readonly private: string }> {
  // Loaded when it is needed: once in two years.
  const { default: selfsigned } = await import('selfsigned');
  const ips = [...new Set(['127.0.0.1', '::1', ...ownAddresses()])].slice(0, 64);
  return await selfsigned.generate([{ name: 'commonName', value: OWN }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - day),
    notAfterDate: new Date(Date.now() + LIFE_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...[...new Set([hostname(), 'localhost'])].map((value) => ({ type: 2 as const, value })),
          ...ips.map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
}

/** None where a unit lets us see no network: then the certificate names the host alone. */
function ownAddresses(): readonly string[] {
  try {
    const rows = Object.values(networkInterfaces()).flatMap((it) => it ?? []);
    return rows.map(({ address }) => address.replace(/%.*$/, ''));
  } catch {
    return []; // AF_NETLINK is forbidden
  }
}
