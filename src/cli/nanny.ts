/**
 * `nanny`: the monitor of one real server, with the options of piranha 0.8.6 (nanny(8)), in the foreground.
 *
 * Its words are turned into the lvs.cf that says the same, so that every default and every complaint is the parser's.
 * The options of fos monitors are known and refused: fos watches its services itself. Called wrongly it exits with 1, as
 * nanny did.
 */
import { ipFamily, parseIpAddress } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import { readOptions } from './options.ts';
import { NANNY } from './options-of-programs.ts';
import { versionText } from './version-text.ts';

type Name = keyof typeof NANNY;
const METHODS: ReadonlyMap<string, string> = new Map([
  ['m', 'nat'],
  ['g', 'direct'],
  ['i', 'tunnel'],
]);

export async function nannyCommand(argv: readonly string[]): Promise<number> {
  const parsed = readOptions<Name>(argv, NANNY);
  if (!parsed.ok) return complain(parsed.error);
  const { flags, values, rest } = parsed.value;
  if (flags.has('version')) return say(versionText('nanny'));
  if (rest.length > 0) return complain(`unexpected argument ${rest[0]}`);
  if (flags.has('fos')) return complain('--fos: fos watches its services itself');
  const server = parseIpAddress(values.get('server') ?? '');
  if (!server.ok) return complain('-h takes the address of the real server');
  if (!values.has('virtual') && !values.has('mark')) return complain('-V or -f names the service');
  if (!METHODS.has(values.get('method') ?? 'm')) return complain('-M takes m, g or i');
  if ([...values.values()].some((value) => value.includes('\n')))
    return complain('a value has two lines');
  const text = configText(flags, values, ipFamily(server.value) === 4 ? '127.0.0.1' : '::1');
  const { settings, problems } = parseSettings(text, { file: 'options' });
  if (settings === undefined) return complain(problems[0]?.message ?? 'bad options');
  if (flags.has('test')) return 0;
  const { runNanny } = await import('../director/index.ts');
  return runNanny(settings, flags.has('verbose'));
}

/** `noVip` stands where only a mark was given. */
function configText(
  flags: ReadonlySet<Name>,
  values: ReadonlyMap<Name, string>,
  noVip: string,
): string {
  const given = (key: string, name: Name): readonly string[] => {
    const value = values.get(name);
    return value === undefined ? [] : [`${key} = ${quoted(value)}`];
  };
  const isSet = (key: string, name: Name): readonly string[] =>
    flags.has(name) ? [`${key} = 1`] : [];
  return [
    'primary = 127.0.0.1',
    `network = ${METHODS.get(values.get('method') ?? 'm')}`,
    'virtual nanny {',
    'active = 1',
    `address = ${values.get('virtual') ?? noVip} lo`,
    ...given('port', 'port'),
    ...(flags.has('udp') ? ['protocol = udp'] : []),
    ...given('fwmark', 'mark'),
    ...given('timeout', 'interval'),
    ...given('reentry', 'reentry'),
    ...given('send', 'send'),
    ...given('expect', 'expect'),
    ...isSet('use_regex', 'regex'),
    ...given('send_program', 'program'),
    ...isSet('quiesce_server', 'quiesce'),
    ...given('load_monitor', 'load'),
    'server server {',
    ...given('address', 'server'),
    'active = 1',
    ...given('port', 'realPort'),
    ...given('weight', 'weight'),
    '}',
    '}',
    '',
  ].join('\n');
}

/** lvs.cf has no escape for its quotes: one of the two kinds is free. */
function quoted(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function complain(sentence: string): number {
  process.stderr.write(`nanny: ${sentence}; try nanny --help\n`);
  return 1;
}
