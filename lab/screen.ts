/**
 * Telling a story beside a live picture: text scrolls above, a few lines at the bottom show the present and are redrawn.
 * Without a terminal (or with TERM=dumb) the present is told as a line whenever it changes. Colours only on a terminal, and
 * not with NO_COLOR (https://no-color.org).
 */
import type { Present } from './observer.ts';
import { CLIENT_ADDRESSES, type Family, MACS, VIPS } from './topology.ts';

const REDRAW_MS = 100;

export type Style = 'bold' | 'good' | 'bad' | 'dim';
const CODES: Readonly<Record<Style, number>> = { bold: 1, good: 32, bad: 31, dim: 2 };

export class Screen {
  readonly #isLive = process.stdout.isTTY === true && process.env.TERM !== 'dumb';
  readonly #hasColour = this.#isLive && (process.env.NO_COLOR ?? '') === '';
  readonly #startedAt = performance.now();
  #present: Present | undefined;
  #timer: NodeJS.Timeout | undefined;
  #drawn = 0;
  #family: Family = 4;
  #lastLine = '';

  /** Text of the story; may have several lines. */
  tell(text = ''): void {
    this.#erase();
    process.stdout.write(`${text}\n`);
    this.#draw();
  }

  paint(style: Style, text: string): string {
    return this.#hasColour ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
  }

  /** Shows the present from now on. */
  follow(present: Present, family: Family): void {
    this.#present = present;
    this.#family = family;
    this.#timer = setInterval(() => {
      if (this.#isLive) {
        this.#erase();
        this.#draw();
      } else {
        this.#sayChange();
      }
    }, REDRAW_MS);
  }

  /** The picture goes; what was told stays. */
  end(): void {
    clearInterval(this.#timer);
    this.#erase();
    this.#present = undefined;
  }

  #erase(): void {
    if (this.#drawn > 0) process.stdout.write(`\x1b[${this.#drawn}F\x1b[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    if (this.#present === undefined || !this.#isLive) return;
    const lines = ['', ...this.#picture(this.#present)];
    process.stdout.write(`${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }

  #picture(present: Present): string[] {
    const { owners, answering, router, probe } = present;
    const own = owners.size === 1 ? 'good' : 'bad';
    const isAgreed = answering.length === 1 && router === answering[0];
    return [
      `  VIP ${VIPS[this.#family].padEnd(15)} is on      ${this.paint(own, names([...owners]))}`,
      `  who-has is answered by        ${this.paint(own, names(answering))}`,
      `  the router's ARP entry says   ${this.paint(isAgreed ? 'good' : 'bad', this.#entry(router))}`,
      `  the client's probes reach     ${this.paint(probe?.by ? 'good' : 'bad', probe?.by ?? 'nobody')}` +
        this.paint('dim', `   (${CLIENT_ADDRESSES[this.#family]} asks every 5 ms)`),
    ];
  }

  #entry(router: Present['router']): string {
    if (router === undefined) return 'nothing';
    return router === 'stranger' ? router : `${MACS[router]} (${router})`;
  }

  #sayChange(): void {
    if (this.#present === undefined) return;
    const { owners, answering, router, probe } = this.#present;
    const line = [
      `VIP on ${names([...owners])}`,
      `answered by ${names(answering)}`,
      `router says ${router ?? 'nothing'}`,
      `probes reach ${probe?.by ?? 'nobody'}`,
    ].join('; ');
    if (line === this.#lastLine) return;
    this.#lastLine = line;
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1).padStart(5);
    process.stdout.write(`  [${seconds} s] ${line}\n`);
  }
}

function names(nodes: readonly string[]): string {
  return nodes.length === 0 ? 'nobody' : nodes.toSorted().join(' and ');
}
