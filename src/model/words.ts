/** The closed lists of words that logs, metrics, API and console share (docs/glossary.md). */

/** Which machine this is, as lvs.cf names it; never changes while we run. */
export type Node = 'primary' | 'backup';

/** What a director is doing now. `fault`: standby that may not take over (link down, services failed, maintenance). */
export type Role = 'active' | 'standby' | 'claim' | 'fault';

/** The heartbeat paths of lvs.cf: `primary`/`backup` and `primary_private`/`backup_private`. */
export type PathName = 'public' | 'private';

/**
 * Why a role changed. The same word everywhere; `docs/reasons.md` explains each. Its index goes over the wire
 * (wire/trailer.ts): append only.
 */
export const REASONS = [
  'start', // the daemon started, standby
  'forced', // --forceactive
  'partner-silent', // deadtime passed without a valid heartbeat
  'partner-resigned', // the partner said STOPPED
  'no-partner', // backup_active = 0: nobody to wait for
  'split-brain-yield', // both were active, this node gave way
  'partner-deaf', // both were active and the partner cannot hear us: it cannot be told, so we gave way
  'partner-claims', // the partner claims the VIPs and cannot hear us
  'outranked', // the partner has the higher rank
  'link-failure', // monitor_links: the heartbeat NIC lost its link
  'services-failed', // the virtual services could not be kept up (lvsd of old died)
  'main-wedged', // our own control thread stopped answering
  'lease-expired', // the kernel lease ran out before it was extended
  'woke-late', // this process was frozen or starved past its timers
  'kernel-refused', // addresses could not be raised
  'deaf', // nothing at all is heard on the VIP's segment
  'operator', // takeover, resign, maintenance
  'handover', // planned fail-back
  'stop', // clean stop
  'adopted', // restarted while the lease of an earlier life was alive: went on as active
  'isolated', // none of witness_hosts is heard
  'partner-failed', // service = fos: the partner is active and its services do not answer
  'maintenance', // an operator's order: not to take over until it is lifted
] as const;
export type Reason = (typeof REASONS)[number];
