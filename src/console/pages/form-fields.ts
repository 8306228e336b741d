/**
 * The fields of the editing pages, as tables: Piranha's names and order, then what this successor added. Nothing here knows how
 * a field is drawn or checked; the check is the daemon's own parser (form.ts).
 *
 * Source: the pages of piranha-gui 0.8.6; lvs.cf(5).
 */

export type Field = {
  /** The directive; `word` picks one of two: the address or the device. */
  readonly key: string;
  readonly word?: 0 | 1;
  readonly label: string;
  readonly kind: 'text' | 'number' | 'switch' | 'choice';
  readonly choices?: readonly (readonly [value: string, label: string])[];
  readonly unit?: string;
  /** What holds when the directive is absent. */
  readonly byDefault?: string;
  readonly hint?: string;
};

export type FieldGroup = {
  readonly title: string;
  readonly fields: readonly Field[];
  /** Folded until it is asked for. */
  readonly isExtra?: true;
};

const text = (key: string, label: string, more: Partial<Field> = {}): Field => ({
  key,
  label,
  kind: 'text',
  ...more,
});
const number = (key: string, label: string, more: Partial<Field> = {}): Field => ({
  key,
  label,
  kind: 'number',
  ...more,
});
const onOff = (key: string, label: string, more: Partial<Field> = {}): Field => ({
  key,
  label,
  kind: 'switch',
  byDefault: '0',
  ...more,
});
const choice = (
  key: string,
  label: string,
  choices: NonNullable<Field['choices']>,
  more: Partial<Field> = {},
): Field => ({ key, label, kind: 'choice', choices, ...more });

const same = (...values: readonly string[]) => values.map((value) => [value, value] as const);

export const GLOBAL_SETTINGS: readonly FieldGroup[] = [
  {
    title: 'Environment',
    fields: [
      text('primary', 'Primary server public IP'),
      text('primary_private', 'Primary server private IP', {
        hint: 'a second heartbeat path, when both nodes have one',
      }),
      number('tcp_timeout', 'TCP timeout', { unit: 'seconds', byDefault: '0' }),
      number('tcpfin_timeout', 'TCP FIN timeout', { unit: 'seconds', byDefault: '0' }),
      number('udp_timeout', 'UDP timeout', {
        unit: 'seconds',
        byDefault: '0',
        hint: '0 leaves what the kernel has',
      }),
    ],
  },
  {
    title: 'Network type',
    fields: [
      choice(
        'network',
        'Use network type',
        [
          ['nat', 'NAT'],
          ['direct', 'Direct routing'],
          ['tunnel', 'Tunneling'],
        ],
        { byDefault: 'nat' },
      ),
      text('nat_router', 'NAT Router IP', {
        word: 0,
        hint: 'the address that floats with the VIPs',
      }),
      text('nat_nmask', 'NAT Router netmask'),
      text('nat_router', 'NAT Router device', { word: 1 }),
    ],
  },
  {
    title: 'Beyond Piranha',
    isExtra: true,
    fields: [
      choice('dataplane', 'Services are carried by', same('auto', 'ipvs', 'nftables', 'none'), {
        byDefault: 'auto',
      }),
      text('active_cmd', 'Command when this node becomes active'),
      text('inactive_cmd', 'Command when it no longer is'),
      onOff('hard_shutdown', 'Take a service down when one monitor fails'),
    ],
  },
];

export const REDUNDANCY: readonly FieldGroup[] = [
  {
    title: 'Backup server',
    fields: [
      onOff('backup_active', 'Backup: active'),
      text('backup', 'Redundant server public IP'),
      text('backup_private', 'Redundant server private IP'),
      number('heartbeat_port', 'Heartbeat runs on port', { byDefault: '539' }),
      onOff('monitor_links', 'Monitor NIC links for failures'),
    ],
  },
  {
    title: 'Timers',
    fields: [
      number('keepalive', 'Heartbeat interval', { unit: 'seconds', byDefault: '2' }),
      number('keepalive_ms', 'or finer', {
        unit: 'milliseconds',
        hint: 'holds instead of the seconds',
      }),
      number('deadtime', 'Assume dead after', { unit: 'seconds', byDefault: '5' }),
      number('deadtime_ms', 'or finer', {
        unit: 'milliseconds',
        hint: 'holds instead of the seconds',
      }),
      number('lease_ms', 'Lease', {
        unit: 'milliseconds',
        hint: 'computed unless set: the longest that is safe',
      }),
    ],
  },
  {
    title: 'Sync daemon',
    fields: [
      onOff('syncdaemon', 'Use sync daemon'),
      text('syncd_iface', 'Sync daemon interface', { byDefault: 'eth0' }),
      number('syncd_id', 'Sync daemon id', { byDefault: '0' }),
    ],
  },
  {
    title: 'Beyond Piranha',
    isExtra: true,
    fields: [
      choice(
        'failback',
        'When the primary comes back',
        [
          ['none', 'the backup stays active'],
          ['auto', 'hand back to the primary'],
        ],
        { byDefault: 'none' },
      ),
      choice(
        'dialect',
        'Heartbeats',
        [
          ['auto', 'extended where the partner knows it'],
          ['legacy', 'those of Piranha 0.8.6 only'],
        ],
        { byDefault: 'auto' },
      ),
      text('heartbeat_key_file', 'Heartbeat key file', {
        hint: 'without it anybody on the segment can take the VIPs',
      }),
      choice(
        'verify',
        'Ask whether we are believed',
        [
          ['gateway', 'the default gateway'],
          ['hosts', 'the hosts named below'],
          ['off', 'nobody'],
        ],
        { byDefault: 'gateway' },
      ),
      text('verify_hosts', 'Hosts to ask'),
      text('witness_hosts', 'Witnesses without which nobody takes over'),
    ],
  },
];

const SCHEDULERS = [
  ['rr', 'Round robin'],
  ['wrr', 'Weighted round robin'],
  ['lc', 'Least-connection'],
  ['wlc', 'Weighted least-connections'],
  ['lblc', 'Locality-based least-connection'],
  ['lblcr', 'Locality-based least-connections with replication'],
  ['dh', 'Destination hash'],
  ['sh', 'Source hash'],
] as const;

export const VIRTUAL_SERVER: readonly FieldGroup[] = [
  {
    title: 'Virtual server',
    fields: [
      onOff('active', 'Active'),
      number('port', 'Application port', { byDefault: '80' }),
      choice('protocol', 'Protocol', same('tcp', 'udp'), { byDefault: 'tcp' }),
      text('address', 'Virtual IP address', { word: 0 }),
      text('vip_nmask', 'Virtual IP network mask'),
      text('address', 'Device', {
        word: 1,
        hint: 'the interface and label that carry it, as eth0:1',
      }),
      text('sorry_server', 'Sorry server', { hint: 'serves while no real server is up' }),
      number('fwmark', 'Firewall mark', { byDefault: '0' }),
      number('reentry', 'Re-entry time', { unit: 'seconds', byDefault: '180' }),
      number('timeout', 'Service timeout', { unit: 'seconds', byDefault: '10' }),
      onOff('quiesce_server', 'Quiesce server'),
      choice('load_monitor', 'Load monitoring tool', same('none', 'rup', 'ruptime', 'uptime'), {
        byDefault: 'none',
      }),
      choice('scheduler', 'Scheduling', SCHEDULERS, { byDefault: 'wlc' }),
      number('persistent', 'Persistence', { unit: 'seconds', byDefault: '0' }),
      text('pmask', 'Persistence network mask'),
    ],
  },
  {
    title: 'Beyond Piranha',
    isExtra: true,
    fields: [
      number('quorum', 'Quorum (sum of weights)', { byDefault: '1' }),
      number('hysteresis', 'Hysteresis', { byDefault: '0' }),
      text('quorum_up_cmd', 'Command when the quorum is reached'),
      text('quorum_down_cmd', 'Command when it is lost'),
    ],
  },
];

export const REAL_SERVER: readonly FieldGroup[] = [
  {
    title: 'Real server',
    fields: [
      onOff('active', 'Active'),
      text('address', 'Address'),
      number('port', 'Port', { hint: 'blank: the virtual server’s' }),
      number('weight', 'Weight', { byDefault: '1' }),
    ],
  },
];

export const MONITORING_SCRIPTS: readonly FieldGroup[] = [
  {
    title: 'Monitoring scripts',
    fields: [
      text('send_program', 'Sending program', { hint: '%h is the real server’s address' }),
      text('send', 'Send'),
      text('expect', 'Expect'),
      onOff('use_regex', 'Treat expect string as a regular expression'),
    ],
  },
  {
    title: 'Beyond Piranha: typed checks',
    isExtra: true,
    fields: [
      choice(
        'check',
        'Check',
        [
          ['nanny', 'as above'],
          ...same('tcp', 'udp', 'http', 'https', 'tls', 'dns', 'smtp', 'ping', 'program'),
        ],
        { byDefault: 'nanny' },
      ),
      number('check_interval_ms', 'Interval', { unit: 'milliseconds' }),
      number('check_timeout_ms', 'Time limit', { unit: 'milliseconds' }),
      number('rise', 'Successes before it comes back'),
      number('fall', 'Failures before it goes', { byDefault: '1' }),
      number('check_port', 'Port that is checked'),
      text('http_path', 'Path', { byDefault: '/' }),
      text('http_host', 'Host'),
      text('http_status', 'Good status', { byDefault: '200-399' }),
      text('http_body', 'Body holds (regular expression)'),
      text('tls_name', 'TLS name'),
      onOff('tls_verify', 'Verify the certificate'),
      number('tls_min_days', 'Certificate still valid for', { unit: 'days', byDefault: '0' }),
      text('dns_name', 'DNS name', { byDefault: '.' }),
      choice(
        'dns_type',
        'DNS type',
        same('A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'),
        {
          byDefault: 'SOA',
        },
      ),
    ],
  },
];

/** What a new virtual service begins with: Piranha's template, with names that say what is to be filled in. */
export const NEW_VIRTUAL: readonly (readonly [string, ...string[]])[] = [
  ['active', '0'],
  ['address', '0.0.0.0', 'eth0:1'],
  ['port', '80'],
  ['protocol', 'tcp'],
  ['send', 'GET / HTTP/1.0\\r\\n\\r\\n'],
  ['expect', 'HTTP'],
  ['scheduler', 'wlc'],
  ['timeout', '6'],
  ['reentry', '15'],
];
export const NEW_REAL: readonly (readonly [string, ...string[]])[] = [
  ['address', '0.0.0.0'],
  ['active', '1'],
  ['weight', '1'],
];
