/** Status as a page for a person: the verdict first, then who, partner, VIPs, what happened. */
import type { StatusDocument, Verdict } from '../director/index.ts';
import { levelWord } from './paint.ts';

const SHOWN_VIPS = 20;

export function statusText(status: StatusDocument): string {
  const { verdict, node, role, reason, since, sinceMs, pid, configuration, refusal } = status;
  const { dataPlane } = status;
  return [
    `${levelWord(verdict.level)}  ${verdict.text}`,
    '',
    `ROLE      ${role} since ${ageText(sinceMs)} (${since}), reason ${reason}`,
    `NODE      ${node}, pid ${pid}, ${configuration.file} serial_no ${configuration.serialNo}`,
    ...(status.beside ?? []).map((text) => `BESIDE    ${text}`),
    ...(dataPlane === undefined ? [] : [`SERVICES  by ${dataPlane.kind} (${dataPlane.why})`]),
    ...(refusal === undefined ? [] : [`REFUSED   ${refusal}`]),
    ...partnerLines(status),
    ...pairLines(status),
    ...vipLines(status),
    ...counterLines(status),
    ...changeLines(status),
  ].join('\n');
}

const PLUGIN_WORDS = {
  healthy: 'OK',
  degraded: 'WARNING',
  critical: 'CRITICAL',
  unknown: 'UNKNOWN',
} as const;

/** `PIRANHA OK - sentence | vips=2 held=2 believed=2`: one line, as the monitoring plugin guidelines want it. */
export function briefText(
  document: { readonly verdict: Verdict } & Partial<Pick<StatusDocument, 'vips'>>,
): string {
  const { verdict, vips } = document;
  // A bar would begin the figures.
  const sentence = verdict.text.replaceAll('|', '/');
  const line = `PIRANHA ${PLUGIN_WORDS[verdict.level]} - ${sentence}`;
  if (vips === undefined) return line;
  const held = vips.filter(({ state }) => state === 'up').length;
  const believed = vips.filter(({ belief }) => belief?.owner === 'us').length;
  return `${line} | vips=${vips.length} held=${held} believed=${believed}`;
}

/** `0.4 s`, `17 s`, `12 min`, `3 h`, `4 d`. */
export function ageText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.floor(seconds / 3600)} h`
    : `${Math.floor(seconds / 86_400)} d`;
}

function partnerLines({ partner }: StatusDocument): readonly string[] {
  if (partner.state === 'none') return ['PARTNER   none configured'];
  const word = { running: 'active', stopped: 'standby', nothing: 'nothing' }[partner.said];
  const rows = partner.paths.map((path) => {
    const heard = path.heardMsAgo === undefined ? 'never' : `${ageText(path.heardMsAgo)} ago`;
    const trouble = path.link === 'up' ? '' : ', own link down';
    const errors = path.sendErrors === 0 ? '' : `, ${path.sendErrors} send errors`;
    return (
      `  ${path.name.padEnd(8)}${path.own} <-> ${path.partner}  heard ${heard}, ` +
      `${path.received} received, ${path.sent} sent${errors}${trouble}`
    );
  });
  return [`PARTNER   ${partner.state}, last said ${word}`, ...rows];
}

function pairLines({ pair }: StatusDocument): readonly string[] {
  if (pair === undefined) return [];
  const { lease, witness, partner } = pair;
  const words = {
    unknown: 'not known yet',
    legacy: 'legacy (Piranha 0.8.6): no lease, no proof, no authentication',
    extended: 'extended',
  }[partner.dialect];
  const partners = pair.speaks === 'legacy' ? '' : `; the partner's: ${words}`;
  const asked = witness.isAsked
    ? `asked (${witness.verify})`
    : `nobody is asked (${witness.verify})`;
  const deafFor = pair.speaks === 'legacy' ? 'dialect = legacy' : 'nobody on the segment to ask';
  const hears = witness.isHearing ? 'on' : `off: ${deafFor}`;
  return [
    ...(partner.role === undefined ? [] : [`  says    ${partnerWords(partner)}`]),
    `DIALECT   ${pair.speaks}${partners}; heartbeats ${pair.isAuthenticated ? 'authenticated' : 'not authenticated'}`,
    `LEASE     ${lease === undefined ? 'none is kept' : leaseText(lease)}; epoch ${pair.epoch}`,
    `WITNESS   belief: ${asked}; hear before claim: ${hears}`,
  ];
}

type Pair = NonNullable<StatusDocument['pair']>;

function partnerWords(partner: Pair['partner']): string {
  const able = partner.isEligible
    ? 'able to take over'
    : `not able to take over (${partner.reason})`;
  const same = partner.hasSameConfiguration ? 'same lvs.cf' : 'another lvs.cf';
  return (
    `${partner.role}, ${able}, epoch ${partner.epoch}, lease ${Math.round(partner.leaseMs ?? 0)} ms, ` +
    `${same} (serial_no ${partner.serialNo})`
  );
}

/** `lease 190 ms of 230 left; kernel gate in+out, owner+persist`. */
function leaseText({
  lengthMs,
  remainingMs,
  hooks,
  isProtected,
  restored,
}: NonNullable<Pair['lease']>) {
  const left =
    remainingMs === undefined ? 'not held' : `${Math.round(remainingMs)} ms of ${lengthMs} left`;
  const gate = `kernel gate ${hooks}${isProtected ? ', owner+persist' : ''}`;
  const form = hooks === 'lifetimes' ? 'no kernel gate, the addresses end by themselves' : gate;
  const again = restored === 0 ? '' : `; built again ${restored} times`;
  return `lease ${left}; ${form}${again}`;
}

function beliefText(belief: StatusDocument['vips'][number]['belief']): string {
  if (belief === undefined) return '';
  const { owner, witness, tookMs } = belief;
  const who = witness ?? 'the segment';
  if (owner === 'us' && tookMs !== undefined) {
    return `${who} sends to: us, ${tookMs.toFixed(1)} ms after the announcement`;
  }
  return owner === 'unknown' ? 'nobody is known to send here' : `claimed by: ${owner}`;
}

function vipLines({ vips }: StatusDocument): readonly string[] {
  const rows = vips
    .slice(0, SHOWN_VIPS)
    .map(({ address, device, state, belief }) =>
      `  ${address.padEnd(16)} ${device.padEnd(8)} ${state.padEnd(8)} ${beliefText(belief)}`.trimEnd(),
    );
  const more = vips.length - rows.length;
  return ['VIPS', ...rows, ...(more > 0 ? [`  and ${more} more`] : [])];
}

function counterLines({ counters }: StatusDocument): readonly string[] {
  const dropped = Object.entries(counters.dropped).map(([reason, count]) => `${count} ${reason}`);
  return [
    `COUNTERS  dropped ${dropped.length === 0 ? '0' : dropped.join(', ')}; announced ` +
      `${counters.announced} frames; repaired ${counters.repaired}; late wakes ` +
      `${counters.lateWakes}, worst ${counters.worstLateMs.toFixed(1)} ms`,
  ];
}

function changeLines({ changes }: StatusDocument): readonly string[] {
  if (changes.length === 0) return [];
  const rows = changes.map(({ at, from, to, reason }) => `  ${at}  ${from} -> ${to}  ${reason}`);
  return ['CHANGES   newest first', ...rows];
}
