/**
 * The tier `console`: opens a cell of the lab, plays the journey of suite.ts in it with a real browser, and hands on its TAP.
 * `PIRANHA_PICTURES=1`: the pictures of docs/pictures are taken anew.
 */
import { obstacle, openCell } from '../../lab/index.ts';
import { browserObstacle } from './browser.ts';

const why = (await obstacle()) ?? browserObstacle();
if (why !== undefined) {
  process.stdout.write(`TAP version 13\nok 1 - the console in a browser # SKIP ${why}\n`);
  process.stdout.write('# tests 1\n# pass 0\n# fail 0\n# skipped 1\n');
} else {
  const script = `${import.meta.dirname}/inside.ts`;
  const cell = openCell({ mode: 'run', options: {}, script }, 'inherit');
  cell.on('close', (status) => {
    process.exitCode = status ?? 1;
  });
}
