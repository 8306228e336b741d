/**
 * The director's process where it is built (bin/build-pulse.sh): what `pulse` becomes. The worker begins to load before
 * anything else does, beside it: who starts again inside its own lease must be there before that ends.
 */
import { Worker } from 'node:worker_threads';
import { PULSE_HEAP } from '../base/index.ts';

const worker = new Worker(new URL('./pulse-worker.mjs', import.meta.url), {
  resourceLimits: PULSE_HEAP,
});
const { pulseCommand } = await import('./pulse.ts');
const words = process.argv.slice(2);
// Called by its own name, or as a verb.
const argv = process.env.PIRANHA_NAME === 'pulse' ? words : words.slice(1);
process.exit(await pulseCommand(argv, worker));
