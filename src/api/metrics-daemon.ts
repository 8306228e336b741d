/** Metrics of the daemon itself: what runs, on which configuration, how late its threads are, what it had to repair. */
import { ANSWER_CLASSES, AUDIT_RESULTS } from '../director/index.ts';
import { type MetricDefinition, PER_SECOND, type Sample, single } from './metrics-definition.ts';
import { ROUTES } from './routes.ts';

const SOCKETS = ['pulse.sock', 'read.sock', 'courier.sock'] as const;
/** What is told to the audit: the routes that change something, and HUP. */
const ACTIONS = [
  ...ROUTES.filter(({ isAudited }) => isAudited).map(({ method, path }) => `${method} ${path}`),
  'reload',
];

export const DAEMON_METRICS: readonly MetricDefinition[] = [
  {
    name: 'piranha_build_info',
    type: 'gauge',
    labels: ['version', 'node'],
    help: 'What runs; always 1.',
    read: ({ process: { version, node } }) => [{ labels: { version, node }, value: 1 }],
  },
  {
    name: 'piranha_config_info',
    type: 'gauge',
    labels: ['digest', 'serial_no'],
    help: 'The configuration in force: its digest as the heartbeats carry it, and its serial_no; always 1.',
    read: ({ status, facts }) => [
      {
        labels: {
          digest: facts.configDigest,
          serial_no: String(status.configuration.serialNo),
        },
        value: 1,
      },
    ],
  },
  {
    name: 'piranha_config_last_reload_successful',
    type: 'gauge',
    labels: [],
    help: 'Whether the newest lvs.cf was taken; 0: the one before it is still in force.',
    read: ({ facts }) => single(facts.totals.reload.isGood),
  },
  {
    name: 'piranha_config_last_reload_success_timestamp_seconds',
    type: 'gauge',
    labels: [],
    help: 'When the configuration in force was taken.',
    read: ({ facts }) => single(facts.totals.reload.goodAtWallMs / 1000),
  },
  {
    name: 'piranha_config_warnings',
    type: 'gauge',
    labels: [],
    help: 'Warnings about the configuration in force.',
    read: ({ facts }) => single(facts.configWarnings),
  },
  {
    name: 'piranha_config_pending_confirm_seconds',
    type: 'gauge',
    labels: [],
    help: 'Time left to confirm the change that waits, after which it goes back by itself; 0: no change waits.',
    read: ({ facts }) => single(facts.pendingMs / 1000),
  },
  {
    name: 'piranha_partner_config_match',
    type: 'gauge',
    labels: [],
    help: 'Whether the partner runs the same lvs.cf; absent while it is not known (silent, or legacy dialect).',
    read: ({ status }) =>
      status.partner.state === 'heard' ? single(status.pair?.partner.hasSameConfiguration) : [],
  },
  {
    name: 'piranha_worker_lateness_seconds',
    type: 'histogram',
    labels: [],
    help: 'How long after its deadline the pulse worker woke.',
    read: ({ facts }) => [{ labels: {}, buckets: facts.meters.lateness, divisor: PER_SECOND }],
  },
  {
    name: 'piranha_worker_late_wakes_total',
    type: 'counter',
    labels: [],
    help: 'How often the pulse worker woke so late that it was noted in the log.',
    read: ({ status }) => single(status.counters.lateWakes),
  },
  {
    name: 'piranha_worker_lateness_worst_seconds',
    type: 'gauge',
    labels: [],
    help: 'The latest that the pulse worker woke since start.',
    read: ({ status }) => single(status.counters.worstLateMs / 1000),
  },
  {
    name: 'piranha_main_stall_seconds',
    type: 'histogram',
    labels: [],
    help: 'How late the main thread came to its own heartbeat; heartbeats to the partner do not wait for it.',
    read: ({ facts }) => [{ labels: {}, buckets: facts.totals.mainStall, divisor: PER_SECOND }],
  },
  {
    name: 'piranha_converge_seconds',
    type: 'histogram',
    labels: [],
    help: 'From a wish for addresses to a kernel that holds it.',
    read: ({ facts }) => [{ labels: {}, buckets: facts.meters.converge, divisor: PER_SECOND }],
  },
  {
    name: 'piranha_converge_failures_total',
    type: 'counter',
    labels: ['kind'],
    help: 'Wishes the kernel refused: addresses, or rows of the virtual-service table.',
    read: ({ facts }) =>
      byKind({
        address: facts.meters.convergeFailures,
        table: facts.totals.tableRefusals,
      }),
  },
  {
    name: 'piranha_kernel_drift_repaired_total',
    type: 'counter',
    labels: ['kind'],
    help: 'What somebody else changed and this director put back: addresses, the lease gate, rows of the table.',
    read: ({ status, facts }) =>
      byKind({
        address: status.counters.repaired,
        gate: status.pair?.lease?.restored ?? 0,
        table: facts.totals.tableRepairs,
      }),
  },
  {
    name: 'piranha_api_answers_total',
    type: 'counter',
    labels: ['socket', 'code'],
    help: 'Answers of the API by the socket and the class of their status: 2xx, 4xx (refused), 5xx.',
    read: ({ facts }) =>
      SOCKETS.flatMap((socket) =>
        ANSWER_CLASSES.map((code) => ({
          labels: { socket, code },
          value: facts.totals.answers.get(socket)?.get(code) ?? 0,
        })),
      ),
  },
  {
    name: 'piranha_audit_actions_total',
    type: 'counter',
    labels: ['action', 'result'],
    help: 'What was asked to be changed, and what came of it: done, refused, denied (there was no right to it), failed.',
    read: ({ facts }) =>
      ACTIONS.flatMap((action) =>
        AUDIT_RESULTS.map((result) => ({
          labels: { action, result },
          value: facts.audited.get(action)?.get(result) ?? 0,
        })),
      ),
  },
  {
    name: 'piranha_recordings_bytes',
    type: 'gauge',
    labels: [],
    help: 'Size of the flight recordings on the disk; the last 20 are kept.',
    read: ({ facts }) => single(facts.recordedBytes),
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    labels: [],
    help: 'When this director started.',
    read: ({ status }) => single(Date.parse(status.startedAt) / 1000),
  },
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    labels: [],
    help: 'Processor time of all threads, user and system.',
    read: ({ process }) => single(process.cpuSeconds),
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    labels: [],
    help: 'Resident memory.',
    read: ({ process }) => single(process.residentBytes),
  },
  {
    name: 'process_open_fds',
    type: 'gauge',
    labels: [],
    help: 'Open file descriptors.',
    read: ({ process }) => single(process.openFds),
  },
];

function byKind(totals: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(totals).map(([kind, value]) => ({ labels: { kind }, value }));
}
