/**
 * The verdict: one sentence that answers who owns the VIPs, whether the router believes it, and whether the partner could
 * take over. Every surface opens with it (command line, console, monitoring). Pure.
 *
 * What cannot be known is said as such: a silent partner is silent, not down; a witness that answers nobody proves
 * nothing; whom the router believes is known where the VIPs are, not at the standby.
 */
import { type IpAddress, ipFamily, type Milliseconds } from '../base/index.ts';
import type { PulseSnapshot } from './messages.ts';
import type { PartnerStatus, Verdict, VipStatus } from './status.ts';

type Rank = PulseSnapshot['rank'];

export function staleVerdict(staleMs: Milliseconds): Verdict {
  const seconds = (staleMs / 1000).toFixed(1);
  return { level: 'critical', text: `The pulse worker has said nothing for ${seconds} s.` };
}

export function verdict(
  { role, reason, addresses, rank }: PulseSnapshot,
  partner: PartnerStatus,
  vips: readonly VipStatus[],
): Verdict {
  const { refusal } = addresses;
  if (refusal !== undefined) {
    return { level: 'critical', text: `This director is ${role}, but ${refusal}.` };
  }
  switch (role) {
    case 'active':
      return activeVerdict(partner, vips, rank);
    case 'standby':
      return standbyVerdict(partner, rank);
    case 'claim':
      return { level: 'degraded', text: 'This director is about to take the VIPs over.' };
    case 'fault':
      return {
        level: 'degraded',
        text: `This director is standby and may not take over (${reason}); ${ownerText(partner)}.`,
      };
  }
}

function activeVerdict(partner: PartnerStatus, vips: readonly VipStatus[], rank: Rank): Verdict {
  const doubt = linkDoubt(partner) ?? doubtOf(vips, rank);
  if (doubt !== undefined) {
    return { level: 'critical', text: `This director is active, but ${doubt}.` };
  }
  if (partner.state === 'heard' && partner.said === 'running') {
    const text = 'This director is active, and the partner says it is active too.';
    return { level: 'critical', text };
  }
  const alone = partner.state === 'none' ? ' and alone' : '';
  const { level, text } = successor(partner, rank);
  return { level, text: `This director is active${alone}; ${beliefText(vips, rank)}; ${text}.` };
}

/** What was proved before a cable came out is proved no more, and a partner heard on another path will not take over. */
function linkDoubt({ paths }: PartnerStatus): string | undefined {
  const isCut = paths.some(({ name, link }) => name === 'public' && link === 'down');
  return isCut ? 'its interface on the public path has no link' : undefined;
}

/** Active, but somebody on the segment is known to think otherwise. */
function doubtOf(vips: readonly VipStatus[], rank: Rank): string | undefined {
  const rival = vips.find(({ belief }) => ['partner', 'stranger'].includes(belief?.owner ?? ''));
  if (rival !== undefined) {
    const who = rival.belief?.owner === 'partner' ? 'the partner' : 'a stranger';
    return `${who} claims ${rival.address} on the segment`;
  }
  if (rank?.isIsolated === true) return 'it hears none of witness_hosts (isolated)';
  for (const { address, belief } of vips) {
    if (belief?.owner !== 'unknown') continue;
    const witness = rank?.answering.find((host) => ipFamily(host) === ipFamily(address));
    if (witness === undefined) continue; // an IPv4 gateway is no witness for an IPv6 VIP
    return `${witness}, which answers us, does not send ${address} here`;
  }
  return undefined;
}

/** Does the router believe it? */
function beliefText(vips: readonly VipStatus[], rank: Rank): string {
  const proofs = vips.flatMap(({ belief }) => (belief?.owner === 'us' ? [belief.witness] : []));
  if (proofs.length === 0) {
    return rank?.isAsking === true
      ? 'no witness has confirmed it'
      : 'nobody is asked whether it is believed';
  }
  const witnesses = [
    ...new Set(proofs.filter((host): host is IpAddress => host !== undefined)),
  ].join(' and ');
  if (proofs.length < vips.length)
    return `${witnesses} is known to send ${proofs.length} of ${vips.length} VIPs here`;
  const what = vips.length === 1 ? 'the VIP' : `all ${vips.length} VIPs`;
  return `${witnesses} ${witnesses.includes(' and ') ? 'send' : 'sends'} ${what} here`;
}

/** Could the partner take over? */
function successor(partner: PartnerStatus, rank: Rank): Verdict {
  switch (partner.state) {
    case 'none':
      return { level: 'healthy', text: 'no partner is configured' };
    case 'silent':
    case 'never-heard': {
      const silence = partner.state === 'silent' ? 'is silent' : 'has never been heard';
      const text = `the partner ${silence}: nobody is known to be able to take over`;
      return { level: 'degraded', text };
    }
    case 'heard': {
      const words = rank?.partner;
      // The legacy dialect has no word for it.
      if (words === undefined) return { level: 'healthy', text: 'the partner is standby' };
      return words.isEligible
        ? { level: 'healthy', text: 'the partner is standby and could take over' }
        : { level: 'degraded', text: `the partner may not take over (${words.reason})` };
    }
  }
}

function standbyVerdict(partner: PartnerStatus, rank: Rank): Verdict {
  if (rank?.isDeaf === true) {
    const text = 'This director hears nothing at all on the segment: it does not take over (deaf).';
    return { level: 'critical', text };
  }
  if (partner.state === 'heard' && partner.said === 'running') {
    const text =
      'This director is standby and could take over; the partner is active; whom the router believes is told there.';
    return { level: 'healthy', text };
  }
  const why = partner.state === 'heard' ? 'so is the partner' : 'the partner is not heard';
  return {
    level: 'degraded',
    text: `This director is standby and ${why}: nobody is known to hold the VIPs yet.`,
  };
}

function ownerText(partner: PartnerStatus): string {
  if (partner.state !== 'heard') return 'nobody is known to hold the VIPs';
  return partner.said === 'running'
    ? 'the partner is active'
    : 'the partner does not say that it is active';
}
