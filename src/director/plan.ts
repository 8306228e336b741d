/**
 * From an lvs.cf to what this machine has to do: which node it is, on which paths it speaks, which addresses float.
 *
 * The idea: everything that can be known to be wrong is found here, as a sentence, before a socket is opened or an
 * address touched. Pure: settings and an observation of the kernel in, a plan or the reason why not out.
 * Rejected: finding out while starting (the original binds, fails, and leaves the reader with "cannot create
 * heartbeat socket" for a wrong address, a busy port and a missing right alike).
 *
 * Source: piranha 0.8.6 behaviour (docs/protocol.md, "which node am I"); lvs.cf(5).
 */
import { err, type IpAddress, ipFamily, type MacAddress, ok, type Result } from '../base/index.ts';
import {
  type ExtendedSettings,
  type FailoverSettings,
  longestLeaseMs,
  type Path,
  SETTLE_MS,
  shortestLeaseMs,
} from '../core/index.ts';
import {
  floatingAddresses,
  type Gateway,
  type KernelAddresses,
  type Node,
  type Settings,
  type Vip,
} from '../model/index.ts';
import { type Segment, segmentsOf, type WitnessPlan, witnessPlan } from './segments.ts';

/** What the pulse worker needs of an lvs.cf; plain data, so that it can be posted to another thread. */
export type PulsePlan = {
  readonly failover: FailoverSettings;
  readonly vips: readonly Vip[];
  readonly heartbeatPort: number;
  readonly courierPort: number;
  /** Whom to ask on the segments of the VIPs; absent: nobody. */
  readonly witness?: WitnessPlan;
};

/** Who we are in this life, beside what the file says; the same through all reloads but for keys and digest. */
export type Identity = {
  readonly incarnation: number;
  readonly keys: readonly Uint8Array[];
  readonly configDigest: string;
};

/** What can be decided before anything is touched. */
export type StartDecision = { readonly node: Node; readonly plan: PulsePlan };

/**
 * Judges settings against this machine. The error is one sentence for the operator.
 * `missingCapabilities` names the Linux capabilities that are needed and not held.
 */
export function decideStart(input: {
  readonly settings: Settings;
  readonly observed: KernelAddresses;
  readonly missingCapabilities: readonly string[];
  /** Absent: the legacy dialect only. */
  readonly identity?: Identity;
  /** Default gateways of this machine. */
  readonly gateways?: readonly Gateway[];
}): Result<StartDecision, string> {
  const { settings, observed, missingCapabilities, identity, gateways = [] } = input;
  const { file } = settings;
  const node = decideNode(settings, observed);
  if (node === undefined) {
    const named = [`primary ${settings.primary}`];
    if (settings.backup !== undefined) named.push(`backup ${settings.backup}`);
    return err(`${file}: no local address matches ${named.join(' or ')}`);
  }
  const vips = floatingAddresses(settings);
  if (vips.length === 0) {
    const kind = settings.service === 'fos' ? 'failover' : 'virtual';
    return err(`${file}: no ${kind} service is active: nothing to fail over`);
  }
  if (settings.deadtimeMs <= settings.keepaliveMs) {
    return err(
      `${file}: deadtime (${settings.deadtimeMs} ms) must be greater than keepalive (${settings.keepaliveMs} ms)`,
    );
  }
  const [missing] = missingCapabilities;
  if (missing !== undefined) {
    return err(`${missingCapabilities.join(' and ')} missing: run pulse as root, or grant it`);
  }
  const homeless = vips.find((vip) => !observed.links.some((link) => link.name === vip.device));
  if (homeless !== undefined) {
    const { file: where, line } = homeless.origin;
    return err(
      `${where}:${line}: interface ${homeless.device} of VIP ${homeless.address} does not exist`,
    );
  }
  if (node === 'backup' && !settings.backupActive) {
    return err(`${file}: backup node marked inactive, exiting`);
  }
  const unfit = leaseTooLong(settings) ?? leaseTooShort(settings);
  if (unfit !== undefined) return err(unfit);
  const life = identity && { identity, observed, gateways };
  return ok({ node, plan: pulsePlan(settings, node, life) });
}

/** The node whose address one of our interfaces carries; the primary's is asked first, as the original does. */
export function decideNode(settings: Settings, observed: KernelAddresses): Node | undefined {
  const isLocal = (address: IpAddress | undefined): boolean =>
    address !== undefined && observed.rows.some((row) => row.address === address);
  if (isLocal(settings.primary)) return 'primary';
  return isLocal(settings.backup) ? 'backup' : undefined;
}

/** What is known of this life of ours and of this machine. */
type Life = {
  readonly identity: Identity;
  readonly observed: KernelAddresses;
  readonly gateways: readonly Gateway[];
};

export function pulsePlan(settings: Settings, node: Node, life?: Life): PulsePlan {
  const vips = floatingAddresses(settings);
  const paths = heartbeatPaths(settings, node);
  const witness = life && witnessPlan(settings, life.gateways);
  const partners = paths.map(({ partner }) => partner);
  const segments = witness ? segmentsOf(vips, partners, witness, life.observed) : [];
  const { asksWitnesses, unasked, ...heard } = whoIsAsked(segments, vips);
  const refreshMs = (settings.announceRefreshSeconds ?? 60) * 1000;
  const isExtended = life !== undefined && settings.dialect === 'auto';
  return {
    failover: {
      node,
      ...(settings.service === 'fos' && { service: 'fos' }),
      paths,
      keepaliveMs: settings.keepaliveMs,
      deadtimeMs: settings.deadtimeMs,
      dialect: settings.dialect,
      failback: settings.failback,
      monitorLinks: settings.monitorLinks,
      vips: vips.map((vip) => vip.address),
      verification: { asksWitnesses, unasked, refreshMs },
      ...(isExtended && { extended: { ...extendedSettings(settings, vips, life), ...heard } }),
    },
    vips,
    heartbeatPort: settings.heartbeatPort,
    courierPort: settings.courierPort,
    ...(witness !== undefined && { witness }),
  };
}

/** The same plan where the default routes are others: there may be somebody to ask now, or nobody any more. */
export function withGateways(
  plan: PulsePlan,
  gateways: readonly Gateway[],
  observed: KernelAddresses,
): PulsePlan {
  if (plan.witness === undefined) return plan;
  const witness = { ...plan.witness, gateways };
  const { verification, extended, paths } = plan.failover;
  const partners = paths.map(({ partner }) => partner);
  const segments = segmentsOf(plan.vips, partners, witness, observed);
  const { asksWitnesses, unasked, ...heard } = whoIsAsked(segments, plan.vips);
  return {
    ...plan,
    witness,
    failover: {
      ...plan.failover,
      ...(verification && { verification: { ...verification, asksWitnesses, unasked } }),
      ...(extended && { extended: { ...extended, ...heard } }),
    },
  };
}

function whoIsAsked(segments: readonly Segment[], vips: readonly Vip[]) {
  const asked = new Set(
    segments.flatMap(({ vips: here, witnesses }) => {
      const families = new Set(witnesses.map(ipFamily));
      return here.filter((vip) => families.has(ipFamily(vip)));
    }),
  );
  return {
    asksWitnesses: asked.size > 0,
    unasked: vips.map(({ address }) => address).filter((vip) => !asked.has(vip)),
    hasWitness: segments.some(({ neighbours }) => neighbours.length > 0),
    namesWitnesses: segments.some(({ judges }) => judges.length > 0),
  };
}

function leaseTooLong(settings: Settings): string | undefined {
  const { leaseMs, file } = settings;
  const longestMs = longestLeaseMs(settings);
  if (leaseMs === undefined || leaseMs <= longestMs) return undefined;
  const why = 'the partner would take over while the lease still lives';
  return `${file}: lease_ms ${leaseMs} is too long: ${why}; at most ${longestMs} with these timers`;
}

/** A lease that one late tick ends makes an owner that gives up and claims again for ever. */
function leaseTooShort(settings: Settings): string | undefined {
  const { leaseMs, file, keepaliveMs, deadtimeMs, dialect, backupActive, backup } = settings;
  if (dialect !== 'auto' || !backupActive || backup === undefined) return undefined;
  const shortestMs = shortestLeaseMs(settings);
  const lease = leaseMs ?? longestLeaseMs(settings);
  if (lease >= shortestMs) return undefined;
  const why = `one late heartbeat would end it; at least ${shortestMs} with these timers`;
  if (leaseMs !== undefined) return `${file}: lease_ms ${leaseMs} is too short: ${why}`;
  return (
    `${file}: deadtime (${deadtimeMs} ms) with keepalive ${keepaliveMs} ms is too tight: ` +
    `it leaves a lease of ${Math.max(0, lease)} ms, and ${why}`
  );
}

function extendedSettings(
  settings: Settings,
  vips: readonly Vip[],
  { identity, observed }: Life,
): Omit<ExtendedSettings, 'hasWitness' | 'namesWitnesses'> {
  const linkAddresses = devicesOf(vips).flatMap((device): readonly MacAddress[] => {
    const mac = observed.links.find(({ name }) => name === device)?.mac;
    return mac === undefined ? [] : [mac];
  });
  return {
    incarnation: identity.incarnation,
    settleMs: SETTLE_MS,
    delayMs: SETTLE_MS / 4,
    leaseMs: settings.leaseMs ?? Math.max(0, longestLeaseMs(settings)),
    keys: identity.keys,
    serialNo: settings.serialNo,
    configDigest: identity.configDigest,
    linkAddresses,
  };
}

/** In the order of their names: the order of the link-layer addresses in a heartbeat. */
export function devicesOf(vips: readonly Vip[]): readonly string[] {
  return [...new Set(vips.map(({ device }) => device))].sort();
}

/** Public always, private when both private addresses are given; none without a partner. */
function heartbeatPaths(settings: Settings, node: Node): readonly Path[] {
  const { primary, backup, primaryPrivate, backupPrivate } = settings;
  if (!settings.backupActive || backup === undefined) return [];
  const path = (name: Path['name'], ofPrimary: IpAddress, ofBackup: IpAddress): Path =>
    node === 'primary'
      ? { name, own: ofPrimary, partner: ofBackup }
      : { name, own: ofBackup, partner: ofPrimary };
  const paths = [path('public', primary, backup)];
  if (primaryPrivate !== undefined && backupPrivate !== undefined) {
    paths.push(path('private', primaryPrivate, backupPrivate));
  }
  return paths;
}

/**
 * A deadtime must leave room for this machine's own lateness: a keepalive may leave late here and be judged late
 * there. `worstLateMs` is the worst of a self-test of the worker's timer. Undefined: it fits.
 */
export function tooTight(
  settings: Pick<FailoverSettings, 'keepaliveMs' | 'deadtimeMs'>,
  worstLateMs: number,
): string | undefined {
  const { keepaliveMs, deadtimeMs } = settings;
  if (worstLateMs < jitterBudgetMs(settings)) return undefined;
  const needed = Math.ceil(keepaliveMs + 2 * worstLateMs) + 1;
  return (
    `deadtime (${deadtimeMs} ms) is too tight for this machine: its timers were up to ` +
    `${worstLateMs.toFixed(1)} ms late, which with keepalive ${keepaliveMs} ms calls for at least ${needed} ms`
  );
}

/** The lateness that two directors together can bear: half of what deadtime leaves after one keepalive. */
export function jitterBudgetMs(
  settings: Pick<FailoverSettings, 'keepaliveMs' | 'deadtimeMs'>,
): number {
  return (settings.deadtimeMs - settings.keepaliveMs) / 2;
}

/** What the core knows of witnesses, to be compared. */
export function witnessesKnown({ failover }: PulsePlan): string {
  const { verification, extended } = failover;
  return JSON.stringify([verification, extended?.hasWitness, extended?.namesWitnesses]);
}
