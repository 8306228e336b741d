/** Status as a page for a person: the verdict first, then who, partner, VIPs, what happened. */
import type { StatusDocument } from '../director/index.ts';

const SHOWN_VIPS = 20;

export function statusText(status: StatusDocument): string {
  const { verdict, node, role, reason, since, sinceMs, pid, configuration, refusal } = status;
  return [
    `${verdict.level.toUpperCase()}  ${verdict.text}`,
    '',
    `ROLE      ${role} since ${ageText(sinceMs)} (${since}), reason ${reason}`,
    `NODE      ${node}, pid ${pid}, ${configuration.file} serial_no ${configuration.serialNo}`,
    ...(refusal === undefined ? [] : [`REFUSED   ${refusal}`]),
    ...partnerLines(status),
    ...vipLines(status),
    ...counterLines(status),
    ...changeLines(status),
  ].join('\n');
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

function vipLines({ vips }: StatusDocument): readonly string[] {
  const rows = vips
    .slice(0, SHOWN_VIPS)
    .map(({ address, device, state }) => `  ${address.padEnd(16)} ${device.padEnd(8)} ${state}`);
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
