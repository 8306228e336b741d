/**
 * The options of the programs of old, as data: `pulse`, `lvsd`, `fos`, `nanny` and `send_arp` of piranha 0.8.6 (their man
 * pages of section 8), and the few that are ours. What they do is told where they are read.
 */
import type { OptionSpec, OptionTable } from './options.ts';

export const DEFAULT_CONFIG_FILE = '/etc/sysconfig/ha/lvs.cf';
export const HELP = {
  short: '-?',
  long: ['--help'],
  help: 'this text',
} as const satisfies OptionSpec;
const VERSION = {
  long: ['--version'],
  help: 'three lines: program, its date, its package',
} as const satisfies OptionSpec;
const NO_DAEMON = {
  short: '-n',
  long: ['--nodaemon'],
  help: 'accepted: it always stays in the foreground',
} as const satisfies OptionSpec;
const CONFIG_FILE = {
  short: '-c',
  long: ['--configfile'],
  value: 'FILE',
  help: `configuration (${DEFAULT_CONFIG_FILE})`,
} as const satisfies OptionSpec;

export const PULSE = {
  configFile: CONFIG_FILE,
  noDaemon: {
    short: '-n',
    long: ['--nodaemon'],
    help: 'stay in the foreground, log to standard error',
  },
  test: {
    short: '-t',
    long: ['--test-start', '--norun'],
    help: 'judge file and machine, touch nothing',
  },
  verbose: { short: '-v', long: ['--verbose'], help: 'log strangers and routine words, too' },
  forceActive: { long: ['--forceactive'], help: 'take the VIPs at once' },
  lvsd: { long: ['--lvsd', '--lvs'], value: 'PATH', help: 'accepted, not used: lvsd is built in' },
  fos: { long: ['--fos'], value: 'PATH', help: 'accepted, not used: fos is built in' },
  runDirectory: {
    long: ['--run-dir'],
    value: 'DIR',
    help: 'pid file and sockets (/run/piranha)',
  },
  stateDirectory: {
    long: ['--state-dir'],
    value: 'DIR',
    help: 'audit and history (/var/lib/piranha; with --run-dir DIR: DIR/state)',
  },
  version: VERSION,
  help: HELP,
  usage: { long: ['--usage'], help: 'the options in one line' },
} as const satisfies OptionTable;

export const LVSD = {
  configFile: CONFIG_FILE,
  noDaemon: NO_DAEMON,
  noFork: { long: ['--nofork'], help: 'the same' },
  test: { short: '-t', long: ['--test-start', '--norun'], help: 'judge the file, touch nothing' },
  verbose: { short: '-v', long: ['--verbose'], help: 'log every step of a weight, too' },
  runDirectory: {
    long: ['--run-dir'],
    value: 'DIR',
    help: 'where overrides are kept (/run/piranha-lvsd)',
  },
  version: VERSION,
  help: HELP,
} as const satisfies OptionTable;

export const FOS = {
  configFile: CONFIG_FILE,
  active: {
    short: '-F',
    long: ['--active'],
    help: 'start the services here and watch them',
  },
  monitor: { short: '-f', long: ['--monitor'], help: 'watch them at their VIPs' },
  noDaemon: NO_DAEMON,
  noFork: { long: ['--nofork'], help: 'the same' },
  test: { short: '-t', long: ['--test-start', '--norun'], help: 'judge the file, run nothing' },
  verbose: { short: '-v', long: ['--verbose'], help: 'accepted: it says everything' },
  version: VERSION,
  help: HELP,
} as const satisfies OptionTable;

export const NANNY = {
  server: { short: '-h', long: ['--server'], value: 'IP', help: 'the real server (required)' },
  virtual: {
    short: '-V',
    long: ['--virtaddress'],
    value: 'IP',
    help: 'VIP of the virtual service',
  },
  port: { short: '-p', long: ['--port'], value: 'PORT', help: 'port of the virtual service (80)' },
  realPort: {
    short: '-r',
    long: ['--rport'],
    value: 'PORT',
    help: 'port of the real server (the same)',
  },
  mark: {
    short: '-f',
    long: ['--fwmark'],
    value: 'N',
    help: 'firewall mark in place of VIP and port',
  },
  weight: { short: '-w', long: ['--weight'], value: 'N', help: 'its weight (1)' },
  method: { short: '-M', long: ['--method'], value: 'm|g|i', help: 'nat, direct or tunnel (m)' },
  interval: { short: '-t', long: ['--interval'], value: 'S', help: 'seconds between probes (10)' },
  reentry: {
    short: '-a',
    long: ['--reentrytime'],
    value: 'S',
    help: 'up for so long before it comes back (180)',
  },
  send: { short: '-s', long: ['--send_string'], value: 'TEXT', help: 'sent to the server' },
  expect: { short: '-x', long: ['--expect_string'], value: 'TEXT', help: 'expected from it' },
  regex: { long: ['--regex'], help: 'what is expected is a regular expression' },
  program: {
    short: '-e',
    long: ['--send_program'],
    value: 'PROGRAM',
    help: 'run in place of a connection',
  },
  quiesce: { short: '-q', long: ['--quiesce_server'], help: 'weight 0 in place of removal' },
  udp: { short: '-u', long: ['--udp'], help: 'the service is UDP' },
  load: {
    short: '-U',
    long: ['--loadcmd'],
    value: 'NAME',
    help: 'weight by load: rup, ruptime or uptime',
  },
  lvs: { long: ['--lvs'], help: 'accepted: what it does' },
  fos: { long: ['--fos'], help: 'refused: fos watches its services itself' },
  suppress: { short: '-T', long: ['--suppress'], help: 'accepted, not used' },
  scale: {
    short: '-S',
    long: ['--scale'],
    value: 'N',
    help: 'accepted, not used: the scale is 10',
  },
  ipvsadm: { short: '-I', long: ['--ipvsadm'], value: 'PATH', help: 'accepted, not used' },
  noDaemon: NO_DAEMON,
  noFork: { short: '-c', long: ['--nofork'], help: 'the same' },
  test: { long: ['--test-start', '--norun'], help: 'judge the options, touch nothing' },
  verbose: { short: '-v', long: ['--verbose'], help: 'log every step of a weight, too' },
  version: VERSION,
  help: HELP,
} as const satisfies OptionTable;

export const SEND_ARP = {
  device: { short: '-i', long: [], value: 'DEV', help: 'interface (eth0)' },
  help: HELP,
} as const satisfies OptionTable;
