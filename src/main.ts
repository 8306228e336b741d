/**
 * The program. PIRANHA_NAME is the name it was called by (the launcher sets it; a link in bin/ has another name).
 */
import { runCommand } from './cli/index.ts';

const name = process.env.PIRANHA_NAME ?? 'piranha';
process.exit(await runCommand(name, process.argv.slice(2)));
