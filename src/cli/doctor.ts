/**
 * `piranha doctor`: what breaks such pairs in the field, looked for one by one, each finding with its evidence and what to
 * type. It changes nothing by itself: `--fix` prints the commands, sorted by the machine they are typed on, and asks before
 * it writes those that are settings of this kernel (doctor-fix.ts). The frames behind the findings go into a file.
 *
 * Exit codes: 0 nothing found, 1 warnings, 2 something is broken, 3 it could not look.
 */
import { readKeys } from '../director/index.ts';
import { CHECKS } from './doctor-checks.ts';
import { type Facts, gatherFacts, readSystem } from './doctor-facts.ts';
import { fixText, offerFix } from './doctor-fix.ts';
import { PARTNER_CHECKS, probePartner } from './doctor-partner.ts';
import { probeSegments, SEGMENT_CHECKS } from './doctor-segment.ts';
import { numbered, rangesText, type Shown, writeEvidence } from './evidence.ts';
import { exitOf, type Finding, MARKS, type Severity } from './finding.ts';
import { DOCTOR } from './look-verbs.ts';
import { DEFAULT_CONFIG_FILE } from './options-of-programs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';

export const CONFIG_CHECK = { name: 'config-runs', about: 'lvs.cf can be run on this machine' };

/** Every check, in the order of the page. */
export const ALL_CHECKS = [CONFIG_CHECK, ...CHECKS, ...PARTNER_CHECKS, ...SEGMENT_CHECKS];

const COULD_NOT_LOOK = 3;

export const doctorCommand = withOptions('doctor', DOCTOR, async ({ flags, values }) => {
  if (flags.has('list')) {
    const width = Math.max(...ALL_CHECKS.map(({ name }) => name.length)) + 2;
    say(ALL_CHECKS.map(({ name, about }) => `${name.padEnd(width)}${about}`).join('\n'));
    return 0;
  }
  const only = values.get('only');
  if (only !== undefined && !ALL_CHECKS.some(({ name }) => name === only))
    return misuse('doctor', `there is no check ${only}; --list names them`);
  if (flags.has('json') && flags.has('fix'))
    return misuse('doctor', '--fix is for people; --json has the cures beside each finding');
  const doesProbe = !flags.has('noProbe');
  if (doesProbe && !maySendFrames()) {
    process.stderr.write(
      'piranha doctor: it asks the segment with packets of its own, which only root may send: call it by sudo, or with --no-probe to look at this machine alone\n',
    );
    return COULD_NOT_LOOK;
  }
  const runDirectory = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
  const facts = await gatherFacts({
    runDirectory,
    configFile: values.get('configFile') ?? DEFAULT_CONFIG_FILE,
    keyFault: (path) => {
      const keys = readKeys(path);
      return keys.ok ? undefined : keys.error;
    },
  });
  const found = await examine(facts, doesProbe);
  // Without a file that can be run no other check has a word: then that is the finding.
  const isMeant = ({ check, severity }: Finding): boolean =>
    check === only || (check === CONFIG_CHECK.name && severity === 'broken');
  const meant = only === undefined ? found : found.filter(isMeant);
  const written = doesProbe ? writeEvidence(meant, values.get('pcap'), runDirectory) : undefined;
  if (written?.error !== undefined) process.stderr.write(`piranha doctor: ${written.error}\n`);
  const findings = numbered(meant, written?.path);
  if (flags.has('json')) {
    sayJson({ v: 1, ...subject(facts), ...(written?.path && { frames: written.path }), findings });
  } else if (flags.has('fix')) {
    say(fixText(findings));
    if (!(await offerFix(findings, flags.has('yes')))) return 1;
  } else say(doctorText(facts, findings, written?.path));
  return exitOf(findings);
});

/** CAP_NET_RAW, capabilities(7). */
const CAPABILITY_RAW = 13n;

function maySendFrames(): boolean {
  const [, effective] =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(readSystem('/proc/self/status') ?? '') ?? [];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> CAPABILITY_RAW) & 1n) === 1n;
}

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
  if (doesProbe) {
    const asked = [probePartner(facts, settings.value), probeSegments(facts, settings.value)];
    found.push(...(await Promise.all(asked)).flat());
  }
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

/** `path` is the file that the numbers of frames count in. */
export function doctorText(facts: Facts, findings: readonly Shown[], path?: string): string {
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
    ...bad.flatMap((finding) => findingLines(finding, path)),
    ...(passed.length === 0 ? [] : ['', ...wrapped(passed.map((name) => `${MARKS.good} ${name}`))]),
  ].join('\n');
}

function findingLines(
  { check, severity, text, evidence = [], cures = [], frames = [] }: Shown,
  path: string | undefined,
) {
  const kept = frames.length === 0 ? [] : [`frames ${rangesText(frames)} of ${path}`];
  return [
    '',
    `${MARKS[severity]} ${check}  ${text}`,
    ...[...evidence, ...kept].map((line) => `      ${line}`),
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
