/**
 * A client that asks an address over and over: prober.ts ADDRESS. It opens a TCP connection to a port where nobody listens, so
 * whoever owns the address refuses at once; silence for 250 ms is a loss. For every line on standard input it prints what it
 * has counted since the last one, as JSON.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

export type Counted = {
  readonly sent: number;
  readonly lost: number;
  /** Between two answers, whatever was sent meanwhile. */
  readonly longestSilenceMs: number;
};

const EVERY_MS = 20;
const LOST_MS = 250;
const PORT = 9;
const [address = ''] = process.argv.slice(2);

let sent = 0;
let lost = 0;
let longestSilenceMs = 0;
let answeredAt = performance.now();

function probe(): void {
  sent++;
  const socket = connect({ host: address, port: PORT });
  socket.setTimeout(LOST_MS, () => socket.destroy(new Error('nobody answers')));
  socket.once('connect', () => socket.destroy());
  socket.once('error', (error) => {
    if (!('code' in error && error.code === 'ECONNREFUSED')) {
      lost++;
      return;
    }
    const now = performance.now();
    longestSilenceMs = Math.max(longestSilenceMs, now - answeredAt);
    answeredAt = now;
  });
}

setInterval(probe, EVERY_MS);
const lines = createInterface(process.stdin);
lines.on('line', () => {
  const silence = Math.max(longestSilenceMs, performance.now() - answeredAt);
  const counted: Counted = { sent, lost, longestSilenceMs: Math.round(silence) };
  process.stdout.write(`${JSON.stringify(counted)}\n`);
  sent = 0;
  lost = 0;
  longestSilenceMs = 0;
});
lines.on('close', () => process.exit(0));
