/**
 * The libraries that the installed program loads, with all that they need, one a line, sorted: what stands in package.json and
 * is bundled into the console's files, or used only to make them, stays at home.
 */
import { readFileSync } from 'node:fs';

const ROOTS = ['@noble/hashes', 'prom-client', 'valibot'];

const found = new Set();
const waiting = [...ROOTS];
for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
  if (found.has(name)) continue;
  found.add(name);
  const manifest = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'));
  waiting.push(...Object.keys(manifest.dependencies ?? {}));
}
for (const name of [...found].sort()) console.log(name);
