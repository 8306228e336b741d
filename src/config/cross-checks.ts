/**
 * What only the whole file shows: directives that contradict each other, names used twice, values without effect.
 *
 * An error is what cannot be run as it is written; a warning is what runs, but hardly as meant. Piranha told none of
 * these. Source of the list: the field's reports on Piranha and ipvsadm(8). Services: service-checks.ts.
 */
import { type IpAddress, ipFamily } from '../base/index.ts';
import { isUnspecified } from './address-values.ts';
import type { GlobalDraft } from './directives.ts';
import { type Place, type ProblemList, placeOf, WHOLE_FILE } from './problem.ts';
import type { Drafts } from './read.ts';
import { checkServices } from './service-checks.ts';
import { timers } from './settings.ts';

export function crossCheck(drafts: Drafts, problems: ProblemList): void {
  checkTimers(drafts.global, problems);
  checkDirectors(drafts.global, problems);
  checkNat(drafts.global, problems);
  checkVerification(drafts.global, problems);
  checkChannel(drafts.global, problems);
  checkServicesInUse(drafts, problems);
  checkServices(drafts, problems);
}

function checkTimers(global: GlobalDraft, problems: ProblemList): void {
  const { keepaliveMs, deadtimeMs } = timers(global);
  if (deadtimeMs > keepaliveMs) return;
  const place = firstPlace(global, 'deadtime_ms', 'deadtime', 'keepalive_ms', 'keepalive');
  problems.error(
    'deadtime-not-above-keepalive',
    place,
    `deadtime (${deadtimeMs} ms) is not above keepalive (${keepaliveMs} ms): ` +
      'the partner would be taken for dead between two of its heartbeats',
  );
}

function firstPlace(global: GlobalDraft, ...keys: readonly string[]): Place {
  for (const key of keys) {
    const place = global.places.get(key);
    if (place !== undefined) return place;
  }
  return WHOLE_FILE;
}

function checkDirectors(global: GlobalDraft, problems: ProblemList): void {
  const { primary, backup, places } = global;
  if (!places.has('primary')) {
    problems.error(
      'missing-directive',
      WHOLE_FILE,
      '`primary`, the address of the primary director, is missing',
      'primary = 198.51.100.11',
    );
  }
  const hasBackup = backup !== undefined && !isUnspecified(backup);
  if (
    global.backupActive === true &&
    !hasBackup &&
    (backup !== undefined || !places.has('backup'))
  ) {
    problems.warning(
      'no-partner',
      placeOf(global, 'backup_active'),
      '`backup_active = 1` without a `backup` address: there is no partner, so this node runs alone',
    );
  }
  checkSame(global, 'backup', primary, backup, 'primary', problems);
  checkSame(
    global,
    'backup_private',
    global.primaryPrivate,
    global.backupPrivate,
    'primary_private',
    problems,
  );
  checkFamilies(global, 'backup', primary, hasBackup ? backup : undefined, problems);
  checkFamilies(global, 'backup_private', global.primaryPrivate, global.backupPrivate, problems);
  checkSecondPath(global, problems);
}

function checkSame(
  global: GlobalDraft,
  key: string,
  one: IpAddress | undefined,
  other: IpAddress | undefined,
  otherKey: string,
  problems: ProblemList,
): void {
  if (one === undefined || one !== other) return;
  problems.error(
    'same-address',
    placeOf(global, key),
    `\`${key}\` and \`${otherKey}\` are the same address, ${one}; the two directors need one each`,
  );
}

function checkFamilies(
  global: GlobalDraft,
  key: string,
  one: IpAddress | undefined,
  other: IpAddress | undefined,
  problems: ProblemList,
): void {
  if (one === undefined || other === undefined || ipFamily(one) === ipFamily(other)) return;
  problems.error(
    'address-family',
    placeOf(global, key),
    `heartbeats cannot go from ${one} to ${other}: one is IPv4, the other IPv6`,
  );
}

function checkSecondPath(global: GlobalDraft, problems: ProblemList): void {
  const { primary, primaryPrivate, backupPrivate, places } = global;
  const isSecond = primaryPrivate !== undefined && primaryPrivate !== primary;
  if (isSecond && !places.has('backup_private')) {
    problems.warning(
      'missing-directive',
      placeOf(global, 'primary_private'),
      '`primary_private` without `backup_private`: the second heartbeat path has only one end and is not used',
    );
  }
  if (!places.has('primary_private') && backupPrivate !== undefined) {
    problems.warning(
      'unused-directive',
      placeOf(global, 'backup_private'),
      '`backup_private` has no effect without `primary_private`',
    );
  }
}

function checkNat(global: GlobalDraft, problems: ProblemList): void {
  const isNat = (global.network ?? 'nat') === 'nat';
  for (const key of ['nat_router', 'nat_nmask']) {
    if (!isNat && global.places.has(key)) {
      problems.warning(
        'unused-directive',
        placeOf(global, key),
        `\`${key}\` has no effect with \`network = ${global.network}\``,
      );
    }
  }
  if (isNat && global.places.has('nat_nmask') && !global.places.has('nat_router')) {
    problems.warning(
      'unused-directive',
      placeOf(global, 'nat_nmask'),
      '`nat_nmask` has no effect without `nat_router`',
    );
  }
}

function checkVerification(global: GlobalDraft, problems: ProblemList): void {
  if (global.verify === 'hosts' && !global.places.has('verify_hosts')) {
    problems.error(
      'missing-directive',
      placeOf(global, 'verify'),
      '`verify = hosts` needs `verify_hosts`, the hosts to ask',
    );
  }
  if (global.verify !== 'hosts' && global.places.has('verify_hosts')) {
    problems.warning(
      'unused-directive',
      placeOf(global, 'verify_hosts'),
      '`verify_hosts` has no effect without `verify = hosts`',
      'verify = hosts',
    );
  }
}

function checkChannel(global: GlobalDraft, problems: ProblemList): void {
  const { places } = global;
  if (!places.has('courier_port') || places.has('heartbeat_key_file')) return;
  problems.warning(
    'unused-directive',
    placeOf(global, 'courier_port'),
    '`courier_port` has no effect without `heartbeat_key_file`: there is no channel between the directors',
  );
}

function checkServicesInUse({ global, services }: Drafts, problems: ProblemList): void {
  const usesRemoteShell = services.some((service) => service.loadMonitor === 'uptime');
  if (global.places.has('rsh_command') && !usesRemoteShell) {
    problems.warning(
      'unused-directive',
      placeOf(global, 'rsh_command'),
      '`rsh_command` has no effect: no service has `load_monitor = uptime`',
    );
  }
  const kind = global.service === 'fos' ? 'failover' : 'virtual';
  const mayServe = services.some(
    (service) => service.kind === kind && (service.isEnabled ?? service.places.has('active')), // or misspelt
  );
  if (mayServe) return;
  problems.warning(
    'no-service',
    firstPlace(global, 'service'),
    `no \`${kind}\` section has \`active = 1\`: there is nothing to serve`,
  );
}
