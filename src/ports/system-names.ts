/**
 * Names of hosts and services from the machine's own files (hosts(5), services(5)), read when first asked for.
 *
 * Rejected: DNS. A director that starts while the network is down must come to the same answer as yesterday, and one
 * that waits for a name server fails over late.
 */
import { readFileSync } from 'node:fs';
import { type IpAddress, ipFamily, parseIpAddress } from '../base/index.ts';

export type SystemNames = {
  /** The first IPv4 address of a name in the hosts file, as the original takes the first A record. */
  readonly resolve: (name: string) => IpAddress | undefined;
  readonly servicePort: (name: string, protocol: 'tcp' | 'udp') => number | undefined;
};

/** The files may be missing: then no name is known. */
export function systemNames(hosts = '/etc/hosts', services = '/etc/services'): SystemNames {
  let hostRows: readonly Row[] | undefined;
  let serviceRows: readonly Row[] | undefined;
  return {
    resolve: (name) => {
      hostRows ??= rowsOf(hosts);
      const wanted = name.toLowerCase();
      for (const [address = '', ...names] of hostRows) {
        const parsed = parseIpAddress(address);
        if (!parsed.ok || ipFamily(parsed.value) !== 4) continue;
        if (names.some((known) => known.toLowerCase() === wanted)) return parsed.value;
      }
      return undefined;
    },
    servicePort: (name, protocol) => {
      serviceRows ??= rowsOf(services);
      for (const [official, place = '', ...aliases] of serviceRows) {
        const [port, itsProtocol] = place.split('/');
        if (itsProtocol !== protocol) continue;
        if (official === name || aliases.includes(name)) return Number(port);
      }
      return undefined;
    },
  };
}

type Row = readonly string[];

/** Lines as words, comments and blank lines left out. */
function rowsOf(file: string): readonly Row[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return []; // a machine without the file knows no names
  }
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/));
}
