/** Debian's Chromium, driven: without a window, without anything that would ask the outside world. */
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  '--disable-dev-shm-usage',
];

export function browserObstacle(): string | undefined {
  return existsSync(CHROMIUM)
    ? undefined
    : 'chromium is not installed (Debian: apt install chromium)';
}

/** `wrapper`: a file to be made, so that the browser runs in the network namespace `inside`. */
export function openBrowser(place?: {
  readonly inside: string;
  readonly wrapper: string;
}): Promise<Browser> {
  if (place === undefined) return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const { inside, wrapper } = place;
  writeFileSync(wrapper, `#!/bin/sh\nexec ip netns exec ${inside} ${CHROMIUM} "$@"\n`);
  chmodSync(wrapper, 0o755);
  return chromium.launch({ executablePath: wrapper, args: FLAGS });
}
