/** A lab leaves nothing behind, however it ends. Each test starts the real program and looks at the whole machine. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { type Cell, findCells } from './cell.ts';
import { command } from './command.ts';
import { PROGRAM } from './directors.ts';
import { sleep } from './observer.ts';
import { NODES } from './topology.ts';

type Lab = {
  readonly program: ChildProcess;
  readonly cell: Cell;
  readonly inside: readonly number[];
};

test('a lab killed with -9 leaves no process, no namespace, no interface and no file', async () => {
  const { program, cell, inside } = await labUp();
  assert.ok(
    inside.length >= 5,
    `two directors and an observer run in it (${inside.length} processes)`,
  );
  program.kill('SIGKILL');
  await gone(inside);
  assert.deepEqual(await traces(cell), { links: [], namespaces: [], run: [], cells: [] });
});

test('a lab whose inner process is killed with -9 ends as a whole and says so', async () => {
  const { program, cell, inside } = await labUp();
  const ended = new Promise((resolve) => program.once('exit', resolve));
  process.kill(cell.first, 'SIGKILL');
  assert.notEqual(await ended, 0);
  await gone(inside);
});

test('lab down ends what lab up started, from another terminal', async () => {
  const { program, cell, inside } = await labUp();
  const ended = new Promise((resolve) => program.once('exit', resolve));
  assert.match(await command([PROGRAM, 'lab', 'down', cell.name]), /piranha-lab-[0-9a-f]{4} ended/);
  await ended;
  await gone(inside);
  await assert.rejects(command([PROGRAM, 'lab', 'down', cell.name]), /there is no lab/);
});

test('Ctrl-C ends a lab that is up, and that is no failure', async () => {
  const { program, inside } = await labUp();
  const ended = new Promise((resolve) => program.once('exit', resolve));
  assert.ok(program.pid !== undefined);
  process.kill(-program.pid, 'SIGINT'); // as a terminal does: to the whole foreground group
  assert.equal(await ended, 0);
  await gone(inside);
});

test('lab shell opens a shell on a node of the running lab', async () => {
  const { program, cell, inside } = await labUp();
  const text = await command(
    [PROGRAM, 'lab', 'shell', 'router', cell.name],
    'ip -br addr show eth0\nexit\n',
  );
  assert.match(text, /198\.51\.100\.1\/24/);
  program.kill('SIGKILL');
  await gone(inside);
});

test('an ordinary user can run it where the kernel lets users make namespaces', async (context) => {
  const ids = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
  const asNobody = ['setpriv', ...ids, 'env', 'PATH=/usr/bin:/bin'];
  const isReadable = command([...asNobody, 'test', '-r', PROGRAM]).then(
    () => true,
    () => false,
  );
  if (!(await isReadable)) return context.skip('this tree cannot be read by an ordinary user');
  const run = await command(
    [...asNobody, PROGRAM, 'lab', 'run', 'stop', '--json'],
    '',
    60_000,
  ).catch((error: Error) => error.message);
  if (run.includes('does not let an ordinary user')) return context.skip(run);
  assert.match(run, /"isGood":true/);
});

test('without a lab, lab shell says so', async () => {
  await assert.rejects(command([PROGRAM, 'lab', 'shell', 'da', 'none']), /no lab none/);
});

/** `piranha lab up`, ready. */
async function labUp(): Promise<Lab> {
  const program = spawn(PROGRAM, ['lab', 'up'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  let text = '';
  await new Promise<void>((resolve, reject) => {
    program.stdout?.on('data', (chunk) => {
      text += chunk;
      if (text.includes('Look around')) resolve();
    });
    program.once('exit', (status) =>
      reject(new Error(`lab up ended with status ${status}:\n${text}`)),
    );
  });
  const cell = findCells().find(({ parent }) => parent === program.pid);
  assert.ok(cell !== undefined, 'the lab is found while it lives');
  return { program, cell, inside: processesOf(cell) };
}

/** Everything in the process namespace of the cell. */
function processesOf(cell: Cell): number[] {
  const own = namespaceOf(cell.first);
  return processes().filter((pid) => namespaceOf(pid) === own);
}

function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return 'ended';
  }
}

async function gone(pids: readonly number[]): Promise<void> {
  const limit = performance.now() + 3000;
  while (pids.some((pid) => processes().includes(pid))) {
    assert.ok(
      performance.now() < limit,
      `still there: ${pids.filter((pid) => processes().includes(pid))}`,
    );
    await sleep(20);
  }
}

/** What a lab could leave on the machine, by the names that a lab gives. */
async function traces(cell: Cell) {
  const links = await command(['ip', '-o', 'link']);
  const namespaces = await command(['ip', 'netns', 'list']);
  return {
    links: links.split('\n').filter((line) => /: (p-|h-|eye|br0|br1)/.test(line)),
    namespaces: namespaces
      .split('\n')
      .filter((line) => NODES.some((node) => line.startsWith(node))),
    run: readdirSync('/run').filter((name) => name.startsWith('piranha-lab')),
    cells: findCells().filter(({ name }) => name === cell.name),
  };
}
