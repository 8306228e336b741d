/**
 * `piranha doctor`: what breaks such pairs in the field, looked for one by one, each finding with its evidence and what to
 * type. It changes nothing: `--fix` prints the commands, sorted by the machine they are typed on.
 *
 * Exit codes: 0 nothing found, 1 warnings, 2 something is broken, 3 it could not look.
 */
import { readKeys } from '../director/index.ts';
import { CHECKS } from './doctor-checks.ts';
import { type Facts, gatherFacts } from './doctor-facts.ts';
import { probeServers, SERVER_CHECKS } from './doctor-servers.ts';
import { exitOf, type Finding, MARKS, type Severity } from './finding.ts';
import { DEFAULT_CONFIG_FILE } from './options-of-programs.ts';
import { DEFAULT_RUN_DIRECTORY, DOCTOR } from './options-of-verbs.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';

export const CONFIG_CHECK = { name: 'config-runs', about: 'lvs.cf can be run on this machine' };

export const doctorCommand = withOptions('doctor', DOCTOR, async ({ flags, values }) => {
  const all = [CONFIG_CHECK, ...CHECKS, ...SERVER_CHECKS];
  if (flags.has('list')) {
    const width = Math.max(...all.map(({ name }) => name.length)) + 2;
    say(all.map(({ name, about }) => `${name.padEnd(width)}${about}`).join('\n'));
    return 0;
  }
  const only = values.get('only');
  if (only !== undefined && !all.some(({ name }) => name === only))
    return misuse('doctor', `there is no check ${only}; --list names them`);
  const facts = await gatherFacts({
    runDirectory: values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY,
    configFile: values.get('configFile') ?? DEFAULT_CONFIG_FILE,
    keyFault: (path) => {
      const keys = readKeys(path);
      return keys.ok ? undefined : keys.error;
    },
  });
  const found = await examine(facts, !flags.has('noProbe'));
  // Without a file that can be run no other check has a word: then that is the finding.
  const isMeant = ({ check, severity }: Finding): boolean =>
    check === only || (check === CONFIG_CHECK.name && severity === 'broken');
  const findings = only === undefined ? found : found.filter(isMeant);
  if (flags.has('json')) sayJson({ v: 1, ...subject(facts), findings });
  else if (flags.has('fix')) say(fixText(findings));
  else say(doctorText(facts, findings));
  return exitOf(findings);
});

/** Every finding, the worst first. */
export async function examine(facts: Facts, doesProbe: boolean): Promise<readonly Finding[]> {
  const { settings } = facts;
  const check = CONFIG_CHECK.name;
  if (!settings.ok) {
    const cures = [{ on: 'here', command: `piranha check ${facts.configFile}` }];
    return [
      {
        check,
        severity: 'broken',
        text: `${facts.configFile} cannot be run`,
        evidence: settings.error,
        cures,
      },
    ];
  }
  const found: Finding[] = [{ check, severity: 'good', text: facts.configFile }];
  for (const { name, look } of CHECKS) {
    found.push(...look(facts, settings.value).map((said) => ({ check: name, ...said })));
  }
  if (doesProbe) found.push(...(await probeServers(facts, settings.value)));
  const order: readonly Severity[] = ['broken', 'warning', 'unknown', 'good'];
  return order.flatMap((severity) => found.filter((finding) => finding.severity === severity));
}

/** Who was looked at. */
function subject({ settings, node, status, configFile }: Facts) {
  return {
    file: configFile,
    ...(node !== undefined && { node }),
    ...(status !== undefined && { role: status.role }),
    ...(settings.ok && { serialNo: settings.value.serialNo, network: settings.value.network }),
  };
}

export function doctorText(facts: Facts, findings: readonly Finding[]): string {
  const { node = 'no node', role = 'no daemon', serialNo, network } = subject(facts);
  const bad = findings.filter(({ severity }) => severity !== 'good');
  const names = new Set(findings.map(({ check }) => check));
  const count = (severity: Severity): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const counts = [
    `${names.size} checks`,
    `${count('broken')} broken`,
    `${count('warning')} warnings`,
    ...(count('unknown') > 0 ? [`${count('unknown')} unknown`] : []),
  ].join(', ');
  const what = serialNo === undefined ? '' : `, serial_no ${serialNo}, ${network}`;
  if (findings.length === 0) return `doctor on ${node} (${role})${what}: it has no say here`;
  const passed = [...names].filter((name) => !bad.some(({ check }) => check === name));
  return [
    `doctor on ${node} (${role})${what}: ${counts}`,
    ...bad.flatMap(findingLines),
    ...(passed.length === 0 ? [] : ['', ...wrapped(passed.map((name) => `${MARKS.good} ${name}`))]),
  ].join('\n');
}

function findingLines({ check, severity, text, evidence = [], cures = [] }: Finding) {
  return [
    '',
    `${MARKS[severity]} ${check}  ${text}`,
    ...evidence.map((line) => `      ${line}`),
    ...cures.map(({ on, command }) => `    ${on === 'here' ? '' : `on ${on}: `}${command}`),
  ];
}

/** Several to a line, as far as 100 characters go. */
function wrapped(words: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > 98) lines.push(word);
    else lines[lines.length - 1] = `${last}  ${word}`;
  }
  return lines;
}

export function fixText(findings: readonly Finding[]): string {
  const cures = findings.flatMap(({ check, cures: own = [] }) =>
    own.map((cure) => ({ ...cure, check })),
  );
  const machines = [...new Set(cures.map(({ on }) => on))];
  if (cures.length === 0) return '# nothing to type';
  return machines
    .map((machine) => {
      const mine = cures.filter(({ on }) => on === machine);
      const lines = [...new Set(mine.map(({ command }) => command))].map((command) => {
        const why = mine.find((cure) => cure.command === command)?.check ?? '';
        return `${command}${command.includes('#') ? '' : `  # ${why}`}`;
      });
      return [`# ${machine === 'here' ? 'on this machine' : `on ${machine}`}`, ...lines].join('\n');
    })
    .join('\n\n');
}
