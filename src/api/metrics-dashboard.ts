/**
 * The Grafana dashboard of a pair (contrib/grafana/piranha-pair.json): one panel for each question an operator asks, in the
 * order of asking. Who owns, who is believed, could the partner take over; then heartbeats and lease, the services, the
 * daemon itself.
 *
 *   node src/api/metrics-dashboard.ts
 *
 * Written as a program because the JSON is a thousand lines that nobody can review; the program is not. Grafana 10 and later.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = join(import.meta.dirname, '../../contrib/grafana/piranha-pair.json');
const GRID_WIDTH = 24;
const SOURCE = { type: 'prometheus', uid: '$datasource' };
/** Every query is of the chosen pairs. */
const PAIR = 'pair=~"$pair"';
const WINDOW = '[$__rate_interval]';

type Query = { readonly expr: string; readonly legend: string };
type Panel = {
  readonly kind: 'stat' | 'timeseries' | 'state-timeline';
  readonly title: string;
  readonly about: string;
  readonly queries: readonly Query[];
  readonly unit?: string;
  readonly colours?: readonly Colour[];
};
type Colour = { readonly from: number; readonly colour: string; readonly text?: string };
type Row = { readonly title: string; readonly height: number; readonly panels: readonly Panel[] };

const BAD_GOOD: readonly Colour[] = [
  { from: 0, colour: 'red', text: 'no' },
  { from: 1, colour: 'green', text: 'yes' },
];

const ROWS: readonly Row[] = [
  {
    title: 'Who owns, who is believed, who could take over',
    height: 6,
    panels: [
      {
        kind: 'stat',
        title: 'Owners of each VIP',
        about: '1 in health; 0: nobody answers; 2: split brain.',
        queries: [{ expr: `sum by (pair, vip) (piranha_vip_owned{${PAIR}})`, legend: '{{vip}}' }],
        colours: [
          { from: 0, colour: 'red' },
          { from: 1, colour: 'green' },
          { from: 2, colour: 'red' },
        ],
      },
      {
        kind: 'state-timeline',
        title: 'Role of each director',
        about: 'Green: active. Blue: standby. Yellow: about to take over. Red: may not take over.',
        queries: [
          {
            expr: ['fault', 'standby', 'claim', 'active']
              .map((role, rank) => `(piranha_role{${PAIR},role="${role}"} == 1) * ${rank}`)
              .map((expr) => `max by (pair, instance) (${expr})`)
              .join(' or '),
            legend: '{{instance}}',
          },
        ],
        colours: [
          { from: 0, colour: 'red', text: 'fault' },
          { from: 1, colour: 'blue', text: 'standby' },
          { from: 2, colour: 'yellow', text: 'claim' },
          { from: 3, colour: 'green', text: 'active' },
        ],
      },
      {
        kind: 'state-timeline',
        title: 'Does the segment send each VIP to its owner',
        about: 'As proved by a witness; empty while nobody can be asked.',
        queries: [
          {
            expr: `max by (instance, vip) (piranha_vip_believed{${PAIR},owner="us"})`,
            legend: '{{vip}} at {{instance}}',
          },
        ],
        colours: BAD_GOOD,
      },
      {
        kind: 'state-timeline',
        title: 'Is the partner heard',
        about: 'A silent partner is unknown, not down.',
        queries: [
          {
            expr: `1 - max by (instance) (piranha_partner_role{${PAIR},role="unknown"})`,
            legend: 'by {{instance}}',
          },
        ],
        colours: BAD_GOOD,
      },
    ],
  },
  {
    title: 'What moved, and why',
    height: 6,
    panels: [
      {
        kind: 'timeseries',
        title: 'Changes of role',
        about: 'By the new role and the reason word.',
        queries: [
          {
            expr: `sum by (instance, to, reason) (increase(piranha_role_transitions_total{${PAIR}}${WINDOW})) > 0`,
            legend: '{{instance}} {{to}} ({{reason}})',
          },
        ],
      },
      {
        kind: 'timeseries',
        title: 'Announcement to proof, slowest of a hundred',
        about: 'How long the segment went on sending to the old owner after a takeover.',
        queries: [
          {
            expr: quantile('0.99', 'piranha_vip_verification_seconds', 'instance'),
            legend: '{{instance}}',
          },
        ],
        unit: 's',
      },
      {
        kind: 'timeseries',
        title: 'Claims by others',
        about: 'Somebody else says on the segment that a VIP is his.',
        queries: [
          {
            expr: `sum by (instance, by) (increase(piranha_foreign_claims_total{${PAIR}}${WINDOW}))`,
            legend: '{{by}}, seen by {{instance}}',
          },
        ],
      },
    ],
  },
  {
    title: 'Heartbeats and lease',
    height: 7,
    panels: [
      {
        kind: 'timeseries',
        title: 'Longest silences against deadtime',
        about:
          'The gap that one in a thousand exceeds. What comes near the deadtime will be a takeover.',
        queries: [
          {
            expr: quantile('0.999', 'piranha_heartbeat_gap_seconds', 'instance, path'),
            legend: '{{instance}} {{path}}',
          },
          { expr: `max(piranha_deadtime_seconds{${PAIR}})`, legend: 'deadtime' },
        ],
        unit: 's',
      },
      {
        kind: 'timeseries',
        title: 'Heartbeats there and back',
        about:
          'Until the partner says that it heard one of ours, half of them sooner. Beyond its keepalive ours are lost on the way.',
        queries: [
          {
            expr: quantile('0.5', 'piranha_heartbeat_echo_seconds', 'instance, path'),
            legend: '{{instance}} {{path}}',
          },
        ],
        unit: 's',
      },
      {
        kind: 'timeseries',
        title: 'Heartbeats lost',
        about: "Holes in the partner's sequence.",
        queries: [
          {
            expr: `rate(piranha_heartbeats_lost_total{${PAIR}}${WINDOW})`,
            legend: '{{instance}} {{path}}',
          },
        ],
        unit: 'pps',
      },
      {
        kind: 'timeseries',
        title: 'Datagrams refused',
        about: 'duplicate, the second path of the same heartbeat, is left out.',
        queries: [
          {
            expr: `sum by (instance, path, reason) (rate(piranha_heartbeats_dropped_total{${PAIR},reason!="duplicate"}${WINDOW})) > 0`,
            legend: '{{instance}} {{path}} {{reason}}',
          },
        ],
        unit: 'pps',
      },
      {
        kind: 'timeseries',
        title: 'Lease renewals, tightest of a thousand',
        about: '1: on time. 0: the lease had lapsed, and the director had stopped answering.',
        queries: [
          {
            expr: quantile('0.001', 'piranha_lease_renewal_margin_ratio', 'instance'),
            legend: '{{instance}}',
          },
        ],
        unit: 'percentunit',
      },
    ],
  },
  {
    title: 'Virtual services',
    height: 7,
    panels: [
      {
        kind: 'timeseries',
        title: 'New connections',
        about: 'Scheduled by the kernel of the owner.',
        queries: [
          {
            expr: `sum by (virtual_service) (rate(piranha_virtual_service_connections_total{${PAIR}}${WINDOW}))`,
            legend: '{{virtual_service}}',
          },
        ],
        unit: 'cps',
      },
      {
        kind: 'timeseries',
        title: 'Bytes from clients (up) and to clients (down)',
        about: 'Under direct and tunnel the answers pass the director by.',
        queries: [
          {
            expr: `sum by (virtual_service) (rate(piranha_virtual_service_incoming_bytes_total{${PAIR}}${WINDOW}))`,
            legend: '{{virtual_service}} in',
          },
          {
            expr: `-sum by (virtual_service) (rate(piranha_virtual_service_outgoing_bytes_total{${PAIR}}${WINDOW}))`,
            legend: '{{virtual_service}} out',
          },
        ],
        unit: 'Bps',
      },
      {
        kind: 'timeseries',
        title: 'Real servers up',
        about: 'As the director sees it that sees most.',
        queries: [
          {
            expr: `max by (virtual_service) (piranha_virtual_service_real_servers{${PAIR},state="up"})`,
            legend: '{{virtual_service}}',
          },
        ],
      },
    ],
  },
  {
    title: 'Real servers',
    height: 8,
    panels: [
      {
        kind: 'state-timeline',
        title: 'Real servers that were down',
        about: 'Only those that were out of service at some time in view.',
        queries: [
          {
            expr: `max by (virtual_service, real_server) (piranha_real_server_up{${PAIR}}) and (min by (virtual_service, real_server) (min_over_time(piranha_real_server_up{${PAIR}}[$__range])) == 0)`,
            legend: '{{virtual_service}}/{{real_server}}',
          },
        ],
        colours: BAD_GOOD,
      },
      {
        kind: 'timeseries',
        title: 'Why checks fail',
        about: 'Probes that did not end in up, by reason word.',
        queries: [
          {
            expr: `sum by (kind, result) (rate(piranha_check_results_total{${PAIR},result!="up"}${WINDOW})) > 0`,
            legend: '{{kind}}: {{result}}',
          },
        ],
        unit: 'ops',
      },
      {
        kind: 'timeseries',
        title: 'Probe time, slowest of a hundred',
        about: 'By kind of check.',
        queries: [
          { expr: quantile('0.99', 'piranha_check_duration_seconds', 'kind'), legend: '{{kind}}' },
        ],
        unit: 's',
      },
    ],
  },
  {
    title: 'The daemon itself',
    height: 6,
    panels: [
      {
        kind: 'timeseries',
        title: 'Wakes of the pulse worker, latest of a thousand',
        about: 'How long after its deadline it woke.',
        queries: [
          {
            expr: quantile('0.999', 'piranha_worker_lateness_seconds', 'instance'),
            legend: '{{instance}}',
          },
        ],
        unit: 's',
      },
      {
        kind: 'timeseries',
        title: 'Stalls of the main thread, longest of a hundred',
        about: 'Heartbeats do not wait for it.',
        queries: [
          {
            expr: quantile('0.99', 'piranha_main_stall_seconds', 'instance'),
            legend: '{{instance}}',
          },
        ],
        unit: 's',
      },
      {
        kind: 'timeseries',
        title: 'Put back after somebody else',
        about: 'Addresses, the lease gate, rows of the table.',
        queries: [
          {
            expr: `sum by (instance, kind) (increase(piranha_kernel_drift_repaired_total{${PAIR}}${WINDOW}))`,
            legend: '{{instance}} {{kind}}',
          },
        ],
      },
      {
        kind: 'timeseries',
        title: 'Changes asked for',
        about: 'By what came of them: done, refused, denied for want of the right, failed.',
        queries: [
          {
            expr: `sum by (instance, result) (increase(piranha_audit_actions_total{${PAIR}}${WINDOW})) > 0`,
            legend: '{{instance}} {{result}}',
          },
        ],
      },
      {
        kind: 'timeseries',
        title: 'Resident memory',
        about: 'Of the director.',
        queries: [
          { expr: `process_resident_memory_bytes{${PAIR},job="piranha"}`, legend: '{{instance}}' },
        ],
        unit: 'bytes',
      },
    ],
  },
];

function quantile(rank: string, metric: string, by: string): string {
  return `histogram_quantile(${rank}, sum by (le, ${by}) (rate(${metric}_bucket{${PAIR}}${WINDOW})))`;
}

function dashboard() {
  const panels: object[] = [];
  let y = 0;
  for (const { title, height, panels: shown } of ROWS) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: GRID_WIDTH, h: 1 },
      panels: [],
    });
    const w = GRID_WIDTH / shown.length;
    for (const [index, panel] of shown.entries()) {
      panels.push({
        id: panels.length + 1,
        ...panelJson(panel),
        gridPos: { x: index * w, y: y + 1, w, h: height },
      });
    }
    y += height + 1;
  }
  return {
    uid: 'piranha-pair',
    title: 'Piranha pair',
    description: 'Two directors of Linux Virtual Server. Metrics: docs/metrics.md.',
    tags: ['piranha', 'lvs'],
    schemaVersion: 39,
    refresh: '10s',
    time: { from: 'now-3h', to: 'now' },
    templating: { list: VARIABLES },
    annotations: { list: [ROLE_CHANGES] },
    panels,
  };
}

const VARIABLES = [
  { name: 'datasource', label: 'Source', type: 'datasource', query: 'prometheus' },
  {
    name: 'pair',
    label: 'Pair',
    type: 'query',
    datasource: SOURCE,
    query: 'label_values(piranha_role, pair)',
    refresh: 2,
    includeAll: true,
    multi: true,
    allValue: '.*',
  },
];

const ROLE_CHANGES = {
  name: 'Changes of role',
  enable: true,
  datasource: SOURCE,
  expr: `changes(piranha_role{${PAIR},role="active"}[$__interval]) > 0`,
  titleFormat: '{{instance}}',
  iconColor: 'orange',
};

function panelJson({ kind, title, about, queries, unit = 'short', colours }: Panel) {
  const isLine = kind === 'timeseries';
  return {
    type: kind,
    title,
    description: about,
    datasource: SOURCE,
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: SOURCE,
      expr,
      legendFormat: legend,
      ...(kind === 'stat' && { instant: true }),
    })),
    fieldConfig: {
      defaults: {
        unit,
        ...(isLine && { custom: { fillOpacity: 8, lineWidth: 1 } }),
        ...(colours !== undefined && coloured(colours)),
      },
      overrides: [],
    },
  };
}

/** Colours by value; the words of those that have one. */
function coloured(colours: readonly Colour[]) {
  const named = colours.filter(({ text }) => text !== undefined);
  return {
    color: { mode: 'thresholds' },
    thresholds: {
      mode: 'absolute',
      steps: colours.map(({ from, colour }, index) => ({
        color: colour,
        value: index === 0 ? null : from,
      })),
    },
    mappings:
      named.length === 0
        ? []
        : [
            {
              type: 'value',
              options: Object.fromEntries(
                named.map(({ from, text, colour }) => [from, { text, color: colour }]),
              ),
            },
          ],
  };
}

/** What Grafana puts in for its variables, for whoever checks the queries. */
export function dashboardQueries(): readonly string[] {
  const panels = ROWS.flatMap((row) => row.panels);
  const all = [
    ...panels.flatMap(({ queries }) => queries.map(({ expr }) => expr)),
    ROLE_CHANGES.expr,
  ];
  return all.map((expr) =>
    expr.replaceAll('$pair', '.*').replaceAll(/\$(__rate_interval|__interval|__range)/g, '1m'),
  );
}

export function dashboardText(): string {
  return `${JSON.stringify(dashboard(), null, 1)}\n`;
}

if (import.meta.main) writeFileSync(FILE, dashboardText());
