/**
 * From two status documents to what the monitoring page says: the verdict over the pair, a card for each node, the heartbeat
 * paths both ways, whom the segment believes. Pure, so that every sentence is tested without a browser.
 *
 * The law of this file: what cannot be known is called unknown. A partner that is silent, or a console of its own that does
 * not answer, is never called down.
 */
import type { StatusDocument } from './documents.ts';
import { ageText, counted, lengthText } from './words.ts';

export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'dim';
/** Colour is never alone: each tone has its mark. */
export const MARKS: Readonly<Record<Tone, string>> = {
  good: '✓',
  warn: '!',
  bad: '✗',
  info: '○',
  dim: '–',
};

export type Node = StatusDocument['node'];

export function otherNode({ node }: { readonly node: Node }): Node {
  return node === 'primary' ? 'backup' : 'primary';
}

/** `there` is absent when the partner's director could not be asked: `why` says so in a sentence. */
export type Pair = {
  readonly here: StatusDocument;
  readonly there?: StatusDocument;
  readonly why?: string;
};

export type PairVerdict = { readonly tone: Tone; readonly title: string; readonly detail: string };

const TONES: Readonly<Record<StatusDocument['verdict']['level'], Tone>> = {
  healthy: 'good',
  degraded: 'warn',
  critical: 'bad',
  unknown: 'dim',
};

/** Who owns, does the router believe it, could the partner take over: the first line of the page. */
export function pairVerdict(pair: Pair): PairVerdict {
  const { here, there } = pair;
  const owner = ownerOf(pair);
  const detail = detailOf(pair);
  if (here.verdict.level === 'critical') return { tone: 'bad', title: named(here), detail };
  if (there?.verdict.level === 'critical') return { tone: 'bad', title: named(there), detail };
  if (here.role === 'active' && there?.role === 'active') {
    return { tone: 'bad', title: 'Both directors say that they are active.', detail };
  }
  if (owner === undefined) {
    return { tone: TONES[here.verdict.level], title: named(here), detail };
  }
  const title = `${owner.node} ${serves(owner)}; ${successor(pair, owner)}`;
  const isReady = here.verdict.level === 'healthy' && !hasUnprovenVip(owner);
  const isAble = isHealthyStandby(pair, owner) || here.partner.state === 'none';
  const tone: Tone = isReady && isAble ? 'good' : 'warn';
  return { tone, title: tone === 'good' ? `Healthy. ${title}.` : `${title}.`, detail };
}

/** What was true once must not look as if it were: neither its colour nor its mark. */
export function pastVerdict({ title, detail }: PairVerdict, when: string): PairVerdict {
  return { tone: 'dim', title: `Not known now. At ${when}: ${title}`, detail };
}

/** A director's own sentence, with its name: two of them stand on one page. */
export function named({ node, verdict }: StatusDocument): string {
  return verdict.text.replace(/^This director/, node);
}

export function ownerOf({ here, there }: Pair): StatusDocument | undefined {
  if (here.role === 'active') return here;
  return there?.role === 'active' ? there : undefined;
}

/** What the node beside the owner says of itself; undefined while it cannot be asked. */
export function otherThan({ here, there }: Pair, owner: StatusDocument) {
  return owner === here ? there : here;
}

function hasUnprovenVip({ vips }: StatusDocument): boolean {
  return vips.some(({ belief }) => belief?.owner === 'unknown');
}

function serves({ vips, pair }: StatusDocument): string {
  const what = `serves ${counted(vips.length, 'VIP')}`;
  const believed = vips.filter(({ belief }) => belief?.owner === 'us').length;
  const them = vips.length === 1 ? 'it' : 'them';
  if (believed === vips.length && believed > 0) return `${what} and the router believes it`;
  if (believed > 0) return `${what}, ${believed} of ${them} proved by the router`;
  return pair?.witness.isAsked === true
    ? `${what}; no witness has answered for ${them} yet`
    : `${what}; nobody is asked whether the router believes it`;
}

function successor(pair: Pair, owner: StatusDocument): string {
  if (owner.partner.state === 'none') return 'no partner is configured';
  const other = otherNode(owner);
  const afterMs = owner.timers?.deadtimeMs;
  const after = afterMs === undefined ? '' : ` within ${lengthText(afterMs)}`;
  if (isHealthyStandby(pair, owner)) {
    return `${other} can take over${after}`;
  }
  if (owner.partner.state !== 'heard') {
    return `${other} is silent: nobody is known to be able to take over`;
  }
  const said = owner.pair?.partner.reason ?? otherThan(pair, owner)?.reason;
  return `${other} may not take over (${said ?? 'it does not say why'})`;
}

/** As far as it can be known: it is heard, it is standby, and it does not say that it may not. */
export function isHealthyStandby(pair: Pair, owner: StatusDocument): boolean {
  if (owner.partner.state !== 'heard') return false;
  const standby = otherThan(pair, owner);
  if (standby !== undefined && standby.role !== 'standby') return false;
  return owner.pair?.partner.isEligible !== false;
}

function detailOf({ here, there, why }: Pair): string {
  const [last] = [...here.changes, ...(there?.changes ?? [])].sort((a, b) =>
    b.at.localeCompare(a.at),
  );
  const refusal = here.refusal ?? there?.refusal;
  return [
    ...(refusal === undefined ? [] : [refusal]),
    ...(last === undefined ? [] : [`Last change of role: ${last.to} (${last.reason}).`]),
    ...(there === undefined && here.partner.state !== 'none' && why !== undefined ? [why] : []),
    ...(here.pair?.partner.hasSameConfiguration === false
      ? ['The two nodes run different lvs.cf files.']
      : []),
  ].join(' ');
}

export type Fact = { readonly label: string; readonly value: string; readonly tone?: Tone };

export type NodeCard = {
  readonly node: Node;
  readonly isHere: boolean;
  readonly tone: Tone;
  /** `ACTIVE`, `STANDBY`, `UNKNOWN`. */
  readonly headline: string;
  readonly remark: string;
  readonly facts: readonly Fact[];
  readonly lease?: { readonly leftMs: number; readonly lengthMs: number };
  /** Of the director itself: who can be asked can be given an order. */
  readonly status?: StatusDocument;
  /** Why it cannot be asked. */
  readonly why?: string;
};

/** Primary first, whichever node this console runs on. */
export function nodeCards(pair: Pair): readonly NodeCard[] {
  const { here, there } = pair;
  const cards = [cardOf(here, true)];
  if (there !== undefined) cards.push(cardOf(there, false));
  else if (here.partner.state !== 'none') cards.push(hearsayCard(pair));
  return cards.toSorted((a, b) => Number(a.node === 'backup') - Number(b.node === 'backup'));
}

function cardOf(status: StatusDocument, isHere: boolean): NodeCard {
  const { node, role, reason, sinceMs, pid, configuration, pair, dataPlane } = status;
  const lease = pair?.lease;
  const tones: Readonly<Record<typeof role, Tone>> = {
    active: 'good',
    standby: 'info',
    claim: 'warn',
    fault: 'bad',
  };
  const remarks = { active: 'answers for the VIPs', standby: 'ready', claim: 'about to take over' };
  return {
    node,
    isHere,
    status,
    tone: tones[role],
    headline: role.toUpperCase(),
    remark: role === 'fault' ? `may not take over: ${reason}` : remarks[role],
    facts: [
      { label: 'since', value: `${ageText(sinceMs)}, reason ${reason}` },
      ...(pair === undefined ? [] : [{ label: 'epoch', value: String(pair.epoch) }]),
      { label: 'lvs.cf', value: configText(status), ...sameness(status) },
      ...(dataPlane === undefined ? [] : [{ label: 'services by', value: dataPlane.kind }]),
      { label: 'daemon', value: `pid ${pid}, file ${configuration.file}` },
    ],
    ...(lease?.remainingMs !== undefined && {
      lease: { leftMs: lease.remainingMs, lengthMs: lease.lengthMs },
    }),
  };
}

function configText({ configuration, pair }: StatusDocument): string {
  const serial = `serial ${configuration.serialNo}`;
  const same = pair?.partner.hasSameConfiguration;
  if (same === undefined) return serial;
  return same ? `${serial}, the same on both` : `${serial}, the partner runs another file`;
}

function sameness({ pair }: StatusDocument): { readonly tone?: Tone } {
  const same = pair?.partner.hasSameConfiguration;
  if (same === undefined) return {};
  return { tone: same ? 'good' : 'warn' };
}

/** The partner as this director heard it: never more than that. */
function hearsayCard({ here, why }: Pair): NodeCard {
  const { partner, pair } = here;
  const node = otherNode(here);
  const isHeard = partner.state === 'heard';
  const said = { running: 'active', stopped: 'standby', nothing: 'nothing' }[partner.said];
  const role = pair?.partner.role ?? said;
  const ages = partner.paths.flatMap(({ heardMsAgo }) => heardMsAgo ?? []);
  const heard = ages.length === 0 ? 'never' : `${ageText(Math.min(...ages))} ago`;
  const words = pair?.partner;
  return {
    node,
    isHere: false,
    tone: isHeard ? (role === 'active' ? 'good' : 'info') : 'bad',
    headline: isHeard ? role.toUpperCase() : 'UNKNOWN',
    remark: isHeard ? 'by its own heartbeats' : 'silent: dead, frozen or cut off',
    facts: [
      { label: 'last heard', value: heard },
      ...(role === 'nothing' ? [] : [{ label: 'said last', value: role }]),
      ...(words?.epoch === undefined ? [] : [{ label: 'epoch', value: String(words.epoch) }]),
      ...(words?.leaseMs === undefined
        ? []
        : [{ label: 'lease', value: `${lengthText(words.leaseMs)}${leaseGuess(isHeard, ages)}` }]),
      ...(words?.serialNo === undefined
        ? []
        : [{ label: 'lvs.cf', value: `serial ${words.serialNo}, as last heard` }]),
    ],
    ...(why !== undefined && { why }),
  };

  function leaseGuess(isThere: boolean, silence: readonly number[]): string {
    const leaseMs = words?.leaseMs;
    if (isThere || leaseMs === undefined || silence.length === 0) return '';
    return Math.min(...silence) > leaseMs
      ? ', over by now unless its whole machine is paused'
      : ', may still live';
  }
}

export type PathRow = {
  readonly name: string;
  readonly here: string;
  readonly there: string;
  /** From this node to the other, and back. */
  readonly out: { readonly tone: Tone; readonly text: string };
  readonly back: { readonly tone: Tone; readonly text: string };
  readonly received: number;
  readonly sent: number;
};

/** Each direction by the one who hears it; what the other node hears is unknown while it cannot be asked. */
export function pathRows({ here, there }: Pair): readonly PathRow[] {
  const deadtimeMs = here.timers?.deadtimeMs ?? Number.POSITIVE_INFINITY;
  return here.partner.paths.map((path) => {
    const mirror = there?.partner.paths.find(({ name }) => name === path.name);
    return {
      name: path.name,
      here: path.own,
      there: path.partner,
      out:
        mirror === undefined
          ? { tone: 'dim', text: path.sendErrors > 0 ? 'send errors' : 'sent, not known' }
          : heardText(mirror.heardMsAgo, deadtimeMs, 'up'),
      back: heardText(path.heardMsAgo, deadtimeMs, path.link),
      received: path.received,
      sent: path.sent,
    };
  });
}

function heardText(ageMs: number | undefined, deadtimeMs: number, link: 'up' | 'down') {
  if (link === 'down') return { tone: 'bad', text: 'own link down' } as const;
  if (ageMs === undefined) return { tone: 'bad', text: 'never heard' } as const;
  return ageMs > deadtimeMs
    ? ({ tone: 'bad', text: `silent ${ageText(ageMs)}` } as const)
    : ({ tone: 'good', text: `${ageText(ageMs)} ago` } as const);
}

export type VipRow = {
  readonly address: string;
  readonly device: string;
  readonly owner: string;
  readonly tone: Tone;
  readonly belief: string;
};

/** Bounded: a page is no place for ten thousand rows of the same. Those in trouble come first. */
export function vipRows(
  pair: Pair,
  limit: number,
): { readonly rows: readonly VipRow[]; readonly more: number } {
  const owner = ownerOf(pair);
  const source = owner ?? pair.here;
  const rows = source.vips.map((vip): VipRow => {
    const who = owner?.node ?? 'nobody known';
    const { address, device } = vip;
    return { address, device, owner: who, ...beliefOf(vip, owner) };
  });
  const sorted = rows.toSorted((a, b) => Number(b.tone === 'bad') - Number(a.tone === 'bad'));
  return { rows: sorted.slice(0, limit), more: Math.max(0, rows.length - limit) };
}

function beliefOf(
  { belief, state }: StatusDocument['vips'][number],
  owner: StatusDocument | undefined,
): { readonly tone: Tone; readonly belief: string } {
  if (state === 'changing') return { tone: 'warn', belief: 'changing hands' };
  if (belief === undefined) {
    return {
      tone: 'dim',
      belief: owner === undefined ? 'not served as far as known' : 'not asked',
    };
  }
  const took = belief.tookMs === undefined ? '' : ` after ${lengthText(belief.tookMs)}`;
  switch (belief.owner) {
    case 'us':
      return {
        tone: 'good',
        belief: `${belief.witness ?? 'witness'} sends to ${owner?.node ?? 'it'}${took}`,
      };
    case 'unknown':
      return { tone: 'warn', belief: 'no witness has answered' };
    default:
      return {
        tone: 'bad',
        belief: `claimed by ${belief.owner === 'partner' ? 'the partner' : 'a stranger'}`,
      };
  }
}
