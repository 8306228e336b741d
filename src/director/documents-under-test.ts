/** For tests of the rooms below: the documents of a healthy director that owns its VIP, and a real server of it. */
import { ip } from '../base/index.ts';
import { zeroCounters } from './messages.ts';
import type { ServerDocument } from './services-document.ts';
import type { StatusDocument } from './status.ts';

export const VIP = ip('198.51.100.100');

export function statusOf(changes: Partial<StatusDocument> = {}): StatusDocument {
  return {
    v: 1,
    verdict: { level: 'healthy', text: 'This director is active; the partner is standby.' },
    pid: 17,
    node: 'primary',
    role: 'active',
    reason: 'partner-silent',
    since: '2026-11-22T10:00:00.000Z',
    sinceMs: 60_000,
    startedAt: '2026-11-22T09:00:00.000Z',
    configuration: { file: '/etc/sysconfig/ha/lvs.cf', serialNo: 7 },
    timers: { keepaliveMs: 1000, deadtimeMs: 6000 },
    partner: {
      state: 'heard',
      said: 'stopped',
      paths: [
        {
          name: 'public',
          own: '198.51.100.11',
          partner: '198.51.100.12',
          link: 'up',
          heardMsAgo: 40,
          sent: 600,
          sendErrors: 0,
          received: 599,
        },
      ],
    },
    pair: {
      epoch: 7,
      speaks: 'auto',
      isAuthenticated: true,
      witness: { verify: 'gateway', isHearing: true, isAsked: true },
      lease: { lengthMs: 3000, remainingMs: 2900, hooks: 'in+out', isProtected: true, restored: 0 },
      partner: { dialect: 'extended', role: 'standby', hasSameConfiguration: true },
    },
    vips: [{ address: VIP, device: 'eth0', state: 'up', belief: { owner: 'us' } }],
    counters: zeroCounters(),
    changes: [],
    ...changes,
  };
}

export function serverOf(name: string, changes: Partial<ServerDocument> = {}): ServerDocument {
  return {
    name,
    address: '198.51.100.21',
    port: 80,
    method: 'direct',
    configuredWeight: 3,
    weight: 3,
    state: 'active',
    reason: 'healthy',
    sinceMs: 5000,
    connections: { active: 7, inactive: 2 },
    traffic: TRAFFIC,
    ...changes,
  };
}

export const TRAFFIC = {
  connections: 12,
  inPackets: 100,
  outPackets: 0,
  inBytes: 6400,
  outBytes: 0,
  connectionRate: 1,
  inByteRate: 64,
  outByteRate: 0,
};
