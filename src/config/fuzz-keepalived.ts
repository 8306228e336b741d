/**
 * Hostile keepalived.conf files, for the run of a million inputs: samples with a few characters, words and lines
 * changed. What must hold for each: nothing throws, there is an lvs.cf exactly when nothing is refused, it can be run,
 * and what is exported of it is imported again with the same VIPs and services.
 */
import { assert, type IpAddress, parseIpAddress } from '../base/index.ts';
import { floatingAddresses, type Settings } from '../model/index.ts';
import { type Dice, diceOf, pick } from './fuzz.ts';
import { exportKeepalived } from './keepalived-export.ts';
import { type ImportOptions, importKeepalived } from './keepalived-import.ts';
import { parseSettings } from './parse.ts';

/** Tries `count` files; throws at the first that breaks a rule, naming seed and text. */
export function fuzzKeepalived(
  count: number,
  seed: number,
  samples: readonly string[],
): { readonly files: number; readonly imported: number } {
  const dice = diceOf(seed);
  const options: ImportOptions = {
    primary: address('198.51.100.11'),
    backup: address('198.51.100.12'),
    configId: 'main',
    device: 'eth0',
  };
  const words = samples.flatMap((sample) => sample.split(/\s+/));
  let imported = 0;
  for (let files = 0; files < count; files++) {
    const text = mutate(dice, pick(dice, samples) ?? '', words);
    if (judge(text, options, () => `seed ${seed}: ${JSON.stringify(text)}`)) imported++;
  }
  return { files: count, imported };
}

function address(text: string): IpAddress {
  const parsed = parseIpAddress(text);
  assert(parsed.ok, text);
  return parsed.value;
}

function judge(text: string, options: ImportOptions, context: () => string): boolean {
  const { text: made, notes } = importKeepalived(text, options);
  const isRefused = notes.some(({ kind }) => kind === 'refused');
  assert((made === undefined) === isRefused, `neither a file nor a refusal, ${context()}`);
  if (made === undefined) return false;
  const { settings } = parseSettings(made, { file: 'lvs.cf' });
  assert(settings !== undefined, `it cannot be run, ${context()}`);
  const { text: exported } = exportKeepalived(settings);
  const again = importKeepalived(exported, { ...options, configId: 'primary' });
  const back = parseSettings(again.text ?? '', { file: 'lvs.cf' }).settings;
  assert(back !== undefined, `what is exported is refused, ${context()}`);
  assert(shape(back) === shape(settings), `it comes back otherwise, ${context()}`);
  return true;
}

/** VIPs and enabled services, in no order. */
function shape(settings: Settings): string {
  const vips = floatingAddresses(settings).map(({ address: vip, device }) => `${vip} ${device}`);
  const services = settings.virtualServices.flatMap((service) => {
    const { isEnabled, firewallMark, vip, port, protocol, scheduler, realServers } = service;
    const servers = realServers.filter((server) => server.isEnabled);
    if (!isEnabled || servers.length === 0) return [];
    const place = firewallMark > 0 ? [firewallMark] : [vip.address, port, protocol];
    const weights = servers.map((server) => `${server.address} ${server.weight}`);
    return [[...place, scheduler, ...weights].join(' ')];
  });
  return [...vips.toSorted(), ...services.toSorted()].join('\n');
}

// biome-ignore format: a table
const SNIPPETS = [
  '', ' ', '\n', '{', '}', '{\n', '\n}\n', '"', "'", '#', '!', '\\', '\\\n', '@main ', '@^main ', '$A=', '$A=$A$A\n', '$A ', '$\u007bA}',
  '~SEQ(A,1,3) ', '~SEQ(A, 9, -2, 1) ', '~LST(A, b, c) ', '~LST({A,B},{1,2},{3,4}) ', '-1', '0', '/', '/64', '::', 'é', '\0', '\u2028', '\ud800',
] as const;

/** Up to five changes: characters, a word for another, a line away, doubled or moved. */
function mutate(dice: Dice, text: string, words: readonly string[]): string {
  let changed = text;
  for (let rest = 1 + dice(5); rest > 0; rest--) {
    const at = dice(changed.length + 1);
    const kind = dice(4);
    if (kind === 0) {
      changed = changed.slice(0, at) + (pick(dice, SNIPPETS) ?? '') + changed.slice(at + dice(6));
    } else if (kind === 1) {
      const end = changed.slice(at).search(/\s|$/);
      changed = changed.slice(0, at) + (pick(dice, words) ?? '') + changed.slice(at + end);
    } else {
      const lines = changed.split('\n');
      const [line = ''] = lines.splice(dice(lines.length), kind === 2 ? 1 : 0);
      const moved = kind === 2 ? line : (pick(dice, lines) ?? '');
      if (dice(2) === 0) lines.splice(dice(lines.length + 1), 0, moved);
      changed = lines.join('\n');
    }
  }
  return changed;
}
