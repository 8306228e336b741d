/** The password of a person at a terminal, typed twice and not shown; or the first line of what is piped in. */
import { err, ok, type Result } from '../base/index.ts';

/** Far above the longest password. */
const MOST_CHARACTERS = 4096;
const ENTER = ['\r', '\n', '\u0004'];
const INTERRUPT = '\u0003';

export async function readPassword(prompt: string): Promise<Result<string, string>> {
  if (!process.stdin.isTTY) return firstLine();
  const first = await askHidden(`${prompt}: `);
  if (first === undefined) return err('given up');
  const second = await askHidden('once more: ');
  return first === second ? ok(first) : err('the two differ');
}

async function firstLine(): Promise<Result<string, string>> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const part of process.stdin) {
    text += String(part);
    if (text.length > MOST_CHARACTERS) break;
  }
  const [line = ''] = text.split(/\r?\n/, 1);
  return line === '' ? err('standard input gave no password') : ok(line);
}

/** Nothing is shown while it is typed. Undefined: interrupted. */
function askHidden(prompt: string): Promise<string | undefined> {
  const { stdin, stderr } = process;
  stdin.setRawMode(true); // before the prompt: whoever is asked may type at once
  stderr.write(prompt);
  stdin.setEncoding('utf8');
  stdin.resume();
  return new Promise((resolve) => {
    let typed = '';
    const finish = (answer: string | undefined): void => {
      stdin.off('data', read);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      resolve(answer);
    };
    const read = (keys: string): void => {
      for (const key of keys) {
        if (ENTER.includes(key) || key === INTERRUPT) {
          finish(key === INTERRUPT ? undefined : typed);
          return;
        }
        if (key === '\u007f' || key === '\b') typed = [...typed].slice(0, -1).join('');
        else if (key === '\u0015') typed = '';
        else if (key >= ' ') typed += key;
      }
    };
    stdin.on('data', read);
  });
}
