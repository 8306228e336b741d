/**
 * The program. PIRANHA_NAME is the name it was called by (the launcher sets it; a link in bin/ has another name).
 *
 * It ends when its last words have been taken: Node writes to a pipe in the background, and an exit would cut a long
 * answer off after what the pipe holds (65,536 bytes). A reader who goes away early (`| head`) ends it, too.
 */
import { runCommand } from './cli/index.ts';

const name = process.env.PIRANHA_NAME ?? 'piranha';
process.stdout.on('error', () => process.exit(1));
const exitCode = await runCommand(name, process.argv.slice(2));
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)));
