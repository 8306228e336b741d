/** In the cell: runs suite.ts so that it tells its results as TAP. Started by run.ts only. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const suite = join(import.meta.dirname, 'suite.ts');
const flags = ['--disable-warning=ExperimentalWarning', '--test-reporter=tap'];
const { status } = spawnSync(process.execPath, [...flags, suite], { stdio: 'inherit' });
process.exitCode = status ?? 1;
