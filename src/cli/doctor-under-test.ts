/**
 * What the tests of the doctor share: a segment with directors, real servers near and far, and the page as programs get it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { CliSegment, type TestHost, until, VIP } from './segment-under-test.ts';

export type Finding = {
  readonly check: string;
  readonly severity: string;
  readonly text: string;
  readonly evidence?: readonly string[];
  readonly cures?: readonly { readonly on: string; readonly command: string }[];
  readonly frames?: readonly number[];
};
export type Page = { readonly frames?: string; readonly findings: readonly Finding[] };

export function examine(segment: CliSegment, node: string, ...words: readonly string[]): Page {
  const ran = segment.piranha(node, 'doctor', '--json', '-c', segment.configFile, ...words);
  assert.notEqual(ran.stdout, '', ran.stderr);
  return JSON.parse(ran.stdout);
}

export function find({ findings }: Page, check: string, about = ''): Finding {
  const found = findings.find((one) => one.check === check && one.text.includes(about));
  assert.ok(found !== undefined, `${check} ${about}: ${JSON.stringify(findings)}`);
  return found;
}

/** What is not well of these checks. */
export function bad({ findings }: Page, ...checks: readonly string[]): readonly string[] {
  return findings
    .filter(({ check, severity }) => checks.includes(check) && severity !== 'good')
    .map(({ check, text }) => `${check}: ${text}`);
}

export function services(...servers: readonly (readonly [name: string, address: string])[]) {
  return [
    ...['virtual shop {', 'active = 1', `address = ${VIP} eth0:1`, 'port = 80'],
    ...servers.flatMap(([name, address]) => [
      ...[`server ${name} {`, `address = ${address}`, 'active = 1', '}'],
    ]),
    '}',
  ];
}

export const near = (number: number): string => `198.51.100.${number}`;

/** A real server of direct routing, as it should be. */
export async function addServer(
  segment: CliSegment,
  name: string,
  number: number,
): Promise<TestHost> {
  const host = await segment.add(name, number);
  host.shell(`
    echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
    echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce
    ip addr add ${VIP}/32 dev lo`);
  host.serve('0.0.0.0', 80);
  return host;
}

/** A host behind the router, at 203.0.113.21, with a route to every place by the router. */
export async function addFar(segment: CliSegment, router: TestHost): Promise<TestHost> {
  const far = await segment.add('far', 90);
  far.shell('ip link del eth0');
  const words = `link add eth1 netns ${router.pid} type veth peer name eth0 netns ${far.pid}`;
  assert.equal(spawnSync('ip', words.split(' ')).status, 0);
  router.shell(`
    ip addr add 203.0.113.1/24 dev eth1
    ip link set eth1 up
    echo 1 > /proc/sys/net/ipv4/ip_forward`);
  far.shell(`
    ip addr add 203.0.113.21/24 dev eth0
    ip link set eth0 up
    ip route add default via 203.0.113.1`);
  far.serve('0.0.0.0', 80);
  return far;
}

export async function activate(segment: CliSegment): Promise<void> {
  segment.pulse('primary');
  const isActive = () =>
    segment.piranha('primary', 'status', '--brief').stdout.includes('is active');
  await until(isActive, 'the primary to be active');
}

export async function withSegment(run: (segment: CliSegment, router: TestHost) => Promise<void>) {
  const segment = new CliSegment();
  try {
    const { router } = await segment.build();
    await run(segment, router);
  } finally {
    segment.close();
  }
}
