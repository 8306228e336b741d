/**
 * The blackout figures of docs/failure-modes.md are those of the simulator: each row that bears a figure is played here with
 * both timers of the page. What the lab measured stands in brackets behind it, and is not held by a test.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Milliseconds } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import type { Timers } from './arenas.ts';
import { type ActionKind, action } from './faults.ts';
import { type Cue, playInPhases, type Rehearsal, segmentOf } from './rehearsal.ts';
import { BOTH, type Segment, type Who } from './world.ts';

const A: Who = 0;
const B: Who = 1;
/** Of the page's two columns. */
const TIMERS: readonly Timers[] = [
  { keepaliveMs: 100, deadtimeMs: 300 },
  { keepaliveMs: 1000, deadtimeMs: 3000 },
];

type Step = readonly [kind: ActionKind, argument?: number];
type Story = {
  readonly strikes: readonly Step[];
  /** Four deadtimes and a half keepalive after the fault; absent: it stays so. */
  readonly cures?: readonly Step[];
};
type Row = {
  /** What the first cell begins with, and what the table is under. */
  readonly fault: string;
  readonly chapter?: string;
  readonly lines?: readonly string[];
  readonly witness?: 'known' | 'named';
  readonly stories: readonly Story[];
  /** Behind the figure, in place of the milliseconds that depend on how long the fault lasts. */
  readonly both?: string;
};

const TWO_PATHS = ['primary_private = 192.0.2.11', 'backup_private = 192.0.2.12'];
const OLD = {
  chapter: 'With a Red Hat Piranha as partner',
  lines: ['dialect = legacy'],
} as const;
const FREEZE: Story = { strikes: [['freeze', A]], cures: [['thaw', A]] };
const PAUSE: Story = { strikes: [['pause', A]], cures: [['resume', A]] };
const POWER: Story = { strikes: [['power-off', A]] };
const STOP: Story = { strikes: [['stop', A]] };
const UNPLUG: Story = { strikes: [['link-down', A]], cures: [['link-up', A]] };

const ROWS: readonly Row[] = [
  { fault: "A's daemon freezes", stories: [FREEZE] },
  {
    fault: "A's daemon is killed, its host lives",
    stories: [{ strikes: [['kill', A]], cures: [['start', A]] }],
  },
  { fault: "A's machine is paused", stories: [PAUSE] },
  {
    fault: 'The same, and its network card',
    stories: [{ strikes: [['suspend', A]], cures: [['resume', A]] }],
  },
  { fault: "A's machine dies", stories: [POWER] },
  { fault: 'A is stopped cleanly', stories: [STOP] },
  {
    fault: 'B freezes, or is killed',
    stories: [
      { strikes: [['freeze', B]], cures: [['thaw', B]] },
      { strikes: [['kill', B]], cures: [['start', B]] },
    ],
  },
  {
    fault: "B's machine dies",
    stories: [{ strikes: [['power-off', B]], cures: [['power-on', B]] }],
  },
  { fault: 'What A says', stories: [{ strikes: [['cut', 0]], cures: [['heal', 0]] }] },
  { fault: 'What B says', stories: [{ strikes: [['cut', 2]], cures: [['heal', 2]] }] },
  {
    fault: 'One of two heartbeat paths',
    lines: TWO_PATHS,
    stories: [
      {
        strikes: [
          ['cut', 1],
          ['cut', 3],
        ],
        cures: [['heal-all']],
      },
      {
        strikes: [
          ['cut', 0],
          ['cut', 2],
        ],
        cures: [['heal-all']],
      },
    ],
  },
  {
    fault: 'Every heartbeat path',
    stories: [{ strikes: [['split']], cures: [['heal-all']] }],
    both: ', both until healed',
  },
  {
    fault: 'One direction of that split',
    stories: [
      { strikes: [['split']], cures: [['heal', 0]] },
      { strikes: [['split']], cures: [['heal', 2]] },
    ],
    both: '',
  },
  { fault: "The VIP's cable at A is out, and heartbeats have no other", stories: [UNPLUG] },
  {
    fault: "The VIP's cable at A is out, heartbeats have another",
    lines: TWO_PATHS,
    stories: [{ strikes: [['link-down', A]] }],
  },
  {
    fault: 'The same with `monitor_links = 1`',
    lines: [...TWO_PATHS, 'monitor_links = 1'],
    stories: [UNPLUG],
  },
  {
    fault: 'Nothing reaches B any more',
    witness: 'known',
    stories: [{ strikes: [['deafen', B]], cures: [['hear-again', B]] }],
  },
  {
    fault: 'All of `witness_hosts` die',
    witness: 'named',
    stories: [{ strikes: [['witness-down']], cures: [['witness-up']] }],
  },
  { fault: 'The router forgets', stories: [{ strikes: [['forget']] }] },
  { ...OLD, fault: "A's daemon freezes", stories: [FREEZE], both: ', both until it wakes' },
  { ...OLD, fault: "A's machine is paused", stories: [PAUSE] },
  { ...OLD, fault: "A's machine dies", stories: [POWER] },
  { ...OLD, fault: 'A is stopped cleanly', stories: [STOP] },
];

const page = readFileSync(join(import.meta.dirname, '../../docs/failure-modes.md'), 'utf8');

for (const row of ROWS) {
  test(`${row.chapter ?? 'Ours'}: ${row.fault}`, () => {
    const cells = cellsOf(row);
    for (const [index, timers] of TIMERS.entries()) {
      const told = cells.at(index - TIMERS.length);
      // What the lab measured follows in brackets: median, worst.
      assert.equal(told?.replace(/ \(\d+, \d+\)/, ''), figure(row, timers));
    }
  });
}

/** The last two cells are the figures. */
function cellsOf({ fault, chapter }: Row): readonly string[] {
  const from = chapter === undefined ? 0 : page.indexOf(`## ${chapter}`);
  const line = page
    .slice(from)
    .split('\n')
    .find((text) => text.startsWith(`| ${fault}`));
  assert.ok(line !== undefined, `docs/failure-modes.md has no row "${fault}"`);
  const cells = line.slice(2, -2).split(' | ');
  return chapter === undefined ? cells.slice(0, 4) : cells;
}

function figure(row: Row, timers: Timers): string {
  const outcomes = row.stories.map((story) => played(row, story, timers));
  if (outcomes.some(({ owner }) => owner === 'nobody')) return 'until the cable is back';
  const least = Math.min(...outcomes.map(({ blackoutMs }) => blackoutMs.least));
  const worst = Math.max(...outcomes.map(({ blackoutMs }) => blackoutMs.worst));
  const double = Math.max(...outcomes.map(({ doubleMs }) => doubleMs));
  const range = least === worst ? `${worst}` : `${least} to ${worst}`;
  return `${range}${row.both ?? (double > 0 ? `, both ${double}` : '')}`;
}

function played(row: Row, { strikes, cures = [] }: Story, timers: Timers): Rehearsal {
  const { keepaliveMs, deadtimeMs } = timers;
  const forMs: Milliseconds = 4 * deadtimeMs + keepaliveMs / 2;
  return playInPhases(segmentFor(row, timers), (at) => [
    ...cues(strikes, at),
    ...cues(cures, at + forMs),
  ]);
}

function cues(steps: readonly Step[], at: Milliseconds): readonly Cue[] {
  return steps.map(([kind, argument = 0]) => ({ at, action: action(kind, argument) }));
}

function segmentFor({ lines = [], witness }: Row, { keepaliveMs, deadtimeMs }: Timers): Segment {
  const text = [
    'primary = 198.51.100.11',
    'backup = 198.51.100.12',
    'backup_active = 1',
    `keepalive_ms = ${keepaliveMs}`,
    `deadtime_ms = ${deadtimeMs}`,
    ...lines,
    'virtual web {',
    'active = 1',
    'address = 198.51.100.100 eth0:1',
    '}',
  ].join('\n');
  const { settings } = parseSettings(text, { file: 'lvs.cf' });
  assert.ok(settings !== undefined);
  const on = segmentOf(settings);
  if (witness === undefined) return on;
  const [first, second] = BOTH.map((who) => {
    const { extended, ...own } = on.settings[who];
    assert.ok(extended !== undefined);
    const asks = { hasWitness: true, namesWitnesses: witness === 'named' };
    return { ...own, extended: { ...extended, ...asks } };
  });
  assert.ok(first !== undefined && second !== undefined);
  return { ...on, settings: [first, second] };
}
